//! A mounted tree: what source and sink have in common.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags, StatxTimestamp, open, statx};
use towpath_backend::{EntryStream, Error, Identity, Kind, Metadata, RelPath, Result, Timestamp};

use crate::filesystem::{self, FileSystem};
use crate::listing;
use crate::resolve::Resolver;

/// Why a path cannot be the root of a tree. One line, with the path.
#[derive(Debug)]
pub struct OpenError {
    path: PathBuf,
    problem: String,
}

impl OpenError {
    pub(crate) fn new(path: &Path, problem: impl Into<String>) -> Self {
        Self { path: path.to_owned(), problem: problem.into() }
    }

    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::new(path, "does not exist"),
            io::ErrorKind::NotADirectory => Self::new(path, "is not a directory"),
            _ => Self::new(path, format!("cannot be used: {error}")),
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path.display(), self.problem)
    }
}

impl std::error::Error for OpenError {}

/// An open root.
#[derive(Debug)]
pub(crate) struct Root {
    /// Canonical: absolute, and without links.
    pub(crate) path: PathBuf,
    pub(crate) resolver: Resolver,
    pub(crate) filesystem: FileSystem,
}

impl Root {
    pub(crate) fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        let canonical = path.canonicalize().map_err(|error| OpenError::io(path, &error))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = open(&canonical, flags, Mode::empty()).map_err(|error| OpenError::io(path, &error.into()))?;
        let filesystem = FileSystem::of(&fd).map_err(|error| OpenError::io(path, &error))?;
        Ok(Self { path: canonical, resolver: Resolver::new(fd), filesystem })
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }

    /// Where a file of this machine lies in this tree. The file may be missing, its folder not.
    pub(crate) fn locate(&self, local: &Path) -> Option<RelPath> {
        let local = std::path::absolute(local).ok()?;
        let folder = local.parent()?.canonicalize().ok()?;
        let inside = folder.strip_prefix(&self.path).ok()?;
        RelPath::new(inside.join(local.file_name()?).as_os_str().as_bytes()).ok()
    }
}

/// Runs blocking work on a thread for it; its errors become those of `operation` on `path`.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    path: &RelPath,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Error::from_io(operation, path, error)),
        Err(error) => Err(Error::from_io(operation, path, io::Error::other(error))),
    }
}

/// The root looked up anew by its path: the handle that is held would show an
/// unmounted share as if it were still there.
pub(crate) async fn identity(root: &Arc<Root>) -> Result<Identity> {
    let path = root.path.clone();
    let look = move || {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        filesystem::identity(open(&path, flags, Mode::empty())?)
    };
    blocking("look at root", &RelPath::root(), look).await.map(Identity::new)
}

pub(crate) async fn read_dir(root: &Arc<Root>, dir: &RelPath) -> Result<EntryStream> {
    let (root, path) = (Arc::clone(root), dir.clone());
    listing::list(dir, move || {
        root.resolver.open(&path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK, Mode::empty())
    })
    .await
}

pub(crate) async fn metadata(root: &Arc<Root>, path: &RelPath) -> Result<Metadata> {
    let (root, at) = (Arc::clone(root), path.clone());
    let look = move || {
        if at.is_root() {
            return Ok(metadata_of(&statx(root.resolver.root(), "", AtFlags::EMPTY_PATH, STATX)?));
        }
        let (dir, name) = root.resolver.parent(&at)?;
        Ok(metadata_of(&statx(dir, name, NO_FOLLOW, STATX)?))
    };
    blocking("look at", path, look).await
}

/// What is asked of statx.
pub(crate) const STATX: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME);
/// Look at links themselves, and mount nothing by looking.
pub(crate) const NO_FOLLOW: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT);

/// The metadata of an open file.
pub(crate) fn metadata_of_open(file: impl std::os::fd::AsFd) -> io::Result<Metadata> {
    Ok(metadata_of(&statx(file, "", AtFlags::EMPTY_PATH, STATX)?))
}

pub(crate) fn metadata_of(stat: &Statx) -> Metadata {
    let time = |time: &StatxTimestamp| Timestamp::from_parts(time.tv_sec, time.tv_nsec);
    let mode = u32::from(stat.stx_mode);
    Metadata {
        kind: match FileType::from_raw_mode(mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            _ => Kind::Other,
        },
        size_bytes: stat.stx_size,
        modified: time(&stat.stx_mtime),
        accessed: Some(time(&stat.stx_atime)),
        changed: Some(time(&stat.stx_ctime)),
        // Where the file system does not tell, the kernel leaves the bit unset.
        created: (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(&stat.stx_btime)),
        permissions: Some(mode & 0o7777),
    }
}
