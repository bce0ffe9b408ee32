//! A connection that reads and changes nothing: no file is created, written or locked exclusively.
//!
//! SQLite itself changes files when it reads a database with a write-ahead log: it creates the log and its index, and
//! recovers the index after a crash. So how the database is opened depends on what is beside it.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};

use crate::error::{DatabaseError, Error, Result};
use crate::journal::store::failure::{self, failed_io, of_sqlite};
use crate::journal::store::open;
use crate::own_files::companion;
use crate::private_file::{self, Access};

/// How often it is tried again when a run starts, ends or recovers meanwhile.
const ATTEMPTS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(50);
/// Where a header says whether the database has a write-ahead log.
const FORMAT_AT: usize = 18;
const FORMAT_WITH_WAL: u8 = 2;

/// How a database is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// With the write-ahead log, whose index is not written to. SQLite keeps an index of its own in memory if no
    /// process maintains the one on disk, as after a kill.
    WithLog,
    /// Without locks: nothing else uses the file, or it is noticed afterwards.
    Alone,
    /// With a rollback journal.
    Plain,
}

/// Reads a database in one transaction, together with the metadata of its file. `None`: it does not exist, or has no
/// tables yet.
pub(super) fn read<T>(
    path: &Path,
    query: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<Option<(T, Metadata)>> {
    let mut attempt = 1;
    loop {
        match try_read(path, &query) {
            Ok(Attempt::Read(read)) => return Ok(read),
            Ok(Attempt::Changed) if attempt < ATTEMPTS => {}
            Err(error) if attempt < ATTEMPTS && is_passing(&error) => {}
            Ok(Attempt::Changed) => return Err(failure::at(path, DatabaseError::ReplacedAtOpen)),
            Err(error) => return Err(explained(error)),
        }
        attempt += 1;
        std::thread::sleep(PAUSE);
    }
}

enum Attempt<T> {
    Read(Option<(T, Metadata)>),
    /// The files changed meanwhile in a way that makes the result uncertain.
    Changed,
}

fn try_read<T>(path: &Path, query: &impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<Attempt<T>> {
    let failed = |error: rusqlite::Error| failure::at(path, of_sqlite(error));
    let io_failed = |error| failure::at(path, failed_io("cannot be opened", error));
    let opened = match private_file::open(path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Attempt::Read(None)),
        opened => opened.map_err(io_failed)?,
    };
    open::check_companions(path, &opened.path, false)?;
    if open::is_fresh(path, &opened.file)? {
        return Ok(Attempt::Read(None));
    }
    let mode = mode_of(&opened.file, &opened.path).map_err(io_failed)?;
    let before = state(&opened.path);
    let connection = connect(&opened.path, mode).map_err(failed)?;
    connection.execute_batch("BEGIN").map_err(failed)?;
    let read = match is_usable(path, &connection)? {
        true => Some(query(&connection).map_err(failed)?),
        false => None,
    };
    connection.execute_batch("COMMIT").map_err(failed)?;
    // Before `opened.file` is closed, which releases the connection's locks.
    drop(connection);
    if mode == Mode::Alone && state(&opened.path) != before {
        return Ok(Attempt::Changed);
    }
    Ok(Attempt::Read(read.map(|read| (read, opened.metadata))))
}

/// What changes when another process writes to a database or opens its log: the sizes and mtimes of both.
fn state(path: &Path) -> [Option<(u64, Option<SystemTime>)>; 2] {
    let of = |path: &Path| {
        let found: Option<Metadata> = std::fs::symlink_metadata(path).ok();
        found.map(|found| (found.len(), found.modified().ok()))
    };
    [of(path), of(&companion(path, "-wal"))]
}

/// Whether it has tables of this program, in a version that is known.
fn is_usable(path: &Path, connection: &Connection) -> Result<bool> {
    if open::is_unfinished(connection).map_err(|error| failure::at(path, of_sqlite(error)))? {
        return Ok(false);
    }
    open::check_version(path, connection).map(|_version| true)
}

fn mode_of(file: &File, path: &Path) -> io::Result<Mode> {
    let mut header = [0; FORMAT_AT + 1];
    file.read_exact_at(&mut header, 0)?;
    if header[FORMAT_AT] != FORMAT_WITH_WAL {
        return Ok(Mode::Plain);
    }
    let has_log = std::fs::metadata(companion(path, "-wal")).is_ok_and(|log| log.len() > 0);
    Ok(if has_log || companion(path, "-shm").exists() { Mode::WithLog } else { Mode::Alone })
}

fn connect(path: &Path, mode: Mode) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(uri(path, mode), flags)?;
    connection.busy_timeout(PAUSE)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A `file:` URI of a canonical path.
fn uri(path: &Path, mode: Mode) -> PathBuf {
    let mut uri = String::from("file://");
    for &byte in path.as_os_str().as_bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => uri.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => uri.push(char::from(byte)),
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri.push_str(match mode {
        Mode::WithLog => "?mode=ro&readonly_shm=1",
        Mode::Alone => "?mode=ro&immutable=1",
        Mode::Plain => "?mode=ro",
    });
    PathBuf::from(uri)
}

/// What SQLite cannot do without changing a file, a run can.
fn explained(error: Error) -> Error {
    match error {
        Error::Database { path, error: DatabaseError::ReadOnly(error) | DatabaseError::CannotOpen(error) } => {
            failure::at(&path, DatabaseError::NeedsRecovery(error))
        }
        error => error,
    }
}

/// Whether another attempt can succeed: another process starts, ends or recovers.
fn is_passing(error: &Error) -> bool {
    let Error::Database { error, .. } = error else { return false };
    matches!(
        error,
        DatabaseError::Locked(_)
            | DatabaseError::ReadOnly(_)
            | DatabaseError::CannotOpen(_)
            | DatabaseError::NoLocks(_)
    )
}
