//! A mounted tree: what source and sink have in common.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags, StatxTimestamp, fstatvfs, open, statx};
use rustix::io::Errno;
use towpath_backend::{
    EntryStream, Error, FileId, Hints, Identity, Kind, Metadata, Owner, ReadOptions, RelPath, Result, Timestamp,
};

use crate::filesystem::FileSystem;
use crate::identity;
use crate::listing;
use crate::named::Named as _;
use crate::resolve::Resolver;
use crate::way::Way;
use crate::write_access::WriteAccess;

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

    /// What `cannot` says ("be read", "be made"), unless the error has a plainer name.
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
    /// What is on its way to its server, if it has one.
    pub(crate) way: Arc<Way>,
    pub(crate) write_access: WriteAccess,
    /// The mount it lies on; 0 where the kernel does not tell.
    pub(crate) mount_id: u64,
}

impl Root {
    pub(crate) fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Self::with(path, Resolver::new).map_err(|error| OpenError::io(path, "be read", &error))
    }

    /// With the resolver that `resolver` makes of the root's handle.
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
            way: Arc::new(Way::new()),
            write_access: WriteAccess::default(),
            mount_id,
        })
    }

    /// Opens for reading. That does not touch the atime that is to be kept,
    /// where the kernel allows it: for one's own files on a disk. Servers keep
    /// atimes of their own. A FIFO that took the place does not block.
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

    /// Whether an open file lies on a file system that is mounted inside the
    /// tree: a flush of the root's does not reach it.
    pub(crate) fn is_foreign(&self, stat: &Statx) -> bool {
        stat.stx_mnt_id != self.mount_id
    }

    pub(crate) fn hints(&self) -> Hints {
        Hints { over_network: self.filesystem.is_remote(), ..Hints::DEFAULT }
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

impl Root {
    /// Runs the work on a small file. In a file system that lives in memory nothing
    /// is waited for, and the way to another thread and back costs more than the work.
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

/// The root looked up anew by its path: the handle that is held would show an
/// unmounted share as if it were still there.
pub(crate) async fn identity(root: &Arc<Root>) -> Result<Identity> {
    let path = root.path.clone();
    let look = move || {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        identity::identity(open(&path, flags, Mode::empty())?, &path)
    };
    blocking("stat", &RelPath::root(), look).await
}

/// How full the file system is, no cache knows: NFS and SMB ask the server each time.
pub(crate) async fn round_trip(root: &Arc<Root>) -> Result<()> {
    let root = Arc::clone(root);
    blocking("reach", &RelPath::root(), move || Ok(fstatvfs(root.resolver.root()).map(drop)?)).await
}

pub(crate) async fn read_dir(root: &Arc<Root>, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
    let (root, path) = (Arc::clone(root), dir.clone());
    listing::list(dir, options.pacing.is_some(), move || root.open_to_read(&path, OFlags::DIRECTORY)).await
}

pub(crate) async fn metadata(root: &Arc<Root>, path: &RelPath) -> Result<Metadata> {
    let (root, at) = (Arc::clone(root), path.clone());
    blocking("stat", path, move || root.metadata(&at)).await
}

/// What is asked of statx.
pub(crate) const STATX: StatxFlags = StatxFlags::BASIC_STATS.union(StatxFlags::BTIME).union(StatxFlags::MNT_ID);
/// Look at links themselves, and mount nothing by looking.
pub(crate) const NO_FOLLOW: AtFlags = AtFlags::SYMLINK_NOFOLLOW.union(AtFlags::NO_AUTOMOUNT);

/// Looks at an open file.
pub(crate) fn stat_open(file: impl AsFd) -> io::Result<Statx> {
    Ok(statx(file, "", AtFlags::EMPTY_PATH, STATX)?)
}

/// The metadata of an open file.
pub(crate) fn metadata_of_open(file: impl AsFd) -> io::Result<Metadata> {
    stat_open(file).map(|stat| metadata_of(&stat))
}

pub(crate) fn metadata_of(stat: &Statx) -> Metadata {
    let time = |time: &StatxTimestamp| Timestamp::from_parts(time.tv_sec, time.tv_nsec);
    let mode = u32::from(stat.stx_mode);
    let kind = match FileType::from_raw_mode(mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Dir,
        FileType::Symlink => Kind::Symlink,
        _ => Kind::Other,
    };
    Metadata {
        accessed: Some(time(&stat.stx_atime)),
        changed: Some(time(&stat.stx_ctime)),
        // Where the file system does not tell, the kernel leaves the bit unset.
        created: (stat.stx_mask & StatxFlags::BTIME.bits() != 0).then(|| time(&stat.stx_btime)),
        permissions: Some(mode & 0o7777),
        owner: Some(Owner { user: stat.stx_uid, group: stat.stx_gid }),
        id: Some(FileId { device: rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor), inode: stat.stx_ino }),
        names: u64::from(stat.stx_nlink),
        mount: (stat.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(stat.stx_mnt_id),
        ..Metadata::new(kind, stat.stx_size, time(&stat.stx_mtime))
    }
}
