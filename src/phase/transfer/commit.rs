//! Makes written files durable and records them, in batches with one flush each.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::row_update::Decider;
use super::shared::Transfer;
use super::task::{FinishedTask, Job, TransferResult};
use crate::error::{FileError, Result};
use crate::event::{Event, Side};
use crate::journal::{Cause, RowState, SlowFile};
use crate::progress::{CommitterState, LaneClocks};
use crate::reporter::{FileRecords, Record};
use crate::tally::Tally;

/// Files that take less are not slow.
const SLOW: Duration = Duration::from_secs(1);
/// The most files of one batch.
const BATCH_FILES: usize = 4096;
/// Longest time that a finished file waits for its batch to fill.
const BATCH_TIME: Duration = Duration::from_secs(1);

/// A file whose content was sent, with the time that it took; `None` if that was short.
fn sent(finished: &FinishedTask) -> Option<SlowFile> {
    let FinishedTask { task, result: TransferResult::Written(_), took } = finished else { return None };
    let is_slow = *took >= SLOW && matches!(task.job, Job::Content);
    is_slow.then(|| SlowFile { took: *took, size_bytes: task.metadata.size_bytes, path: task.path.clone() })
}

/// Records the files of one attempt.
pub(super) struct Committer {
    transfer: Arc<Transfer>,
    attempt: u32,
    tally: Tally,
    clocks: Arc<LaneClocks>,
}

impl Committer {
    pub(super) fn new(transfer: &Arc<Transfer>, attempt: u32, tally: Tally, clocks: Arc<LaneClocks>) -> Self {
        Self { transfer: Arc::clone(transfer), attempt, tally, clocks }
    }

    /// Takes results until the lanes have ended; returns the tally, with the error that stopped the run if there was
    /// one.
    pub(super) async fn run(mut self, mut results: mpsc::Receiver<FinishedTask>) -> (Tally, Result<()>) {
        let mut result = Ok(());
        while let Some(first) = results.recv().await {
            let batch = fill(first, &mut results).await;
            if result.is_err() {
                // The lanes are stopping; the files that they still report stay pending.
                continue;
            }
            let committed = self.commit(batch).await;
            self.clocks.set_committer(CommitterState::Waiting);
            if let Err(error) = committed {
                self.transfer.stop.cancel();
                result = Err(error);
            }
        }
        (self.tally, result)
    }

    async fn commit(&mut self, batch: Vec<FinishedTask>) -> Result<()> {
        let transfer = Arc::clone(&self.transfer);
        let session = &transfer.session;
        if batch.iter().any(|finished| matches!(finished.result, TransferResult::Written(_))) {
            self.clocks.set_committer(CommitterState::Flushing);
            session.flush_sink().await?;
            failpoint!("after-flush");
            // If the sink was unmounted, the files were written beneath its mount point.
            session.check_tree(Side::Sink).await?;
        }
        self.clocks.set_committer(CommitterState::Recording);
        let decider = Decider { transfer: &transfer, attempt: self.attempt };
        let mut files = Vec::with_capacity(batch.len());
        let mut fatal = Ok(());
        for finished in batch {
            // Each would ask the lost tree again; what was not written stays pending.
            if fatal.is_err() && !matches!(finished.result, TransferResult::Written(_)) {
                continue;
            }
            match decider.decide(&finished).await {
                Ok(Some((state, event))) => {
                    let mut records = self.attributes_not_accepted(&finished);
                    records.push(Record::new(event));
                    let size_bytes = finished.task.metadata.size_bytes;
                    let records = records.into_iter().map(|record| record.with_default_size(size_bytes)).collect();
                    self.count(&finished, &state);
                    let sent = sent(&finished);
                    files.push(FileRecords { key: finished.task.key.clone(), state, records, sent });
                }
                Ok(None) => {}
                Err(error) => {
                    self.note_cause(&finished).await?;
                    fatal = fatal.and(Err(error));
                }
            }
        }
        tracing::debug!(files = files.len(), "commit");
        let has_set_aside = files.iter().any(|file| matches!(file.state, RowState::LongHoles));
        session.progress.set_pending(self.tally.pending);
        session.progress.set_long_holes(self.tally.long_holes);
        session.progress.set_synced(self.tally.synced);
        session.reporter.report_files(files, self.tally.pending).await?;
        if has_set_aside {
            transfer.set_aside.notify_one();
        }
        fatal
    }

    /// Records why a file was not sent whose failure ends the run, such as a full disk: it stays pending.
    async fn note_cause(&self, finished: &FinishedTask) -> Result<()> {
        let TransferResult::Failed(failure) = &finished.result else { return Ok(()) };
        let error = FileError::Tree { side: failure.side, error: Arc::clone(&failure.error) };
        self.transfer.session.journal.note_cause(finished.task.key.clone(), Cause::from(&error)).await
    }

    /// Counts attributes that the sink did not accept or keep. They are not failures.
    fn attributes_not_accepted(&mut self, finished: &FinishedTask) -> Vec<Record> {
        let TransferResult::Written(written) = &finished.result else { return Vec::new() };
        self.tally.add_not_accepted(&written.not_accepted);
        let paths = self.transfer.session.paths(&finished.task.path);
        let event = |error: &Arc<towpath_backend::Error>| Event::AttributeNotAccepted {
            paths: paths.clone(),
            error: Arc::clone(error),
        };
        written.not_accepted.iter().map(|error| Record::new(event(error))).collect()
    }

    fn count(&mut self, finished: &FinishedTask, state: &RowState) {
        let task = &finished.task;
        // Names and attributes have no pending bytes.
        let bytes = if matches!(task.job, Job::Content) { u128::from(task.metadata.size_bytes) } else { 0 };
        let tally = &mut self.tally;
        if task.has_long_holes {
            tally.long_holes.files = tally.long_holes.files.saturating_sub(1);
            tally.long_holes.bytes = tally.long_holes.bytes.saturating_sub(bytes);
        }
        let mut done = || {
            tally.pending.files = tally.pending.files.saturating_sub(1);
            tally.pending.bytes = tally.pending.bytes.saturating_sub(bytes);
        };
        match state {
            RowState::Synced { kept_size_bytes, .. } => {
                done();
                tally.synced.files += 1;
                tally.synced.bytes += kept_size_bytes.map_or(bytes, u128::from);
                if let TransferResult::Written(written) = &finished.result {
                    tally.kept_bytes += written.written_bytes;
                    tally.hole_bytes += u128::from(written.hole_bytes);
                }
            }
            RowState::AttributesApplied { .. } => done(),
            RowState::Vanished { .. } => {
                done();
                tally.vanished_files += 1;
            }
            RowState::Retry { metadata: now, .. } | RowState::Failed { metadata: now, .. } => {
                if let Some(now) = now {
                    tally.pending.bytes = tally.pending.bytes.saturating_sub(bytes) + u128::from(now.size_bytes);
                }
            }
            RowState::LongHoles => {
                tally.long_holes.files += 1;
                tally.long_holes.bytes += bytes;
            }
            RowState::Blocked | RowState::OtherFile { .. } => {}
        }
        if matches!(state, RowState::Failed { .. }) && !self.transfer.scan_follows {
            tally.failed_files += 1;
            self.transfer.session.progress.add_failed(task.metadata.size_bytes);
        }
    }
}

/// A batch: `first` and the results that follow within [`BATCH_TIME`]. A result that ends the run also ends the batch:
/// until it is committed, the lanes go on.
async fn fill(first: FinishedTask, results: &mut mpsc::Receiver<FinishedTask>) -> Vec<FinishedTask> {
    let deadline = Instant::now() + BATCH_TIME;
    let mut is_last = first.result.is_fatal();
    let mut batch = vec![first];
    while batch.len() < BATCH_FILES && !is_last {
        match timeout_at(deadline, results.recv()).await {
            Ok(Some(finished)) => {
                is_last = finished.result.is_fatal();
                batch.push(finished);
            }
            Ok(None) | Err(_) => break,
        }
    }
    batch
}
