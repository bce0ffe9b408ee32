//! The Unix socket of a run: its path, which follows from the database's, its creation and its removal.
//!
//! The socket is `DATABASE.sock`, beside the database. Where that path is too long for a socket, or the file system
//! keeps no sockets, it is in `towpath/` below the runtime directory of the user, and a symbolic link beside the
//! database says where.

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use rustix::process::geteuid;
use sha2::{Digest as _, Sha256};
use towpath::{canonical_path, private_file};

/// What a `sockaddr_un` holds, without the zero at its end.
const MAX_PATH_BYTES: usize = 107;
const MODE: u32 = 0o600;
/// Connections that wait to be accepted.
const QUEUE: i32 = 64;

/// The paths at which the socket of a run with this database may be, the likeliest first.
pub(crate) fn socket_paths(database: &Path) -> Vec<PathBuf> {
    let folders = runtime_folders(std::env::var_os("XDG_RUNTIME_DIR").as_deref(), geteuid().as_raw());
    paths(&canonical_path(database), &folders)
}

/// The files of the server, which belong to no tree: the socket, or what stands in its place.
pub(crate) fn socket_files(database: &Path) -> Vec<PathBuf> {
    let mut files = socket_paths(database);
    // Too long a path may be that of the link.
    files.push(beside(&canonical_path(database)));
    files
}

/// As [`socket_paths`], for a canonical path and the folders of the user.
fn paths(database: &Path, folders: &[PathBuf]) -> Vec<PathBuf> {
    let beside = beside(database);
    let name = name_elsewhere(database);
    // The link may point to a folder that only the run's environment named.
    let linked = std::fs::read_link(&beside).ok().filter(|to| to.file_name() == Some(OsStr::new(&name)));
    let elsewhere = folders.iter().map(|folder| folder.join(&name));
    let mut paths: Vec<_> = std::iter::once(beside).chain(linked).chain(elsewhere).filter(|path| fits(path)).collect();
    let mut seen = std::collections::HashSet::new();
    paths.retain(|path| seen.insert(path.clone()));
    paths
}

fn beside(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".sock");
    PathBuf::from(path)
}

fn fits(path: &Path) -> bool {
    path.as_os_str().len() <= MAX_PATH_BYTES
}

/// The name in a folder that is shared by all databases of a user.
fn name_elsewhere(database: &Path) -> String {
    let digest = Sha256::digest(database.as_os_str().as_bytes());
    format!("{}.sock", hex::encode(&digest[..10]))
}

/// The folders for sockets that cannot be beside their database. Programs that cron starts have no `XDG_RUNTIME_DIR`,
/// but may have the folder.
fn runtime_folders(xdg_runtime_dir: Option<&OsStr>, uid: u32) -> Vec<PathBuf> {
    let given = xdg_runtime_dir.map(PathBuf::from).filter(|path| path.is_absolute());
    let of_user = PathBuf::from(format!("/run/user/{uid}"));
    let of_system = (uid == 0).then(|| PathBuf::from("/run"));
    given.into_iter().chain([of_user]).chain(of_system).map(|folder| folder.join("towpath")).collect()
}

/// A listening socket; its file is removed when this is dropped.
#[derive(Debug)]
pub(crate) struct BoundSocket {
    /// Does not block.
    pub(crate) listener: UnixListener,
    pub(crate) path: PathBuf,
    /// Device and inode of the file.
    file: (u64, u64),
    /// The link beside the database.
    link: Option<PathBuf>,
}

impl BoundSocket {
    /// Creates the socket of a run, in place of that of a killed one. Blocks, because the paths may be on slow mounts.
    ///
    /// # Errors
    /// One line: another run answers, something else has the name, or no folder takes a socket.
    pub(crate) fn create(database: &Path) -> Result<Self, String> {
        let folders = runtime_folders(std::env::var_os("XDG_RUNTIME_DIR").as_deref(), geteuid().as_raw());
        Self::create_in(&canonical_path(database), &folders)
    }

    fn create_in(database: &Path, folders: &[PathBuf]) -> Result<Self, String> {
        let beside = beside(database);
        let name = name_elsewhere(database);
        let mut problem = format!("its path is longer than {MAX_PATH_BYTES} bytes");
        if fits(&beside) {
            remove_link(&beside, &name);
            match bind_at(&beside) {
                Ok(bound) => return Ok(bound),
                Err(Unbound::Taken(problem)) => return Err(problem),
                Err(Unbound::Failed(error)) => problem = error.to_string(),
            }
        }
        let first_problem = format!("cannot create the socket {}: {problem}", beside.display());
        for folder in folders.iter().filter(|folder| folder.parent().is_some_and(Path::is_dir)) {
            let path = folder.join(&name);
            match prepare(folder).map_err(Unbound::Failed).and_then(|()| bind_at(&path)) {
                Ok(mut bound) => {
                    remove_link(&beside, &name);
                    bound.link = symlink(&path, &beside).ok().map(|()| beside);
                    return Ok(bound);
                }
                Err(Unbound::Taken(problem)) => return Err(problem),
                Err(Unbound::Failed(error)) => tracing::debug!(%error, path = %path.display(), "cannot bind"),
            }
        }
        Err(format!("{first_problem}; no runtime directory takes it either (XDG_RUNTIME_DIR)"))
    }
}

impl Drop for BoundSocket {
    fn drop(&mut self) {
        // Another run may have replaced it.
        if std::fs::symlink_metadata(&self.path).is_ok_and(|found| id(&found) == self.file) {
            let _gone = std::fs::remove_file(&self.path);
        }
        if let (Some(link), Some(name)) = (&self.link, self.path.file_name()) {
            remove_link(link, name);
        }
    }
}

fn id(file: &Metadata) -> (u64, u64) {
    (file.dev(), file.ino())
}

/// Removes the link of an earlier run.
fn remove_link(beside: &Path, name: impl AsRef<OsStr>) {
    if std::fs::read_link(beside).is_ok_and(|to| to.file_name() == Some(name.as_ref())) {
        let _gone = std::fs::remove_file(beside);
    }
}

/// Creates a folder for sockets, or checks that nobody else can put sockets there.
fn prepare(folder: &Path) -> io::Result<()> {
    private_file::create_folder(folder)?;
    let found = std::fs::symlink_metadata(folder)?;
    let is_private = found.is_dir() && found.uid() == geteuid().as_raw() && found.mode() & 0o022 == 0;
    if is_private { Ok(()) } else { Err(io::Error::other("others can write to this folder")) }
}

/// Why a path has no socket of ours.
enum Unbound {
    /// It is in use, or must not be removed.
    Taken(String),
    Failed(io::Error),
}

fn bind_at(path: &Path) -> Result<BoundSocket, Unbound> {
    let failed = |error: io::Error| Unbound::Failed(error);
    clear(path)?;
    let socket = new_socket().map_err(failed)?;
    // Linux gives the file the mode of the socket, so that it never has another one.
    fchmod(&socket, Mode::from_raw_mode(MODE)).map_err(|error| failed(error.into()))?;
    let bound = SocketAddrUnix::new(path).and_then(|address| bind(&socket, &address)).and_then(|()| {
        listen(&socket, QUEUE)?;
        Ok(())
    });
    match bound {
        Err(Errno::ADDRINUSE) => {
            return Err(Unbound::Taken(format!("another run has just created {}", path.display())));
        }
        bound => bound.map_err(|error| failed(error.into()))?,
    }
    let found = std::fs::symlink_metadata(path).map_err(failed)?;
    let bound =
        BoundSocket { listener: UnixListener::from(socket), path: path.to_owned(), file: id(&found), link: None };
    if found.mode() & 0o777 & !MODE != 0 {
        return Err(failed(io::Error::other(format!("the file system gave it mode {:04o}", found.mode() & 0o777))));
    }
    Ok(bound)
}

fn new_socket() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    Ok(socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?)
}

/// Removes the socket of a killed run.
fn clear(path: &Path) -> Result<(), Unbound> {
    let shown = path.display();
    let found = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found.map_err(Unbound::Failed)?,
    };
    if found.mode() & 0o170_000 != 0o140_000 {
        return Err(Unbound::Taken(format!(
            "{shown} is in the place of the control socket and is not one: move it away"
        )));
    }
    let is_stale = match new_socket().and_then(|socket| Ok(connect(&socket, &SocketAddrUnix::new(path)?)?)) {
        Err(error) if error.raw_os_error() == Some(Errno::CONNREFUSED.raw_os_error()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            return Err(Unbound::Taken(format!("the control socket {shown} belongs to another user: {error}")));
        }
        // Accepted, or so busy that nothing was accepted (EAGAIN).
        _ => false,
    };
    let is_same = || std::fs::symlink_metadata(path).is_ok_and(|now| id(&now) == id(&found));
    if !is_stale || !is_same() {
        return Err(Unbound::Taken(format!("another run answers at the control socket {shown}")));
    }
    tracing::debug!(path = %shown, "replaces the socket of a run that was killed");
    std::fs::remove_file(path).map_err(Unbound::Failed)
}

#[cfg(test)]
mod tests;
