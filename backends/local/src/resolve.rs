//! Opens relative paths, without leaving the root or following a link.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, openat, openat2, statat};
use rustix::io::{Errno, retry_on_intr};
use towpath_backend::RelPath;

/// The longest path that one system call accepts, without its final NUL.
const PATH_BYTES: usize = 4095;
/// openat2 returns EAGAIN if the tree is renamed at that moment.
const MAX_TRIES: u32 = 100;

const DIR: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC).union(OFlags::NOFOLLOW);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// How a path of several components is opened without following a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strategy {
    /// In one call: the kernel checks the path.
    Openat2,
    /// One component after the other.
    ByComponents,
}

impl Strategy {
    /// What this kernel and its sandbox allow.
    fn of(root: BorrowedFd<'_>) -> Self {
        match openat2(root, ".", DIR, Mode::empty(), BENEATH) {
            // Linux before 5.6, and old sandboxes, which return EPERM for unknown system calls.
            Err(Errno::NOSYS | Errno::PERM) => Self::ByComponents,
            _ => Self::Openat2,
        }
    }
}

/// Opens paths beneath one directory.
#[derive(Debug)]
pub(crate) struct Resolver {
    root: OwnedFd,
    strategy: Strategy,
}

/// A directory in a path: the root itself, or one that was opened.
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
        let strategy = Strategy::of(root.as_fd());
        Self::with(root, strategy)
    }

    pub(crate) fn with(root: OwnedFd, strategy: Strategy) -> Self {
        Self { root, strategy }
    }

    /// A resolver for another root, with the same strategy.
    pub(crate) fn like(&self, root: OwnedFd) -> Self {
        Self::with(root, self.strategy)
    }

    /// The root's handle.
    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// Opens `path`; the root itself with an empty one.
    pub(crate) fn open(&self, path: &RelPath, flags: OFlags, mode: Mode) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        if path.is_root() {
            return Ok(retry_on_intr(|| openat(&self.root, ".", flags, mode))?);
        }
        let (dir, rest) = self.descend(path.as_bytes())?;
        self.open_beneath(dir.as_fd(), rest, flags, mode)
    }

    /// The directory that holds `path`, and its name there. The root has none.
    pub(crate) fn parent<'p>(&self, path: &'p RelPath) -> io::Result<(Dir<'_>, &'p OsStr)> {
        let bytes = path.as_bytes();
        let Some(name) = path.name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is the root of the tree"));
        };
        let name = OsStr::from_bytes(name);
        let Some(slash) = bytes.iter().rposition(|&b| b == b'/') else { return Ok((Dir::Root(self.root()), name)) };
        let (dir, rest) = self.descend(&bytes[..slash])?;
        Ok((Dir::Opened(self.open_beneath(dir.as_fd(), rest, DIR, Mode::empty())?), name))
    }

    /// An `O_PATH` handle of the entry at `path`, including a link itself.
    pub(crate) fn pin(&self, path: &RelPath) -> io::Result<OwnedFd> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if path.is_root() {
            return Ok(openat(&self.root, ".", flags, Mode::empty())?);
        }
        let (dir, name) = self.parent(path)?;
        Ok(retry_on_intr(|| openat(&dir, name, flags, Mode::empty()))?)
    }

    /// Opens directories until the rest of `path` fits into one call.
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
        if self.strategy == Strategy::ByComponents {
            return Ok(open_by_components(dir, path, flags, mode)?);
        }
        // NO_SYMLINKS returns ELOOP for a link at the end as well; with O_NOFOLLOW, a link in place of a directory
        // would be ENOTDIR, which is less exact.
        let flags = flags.difference(OFlags::NOFOLLOW);
        for _ in 0..MAX_TRIES {
            match openat2(dir, OsStr::from_bytes(path), flags, mode, BENEATH) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
        Err(Errno::AGAIN.into())
    }
}

/// The same without openat2: one component after the other.
fn open_by_components(dir: BorrowedFd<'_>, path: &[u8], flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
    let mut at: Option<OwnedFd> = None;
    let mut names = path.split(|&b| b == b'/').map(OsStr::from_bytes).peekable();
    while let Some(name) = names.next() {
        let here = at.as_ref().map_or(dir, AsFd::as_fd);
        let last = names.peek().is_none();
        let (flags, mode) = if last { (flags, mode) } else { (DIR, Mode::empty()) };
        let opened = match retry_on_intr(|| openat(here, name, flags, mode)) {
            // A link in place of a directory: openat2 returns ELOOP.
            Err(Errno::NOTDIR) if is_link(here, name) => Err(Errno::LOOP),
            result => result,
        };
        at = Some(opened?);
    }
    at.ok_or(Errno::NOENT)
}

fn is_link(dir: BorrowedFd<'_>, name: &OsStr) -> bool {
    statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    const STRATEGIES: [Strategy; 2] = [Strategy::Openat2, Strategy::ByComponents];

    fn resolver(root: &std::path::Path, strategy: Strategy) -> Resolver {
        Resolver::with(rustix::fs::open(root, OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty()).unwrap(), strategy)
    }

    fn path(text: &str) -> RelPath {
        RelPath::new(text).unwrap()
    }

    #[test]
    fn with_and_without_openat2_links_are_rejected_and_files_found() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/file"), "x").unwrap();
        symlink("a", folder.path().join("link")).unwrap();
        symlink("b/file", folder.path().join("a/last")).unwrap();
        for resolver in STRATEGIES.map(|strategy| resolver(folder.path(), strategy)) {
            let open = |at: &str, flags| resolver.open(&path(at), flags, Mode::empty());
            let error = |at: &str, flags| open(at, flags).unwrap_err().raw_os_error().unwrap_or(0);
            for found in ["", "a/b", "a/b/file"] {
                assert!(open(found, OFlags::RDONLY).is_ok(), "{found}");
            }
            for link in ["link/b/file", "a/last", "link"] {
                assert_eq!(error(link, OFlags::RDONLY), Errno::LOOP.raw_os_error(), "{link}");
                assert_eq!(error(link, OFlags::RDONLY | OFlags::DIRECTORY), Errno::LOOP.raw_os_error());
            }
            assert_eq!(error("a/missing", OFlags::RDONLY), Errno::NOENT.raw_os_error());
            assert_eq!(error("a/b/file/more", OFlags::RDONLY), Errno::NOTDIR.raw_os_error());
            let at = path("a/b/file");
            let (dir, name) = resolver.parent(&at).unwrap();
            assert!(statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).is_ok());
            assert!(resolver.parent(&path("link/b/file")).is_err());
            assert!(resolver.parent(&RelPath::root()).is_err());
        }
    }

    #[test]
    fn long_paths_are_split_for_the_system_calls() {
        let folder = tempfile::tempdir().unwrap();
        for strategy in STRATEGIES {
            let resolver = resolver(folder.path(), strategy);
            // Lengths on both sides of the limit and of a slash that falls on it.
            for last in 90..=100 {
                let long = [vec!["d".repeat(199); 20], vec!["e".repeat(last), "f".to_owned()]].concat().join("/");
                let (_, rest) = match resolver.descend(long.as_bytes()) {
                    Err(error) => {
                        assert_eq!(error.kind(), io::ErrorKind::NotFound, "the directories are not there");
                        continue;
                    }
                    Ok(found) => found,
                };
                assert!(rest.len() <= PATH_BYTES);
            }
            assert!(resolver.descend("n".repeat(5000).as_bytes()).is_err());
        }
    }
}
