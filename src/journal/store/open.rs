//! Opening the database: checks its owner, lock, version and integrity.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::error::{DatabaseError, Error, GuardRefusal, Result};
use crate::event::{Side, Warning};
use crate::journal::store::db::Opened;
use crate::journal::store::failure::{self, damaged, failed_io, of_sqlite};
use crate::journal::store::open_files::OpenFiles;
use crate::journal::store::upgrade::upgrade;
use crate::journal::store::value::{Name, bytes};
use crate::own_files;
use crate::per_side::PerSide;
use crate::private_file::{self, Access, PrivateFile};

/// "Towp": marks a SQLite file as a database of this program.
const APPLICATION_ID: i32 = 0x546f_7770;
/// The schema that this version writes.
pub(super) const SCHEMA_VERSION: i32 = 7;
pub(super) const SCHEMA: &str = include_str!("schema.sql");
const TEMPORARY_TABLES: &str = include_str!("temporary.sql");
/// A database up to this size is checked completely when it is opened.
const QUICK_CHECK_BYTES: u64 = 64 << 20;

/// How long to wait while another connection holds the database.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// The roots of the two trees of a database.
pub(crate) type Roots = PerSide<Vec<u8>>;

/// Checks that the database of these trees can be used at `path`, and creates its folder.
/// An existing file is checked and not changed.
pub(crate) fn check_file(path: &Path, roots: &Roots) -> Result<()> {
    let lock = lock(path)?;
    check_companions(path, &lock.path, false)?;
    if is_fresh(path, &lock.file)? {
        return Ok(());
    }
    let connection = connect(path, &lock)?;
    if !is_unfinished(&connection).map_err(|error| failed(path, error))? {
        check_usable(path, &connection, roots)?;
    }
    Ok(())
}

/// Opens the database of these trees for reading, even while a run uses it. `None`: it does not exist yet.
pub(in crate::journal) fn open_beside_others(path: &Path, roots: &Roots) -> Result<Option<Connection>> {
    let opened = match private_file::open(path, Access::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|error| cannot_be_opened(path, error))?,
    };
    check_companions(path, &opened.path, false)?;
    if is_fresh(path, &opened.file)? {
        return Ok(None);
    }
    let connection = connect(path, &opened)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(|error| failed(path, error))?;
    if is_unfinished(&connection).map_err(|error| failed(path, error))? {
        return Ok(None);
    }
    check_usable(path, &connection, roots)?;
    Ok(Some(connection))
}

pub(super) fn failed(path: &Path, error: rusqlite::Error) -> Error {
    failure::at(path, of_sqlite(error))
}

/// Opens the path with SQLite and verifies that it is still the file that was checked.
pub(super) fn connect(path: &Path, checked: &PrivateFile) -> Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let connection = Connection::open_with_flags(&checked.path, flags).map_err(|error| failed(path, error))?;
    let file = std::fs::symlink_metadata(&checked.path).map_err(|error| cannot_be_opened(path, error))?;
    if (file.dev(), file.ino()) != (checked.metadata.dev(), checked.metadata.ino()) {
        return Err(failure::at(path, DatabaseError::ReplacedAtOpen));
    }
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Checks that a database is intact, not of a newer version, and of these trees; returns its version.
fn check_usable(path: &Path, connection: &Connection, roots: &Roots) -> Result<i32> {
    check_whole(path, connection)?;
    let version = check_version(path, connection)?;
    check_roots(path, connection, roots)?;
    Ok(version)
}

/// Opens or creates the database at `path`.
pub(in crate::journal) fn open(path: &Path, roots: &Roots) -> Result<Opened> {
    let mut lock = lock(path)?;
    lock.tighten();
    let warnings = check_companions(path, &lock.path, true)?;
    let fresh = is_fresh(path, &lock.file)?;
    let connection = connect(path, &lock)?;
    let fresh = fresh || is_unfinished(&connection).map_err(|error| failed(path, error))?;
    if fresh {
        create(&connection, roots).map_err(|error| failed(path, error))?;
    } else {
        let version = check_usable(path, &connection, roots)?;
        if version < SCHEMA_VERSION {
            upgrade(&connection, version, SCHEMA, SCHEMA_VERSION).map_err(|error| failed(path, error))?;
        }
    }
    finish(path, connection, lock, Opening { fresh, warnings })
}

/// What is known of a database that is being opened.
pub(super) struct Opening {
    pub(super) fresh: bool,
    pub(super) warnings: Vec<Warning>,
}

/// Sets up the connection to a database that passed the checks.
pub(super) fn finish(path: &Path, connection: Connection, mut file: PrivateFile, opening: Opening) -> Result<Opened> {
    let Opening { fresh, mut warnings } = opening;
    let has_wal = set_up(&connection).map_err(|error| failed(path, error))?;
    let wal = has_wal.then(|| open_wal(path, &file.path)).transpose()?;
    // Another user may have created one of them between the first check and SQLite's open.
    warnings.extend(check_companions(path, &file.path, true)?);
    warnings.append(&mut file.warnings);
    let files = OpenFiles::of(path, &file.path, &file.metadata);
    Ok(Opened { connection, lock: file.file, wal, files, fresh, warnings })
}

/// Opens the write-ahead log, which SQLite has already created, and makes its directory entry durable.
/// SQLite holds no POSIX locks on this file, so closing our handle releases none.
fn open_wal(path: &Path, real: &Path) -> Result<File> {
    let wal = own_files::companion(real, "-wal");
    let opened = private_file::open(&wal, Access::Read).map_err(|error| cannot_be_opened(path, error))?;
    real.parent().into_iter().for_each(private_file::sync_folder);
    Ok(opened.file)
}

/// Checks the files that SQLite opens itself, beside the database.
pub(in crate::journal) fn check_companions(path: &Path, real: &Path, tighten: bool) -> Result<Vec<Warning>> {
    let mut warnings = Vec::new();
    for suffix in own_files::COMPANIONS {
        let companion = own_files::companion(real, suffix);
        let checked = private_file::check_beside(&companion, tighten);
        warnings.extend(checked.map_err(|error| cannot_be_opened(path, error))?);
    }
    Ok(warnings)
}

fn cannot_be_opened(path: &Path, error: io::Error) -> Error {
    failure::at(path, failed_io("cannot be opened", error))
}

/// Sets the pragmas; returns whether there is a write-ahead log.
fn set_up(connection: &Connection) -> rusqlite::Result<bool> {
    // WAL with NORMAL: a power cut may undo the last transactions, but never
    // part of one. Where that would do harm, `Db::commit_durably` syncs the WAL; FULL would
    // sync each of the many small transactions of a scan.
    let mode: String = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    let has_wal = mode == "wal";
    connection.pragma_update(None, "synchronous", if has_wal { "normal" } else { "extra" })?;
    // The WAL is opened with the first read.
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -16_384)?; // KiB
    connection.pragma_update(None, "temp_store", "file")?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(TEMPORARY_TABLES)?;
    Ok(has_wal)
}

/// Opens the file and locks it against other runs.
fn lock(path: &Path) -> Result<PrivateFile> {
    let opened = private_file::open(path, Access::Write).map_err(|error| cannot_be_opened(path, error))?;
    if let Some(file_system) = network_filesystem(&opened.file) {
        return Err(failure::at(path, DatabaseError::OnShare { file_system }));
    }
    lock_against_runs(path, opened)
}

pub(super) fn lock_against_runs(path: &Path, opened: PrivateFile) -> Result<PrivateFile> {
    match opened.file.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => Err(failure::at(path, DatabaseError::InUse)),
        Err(TryLockError::Error(error)) => Err(failure::at(path, failed_io("cannot be locked", error))),
    }
}

fn network_filesystem(file: &File) -> Option<&'static str> {
    let magic = rustix::fs::fstatfs(file).ok()?.f_type;
    // From statfs(2).
    match u32::try_from(magic & 0xffff_ffff).ok()? {
        0x6969 => Some("NFS"),
        0x517b | 0xff53_4d42 | 0xfe53_4d42 => Some("SMB"),
        _ => None,
    }
}

/// Whether the file is empty. A file with content must be a SQLite database.
pub(in crate::journal) fn is_fresh(path: &Path, mut file: &File) -> Result<bool> {
    let mut header = Vec::with_capacity(16);
    file.by_ref()
        .take(16)
        .read_to_end(&mut header)
        .map_err(|error| failure::at(path, failed_io("cannot be read", error)))?;
    if header.is_empty() {
        return Ok(true);
    }
    if header == b"SQLite format 3\0" {
        return Ok(false);
    }
    Err(not_ours(path))
}

/// Whether a process was interrupted between creating the file and creating its tables.
pub(in crate::journal) fn is_unfinished(connection: &Connection) -> rusqlite::Result<bool> {
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(version == 0 && tables == 0)
}

fn create(connection: &Connection, roots: &Roots) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    connection.execute_batch(SCHEMA)?;
    for (side, root) in roots.iter() {
        let mut prefix = root.clone();
        if !prefix.ends_with(b"/") {
            prefix.push(b'/');
        }
        connection.execute(
            "INSERT INTO tree(side, root, prefix) VALUES (?1, ?2, ?3)",
            rusqlite::params![side, Name(root), Name(&prefix)],
        )?;
    }
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    connection.execute_batch("COMMIT")
}

pub(super) fn check_whole(path: &Path, connection: &Connection) -> Result<()> {
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if length > QUICK_CHECK_BYTES {
        // The check would take minutes; a damaged page is found when it is read.
        return Ok(());
    }
    let result: rusqlite::Result<String> = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    match result {
        Ok(message) if message == "ok" => Ok(()),
        Ok(message) => Err(failure::at(path, damaged(&message))),
        Err(error) => Err(failed(path, error)),
    }
}

/// Returns the version if this program can use it or upgrade it.
pub(in crate::journal) fn check_version(path: &Path, connection: &Connection) -> Result<i32> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let read = || Ok((number("application_id")?, number("user_version")?));
    let (application, version) = read().map_err(|error| failed(path, error))?;
    if application != APPLICATION_ID {
        return Err(not_ours(path));
    }
    if version > SCHEMA_VERSION {
        return Err(failure::at(path, DatabaseError::NewerVersion { schema: version, known: SCHEMA_VERSION }));
    }
    Ok(version)
}

/// The roots of the trees of a database.
pub(super) fn recorded_roots(path: &Path, connection: &Connection) -> Result<Roots> {
    let root =
        |side: Side| connection.query_row("SELECT root FROM tree WHERE side = ?1", [side], |row| bytes(row, "root"));
    let read = || Ok(Roots { source: root(Side::Source)?, sink: root(Side::Sink)? });
    read().map_err(|error| failed(path, error))
}

fn check_roots(path: &Path, connection: &Connection, roots: &Roots) -> Result<()> {
    let recorded = recorded_roots(path, connection)?;
    if recorded == *roots {
        return Ok(());
    }
    Err(GuardRefusal::OtherMigration {
        database: path.display().to_string(),
        recorded_source: recorded.source,
        recorded_sink: recorded.sink,
        source_root: roots.source.clone(),
        sink_root: roots.sink.clone(),
    }
    .into())
}

fn not_ours(path: &Path) -> Error {
    failure::at(path, DatabaseError::NotADatabase)
}
