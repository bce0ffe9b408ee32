//! Opening the database for another writer beside runs.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension as _, Row};

use crate::error::{DatabaseError, Error, Result};
use crate::journal::store::db::Opened;
use crate::journal::store::failure::{self, failed_io};
use crate::journal::store::lock_holder::lock_holder;
use crate::journal::store::open::{self, Opening, Roots, SCHEMA_VERSION};
use crate::journal::store::upgrade::upgrade;
use crate::private_file::{self, Access, PrivateFile};

/// A database that is open beside runs.
pub(in crate::journal) struct BesideRuns {
    pub(in crate::journal) opened: Opened,
    pub(in crate::journal) roots: Roots,
    /// The audit log of the last run.
    pub(in crate::journal) log: PathBuf,
    /// Whether a run uses it now.
    pub(in crate::journal) is_run_active: bool,
}

/// Opens a database that a run has used. No run is kept from starting meanwhile.
pub(in crate::journal) fn open_beside_runs(path: &Path) -> Result<BesideRuns> {
    let mut file = private_file::open(path, Access::Change).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => no_migration(path),
        _ => failure::at(path, failed_io("cannot be opened", error)),
    })?;
    file.tighten();
    let warnings = open::check_companions(path, &file.path, true)?;
    if open::is_fresh(path, &file.file)? {
        return Err(no_migration(path));
    }
    let connection = open::connect(path, &file)?;
    if open::is_unfinished(&connection).map_err(|error| open::failed(path, error))? {
        return Err(no_migration(path));
    }
    open::check_whole(path, &connection)?;
    let version = open::check_version(path, &connection)?;
    if version < SCHEMA_VERSION {
        file = upgrade_alone(path, &connection, file, version)?;
    }
    let roots = open::recorded_roots(path, &connection)?;
    let (log, process) = last_run(&connection).map_err(|error| open::failed(path, error))?;
    let log = log.ok_or_else(|| no_migration(path))?;
    let is_run_active = lock_holder(&file.metadata, process).is_some();
    let opened = open::finish(path, connection, file, Opening { fresh: false, warnings })?;
    Ok(BesideRuns { opened, roots, log, is_run_active })
}

fn no_migration(path: &Path) -> Error {
    failure::at(path, DatabaseError::NoMigration)
}

/// Upgrades the database while no run uses it: one of an earlier version expects no other writer.
fn upgrade_alone(path: &Path, connection: &Connection, file: PrivateFile, version: i32) -> Result<PrivateFile> {
    let file = open::lock_against_runs(path, file)?;
    upgrade(connection, version, open::SCHEMA, SCHEMA_VERSION).map_err(|error| open::failed(path, error))?;
    file.file.unlock().map_err(|error| failure::at(path, failed_io("cannot be unlocked", error)))?;
    Ok(file)
}

/// The log and the process of the last run.
fn last_run(connection: &Connection) -> rusqlite::Result<(Option<PathBuf>, Option<u32>)> {
    let sql = "SELECT log, pid FROM run ORDER BY id DESC LIMIT 1";
    let read = |row: &Row<'_>| {
        let log = row.get_ref("log")?.as_bytes_or_null()?.map(|log| OsString::from_vec(log.to_vec()).into());
        Ok((log, row.get("pid")?))
    };
    Ok(connection.query_row(sql, [], read).optional()?.unwrap_or_default())
}
