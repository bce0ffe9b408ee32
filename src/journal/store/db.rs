//! The connection and its transactions, as the database's thread uses them.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::audit::{AuditLog, Chain, Line, RunLine};
use crate::error::{DatabaseError, Error, Result};
use crate::event::{Totals, Warning};
use crate::journal::store::current_scan::CurrentScan;
use crate::journal::store::failure::{self, failed_io, of_sqlite};
use crate::journal::store::open_files::OpenFiles;
use crate::journal::store::run_counts::{self, RunCounts};
use crate::journal::store::slowest::SlowFile;
use crate::journal::store::writer_lock::WriterLock;
use crate::progress::{Progress, Recorded};

/// Changes after which a transaction is committed even if jobs wait.
const MAX_CHANGES: u64 = 100_000;
/// Shortest time between commits with lines that no job requests: each costs two syncs.
const LINES_TIME: Duration = Duration::from_secs(1);
/// Longest wait for other readers of a database that was moved or replaced.
const LAST_CHECKPOINT_TIME: Duration = Duration::from_secs(1);
/// SQLite virtual-machine instructions between two checks whether to stop: well below a millisecond.
const INSTRUCTIONS_BETWEEN_CHECKS: i32 = 10_000;

/// An open database that passed all checks.
pub(in crate::journal) struct Opened {
    pub(in crate::journal) connection: Connection,
    pub(in crate::journal) lock: File,
    /// SQLite's write-ahead log; `None`: the file system does not support one.
    pub(in crate::journal) wal: Option<File>,
    pub(in crate::journal) files: OpenFiles,
    /// It was just created.
    pub(in crate::journal) fresh: bool,
    /// Problems that do not prevent using it.
    pub(in crate::journal) warnings: Vec<Warning>,
}

/// The database, owned by the journal's thread.
pub(in crate::journal) struct Db {
    // Fields drop in this order: the lock after the connection. (Closing any
    // handle on the file releases SQLite's own locks on it.)
    pub(in crate::journal) connection: Connection,
    /// Held while a transaction is open and until its lines are appended; also keeps other runs away.
    pub(super) writer: WriterLock,
    /// Our own handle on SQLite's write-ahead log, to sync it; `None`: without one, every commit is durable.
    wal: Option<File>,
    files: OpenFiles,
    pub(in crate::journal) log: AuditLog,
    /// What SQLite reports as `data_version` after this connection last saw the outbox: it changes with each commit of
    /// another writer.
    pub(super) outbox_seen: Option<i64>,
    /// Whether runs may write at the same time: then no transaction stays open while no job waits.
    is_beside_runs: bool,
    /// Lines of the open transaction.
    pub(super) lines: Vec<u8>,
    lines_committed: Option<Instant>,
    warnings: Vec<Warning>,
    /// The database is new: no scan is complete.
    pub(in crate::journal) fresh: bool,
    /// `None` until this run begins one.
    scan: Option<CurrentScan>,
    run_counts: RunCounts,
    path: PathBuf,
    changes_at_begin: Option<u64>,
    /// A commit failed outside any job; the next job reports it.
    failure: Option<Error>,
    /// Whether the statements that run now may be interrupted.
    is_interruptible: Arc<AtomicBool>,
}

impl Db {
    pub(in crate::journal) fn new(opened: Opened, log: AuditLog, path: PathBuf) -> Self {
        Self {
            connection: opened.connection,
            writer: WriterLock::new(opened.lock),
            wal: opened.wal,
            files: opened.files,
            fresh: opened.fresh,
            log,
            outbox_seen: None,
            is_beside_runs: false,
            lines: Vec::new(),
            lines_committed: None,
            warnings: opened.warnings,
            scan: None,
            run_counts: RunCounts::default(),
            path,
            changes_at_begin: None,
            failure: None,
            is_interruptible: Arc::default(),
        }
    }

    /// Lets runs write at the same time.
    pub(in crate::journal) fn beside_runs(self) -> Self {
        Self { is_beside_runs: true, ..self }
    }

    /// Sets the scan that begins.
    pub(in crate::journal) fn set_scan(&mut self, scan: CurrentScan) {
        self.scan = Some(scan);
    }

    /// The scan that this run began last.
    ///
    /// # Errors
    /// [`Error::Internal`] if it began none.
    pub(in crate::journal) fn scan(&self) -> Result<CurrentScan> {
        self.scan.ok_or_else(no_scan)
    }

    /// Like [`Self::scan`], mutable.
    pub(in crate::journal) fn scan_mut(&mut self) -> Result<&mut CurrentScan> {
        self.scan.as_mut().ok_or_else(no_scan)
    }

    /// Begins to count what this run does.
    pub(in crate::journal) fn count_run(&mut self, run: i64, earlier: Recorded, progress: Progress) {
        self.run_counts = RunCounts::of(run, earlier, progress);
    }

    /// The number of this run, once it has begun.
    pub(in crate::journal) fn run(&self) -> Option<i64> {
        self.run_counts.run()
    }

    /// What the runs so far have recorded.
    pub(in crate::journal) fn recorded(&self) -> Result<Recorded> {
        run_counts::recorded(&self.connection).map_err(|error| self.error(error))
    }

    /// Counts a file that was sent in the open transaction.
    pub(in crate::journal) fn add_sent(&mut self, file: &SlowFile) {
        self.run_counts.add_sent(file);
    }

    /// Sets the number of pending files that the open transaction leaves.
    pub(in crate::journal) fn set_run_pending(&mut self, pending: Totals) {
        self.run_counts.pending = Some(pending);
    }

    /// Interrupts the statements of [`Self::interruptible`] jobs once `stop` is cancelled, and counts their steps: they
    /// can take minutes in which nothing else moves.
    pub(in crate::journal) fn interrupt_when(&mut self, stop: CancellationToken, progress: Progress) -> Result<()> {
        self.writer.stop_with(stop.clone());
        let armed = Arc::clone(&self.is_interruptible);
        let is_stopped = move || {
            let is_long = armed.load(Relaxed);
            if is_long {
                progress.add_database_step();
            }
            is_long && stop.is_cancelled()
        };
        self.connection
            .progress_handler(INSTRUCTIONS_BETWEEN_CHECKS, Some(is_stopped))
            .map_err(|error| self.error(error))
    }

    /// Runs a job that can be interrupted. An interruption rolls back the job, but no earlier changes.
    pub(in crate::journal) fn interruptible<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.commit_and_begin()?;
        self.is_interruptible.store(true, Relaxed);
        let result = job(self);
        self.is_interruptible.store(false, Relaxed);
        result
    }

    /// Converts an error of SQLite.
    pub(in crate::journal) fn error(&self, error: rusqlite::Error) -> Error {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) {
            return Error::Interrupted;
        }
        failure::at(&self.path, of_sqlite(error))
    }

    /// Runs `job` inside the open transaction, or a new one. If it fails, the
    /// whole transaction is rolled back.
    pub(in crate::journal) fn in_transaction<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(error) = self.failure.take() {
            return Err(error);
        }
        self.begin()?;
        match job(self) {
            Ok(value) => {
                let begun_at = self.changes_at_begin.unwrap_or(0);
                let has_grown = self.connection.total_changes() - begun_at > MAX_CHANGES;
                if has_grown || self.has_many_lines()? {
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

    /// Runs `job`, which only reads, inside the open transaction, or without one.
    pub(in crate::journal) fn without_transaction<T>(&mut self, job: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        match self.failure.take() {
            Some(error) => Err(error),
            None => job(self),
        }
    }

    fn begin(&mut self) -> Result<()> {
        if self.changes_at_begin.is_none() {
            self.wait_for_writers()?;
            if let Err(error) = self.execute("BEGIN IMMEDIATE", []) {
                self.writer.release();
                return Err(error);
            }
            self.changes_at_begin = Some(self.connection.total_changes());
        }
        Ok(())
    }

    /// Waits until no other process writes to the database or appends to the log.
    pub(super) fn wait_for_writers(&mut self) -> Result<()> {
        self.writer.acquire().map_err(|error| match error.kind() {
            io::ErrorKind::TimedOut => failure::at(&self.path, DatabaseError::InUse),
            _ => failure::at(&self.path, failed_io("cannot be locked", error)),
        })
    }

    /// Adds lines to the open transaction.
    pub(in crate::journal) fn add_lines<'a>(&mut self, lines: impl IntoIterator<Item = &'a Line>) {
        for line in lines {
            line.write(&mut self.lines);
            self.run_counts.add(line);
        }
    }

    /// Links the lines of the log from here on, if that is requested or an earlier run has begun it.
    pub(in crate::journal) fn begin_chain(&mut self, is_requested: bool) -> Result<()> {
        if is_requested {
            self.execute("INSERT OR IGNORE INTO chain VALUES (1, NULL)", [])?;
        }
        Ok(())
    }

    /// The chain after all lines so far; `None`: lines are not linked.
    pub(super) fn chain(&self) -> Result<Option<Chain>> {
        let last = self.row("SELECT last FROM chain", [], |row| row.get::<_, Option<String>>("last"))?;
        Ok(last.map(Chain::after))
    }

    /// Adds a line about the run to the open transaction.
    pub(in crate::journal) fn add_run_line(&mut self, line: &RunLine) {
        line.write(&mut self.lines);
    }

    #[cfg(test)]
    pub(in crate::journal) fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Commits the open transaction and begins a new one.
    pub(in crate::journal) fn commit_and_begin(&mut self) -> Result<()> {
        self.commit()?;
        self.begin()
    }

    /// Commits the open transaction. It is durable only if it has lines.
    pub(in crate::journal) fn commit(&mut self) -> Result<()> {
        if self.changes_at_begin.is_none() {
            return Ok(());
        }
        let committed = self.commit_open();
        self.writer.release();
        committed
    }

    fn commit_open(&mut self) -> Result<()> {
        if let Err(error) = self.files.check() {
            self.rollback();
            self.checkpoint_all();
            self.failure = copy(&error);
            return Err(error);
        }
        let written = self.run_counts.write(&self.connection).map_err(|error| self.error(error));
        let end = |()| if self.lines.is_empty() { self.end_transaction() } else { self.commit_lines() };
        match written.and_then(end) {
            Ok(()) => self.run_counts.show(),
            Err(error) => {
                self.rollback();
                self.failure = copy(&error);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Checkpoints the whole write-ahead log into the open database file, wherever that is now. A
    /// database that was moved is then complete without the log, and a database that replaced it is not
    /// damaged by a foreign log.
    fn checkpoint_all(&self) {
        let _keeps_longer_timeout = self.connection.busy_timeout(LAST_CHECKPOINT_TIME);
        if let Err(error) = self.row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::error!(%error, "checkpoint");
        }
    }

    /// Commits the open transaction, and makes it and all earlier ones durable.
    pub(in crate::journal) fn commit_durably(&mut self) -> Result<()> {
        let has_lines = !self.lines.is_empty();
        self.commit()?;
        if has_lines { Ok(()) } else { self.sync_wal() }
    }

    /// Commits the open transaction when no job waits. If it is too early to commit its lines, returns the
    /// remaining time.
    pub(in crate::journal) fn commit_idle(&mut self) -> Result<Option<Duration>> {
        let remaining = self.lines_committed.and_then(|then| LINES_TIME.checked_sub(then.elapsed()));
        match remaining.filter(|_| !self.lines.is_empty() && !self.is_beside_runs) {
            Some(remaining) => Ok(Some(remaining)),
            None => self.commit().map(|()| None),
        }
    }

    /// Commits, and checkpoints the write-ahead log as far as readers allow.
    pub(in crate::journal) fn checkpoint(&mut self) -> Result<()> {
        self.commit()?;
        self.row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map(drop)
    }

    fn end_transaction(&mut self) -> Result<()> {
        self.execute("COMMIT", [])?;
        self.changes_at_begin = None;
        self.run_counts.commit();
        Ok(())
    }

    /// Commits rows together with their lines. The outbox holds the lines until the next
    /// such commit, so that the next run can complete the log. The order:
    ///
    /// 1. Complete the lines of another writer, if it ended before it appended them, and sync the log: the outbox with
    ///    its latest lines is replaced.
    /// 2. Commit durably: a line must not report a change that a power cut can undo, since the
    ///    next run would repeat it and log it again.
    /// 3. Append the lines; if the log would become too large, close it before.
    fn commit_lines(&mut self) -> Result<()> {
        self.complete_lines_of_others()?;
        let length = self.log.complete_and_sync()?;
        let batch = self.next_batch(length)?;
        self.set_outbox(&batch)?;
        failpoint!("before-commit");
        self.end_transaction()?;
        self.lines.clear();
        self.lines_committed = Some(Instant::now());
        self.sync_wal()?;
        failpoint!("between-outbox-and-log");
        self.log.append(batch)?;
        failpoint!("after-log");
        Ok(())
    }

    fn sync_wal(&self) -> Result<()> {
        let Some(wal) = &self.wal else { return Ok(()) };
        wal.sync_data()
            .map_err(|error| failure::at(&self.path, failed_io("its write-ahead log cannot be made durable", error)))
    }

    fn rollback(&mut self) {
        self.changes_at_begin = None;
        self.lines.clear();
        self.run_counts.roll_back();
        // After some errors SQLite has already rolled back.
        let _already = self.connection.execute_batch("ROLLBACK");
        self.writer.release();
    }

    /// Returns the warnings collected since the last call.
    pub(in crate::journal) fn take_warnings(&mut self) -> Vec<Warning> {
        let mut warnings = std::mem::take(&mut self.warnings);
        warnings.extend(self.log.take_warnings());
        warnings
    }

    /// Commits and prepares the end of the connection, which checkpoints the write-ahead log.
    pub(in crate::journal) fn close(&mut self) {
        if let Err(error) = self.commit() {
            tracing::error!(%error, "last commit");
        }
        // `optimize` may write, which must not happen after the database was moved or replaced.
        if self.files.check().is_ok() {
            let _best_effort = self.connection.execute_batch("PRAGMA optimize");
        }
    }

    /// Runs a cached prepared statement; returns how many rows it changed.
    pub(in crate::journal) fn execute(&self, sql: &str, values: impl rusqlite::Params) -> Result<usize> {
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.execute(values))
            .map_err(|error| self.error(error))
    }

    /// The one row of a query, or `None`.
    pub(in crate::journal) fn row<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnOnce(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>> {
        use rusqlite::OptionalExtension as _;
        self.connection
            .prepare_cached(sql)
            .and_then(|mut statement| statement.query_row(values, read).optional())
            .map_err(|error| self.error(error))
    }

    /// Whether a query returns any row.
    pub(in crate::journal) fn exists(&self, sql: &str, values: impl rusqlite::Params) -> Result<bool> {
        self.row(sql, values, |_| Ok(())).map(|row| row.is_some())
    }

    /// All rows of a query that is bounded by its LIMIT.
    pub(in crate::journal) fn rows<T>(
        &self,
        sql: &str,
        values: impl rusqlite::Params,
        read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>> {
        let collect = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            statement.query_map(values, read)?.collect::<rusqlite::Result<Vec<T>>>()
        };
        collect().map_err(|error| self.error(error))
    }
}

fn no_scan() -> Error {
    Error::Internal("no scan has begun in this run".to_owned())
}

/// Copies the error for the next job, if it can be copied.
fn copy(error: &Error) -> Option<Error> {
    match error {
        Error::Database { path, error } => Some(Error::Database { path: path.clone(), error: error.clone() }),
        Error::AuditLog { path, error } => Some(Error::AuditLog { path: path.clone(), error: error.clone() }),
        _ => None,
    }
}
