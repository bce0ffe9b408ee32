//! The trash: a directory for discarded files, on the file system of the tree.

use std::ffi::{OsStr, OsString};
use std::fs::DirBuilder;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, RenameFlags, mkdirat, openat, renameat, renameat_with, statx};
use rustix::io::Errno;
use towpath_backend::{Kind, RelPath};

use crate::create_root;
use crate::overlap::{Overlap, overlap};
use crate::root::{OpenError, Root};
use crate::stat::{NO_FOLLOW, STATX, metadata_of, stat_open};

/// How many times one path can be discarded.
const MAX_SAME: u32 = 10_000;
/// The longest name of most file systems.
const NAME_BYTES: usize = 255;
/// Private: directories may have protected the files in them for a reason.
const DIR_MODE: u32 = 0o700;

/// The directory for discarded files.
#[derive(Debug)]
pub(crate) struct Trash {
    /// `None` if it is missing and nothing may be written.
    root: Option<Arc<Root>>,
    /// Its path in the tree, if it lies there.
    inside: Option<RelPath>,
}

impl Trash {
    /// Opens the directory; creates it if it is missing and `create` is set.
    pub(crate) fn at(dir: &Path, tree: &Root, create: bool) -> Result<Self, OpenError> {
        let resolver = |fd| tree.resolver.like(fd);
        if create {
            // It may lie in a directory of the tree that is not writable for its owner.
            let inside = tree.locate(dir).filter(|_| !dir.exists());
            let _holds = inside.and_then(|inside| tree.hold_dirs_above(&inside).ok());
            let (root, is_new) = create_root::open_or_create(dir, DirBuilder::new().mode(DIR_MODE), resolver)?;
            return Self::of(root, dir, tree).inspect_err(|_| {
                if is_new {
                    let _best_effort = std::fs::remove_dir(dir);
                }
            });
        }
        if !dir.exists() {
            create_root::check(dir)?;
            // A missing directory may lie in the tree, but cannot be or contain it.
            return Ok(Self { root: None, inside: tree.locate(dir) });
        }
        let root = Root::with(dir, resolver).map_err(|error| OpenError::io(dir, "be read", &error))?;
        Self::of(root, dir, tree)
    }

    /// The same for an open directory, if files can be moved there.
    fn of(root: Root, dir: &Path, tree: &Root) -> Result<Self, OpenError> {
        let failed = |error| OpenError::io(dir, "be checked", &error);
        match overlap(&root.path, &tree.path).map_err(failed)? {
            Some(Overlap::Same | Overlap::Shown) => return Err(OpenError::new(dir, "is the destination itself")),
            Some(Overlap::SinkInSource) => return Err(OpenError::new(dir, "holds the destination")),
            Some(Overlap::SourceInSink) | None => {}
        }
        let device = |root: &Root| stat_open(root.resolver.root()).map(|stat| (stat.stx_dev_major, stat.stx_dev_minor));
        // Files cannot be moved between two mounts of one file system either.
        if device(&root).map_err(failed)? != device(tree).map_err(failed)? || root.mount_id != tree.mount_id {
            return Err(OpenError::new(
                dir,
                "is not on the file system of the destination: files cannot be moved there",
            ));
        }
        let inside = root.path.strip_prefix(&tree.path).ok();
        let inside = inside.and_then(|inside| RelPath::new(inside.as_os_str().as_bytes()).ok());
        Ok(Self { root: Some(Arc::new(root)), inside })
    }

    pub(crate) fn root(&self) -> Option<Arc<Root>> {
        self.root.clone()
    }

    pub(crate) fn inside(&self) -> Option<RelPath> {
        self.inside.clone()
    }
}

/// Whether `path` is `dir` or lies below it.
pub(crate) fn holds(dir: &RelPath, path: &RelPath) -> bool {
    path.as_bytes().strip_prefix(dir.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// Moves a file or a link to the same path in `trash`, without replacing anything.
pub(crate) fn discard(tree: &Root, trash: &Root, path: &RelPath) -> io::Result<()> {
    let (from, name) = tree.resolver.parent(path)?;
    if metadata_of(&statx(&from, name, NO_FOLLOW, STATX)?).kind == Kind::Dir {
        return Err(Errno::ISDIR.into());
    }
    // Usually the directory exists already, from a previous file.
    if let Ok((to, _)) = trash.resolver.parent(path) {
        return move_to(from, name, to);
    }
    let mut to: OwnedFd = trash.resolver.root().try_clone_to_owned()?;
    for component in path.parent().unwrap_or_else(RelPath::root).components() {
        to = enter(to, OsStr::from_bytes(component))?;
    }
    move_to(from, name, to)
}

/// Opens a directory; creates it if it is missing. If a file or link with this name was discarded before, uses another
/// name.
fn enter(dir: impl AsFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for name in names(name) {
        match mkdirat(&dir, &name, Mode::from_raw_mode(DIR_MODE)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        match openat(&dir, &name, flags, Mode::empty()) {
            Err(Errno::NOTDIR | Errno::LOOP) => {}
            result => return Ok(result?),
        }
    }
    Err(Errno::EXIST.into())
}

/// Moves `name` to its first free name in `to`.
fn move_to(from: impl AsFd, name: &OsStr, to: impl AsFd) -> io::Result<()> {
    for free in names(name) {
        match rename_new(&from, name, &to, &free) {
            Err(Errno::EXIST) => {}
            // Another file system is mounted in the tree.
            Err(Errno::XDEV) => {
                let problem = "lies on another file system than the trash";
                return Err(io::Error::new(io::ErrorKind::Unsupported, problem));
            }
            result => return Ok(result?),
        }
    }
    Err(Errno::EXIST.into())
}

/// Renames without replacing anything.
fn rename_new(from: impl AsFd, name: &OsStr, to: impl AsFd, new: &OsStr) -> Result<(), Errno> {
    match renameat_with(&from, name, &to, new, RenameFlags::NOREPLACE) {
        // NFS and others do not support it: then nobody else may discard at the same moment.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => match statx(&to, new, NO_FOLLOW, STATX) {
            Ok(_) => Err(Errno::EXIST),
            Err(Errno::NOENT) => renameat(from, name, to, new),
            Err(error) => Err(error),
        },
        result => result,
    }
}

/// The name itself, then with `~1`, `~2`, … appended, shortened if need be.
fn names(name: &OsStr) -> impl Iterator<Item = OsString> {
    let numbered = move |n: u32| {
        let suffix = format!("~{n}");
        let mut kept = name.as_bytes();
        while kept.len() + suffix.len() > NAME_BYTES {
            kept = without_last_char(kept);
        }
        OsStr::from_bytes(&[kept, suffix.as_bytes()].concat()).to_owned()
    };
    std::iter::once(name.to_owned()).chain((1..MAX_SAME).map(numbered))
}

/// The name without its last character, or without its last byte if it is not UTF-8.
fn without_last_char(name: &[u8]) -> &[u8] {
    let is_utf8 = std::str::from_utf8(name).is_ok();
    let mut kept = &name[..name.len().saturating_sub(1)];
    while is_utf8 && !kept.is_empty() && std::str::from_utf8(kept).is_err() {
        kept = &kept[..kept.len() - 1];
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbered_names_fit_and_stay_valid_utf8() {
        let numbered = |name: &[u8]| names(OsStr::from_bytes(name)).nth(12).unwrap().as_bytes().to_vec();
        assert_eq!(numbered(b"file"), b"file~12");
        assert_eq!(numbered(&[b'n'; 255]), [&[b'n'; 252][..], b"~12"].concat());
        // 127 times two bytes: 252 bytes end within a character.
        let text = "é".repeat(127) + "x";
        assert_eq!(numbered(text.as_bytes()), ("é".repeat(126) + "~12").as_bytes());
        assert_eq!(numbered(&[0xff; 255]), [&[0xff; 252][..], b"~12"].concat());
    }

    #[test]
    fn a_path_lies_in_a_directory_only_by_whole_names() {
        let path = |text| RelPath::new(text).unwrap();
        for (inside, at) in [(true, "a/b"), (true, "a/b/c"), (false, "a/bc"), (false, "a"), (false, "c")] {
            assert_eq!(holds(&path("a/b"), &path(at)), inside, "{at}");
        }
    }
}
