//! From a relative path to a handle, never leaving the root and never following a link.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use towpath_backend::RelPath;

/// The longest path that one system call takes, its final NUL not counted.
const PATH_BYTES: usize = 4095;
/// openat2 gives EAGAIN when the tree is renamed at that moment.
const MAX_TRIES: u32 = 100;

const DIR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);

/// Opens paths beneath one directory.
#[derive(Debug)]
pub(crate) struct Resolver {
    root: OwnedFd,
    /// The kernel (before 5.6) or a sandbox does not know openat2.
    without_openat2: AtomicBool,
}

/// A directory on the way to a path: the root itself, or one that was opened.
pub(crate) enum Dir<'a> {
    Root(BorrowedFd<'a>),
    Opened(OwnedFd),
}

impl AsFd for Dir<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Root(fd) => *fd,
            Self::Opened(fd) => fd.as_fd(),
        }
    }
}

impl Resolver {
    pub(crate) fn new(root: OwnedFd) -> Self {
        Self { root, without_openat2: AtomicBool::new(false) }
    }

    /// The root's handle.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens `path`; the root itself with an empty one.
    pub(crate) fn open(&self, path: &RelPath, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if path.is_root() {
            return Ok(openat(&self.root, ".", flags, mode)?);
        }
        let (dir, rest) = self.descend(path.as_bytes())?;
        self.open_beneath(dir.as_fd(), rest, flags, mode)
    }

    /// The directory that holds `path`, and its name there. The root has none.
    pub(crate) fn parent<'p>(&self, path: &'p RelPath) -> io::Result<(Dir<'_>, &'p OsStr)> {
        let bytes = path.as_bytes();
        let Some(name) = path.name() else { return Err(Errno::BUSY.into()) };
        let name = OsStr::from_bytes(name);
        let Some(slash) = bytes.iter().rposition(|&b| b == b'/') else { return Ok((Dir::Root(self.root()), name)) };
        let (dir, rest) = self.descend(&bytes[..slash])?;
        Ok((Dir::Opened(self.open_beneath(dir.as_fd(), rest, DIR, Mode::empty())?), name))
    }

    /// Opens directories until what is left of `path` fits one call.
    fn descend<'p>(&self, mut path: &'p [u8]) -> io::Result<(Dir<'_>, &'p [u8])> {
        let mut dir = Dir::Root(self.root());
        while path.len() > PATH_BYTES {
            let Some(slash) = path[..=PATH_BYTES].iter().rposition(|&b| b == b'/') else {
                return Err(Errno::NAMETOOLONG.into());
            };
            dir = Dir::Opened(self.open_beneath(dir.as_fd(), &path[..slash], DIR, Mode::empty())?);
            path = &path[slash + 1..];
        }
        Ok((dir, path))
    }

    fn open_beneath(&self, dir: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        if self.without_openat2.load(Relaxed) {
            return open_by_components(dir, path, flags, mode);
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..MAX_TRIES {
            match openat2(dir, OsStr::from_bytes(path), flags, mode, resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                Err(Errno::NOSYS) => {
                    self.without_openat2.store(true, Relaxed);
                    return open_by_components(dir, path, flags, mode);
                }
                result => return Ok(result?),
            }
        }
        Err(Errno::AGAIN.into())
    }
}

/// The same without openat2: one component after the other.
fn open_by_components(dir: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
    let mut at: Option<OwnedFd> = None;
    let mut names = path.split(|&b| b == b'/').peekable();
    while let Some(name) = names.next() {
        let here = at.as_ref().map_or(dir, AsFd::as_fd);
        let last = names.peek().is_none();
        let (flags, mode) = if last { (flags, mode) } else { (DIR, Mode::empty()) };
        at = Some(openat(here, OsStr::from_bytes(name), flags, mode)?);
    }
    at.ok_or_else(|| Errno::NOENT.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Both ways to open, on the same tree.
    fn resolvers(root: &std::path::Path) -> [Resolver; 2] {
        [false, true].map(|without| {
            let fd = rustix::fs::open(root, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap();
            Resolver { root: fd, without_openat2: AtomicBool::new(without) }
        })
    }

    #[test]
    fn with_and_without_openat2_links_are_refused_and_files_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/file"), "x").unwrap();
        std::os::unix::fs::symlink("a", folder.path().join("link")).unwrap();
        std::os::unix::fs::symlink("b/file", folder.path().join("a/last")).unwrap();
        for resolver in resolvers(folder.path()) {
            let open = |path: &str| resolver.open(&RelPath::new(path).unwrap(), OFlags::RDONLY, Mode::empty());
            assert!(open("a/b/file").is_ok() && open("").is_ok() && open("a/b").is_ok());
            for refused in ["link/b/file", "a/last", "link"] {
                assert!(open(refused).is_err(), "{refused}");
            }
            assert_eq!(open("a/missing").unwrap_err().kind(), io::ErrorKind::NotFound);
            let path = RelPath::new("a/b/file").unwrap();
            let (dir, name) = resolver.parent(&path).unwrap();
            assert!(rustix::fs::statat(dir, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok());
            assert!(resolver.parent(&RelPath::new("link/b/file").unwrap()).is_err());
            assert!(resolver.parent(&RelPath::root()).is_err());
        }
    }
}
