//! The open root of a mounted tree.

use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, Statx, StatxFlags, open, statx};
use rustix::io::Errno;
use towpath_backend::{Error, Metadata, RelPath, Result};

use crate::blocking::blocking;
use crate::filesystem::FileSystem;
use crate::in_flight::InFlightWindow;
use crate::lifted::WriteAccess;
use crate::named::Named as _;
use crate::resolve::Resolver;
use crate::stat::{NO_FOLLOW, STATX, metadata_of, metadata_of_open};

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

    /// The path cannot `cannot` ("be read", "be created"), unless the error has a simpler description.
    pub(crate) fn io(path: &Path, cannot: &str, error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::new(path, "does not exist"),
            io::ErrorKind::NotADirectory => Self::new(path, "is not a directory"),
            _ => Self::new(path, format!("cannot {cannot}: {error}")),
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
    /// The bytes in flight to its server, if it has one.
    pub(crate) in_flight: Arc<InFlightWindow>,
    pub(crate) write_access: WriteAccess,
    /// The mount it lies on; 0 where the kernel does not report it.
    pub(crate) mount_id: u64,
}

impl Root {
    pub(crate) fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Self::with(path, Resolver::new).map_err(|error| OpenError::io(path, "be read", &error))
    }

    /// Opens `path` with the resolver that `resolver` creates from the root's handle.
    pub(crate) fn with(path: &Path, resolver: impl FnOnce(OwnedFd) -> Resolver) -> io::Result<Self> {
        let path = path.canonicalize().named("resolve", path)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = open(&path, flags, Mode::empty()).named("open", &path)?;
        let filesystem = FileSystem::of(&fd).named("statfs", &path)?;
        let mount_id = statx(&fd, "", AtFlags::EMPTY_PATH, StatxFlags::MNT_ID).named("stat", &path)?.stx_mnt_id;
        Ok(Self {
            path,
            resolver: resolver(fd),
            filesystem,
            in_flight: Arc::new(InFlightWindow::new()),
            write_access: WriteAccess::default(),
            mount_id,
        })
    }

    /// Opens for reading. If the kernel allows it (for own files on a disk), the atime stays unchanged. Servers
    /// maintain atimes themselves. A FIFO in the file's place does not block.
    pub(crate) fn open_to_read(&self, path: &RelPath, flags: OFlags) -> io::Result<OwnedFd> {
        let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        if !self.filesystem.is_remote() {
            match self.resolver.open(path, flags | OFlags::NOATIME, Mode::empty()) {
                Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {}
                result => return result,
            }
        }
        self.resolver.open(path, flags, Mode::empty())
    }

    pub(crate) fn metadata(&self, path: &RelPath) -> io::Result<Metadata> {
        if path.is_root() {
            return metadata_of_open(self.resolver.root());
        }
        let (dir, name) = self.resolver.parent(path)?;
        Ok(metadata_of(&statx(dir, name, NO_FOLLOW, STATX)?))
    }

    /// Whether an open file lies on a file system that is mounted inside the tree: flushing the root's file system does
    /// not include it.
    pub(crate) fn is_foreign(&self, stat: &Statx) -> bool {
        stat.stx_mnt_id != self.mount_id
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        self.path.as_os_str().as_bytes()
    }

    /// The path of a local file in this tree. The file may be missing, but not its folder.
    pub(crate) fn locate(&self, local: &Path) -> Option<RelPath> {
        let local = std::path::absolute(local).ok()?;
        let folder = local.parent()?.canonicalize().ok()?;
        let inside = folder.strip_prefix(&self.path).ok()?;
        RelPath::new(inside.join(local.file_name()?).as_os_str().as_bytes()).ok()
    }
}

impl Root {
    /// Runs work on a small file. In a file system in memory it does not block, and a hop to another thread and back
    /// would cost more than the work.
    pub(crate) async fn run_short<T: Send + 'static>(
        &self,
        operation: &'static str,
        path: &RelPath,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        if self.filesystem.is_memory() {
            return work().map_err(|error| Error::from_io(operation, path, error));
        }
        blocking(operation, path, work).await
    }
}
