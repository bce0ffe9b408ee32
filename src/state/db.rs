//! The connection and its transactions, as the database's thread uses them.

use std::fs::File;
use std::path::PathBuf;

use rusqlite::Connection;

use super::open::Opened;
use crate::audit::AuditLog;
use crate::error::{Error, Result};
use crate::event::Totals;

/// Changes after which a transaction is committed even if jobs wait.
const MAX_CHANGES: u64 = 100_000;

/// The database, owned by its thread.
pub(super) struct Db {
    // Fields drop in this order: the lock goes after the connection. (Closing any
    // handle on the file ends SQLite's own locks of it.)
    pub(super) connection: Connection,
    _lock: File,
    /// SQLite's write-ahead log, by a handle of our own; `None`: it keeps none here, and each commit is durable.
    wal: Option<File>,
    pub(super) log: AuditLog,
    warnings: Vec<String>,
    pub(super) fresh: bool,
    /// What the scan under way has found to be pending so far.
    pub(super) scan: super::scan::Scan,
    path: PathBuf,
    changes_at_begin: Option<u64>,
    /// A commit failed outside any job; the next job hears of it.
    failure: Option<Error>,
}

impl Db {
    pub(super) fn new(opened: Opened, log: AuditLog, path: PathBuf) -> Self {
        Self {
            connection: opened.connection,
            _lock: opened.lock,
            wal: opened.wal,
            fresh: opened.fresh,
            log,
            warnings: opened.warnings,
            scan: super::scan::Scan::default(),
            path,
            changes_at_begin: None,
            failure: None,
        }
    }

    /// What an error of SQLite means to the run.
    pub(super) fn error(&self, error: &rusqlite::Error) -> Error {
        Error::Database { path: self.path.clone(), problem: super::open::describe(error) }
    }

    /// Runs `job` inside the open transaction, or a new one. If it fails, the
    /// whole transaction is undone.
    pub(super) fn in_transaction<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.begin()?;
        match job(self) {
            Ok(value) => {
                let begun_at = self.changes_at_begin.unwrap_or(0);
                if self.connection.total_changes() - begun_at > MAX_CHANGES {
                    self.commit()?;
                }
                Ok(value)
            }
            Err(error) => {
                self.rollback();
                Err(error)
            }
        }
    }

    fn begin(&mut self) -> Result<()> {
        if self.changes_at_begin.is_none() {
            self.execute("BEGIN IMMEDIATE", [])?;
            self.changes_at_begin = Some(self.connection.total_changes());
        }
        Ok(())
    }

    /// Commits what is open. A power cut may take it back.
    pub(super) fn commit(&mut self) -> Result<()> {
        if self.changes_at_begin.take().is_none() {
            return Ok(());
        }
        if let Err(error) = self.execute("COMMIT", []) {
            self.rollback();
            if let Error::Database { problem, .. } = &error {
                self.failure = Some(Error::Database { path: self.path.clone(), problem: problem.clone() });
            }
            return Err(error);
        }
        Ok(())
    }

    /// Commits what is open; a power cut does not take it back, nor what was committed before.
    pub(super) fn commit_durably(&mut self) -> Result<()> {
        self.commit()?;
        self.sync_wal()
    }

    fn sync_wal(&self) -> Result<()> {
        let Some(wal) = &self.wal else { return Ok(()) };
        wal.sync_data().map_err(|error| Error::Database {
            path: self.path.clone(),
            problem: format!("its write-ahead log cannot be made durable: {error}"),
        })
    }

    /// What was tolerated since it was last asked for.
    pub(super) fn take_warnings(&mut self) -> Vec<String> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.log.take_warnings());
        warnings
    }

    fn rollback(&mut self) {
        self.changes_at_begin = None;
        // After some errors SQLite has rolled back by itself.
        let _already = self.connection.execute_batch("ROLLBACK");
    }

    /// Commits, folds the write-ahead log into the database, and lets go.
    pub(super) fn close(&mut self) {
        if let Err(error) = self.commit() {
            tracing::error!(%error, "last commit");
        }
        let _best_effort = self.connection.execute_batch("PRAGMA optimize");
    }

    /// Runs a statement, kept prepared; tells how many rows it changed.
    pub(super) fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| self.error(&error))
    }

    /// The one row of a query, or `None`.
    pub(super) fn row<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        use rusqlite::OptionalExtension as _;
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(values, read).optional())
            .map_err(|error| self.error(&error))
    }

    /// All rows of a query that is bounded by its LIMIT.
    pub(super) fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let collect = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(values, read)?.collect::<rusqlite::Result<Vec<T>>>()
        };
        collect().map_err(|error| self.error(&error))
    }

    /// What is pending, counted from the rows.
    pub(super) fn pending(&self) -> Result<Totals> {
        let totals =
            self.row("SELECT count(*), total(size) FILTER (WHERE work = 0) FROM file WHERE status = 0", [], |row| {
                Ok(Totals { files: super::value::unsigned(row.get(0)?), bytes: row.get::<_, f64>(1)? as u64 })
            })?;
        Ok(totals.unwrap_or_default())
    }
}
