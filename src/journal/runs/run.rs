//! Runs: what the last ones left, and how this one ended.

use rusqlite::params;
use towpath_backend::{Identity, Timestamp};

use crate::audit::RunLine;
use crate::error::Result;
use crate::event::{Counts, Side, Totals};
use crate::journal::handle::Journal;
use crate::journal::runs::decision::{Decision, RunRequest, start_line};
use crate::journal::scan::finish::number;
use crate::journal::scan::mounts::LOST_IN_SOURCE;
use crate::journal::store::db::Db;
use crate::journal::store::value::unsigned;
use crate::per_side::PerSide;

/// What a run finds when it starts.
#[derive(Debug)]
pub(crate) struct RunStart {
    /// This run's number.
    pub(crate) run: i64,
    pub(crate) decision: Decision,
    /// The identities of source and sink when they were last scanned to the end.
    pub(crate) identities: PerSide<Option<String>>,
}

/// What an earlier scan left to do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) pending: Totals,
    pub(crate) source: Counts,
    pub(crate) sink: Counts,
    pub(crate) skipped: u64,
    /// Directories of the source that the scan could not read.
    pub(crate) unreadable: u64,
    /// The same of the sink: of its extras nothing is known there.
    pub(crate) unreadable_at_sink: u64,
    /// When the scan began; `None` before the first.
    pub(crate) scanned_at: Option<Timestamp>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    Finished,
    Stopped,
    Failed,
}

impl Journal {
    /// Records a new run and returns what it has to do.
    ///
    /// # Errors
    /// [`crate::Error::NoBacklog`], and nothing is recorded.
    pub(crate) async fn begin_run(&self, request: RunRequest) -> Result<RunStart> {
        self.commit_long(move |db| db.begin_run(request)).await
    }

    /// Gives the files that failed another attempt, with those that a scan is about to find.
    pub(crate) async fn begin_attempts(&self) -> Result<()> {
        self.commit_long(|db| db.begin_attempts()).await
    }

    /// From here until [`Self::end_run`] files are under way: a run that is cut
    /// off in between may leave files that look complete and are not.
    ///
    /// This and all earlier commits, such as the scan's, are durable when it returns: otherwise the next run
    /// would trust size and mtime of a file whose content never reached the disk.
    pub(crate) async fn begin_transfer(&self, run: i64) -> Result<()> {
        self.mark_transferring(run).await?;
        // Keep the mark even if the WAL is removed, or the database is copied without it.
        self.call(|db| db.checkpoint()).await
    }

    async fn mark_transferring(&self, run: i64) -> Result<()> {
        self.call_long(|db| {
            // What arrives changes the time of the directory that it arrives in.
            db.execute(
                "UPDATE dir SET settle = 1 WHERE settle = 0 AND modified IS NOT NULL AND (
                     id IN (SELECT dir FROM file WHERE status = 0)
                     OR id IN (SELECT parent FROM dir WHERE missing = 1))",
                [],
            )
            .map(drop)
        })
        .await?;
        self.commit_durably(move |db| db.execute("UPDATE run SET transferring = 1 WHERE id = ?1", [run]).map(drop))
            .await
    }

    /// Records which trees the backlog belongs to.
    pub(crate) async fn record_identities(&self, identities: PerSide<Identity>) -> Result<()> {
        self.call(move |db| db.record_identities(&identities)).await
    }

    /// What the last scan counted in the source and in the sink.
    pub(crate) async fn counted(&self) -> Result<(Counts, Counts)> {
        self.call(|db| db.backlog().map(|backlog| (backlog.source, backlog.sink))).await
    }

    /// Records how the run ended, with its last line; all that it wrote must have been flushed,
    /// unless it failed.
    pub(crate) async fn end_run(&self, run: i64, end: RunEnd, line: RunLine) -> Result<()> {
        self.commit(move |db| db.end_run(run, end, line)).await
    }
}

/// Now, in nanoseconds since 1970.
pub(in crate::journal) fn now_ns() -> i64 {
    i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX)
}

impl Db {
    pub(in crate::journal) fn begin_run(&mut self, request: RunRequest) -> Result<RunStart> {
        let cut_off = self.row("SELECT 1 FROM run WHERE transferring = 1 LIMIT 1", [], |_| Ok(()))?.is_some();
        if cut_off {
            self.execute("UPDATE distrust SET value = 1", [])?;
            self.execute("UPDATE run SET transferring = 0 WHERE transferring = 1", [])?;
        }
        self.begin_attempts()?;
        let decision = self.decision(&request)?;
        if matches!(decision, Decision::Resume { .. }) {
            // What failed in the last run has another chance in this one.
            self.execute("UPDATE dir SET missing = 1 WHERE missing = 2", [])?;
            self.execute("UPDATE dir SET settle = 1 WHERE settle = 2", [])?;
        }
        let unfinished = self.unfinished_run()?;
        let user = rustix::process::geteuid().as_raw();
        let last = self.row("SELECT user FROM run ORDER BY id DESC LIMIT 1", [], |row| row.get::<_, Option<u32>>(0))?;
        if request.rescan || last.flatten().is_some_and(|last| last != user) {
            self.forget_kept_attributes()?;
        }
        self.execute("INSERT INTO run(started, user) VALUES (?1, ?2)", params![now_ns(), user])?;
        let run = self.connection.last_insert_rowid();
        self.add_run_line(&start_line(request.line, run, &decision, unfinished));
        Ok(RunStart { run, decision, identities: self.identities()? })
    }

    /// Puts all that is pending back into the first pass.
    fn begin_attempts(&mut self) -> Result<()> {
        self.execute("UPDATE file SET turn = 0 WHERE status = 0 AND work IN (0, 1, 2) AND turn > 0", [])?;
        self.execute("UPDATE file SET failed = NULL WHERE failed IS NOT NULL", [])?;
        self.disown_unfinished()?;
        self.name_what_is_there()?;
        self.send_orphaned_names(0)
    }

    /// The backlog of the last scan, which must be complete.
    pub(in crate::journal) fn backlog(&self) -> Result<Backlog> {
        let mut backlog = self
            .row(
                "SELECT source_files, source_dirs, source_bytes, sink_files, sink_dirs, sink_bytes, skipped,
                     (SELECT count(*) FROM unreadable WHERE side IN (?1, ?2)),
                     (SELECT count(*) FROM unreadable WHERE side = ?3), started
                 FROM scan ORDER BY id DESC LIMIT 1",
                [number(Side::Source), LOST_IN_SOURCE, number(Side::Sink)],
                |row| {
                    let n = |index| row.get(index).map(unsigned);
                    Ok(Backlog {
                        source: Counts { files: n(0)?, dirs: n(1)?, bytes: n(2)?.into() },
                        sink: Counts { files: n(3)?, dirs: n(4)?, bytes: n(5)?.into() },
                        skipped: n(6)?,
                        unreadable: n(7)?,
                        unreadable_at_sink: n(8)?,
                        scanned_at: Some(Timestamp::from_ns(row.get(9)?)),
                        ..Backlog::default()
                    })
                },
            )?
            .unwrap_or_default();
        self.exact_sums(&mut backlog.source, &mut backlog.sink)?;
        backlog.pending = self.pending()?;
        Ok(backlog)
    }

    fn identities(&self) -> Result<PerSide<Option<String>>> {
        let identity = |side: i64| {
            let recorded = self.row("SELECT identity FROM tree WHERE side = ?1", [side], |row| row.get(0));
            recorded.map(Option::flatten)
        };
        Ok(PerSide { source: identity(number(Side::Source))?, sink: identity(number(Side::Sink))? })
    }

    pub(in crate::journal) fn record_identities(&mut self, identities: &PerSide<Identity>) -> Result<()> {
        for (side, identity) in identities.iter() {
            self.execute(
                "UPDATE tree SET identity = ?2 WHERE side = ?1 AND identity IS NOT ?2",
                params![number(side), identity.as_str()],
            )?;
        }
        Ok(())
    }

    pub(in crate::journal) fn end_run(&mut self, run: i64, end: RunEnd, mut line: RunLine) -> Result<()> {
        let outcome = match end {
            RunEnd::Finished => "finished",
            RunEnd::Stopped => "stopped",
            RunEnd::Failed => "failed",
        };
        // What a failed run had in flight stays suspect.
        let clean = end != RunEnd::Failed;
        self.execute(
            "UPDATE run SET finished = ?2, outcome = ?3, transferring = CASE WHEN ?4 THEN 0 ELSE transferring END
             WHERE id = ?1",
            params![run, now_ns(), outcome, clean],
        )?;
        line.fields.shift_insert(0, "run".to_owned(), run.into());
        self.add_run_line(&line);
        // The outbox may be cleared only once the log has its lines durably. If it kept them and the log
        // was rotated before the next run, that run would append them again.
        self.commit_and_go_on()?;
        self.log.complete_and_sync()?;
        // Need not be durable: if a power cut undoes it, the next run finds the lines in the log.
        self.execute("DELETE FROM outbox", []).map(drop)
    }
}
