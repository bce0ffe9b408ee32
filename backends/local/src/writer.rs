//! Writes a file: data, write-back, times, and a checked close.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use filetime::FileTime;
use rustix::fs::{
    AtFlags, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, fchmod, fdatasync, fsync, ftruncate, statx, unlinkat,
    utimensat,
};
use rustix::io::{Errno, pwrite};
use towpath_backend::{
    Bytes, Error, FileWriter, Kind, Metadata, Pacing, RelPath, Result, Times, Timestamp, async_trait,
};

use crate::blocking::blocking;
use crate::root::Root;
use crate::stat::{NO_FOLLOW, STATX, metadata_of, metadata_of_open, stat_open};
use crate::writeback::WriteBack;

/// Attempts to create or open a file that others create and remove at the same time.
const MAX_TRIES: u32 = 10;
const SETUID_SETGID: u32 = 0o6000;

/// Creates the file, or opens and truncates an existing one. A file with several names is recreated under this name, so
/// that writing to it does not change the others.
///
/// A link or FIFO in its place is neither followed nor waited for. The umask applies. The group and others get no more
/// than `permissions`, if given; the owner can always read and write.
pub(crate) fn create(root: &Root, path: &RelPath, permissions: Option<u32>) -> io::Result<File> {
    create_or_open(root, path, permissions).map(|(file, _)| file)
}

/// Writes a whole small file; returns its metadata. If that fails, a file that was created for it is removed.
pub(crate) fn write_whole(
    root: &Root,
    path: &RelPath,
    data: &[u8],
    permissions: Option<u32>,
    times: Option<&Times>,
) -> io::Result<Metadata> {
    let (file, is_new) = create_or_open(root, path, permissions)?;
    let write = || {
        write_all(&file, data, 0)?;
        sync_data(&file, root)
    };
    let written = write().and_then(|()| finish(file, path, times, root));
    if is_new && written.is_err() {
        // Best effort: the error of the write says more.
        let _removed = root.resolver.parent(path).map(|(dir, name)| unlinkat(dir, name, AtFlags::empty()));
    }
    written
}

/// The file, and whether it was certainly created just now.
fn create_or_open(root: &Root, path: &RelPath, permissions: Option<u32>) -> io::Result<(File, bool)> {
    let bound = permissions.map_or(0o777, |bits| bits & 0o077 | 0o700);
    let mut mode = Mode::from_raw_mode(0o666 & bound);
    for _ in 0..MAX_TRIES {
        let file = match create_or_open_once(root, path, mode) {
            Ok(Opened::Fresh(file)) => return Ok((file, true)),
            Ok(Opened::There(file)) => file,
            Ok(Opened::Gone) => continue,
            // ENXIO: a FIFO without a reader, or a socket.
            Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => return Err(not_a_file()),
            Err(error) => return Err(invalid_name(error)),
        };
        let metadata = metadata_of_open(&file)?;
        if metadata.kind != Kind::File {
            return Err(not_a_file());
        }
        if metadata.names > 1 {
            let (dir, name) = root.resolver.parent(path)?;
            unlinkat(dir, name, AtFlags::empty())?;
            // The new file must not grant more than the old one.
            mode = Mode::from_raw_mode(metadata.permissions.unwrap_or(0o600) & bound);
            continue;
        }
        if let Some(bits) = metadata.permissions {
            restrict(&file, bits, bound)?;
        }
        if metadata.size_bytes > 0 {
            ftruncate(&file, 0)?;
        }
        return Ok((file, false));
    }
    Err(Errno::AGAIN.into())
}

/// Removes permissions beyond `bound` from a file with the permissions `bits`, before new content is written.
///
/// Also removes setuid and setgid: new content must not run as the user or group of the old content. The kernel drops
/// them when a file is written, but not when root writes.
fn restrict(file: &File, bits: u32, bound: u32) -> io::Result<()> {
    let restricted = bits & !SETUID_SETGID & (0o7000 | bound);
    if restricted == bits {
        return Ok(());
    }
    match fchmod(file, Mode::from_raw_mode(restricted)) {
        // A writable file of another user, or a file system whose modes cannot be changed. That permissions cannot be
        // applied is reported when the file is complete.
        Err(Errno::PERM | Errno::ACCESS | Errno::NOSYS | Errno::OPNOTSUPP | Errno::INVAL) => Ok(()),
        result => Ok(result?),
    }
}

/// The result of creating or opening a file.
enum Opened {
    /// It was just created: nothing to stat, nothing to truncate.
    Fresh(File),
    /// It may have existed before.
    There(File),
    /// It existed, and was removed in between.
    Gone,
}

fn create_or_open_once(root: &Root, path: &RelPath, mode: Mode) -> io::Result<Opened> {
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
    let open = |flags, mode| root.resolver.open(path, flags, mode).map(File::from);
    // Once it is open, its own permissions are restored, so that later changes to them are kept.
    let open_there = |flags, mode| root.open_with_write_access(path, || open(flags, mode));
    if root.filesystem.is_remote() {
        // Exclusive creation would cost NFS one more request, under the directory's lock.
        return open_there(flags | OFlags::CREATE, mode).map(Opened::There);
    }
    match open(flags | OFlags::CREATE | OFlags::EXCL, mode) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        result => return result.map(Opened::Fresh),
    }
    match open_there(flags, Mode::empty()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Opened::Gone),
        result => result.map(Opened::There),
    }
}

/// Creating a name that the file system cannot hold returns EINVAL, such as a backslash on SMB.
pub(crate) fn invalid_name(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidInput => {
            io::Error::new(io::ErrorKind::InvalidFilename, "the file system does not accept such a name")
        }
        _ => error,
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::AlreadyExists, "an existing entry with this name is not a regular file; remove it")
}

/// Writes all of `data` at `offset`.
fn write_all(file: &File, mut data: &[u8], mut offset: u64) -> io::Result<()> {
    while !data.is_empty() {
        match pwrite(file, data, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                data = &data[written..];
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Flushes the data if the times can only be set after that.
fn sync_data(file: &File, root: &Root) -> io::Result<()> {
    if root.filesystem.is_remote() {
        // The server sets the mtime when data arrive: they must arrive before the times are set. Write errors show
        // here, too.
        fdatasync(file)?;
    }
    Ok(())
}

/// Sets the times if there are any, stats and closes the file; returns its metadata.
fn finish(file: File, path: &RelPath, times: Option<&Times>, root: &Root) -> io::Result<Metadata> {
    let after_close = root.filesystem.shows_the_close_as_mtime();
    if !after_close {
        set_times(&file, times)?;
    }
    let mut stat = stat_open(&file)?;
    if root.is_foreign(&stat) {
        // On a file system mounted inside the tree: flushing the root's file system does not include it, and it may be
        // on a server while the root is on a disk.
        fsync(&file)?;
        set_times(&file, times)?;
        fsync(&file)?;
        stat = stat_open(&file)?;
    }
    close(file)?;
    if !after_close {
        return Ok(metadata_of(&stat));
    }
    let (dir, name) = root.resolver.parent(path)?;
    if let Some(times) = times {
        utimensat(&dir, name, &timestamps(times), AtFlags::SYMLINK_NOFOLLOW)?;
    }
    Ok(metadata_of(&statx(&dir, name, NO_FOLLOW, STATX)?))
}

/// The times for utimensat; an unknown atime is left unchanged.
pub(crate) fn timestamps(times: &Times) -> Timestamps {
    let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
    let spec = |time: Timestamp| Timespec { tv_sec: time.seconds(), tv_nsec: time.subsec_nanoseconds().into() };
    Timestamps { last_access: times.accessed.map_or(omit, spec), last_modification: spec(times.modified) }
}

fn set_times(file: &File, times: Option<&Times>) -> io::Result<()> {
    let Some(times) = times else { return Ok(()) };
    let time = |time: Timestamp| FileTime::from_unix_time(time.seconds(), time.subsec_nanoseconds());
    filetime::set_file_handle_times(file, times.accessed.map(time), Some(time(times.modified)))
}

/// NFS and SMB report a full disk, an exceeded quota or a lost connection here;
/// dropping the file would swallow it.
fn close(file: File) -> io::Result<()> {
    nix::unistd::close(OwnedFd::from(file)).map_err(io::Error::from)
}

/// A file of a mounted tree, open for writing.
pub(crate) struct LocalWriter {
    open: Option<Open>,
    path: RelPath,
    root: Arc<Root>,
    sets_mtime: bool,
    pacing: Option<Pacing>,
}

/// The state that moves to the writing thread and back.
struct Open {
    file: File,
    write_back: WriteBack,
    /// The size according to what was written.
    size_bytes: u64,
}

impl Open {
    /// Extends the file to its size, with a hole at its end.
    fn extend(&self, size_bytes: u64) -> io::Result<()> {
        if self.size_bytes > size_bytes {
            let problem = format!("{} bytes were written to a file of {size_bytes} bytes", self.size_bytes);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        if self.size_bytes < size_bytes {
            ftruncate(&self.file, size_bytes)?;
        }
        Ok(())
    }
}

impl LocalWriter {
    pub(crate) fn new(file: File, path: RelPath, root: Arc<Root>, sets_mtime: bool, pacing: Option<Pacing>) -> Self {
        let write_back = if root.filesystem.is_remote() {
            WriteBack::over_network(Arc::clone(&root.in_flight))
        } else {
            WriteBack::to_disk()
        };
        let open = Open { file, write_back, size_bytes: 0 };
        Self { open: Some(open), path, root, sets_mtime, pacing }
    }

    fn take(&mut self, operation: &'static str) -> Result<Open> {
        let failed = || Error::from_io(operation, &self.path, io::Error::other("an earlier write failed"));
        self.open.take().ok_or_else(failed)
    }
}

#[async_trait]
impl FileWriter for LocalWriter {
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        let mut open = self.take("write")?;
        if let Some(pacing) = &self.pacing {
            open.write_back.limit(pacing.in_flight_bytes());
        }
        let to_memory = self.root.filesystem.is_memory();
        let write = move || {
            write_all(&open.file, &data, offset)?;
            open.size_bytes = open.size_bytes.max(offset + data.len() as u64);
            if !to_memory {
                open.write_back.written(&open.file, offset, data.len() as u64)?;
            }
            Ok(open)
        };
        self.open = Some(blocking("write", &self.path, write).await?);
        Ok(())
    }

    async fn finish(mut self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        let mut open = self.take("close")?;
        let (root, path) = (Arc::clone(&self.root), self.path.clone());
        let times = self.sets_mtime.then_some(*times);
        let close = move || {
            open.extend(size_bytes)?;
            sync_data(&open.file, &root)?;
            if !root.filesystem.is_memory() {
                open.write_back.drop_pages(&open.file);
            }
            if root.filesystem.is_remote() {
                open.write_back.all_arrived();
            }
            finish(open.file, &path, times.as_ref(), &root)
        };
        blocking("close", &self.path, close).await
    }
}
