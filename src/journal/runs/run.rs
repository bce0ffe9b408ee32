//! The start and end of a run.

use std::os::unix::ffi::OsStrExt as _;

use rusqlite::params;
use towpath_backend::Identity;

use crate::audit::RunLine;
use crate::error::Result;
use crate::event::Totals;
use crate::journal::handle::Journal;
use crate::journal::runs::decision::{Decision, RunRequest, start_line};
use crate::journal::store::db::Db;
use crate::journal::store::sums;
use crate::journal::store::value::{Name, now_ns, signed};
use crate::own_files::canonical;
use crate::per_side::PerSide;

/// The recorded state that a run starts from.
#[derive(Debug)]
pub(crate) struct RunStart {
    /// This run's number.
    pub(crate) run: i64,
    pub(crate) decision: Decision,
    /// The identities of source and sink at the last complete scan.
    pub(crate) identities: PerSide<Option<String>>,
}

/// The end of a run.
#[derive(Debug)]
pub(crate) struct EndedRun {
    pub(crate) end: RunEnd,
    /// Why it was stopped.
    pub(crate) stopped_by: Option<String>,
    /// Why it failed, or which guard prevented deletions.
    pub(crate) error: Option<String>,
    /// `None`: its scan is not complete.
    pub(crate) pending: Option<Totals>,
    /// Its last line in the log.
    pub(crate) line: RunLine,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    Finished,
    /// It sent the failed entries that were selected.
    Retried,
    /// It scanned both trees, and was to do no more.
    Assessed,
    Stopped,
    Failed,
}

impl RunEnd {
    /// Its name in the column `run.outcome`.
    fn name(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            // Not `finished`: what else is pending may not have been tried yet.
            Self::Retried => "retried",
            Self::Assessed => "assessed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }
}

impl Journal {
    /// Records a new run, and decides what it does.
    ///
    /// # Errors
    /// [`crate::Error::NoBacklog`]; then nothing is recorded.
    pub(crate) async fn begin_run(&self, request: RunRequest) -> Result<RunStart> {
        self.commit_long(move |db| db.begin_run(request)).await
    }

    /// Moves the files that failed back to the first attempt, before a scan finds more.
    pub(crate) async fn begin_attempts(&self) -> Result<()> {
        self.commit_long(|db| db.begin_attempts()).await
    }

    /// Marks that files are in flight until [`Self::end_run`]: an unclean shutdown
    /// in between may leave incomplete files that appear complete.
    ///
    /// The mark and all earlier commits, such as the scan's, are durable when it returns. Otherwise the next run
    /// would trust the size and mtime of a file whose content never reached the disk.
    pub(crate) async fn begin_transfer(&self, run: i64, pending: Totals) -> Result<()> {
        self.mark_transferring(run, pending).await?;
        // Checkpoint, so that the mark survives the removal of the WAL or a copy of the database without it.
        self.run("checkpoint the database", |db| db.checkpoint()).await
    }

    async fn mark_transferring(&self, run: i64, pending: Totals) -> Result<()> {
        self.call_long(|db| {
            // A new file or directory changes the mtime of its parent directory.
            db.execute(
                "UPDATE dir SET settle = 1 WHERE settle = 0 AND modified IS NOT NULL AND (
                     id IN (SELECT dir FROM file WHERE status = 0)
                     OR id IN (SELECT parent FROM dir WHERE missing = 1))",
                [],
            )
            .map(drop)
        })
        .await?;
        self.commit_durably(move |db| {
            db.set_run_pending(pending);
            db.execute("UPDATE run SET transferring = 1 WHERE id = ?1", [run]).map(drop)
        })
        .await
    }

    /// Records the identities of the trees of the backlog.
    pub(crate) async fn record_identities(&self, identities: PerSide<Identity>) -> Result<()> {
        self.call(move |db| db.record_identities(&identities)).await
    }

    /// Adds a line about the run to the log.
    pub(crate) async fn log_run_line(&self, line: RunLine) -> Result<()> {
        self.call(move |db| {
            db.add_run_line(&line);
            Ok(())
        })
        .await
    }

    /// Records how the run ended, with its last line. Unless it failed, everything that it wrote must have been
    /// flushed.
    pub(crate) async fn end_run(&self, run: i64, ended: EndedRun) -> Result<()> {
        self.commit(move |db| db.end_run(run, ended)).await
    }
}

impl Db {
    pub(in crate::journal) fn begin_run(&mut self, request: RunRequest) -> Result<RunStart> {
        self.begin_chain(request.audit_chain)?;
        if self.exists("SELECT 1 FROM run WHERE transferring = 1 LIMIT 1", [])? {
            self.execute("UPDATE distrust SET value = 1", [])?;
            self.execute("UPDATE run SET transferring = 0 WHERE transferring = 1", [])?;
        }
        self.begin_attempts()?;
        let decision = self.decision(&request)?;
        match &request.retry {
            Some(filter) => self.select_for_retry(filter)?,
            None if matches!(decision, Decision::Resume { .. }) => self.retry_dirs()?,
            None => {}
        }
        let unfinished = self.unfinished_run()?;
        let user = rustix::process::geteuid().as_raw();
        let sql = "SELECT user FROM run ORDER BY id DESC LIMIT 1";
        let last_user = self.row(sql, [], |row| row.get::<_, Option<u32>>("user"))?.flatten();
        if request.rescan || last_user.is_some_and(|last| last != user) {
            self.forget_kept_attributes()?;
        }
        let run = self.insert_run(user, &decision, &request)?;
        self.set_max_log_bytes(run, request.max_log_bytes)?;
        self.execute("UPDATE run SET command = ?2 WHERE id = ?1", params![run, request.command])?;
        self.add_run_line(&start_line(request.line, run, &decision, unfinished));
        Ok(RunStart { run, decision, identities: self.identities()? })
    }

    /// Adds the row of a run that begins.
    fn insert_run(&mut self, user: u32, decision: &Decision, request: &RunRequest) -> Result<i64> {
        let pending = match decision {
            Decision::Scan(_) => None,
            Decision::Resume { backlog, .. } => Some(backlog.pending),
        };
        let (earlier, now) = (self.recorded()?, now_ns());
        self.execute(
            "INSERT INTO run(started, user, version, pid, log, scanned, sent_files, sent_bytes, deleted_files,
                 deleted_dirs, failed_files, failed_bytes, pending_files, pending_bytes, updated, options)
             VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, 0, 0, 0, 0, ?6, ?7, ?1, ?8)",
            params![
                now,
                user,
                env!("CARGO_PKG_VERSION"),
                std::process::id(),
                Name(canonical(self.log.path()).as_os_str().as_bytes()),
                pending.map(|pending| signed(pending.files)),
                pending.map(|pending| sums::bounded(pending.bytes)),
                request.line.fields.get("options").map(ToString::to_string),
            ],
        )?;
        let run = self.connection.last_insert_rowid();
        self.count_run(run, earlier, request.progress.clone());
        Ok(run)
    }

    /// Moves all pending files back to the first attempt.
    fn begin_attempts(&mut self) -> Result<()> {
        self.execute("UPDATE file SET turn = 0 WHERE status = 0 AND work IN (0, 1, 2) AND turn > 0", [])?;
        self.execute("UPDATE file SET failed = NULL WHERE failed IS NOT NULL", [])?;
        self.disown_unfinished()?;
        self.link_to_synced_names()?;
        self.send_orphaned_names(0)
    }

    pub(in crate::journal) fn end_run(&mut self, run: i64, ended: EndedRun) -> Result<()> {
        let EndedRun { end, stopped_by, error, pending, mut line } = ended;
        // Files that a failed run had in flight stay unverified.
        let clean = end != RunEnd::Failed;
        self.execute(
            "UPDATE run SET finished = ?2, outcome = ?3, transferring = CASE WHEN ?4 THEN 0 ELSE transferring END,
                 stopped_by = ?5, error = ?6
             WHERE id = ?1",
            params![run, now_ns(), end.name(), clean, stopped_by, error],
        )?;
        if let Some(pending) = pending {
            self.set_run_pending(pending);
        }
        if matches!(end, RunEnd::Finished | RunEnd::Retried) {
            self.settle_accepted()?;
        }
        line.fields.shift_insert(0, "run".to_owned(), run.into());
        self.add_run_line(&line);
        // Clear the outbox, after its lines are durable in the log. If the log
        // were rotated before the next run, that run would append the lines again.
        self.commit_and_begin()?;
        self.clear_outbox()
    }
}
