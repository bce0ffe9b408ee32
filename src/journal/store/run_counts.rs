//! What the run in progress has done, in its row: written with each transaction, so that it is there even if the
//! run is killed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use rusqlite::{Connection, named_params, params};
use towpath_backend::Timestamp;

use crate::audit::Line;
use crate::event::Totals;
use crate::journal::store::cause_columns::ErrorSide;
use crate::journal::store::slowest::{SlowFile, Slowest};
use crate::journal::store::sums::bounded;
use crate::journal::store::value::{Name, now_ns, number, optional_number, signed};
use crate::progress::{Progress, Recorded};
use crate::side::Side;

/// What the run in progress has done.
#[derive(Debug, Default)]
pub(super) struct RunCounts {
    /// The run in progress.
    run: Option<i64>,
    committed: Done,
    /// By the open transaction.
    open: Done,
    /// The number of pending files that the open transaction leaves.
    pub(super) pending: Option<Totals>,
    /// The failures of the open transaction, by side and kind.
    errors: BTreeMap<(i64, &'static str), Alike>,
    slowest: Slowest,
    /// What is committed, earlier runs included, and where it is shown.
    recorded: Recorded,
    progress: Progress,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Done {
    sent: Totals,
    failed: Totals,
    deleted_files: u64,
    deleted_dirs: u64,
}

impl Done {
    fn and(self, more: Self) -> Self {
        Self {
            sent: sum(self.sent, more.sent),
            failed: sum(self.failed, more.failed),
            deleted_files: self.deleted_files + more.deleted_files,
            deleted_dirs: self.deleted_dirs + more.deleted_dirs,
        }
    }
}

fn sum(a: Totals, b: Totals) -> Totals {
    Totals::new(a.files + b.files, a.bytes + b.bytes)
}

/// What all runs have recorded. Counts of runs of an earlier version are missing.
pub(super) fn recorded(connection: &Connection) -> rusqlite::Result<Recorded> {
    let mut recorded = Recorded::default();
    let sql = "SELECT sent_files, sent_bytes, failed_files, failed_bytes, deleted_files, deleted_dirs FROM run";
    let mut runs = connection.prepare(sql)?;
    let mut rows = runs.query([])?;
    // Added here: SQLite's sums have 63 bits.
    while let Some(row) = rows.next()? {
        let count = |column| Ok::<_, rusqlite::Error>(optional_number(row, column)?.unwrap_or(0));
        let totals = |files, bytes| Ok::<_, rusqlite::Error>(Totals::new(count(files)?, count(bytes)?.into()));
        recorded.sent = sum(recorded.sent, totals("sent_files", "sent_bytes")?);
        recorded.failed = sum(recorded.failed, totals("failed_files", "failed_bytes")?);
        recorded.deleted_files += count("deleted_files")?;
        recorded.deleted_dirs += count("deleted_dirs")?;
    }
    let mut failures =
        connection.prepare("SELECT side, kind, sum(count) AS count FROM run_error GROUP BY side, kind")?;
    let mut rows = failures.query([])?;
    while let Some(row) = rows.next()? {
        recorded.add_failures(row.get::<_, ErrorSide>("side")?.0, row.get::<_, String>("kind")?, number(row, "count")?);
    }
    Ok(recorded)
}

/// Failures of one kind on one side.
#[derive(Debug)]
struct Alike {
    count: u64,
    /// The first of them.
    path: Vec<u8>,
    error: String,
}

impl RunCounts {
    /// The counts of a run that begins.
    pub(super) fn of(run: i64, earlier: Recorded, progress: Progress) -> Self {
        Self { run: Some(run), recorded: earlier, progress, ..Self::default() }
    }

    /// The run that is counted.
    pub(super) fn run(&self) -> Option<i64> {
        self.run
    }

    /// Counts a line of the log.
    pub(super) fn add(&mut self, line: &Line) {
        let size_bytes = line.size_bytes.map_or(0, u128::from);
        let open = &mut self.open;
        match line.status {
            "synced" => {
                open.sent.files += 1;
                // Nothing is sent for another name of a file.
                open.sent.bytes += if line.hard_link.is_some() { 0 } else { size_bytes };
            }
            "failed" | "incomplete" => {
                open.failed.files += 1;
                open.failed.bytes += size_bytes;
            }
            "deleted" if line.size_bytes.is_some() => open.deleted_files += 1,
            "deleted" => open.deleted_dirs += 1,
            _ => {}
        }
        if let Some(failure) = line.failure {
            let path = if failure.side == Some(Side::Sink) { &line.paths.dest } else { &line.paths.source };
            match self.errors.entry((ErrorSide(failure.side).number(), failure.kind)) {
                Entry::Occupied(alike) => alike.into_mut().count += 1,
                Entry::Vacant(new) => {
                    let error = line.error.clone().unwrap_or_default();
                    new.insert(Alike { count: 1, path: path.clone(), error });
                }
            }
        }
    }

    /// Takes a file that was sent.
    pub(super) fn add_sent(&mut self, file: &SlowFile) {
        self.slowest.add(file);
    }

    /// The open transaction was committed.
    pub(super) fn commit(&mut self) {
        self.slowest.commit();
        let open = std::mem::take(&mut self.open);
        self.committed = self.committed.and(open);
        self.pending = None;
        let recorded = &mut self.recorded;
        recorded.sent = sum(recorded.sent, open.sent);
        recorded.failed = sum(recorded.failed, open.failed);
        recorded.deleted_files += open.deleted_files;
        recorded.deleted_dirs += open.deleted_dirs;
        for ((side, kind), Alike { count, .. }) in std::mem::take(&mut self.errors) {
            recorded.add_failures(ErrorSide::of_number(side).0, kind, count);
        }
    }

    /// The open transaction was rolled back.
    pub(super) fn roll_back(&mut self) {
        (self.open, self.pending) = (Done::default(), None);
        self.slowest.roll_back();
        self.errors.clear();
    }

    /// Shows what is committed, now that it is durable.
    pub(super) fn show(&mut self) {
        if self.run.is_some() {
            self.recorded.committed = Some(Timestamp::from_ns(now_ns()));
            self.progress.set_recorded(&self.recorded);
        }
    }

    fn has_changed(&self) -> bool {
        self.open != Done::default() || self.pending.is_some() || !self.errors.is_empty() || self.slowest.has_changed()
    }

    /// Writes the counts, with those of the open transaction, into the run's row.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(run) = self.run.filter(|_| self.has_changed()) else { return Ok(()) };
        let done = self.committed.and(self.open);
        let mut update = connection.prepare_cached(
            "UPDATE run SET sent_files = :sent_files, sent_bytes = :sent_bytes, failed_files = :failed_files,
                 failed_bytes = :failed_bytes, deleted_files = :deleted_files, deleted_dirs = :deleted_dirs,
                 pending_files = coalesce(:pending_files, pending_files),
                 pending_bytes = coalesce(:pending_bytes, pending_bytes), updated = :now
             WHERE id = :run",
        )?;
        update.execute(named_params! {
                ":run": run,
                ":sent_files": signed(done.sent.files),
                ":sent_bytes": bounded(done.sent.bytes),
                ":failed_files": signed(done.failed.files),
                ":failed_bytes": bounded(done.failed.bytes),
                ":deleted_files": signed(done.deleted_files),
                ":deleted_dirs": signed(done.deleted_dirs),
                ":pending_files": self.pending.map(|pending| signed(pending.files)),
                ":pending_bytes": self.pending.map(|pending| bounded(pending.bytes)),
                ":now": now_ns(),
        })?;
        self.slowest.write(connection, run)?;
        for ((side, kind), Alike { count, path, error }) in &self.errors {
            let mut insert = connection.prepare_cached(
                "INSERT INTO run_error(run, side, kind, count, path, error) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT(run, side, kind) DO UPDATE SET count = count + excluded.count",
            )?;
            insert.execute(params![run, side, kind, signed(*count), Name(path), error])?;
        }
        Ok(())
    }
}
