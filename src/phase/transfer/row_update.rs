//! What the result of a transfer means for the file's row, and what is reported.

use std::sync::Arc;

use towpath_backend::Metadata;

use super::in_place;
use super::shared::{LAST_ATTEMPT, Transfer};
use super::task::{FinishedTask, Job, Task, TransferResult, Written};
use crate::absence::{self, Absence};
use crate::checksum::{Checksum, FileHash};
use crate::error::{FileError, Result};
use crate::event::{Event, FilePaths, Side, Warning};
use crate::journal::RowState;

/// Decides for the files of one attempt.
pub(super) struct Decider<'a> {
    pub(super) transfer: &'a Transfer,
    pub(super) attempt: u32,
}

impl Decider<'_> {
    /// The change of the file's row, and the event that reports it. `None`: the row stays as it is.
    ///
    /// # Errors
    /// An error that ends the run: the sink is full, a tree was replaced, the database failed.
    pub(super) async fn decide(&self, finished: &FinishedTask) -> Result<Option<(RowState, Event)>> {
        let Some((state, event)) = self.decide_attempt(finished).await? else { return Ok(None) };
        let event = if matches!(state, RowState::Failed { .. }) { self.give_up(finished, event).await? } else { event };
        Ok(Some((state, self.before_scan(event))))
    }

    async fn decide_attempt(&self, finished: &FinishedTask) -> Result<Option<(RowState, Event)>> {
        let session = &self.transfer.session;
        let paths = session.paths(&finished.task.path);
        Ok(Some(match &finished.result {
            TransferResult::Stopped => return Ok(None),
            TransferResult::Written(written) => self.written(finished, written, paths).await,
            TransferResult::Changed { now } => self.again(finished, Side::Source, Some(**now), FileError::Changed),
            TransferResult::OtherFile => self.other_file(finished),
            TransferResult::NoSuchName(error) => {
                // It is sent as a separate file.
                let metadata = Metadata { names: 1, ..finished.task.metadata };
                self.again(finished, Side::Sink, Some(metadata), FileError::NoHardLink(Arc::clone(error)))
            }
            TransferResult::LongHoles => (RowState::LongHoles, Event::LongHoles { paths }),
            TransferResult::Blocked(_) if session.options.mirror.is_some() && self.attempt <= LAST_ATTEMPT => {
                (RowState::Blocked, Event::WillRetry { paths, error: FileError::DirInPlace })
            }
            TransferResult::Blocked(error) => failed(Side::Sink, paths, tree_failed(Side::Sink, error)),
            TransferResult::Vanished => {
                session.check_tree(Side::Source).await?;
                self.vanished(finished, paths).await?
            }
            TransferResult::Failed(failure) => {
                if failure.side == Side::Sink
                    && let Some(fatal) = session.fatal_at_sink(&failure.error)
                {
                    return Err(fatal);
                }
                let error = tree_failed(failure.side, &failure.error);
                if failure.error.is_temporary() {
                    session.check_tree(failure.side).await?;
                    self.again(finished, failure.side, None, error)
                } else {
                    failed(failure.side, paths, error)
                }
            }
        }))
    }

    /// A name that belongs to another file than the sink has: one of the remaining names then carries the content.
    fn other_file(&self, finished: &FinishedTask) -> (RowState, Event) {
        match (self.again(finished, Side::Source, None, FileError::OtherFile), &finished.task.job) {
            ((RowState::Retry { attempt, .. }, event), Job::Name(of)) => {
                (RowState::OtherFile { of: of.clone(), attempt }, event)
            }
            (given_up, _) => given_up,
        }
    }

    /// A file that was not found counts as vanished only after a second check.
    async fn vanished(&self, finished: &FinishedTask, paths: FilePaths) -> Result<(RowState, Event)> {
        let (session, task) = (&self.transfer.session, &finished.task);
        Ok(match absence::check_vanished(session, &task.path, &task.read_path).await? {
            Absence::Certain => {
                let copy = in_place::clean_up(session, task).await?;
                let incomplete = copy.and_then(|copy| copy.now).map(|now| (task.path.clone(), now));
                (RowState::Vanished { incomplete }, Event::Vanished { paths })
            }
            Absence::Present(_) => self.again(finished, Side::Source, None, FileError::FoundAgain),
            Absence::Unknown(reason) => failed(Side::Source, paths, FileError::AbsenceUncertain(reason)),
        })
    }

    /// Cleans up after a file that is given up in this run; adds what stays at the sink.
    async fn give_up(&self, finished: &FinishedTask, event: Event) -> Result<Event> {
        let Event::Failed { paths, error } = event else { return Ok(event) };
        Ok(match in_place::clean_up(&self.transfer.session, &finished.task).await? {
            None => Event::Failed { paths, error },
            Some(copy) => {
                let error = FileError::CopyIncomplete { cause: Box::new(error), copy: copy.state };
                Event::Incomplete { paths, error }
            }
        })
    }

    /// A failure before the scan of this run is not final.
    fn before_scan(&self, event: Event) -> Event {
        match event {
            Event::Failed { paths, error } | Event::Incomplete { paths, error } if self.transfer.scan_follows => {
                Event::WillRetry { paths, error }
            }
            event => event,
        }
    }

    async fn written(&self, finished: &FinishedTask, written: &Written, paths: FilePaths) -> (RowState, Event) {
        let (session, task, metadata) = (&self.transfer.session, &finished.task, finished.task.metadata);
        let (checksum, hard_link_to) = match &task.job {
            Job::Attributes => {
                let state = RowState::AttributesApplied { sent: written.sent.clone(), kept: written.kept.clone() };
                return (state, Event::AttributesApplied { paths });
            }
            Job::Name(of) => (recorded(task), Some(session.paths(of).dest)),
            Job::Content => {
                let checksum = session.options.checksum.zip(written.hash.clone());
                let checksum = checksum.map(|(algorithm, hash)| Checksum { algorithm, hash });
                self.compare_with_recorded(finished, checksum.as_ref()).await;
                (checksum, None)
            }
        };
        let kept_size_bytes = match &task.job {
            Job::Name(_) => task.kept_size_bytes,
            _ => written.unstated_size_bytes,
        };
        let (sent, kept) = (written.sent.clone(), written.kept.clone());
        let state = RowState::Synced { metadata, kept_size_bytes, sent, kept, checksum: checksum.clone() };
        let size_bytes = kept_size_bytes.unwrap_or(metadata.size_bytes);
        (state, Event::Synced { paths, size_bytes, checksum, hard_link_to })
    }

    /// Another attempt, if there is one left.
    fn again(
        &self,
        finished: &FinishedTask,
        side: Side,
        metadata: Option<Metadata>,
        error: FileError,
    ) -> (RowState, Event) {
        let paths = self.transfer.session.paths(&finished.task.path);
        if self.attempt < LAST_ATTEMPT {
            let state = RowState::Retry { attempt: self.attempt + 1, metadata };
            return (state, Event::WillRetry { paths, error });
        }
        let error = FileError::GaveUp { cause: Box::new(error), attempts: LAST_ATTEMPT + 1 };
        (RowState::Failed { side, code: error.code(), metadata }, Event::Failed { paths, error })
    }

    /// Warns of content that differs although size and mtime are the same.
    async fn compare_with_recorded(&self, finished: &FinishedTask, checksum: Option<&Checksum>) {
        let (Some((digits, recorded_by)), Some(Checksum { algorithm, hash })) = (&finished.task.recorded, checksum)
        else {
            return;
        };
        if recorded_by == algorithm.name() && digits != hash.as_str() {
            let session = &self.transfer.session;
            let path = session.paths(&finished.task.path).source;
            let (recorded, found) = (FileHash::recorded(digits.clone()), hash.clone());
            let algorithm = *algorithm;
            let warning = Warning::ContentChangedSilently { path, algorithm, recorded, found };
            session.reporter.warn(warning).await;
        }
    }
}

/// A file that is given up in this run because a side failed.
fn failed(side: Side, paths: FilePaths, error: FileError) -> (RowState, Event) {
    (RowState::Failed { side, code: error.code(), metadata: None }, Event::Failed { paths, error })
}

fn tree_failed(side: Side, error: &Arc<towpath_backend::Error>) -> FileError {
    FileError::Tree { side, error: Arc::clone(error) }
}

/// The checksum that was recorded for this content.
fn recorded(task: &Task) -> Option<Checksum> {
    let (digits, algorithm) = task.recorded.as_ref()?;
    Some(Checksum { algorithm: algorithm.parse().ok()?, hash: FileHash::recorded(digits.clone()) })
}
