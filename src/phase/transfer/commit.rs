//! From files that are written to rows that say so: in batches, each behind one flush.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use towpath_backend::{ErrorKind, Metadata};

use super::task::{Ended, Ending, Job, Task, Written};
use super::unfinished;
use crate::absence::{self, Vanished};
use crate::audit::Line;
use crate::checksum::{Checksum, FileHash};
use crate::error::{Error, Result};
use crate::event::{Event, FilePaths, Side, Totals};
use crate::journal::{RowState, RowUpdate};
use crate::session::Shared;

/// Most files of one batch.
const BATCH_FILES: usize = 4096;
/// Longest time that a finished file waits for its batch to fill.
const BATCH_TIME: Duration = Duration::from_secs(1);
/// The last pass: what has not succeeded by then has failed.
pub(crate) const LAST_TURN: u32 = 3;

/// What became of the files of a run so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) synced: Totals,
    /// What was written of the files in `synced`, and their holes.
    pub(crate) kept_bytes: u64,
    pub(crate) hole_bytes: u128,
    pub(crate) pending: Totals,
    /// Of these, files with long holes that were set aside.
    pub(crate) long_holes: Totals,
    pub(crate) failed_files: u64,
    pub(crate) vanished_files: u64,
    /// Attributes that the sink did not take or keep, and those of them that the system denied.
    pub(crate) refused_attributes: u64,
    pub(crate) denied_attributes: u64,
    /// Files and links deleted at the sink, or moved where deleted things go.
    pub(crate) deleted_files: u64,
    /// Emptied directories removed at the sink.
    pub(crate) deleted_dirs: u64,
    /// Extra files, links and directories that were not deleted, to be safe.
    pub(crate) protected: u64,
    /// Why nothing, or nothing more, was deleted.
    pub(crate) refusal: Option<String>,
}

impl Tally {
    /// Counts attributes that the sink refused.
    pub(crate) fn add_refused(&mut self, refused: &[towpath_backend::Error]) {
        let is_denied = |error: &&towpath_backend::Error| error.kind() == ErrorKind::PermissionDenied;
        self.refused_attributes += refused.len() as u64;
        self.denied_attributes += refused.iter().filter(is_denied).count() as u64;
    }
}

/// Records the files of one pass.
pub(crate) struct Committer {
    pub(crate) shared: Arc<Shared>,
    /// The pass under way.
    pub(crate) turn: u32,
    pub(crate) tally: Tally,
}

impl Committer {
    /// Takes endings until the lanes are gone; returns the tally, with the
    /// error that stopped the run if there was one.
    pub(crate) async fn run(mut self, mut endings: mpsc::Receiver<Ended>) -> (Tally, Result<()>) {
        let mut result = Ok(());
        while let Some(first) = endings.recv().await {
            let batch = fill(first, &mut endings).await;
            if result.is_err() {
                // The lanes are stopping; what they still deliver stays pending.
                continue;
            }
            if let Err(error) = self.commit(batch).await {
                self.shared.stop.cancel();
                result = Err(error);
            }
        }
        (self.tally, result)
    }

    async fn commit(&mut self, batch: Vec<Ended>) -> Result<()> {
        if batch.iter().any(|ended| matches!(ended.ending, Ending::Written(_))) {
            self.flush().await?;
            failpoint!("after-flush");
            // What was written beneath the mount point of a sink that went is not at the sink.
            self.shared.check_identity(Side::Sink).await?;
        }
        let mut outcomes = Vec::with_capacity(batch.len());
        let mut events = Vec::with_capacity(batch.len());
        let mut fatal = Ok(());
        for ended in batch {
            match self.judge(&ended).await {
                Ok(Some((verdict, event))) => {
                    let (verdict, event) = self.given_up(&ended, verdict, event).await?;
                    let event = self.before_scan(event);
                    let refused = self.refused(&ended);
                    let lines =
                        refused.iter().chain([&event]).filter_map(|event| line_of(event, &ended.task)).collect();
                    self.count(&ended, &verdict);
                    outcomes.push(RowUpdate { key: ended.task.key.clone(), state: verdict, lines });
                    events.extend(refused);
                    events.extend([event]);
                }
                Ok(None) => {}
                Err(error) => fatal = fatal.and(Err(error)),
            }
        }
        tracing::debug!(files = outcomes.len(), "commit");
        let has_set_aside = outcomes.iter().any(|outcome| matches!(outcome.state, RowState::LongHoles));
        self.shared.journal.record(outcomes).await?;
        if has_set_aside {
            self.shared.set_aside.notify_one();
        }
        self.shared.progress.set_pending(self.tally.pending);
        self.shared.progress.set_long_holes(self.tally.long_holes);
        self.shared.progress.set_synced(self.tally.synced);
        for event in events {
            self.shared.emitter.emit(event).await;
        }
        fatal
    }

    async fn flush(&self) -> Result<()> {
        self.shared.sink.flush().await.map_err(|error| sink_cannot_flush(&self.shared, &error))
    }

    /// What an ending means for the file's row, and what to tell. `None`: the
    /// row stays as it is.
    async fn judge(&mut self, ended: &Ended) -> Result<Option<(RowState, Event)>> {
        let paths = self.shared.paths(&ended.task.path);
        Ok(Some(match &ended.ending {
            Ending::Stopped => return Ok(None),
            Ending::Written(written) => self.written(ended, written, paths).await,
            Ending::Changed { now } => {
                self.again(ended, Side::Source, Some(**now), "it changed while it was being sent")
            }
            Ending::OtherFile => self.other_file(ended),
            Ending::NoSuchName(error) => {
                // A file of its own, with no others like it.
                let metadata = Metadata { names: 1, ..ended.task.metadata };
                let reason = format!("it cannot be a hard link at the destination, so it is copied: {error}");
                self.again(ended, Side::Sink, Some(metadata), &reason)
            }
            Ending::LongHoles => (RowState::LongHoles, Event::LongHoles { paths }),
            Ending::Blocked(_) if self.shared.options.mirror.is_some() && self.turn <= LAST_TURN => {
                let reason = "a directory is in its place, and may go with what the source does not have".to_owned();
                (RowState::Blocked, Event::WillRetry { paths, reason })
            }
            Ending::Blocked(error) => {
                let error = format!("{}: {error}", Side::Sink);
                (RowState::Failed { side: Side::Sink, metadata: None }, Event::Failed { paths, error })
            }
            Ending::Vanished => {
                self.shared.check_identity(Side::Source).await?;
                self.vanished(ended, paths).await?
            }
            Ending::Failed(failure) => {
                if failure.concerns_all() {
                    return Err(sink_is_full(&self.shared, &failure.error));
                }
                let text = format!("{}: {}", failure.side, failure.error);
                if failure.error.is_temporary() {
                    self.shared.check_identity(failure.side).await?;
                    self.again(ended, failure.side, None, &text)
                } else {
                    let verdict = RowState::Failed { side: failure.side, metadata: None };
                    (verdict, Event::Failed { paths, error: text })
                }
            }
        }))
    }

    /// A name whose file is another than the one that the sink has: one of those that are left
    /// carries the content then.
    fn other_file(&self, ended: &Ended) -> (RowState, Event) {
        let reason = "its other name, which was sent, is another file by now";
        match (self.again(ended, Side::Source, None, reason), &ended.task.job) {
            ((RowState::Retry { attempt, .. }, event), Job::Name(of)) => {
                (RowState::OtherFile { of: of.clone(), attempt }, event)
            }
            (given_up, _) => given_up,
        }
    }

    /// That a file was not found is proved before it counts.
    async fn vanished(&self, ended: &Ended, paths: FilePaths) -> Result<(RowState, Event)> {
        let task = &ended.task;
        Ok(match absence::confirm_absence(&self.shared, &task.path, &task.read_path).await? {
            Vanished::Certain => {
                let left = unfinished::clean_up(&self.shared, task).await?;
                let incomplete = left.and_then(|left| left.now).map(|now| (task.path.clone(), now));
                (RowState::Vanished { incomplete }, Event::Vanished { paths })
            }
            Vanished::Present => {
                self.again(ended, Side::Source, None, "it was not found when it was read, although it is there")
            }
            Vanished::Unknown(reason) => {
                let error = format!("{}: it is not there, but {reason}", Side::Source);
                let verdict = RowState::Failed { side: Side::Source, metadata: None };
                (verdict, Event::Failed { paths, error })
            }
        })
    }

    /// Cleans up behind a file that is given up in this run; tells what stays at the sink.
    async fn given_up(&self, ended: &Ended, verdict: RowState, event: Event) -> Result<(RowState, Event)> {
        let (RowState::Failed { .. }, Event::Failed { paths, error }) = (&verdict, &event) else {
            return Ok((verdict, event));
        };
        Ok(match unfinished::clean_up(&self.shared, &ended.task).await? {
            None => (verdict, event),
            Some(left) => {
                let error = format!("{error}; {}", left.reason);
                let event = Event::Incomplete { paths: paths.clone(), error };
                (verdict, event)
            }
        })
    }

    /// What failed before the scan has not failed for good in this run.
    fn before_scan(&self, event: Event) -> Event {
        match event {
            Event::Failed { paths, error } | Event::Incomplete { paths, error } if self.shared.scan_follows => {
                Event::WillRetry { paths, reason: error }
            }
            event => event,
        }
    }

    async fn written(&self, ended: &Ended, written: &Written, paths: FilePaths) -> (RowState, Event) {
        let (task, metadata) = (&ended.task, ended.task.metadata);
        let (checksum, hard_link_to) = match &task.job {
            Job::Attributes => return (RowState::AttributesApplied { kept: written.kept }, Event::Settled { paths }),
            Job::Name(of) => (recorded(task), Some(self.shared.paths(of).dest)),
            Job::Content => {
                let checksum = self.shared.options.checksum.zip(written.hash.clone());
                let checksum = checksum.map(|(algorithm, hash)| Checksum { algorithm, hash });
                self.compare_with_recorded(ended, checksum.as_ref()).await;
                (checksum, None)
            }
        };
        let kept_size_bytes = match &task.job {
            Job::Name(_) => task.kept_size_bytes,
            _ => written.unstated_size_bytes,
        };
        let verdict = RowState::Synced { metadata, kept_size_bytes, kept: written.kept, checksum: checksum.clone() };
        let size_bytes = kept_size_bytes.unwrap_or(metadata.size_bytes);
        (verdict, Event::Synced { paths, size_bytes, checksum, hard_link_to })
    }

    /// What the sink did not take beside content and times: counted, and no failure.
    fn refused(&mut self, ended: &Ended) -> Vec<Event> {
        let Ending::Written(written) = &ended.ending else { return Vec::new() };
        self.tally.add_refused(&written.refused);
        let told = |error: &towpath_backend::Error| Event::Refused {
            paths: self.shared.paths(&ended.task.path),
            error: error.to_string(),
        };
        written.refused.iter().map(told).collect()
    }

    /// Another turn, if there is one left.
    fn again(&self, ended: &Ended, side: Side, metadata: Option<Metadata>, reason: &str) -> (RowState, Event) {
        let paths = self.shared.paths(&ended.task.path);
        if self.turn < LAST_TURN {
            let verdict = RowState::Retry { attempt: self.turn + 1, metadata };
            return (verdict, Event::WillRetry { paths, reason: reason.to_owned() });
        }
        let error = format!("{reason}, {} times; giving up for this run", LAST_TURN + 1);
        (RowState::Failed { side, metadata }, Event::Failed { paths, error })
    }

    /// Content that differs under the same size and time: worth a word.
    async fn compare_with_recorded(&self, ended: &Ended, checksum: Option<&Checksum>) {
        let (Some((digits, algorithm)), Some(Checksum { algorithm: now, hash })) = (&ended.task.recorded, checksum)
        else {
            return;
        };
        if algorithm == now.name() && digits != hash.as_str() {
            let message = format!(
                "{}: its content changed while its size and mtime did not ({algorithm} was {digits}, is {hash}); \
                 the new content was sent",
                String::from_utf8_lossy(&self.shared.paths(&ended.task.path).source)
            );
            self.shared.emitter.emit(Event::Warning { message }).await;
        }
    }

    fn count(&mut self, ended: &Ended, verdict: &RowState) {
        let task = &ended.task;
        // Of what is not sent, the bytes are not pending either.
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
        match verdict {
            RowState::Synced { kept_size_bytes, .. } => {
                done();
                tally.synced.files += 1;
                tally.synced.bytes += kept_size_bytes.map_or(bytes, u128::from);
                if let Ending::Written(written) = &ended.ending {
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
        if matches!(verdict, RowState::Failed { .. }) && !self.shared.scan_follows {
            tally.failed_files += 1;
            self.shared.progress.add_failed();
        }
    }
}

/// The checksum that was recorded for this very content.
fn recorded(task: &Task) -> Option<Checksum> {
    let (digits, algorithm) = task.recorded.as_ref()?;
    Some(Checksum { algorithm: algorithm.parse().ok()?, hash: FileHash::recorded(digits.clone()) })
}

/// The error of a sink that takes nothing more from anyone.
pub(crate) fn sink_is_full(shared: &Shared, error: &towpath_backend::Error) -> Error {
    Error::Backend(format!(
        "the destination {} cannot take more: {error}; what is finished is recorded: \
         make room and run the same command again",
        String::from_utf8_lossy(shared.sink.root()),
    ))
}

/// The error of a sink whose files may not survive a power cut.
pub(crate) fn sink_cannot_flush(shared: &Shared, error: &towpath_backend::Error) -> Error {
    Error::Backend(format!(
        "the destination {} could not make files durable, so they stay pending: {error}",
        String::from_utf8_lossy(shared.sink.root())
    ))
}

/// A batch: `first` and what follows it soon.
async fn fill(first: Ended, endings: &mut mpsc::Receiver<Ended>) -> Vec<Ended> {
    let deadline = Instant::now() + BATCH_TIME;
    let mut batch = vec![first];
    while batch.len() < BATCH_FILES {
        match timeout_at(deadline, endings.recv()).await {
            Ok(Some(ended)) => batch.push(ended),
            Ok(None) | Err(_) => break,
        }
    }
    batch
}

/// The line of the log for an outcome.
fn line_of(event: &Event, task: &Task) -> Option<Line> {
    let mut size_bytes = task.metadata.size_bytes;
    let line = match event {
        Event::Synced { paths, checksum, hard_link_to, size_bytes: sent } => {
            size_bytes = *sent;
            Line { checksum: checksum.clone(), hard_link: hard_link_to.clone(), ..Line::now("synced", paths.clone()) }
        }
        Event::Settled { paths } => Line::now("settled", paths.clone()),
        Event::Refused { paths, error } => Line { error: Some(error.clone()), ..Line::now("refused", paths.clone()) },
        Event::WillRetry { paths, reason } => {
            Line { error: Some(reason.clone()), ..Line::now("will-retry", paths.clone()) }
        }
        Event::Vanished { paths } => Line::now("vanished", paths.clone()),
        Event::Failed { paths, error } => Line { error: Some(error.clone()), ..Line::now("failed", paths.clone()) },
        Event::Incomplete { paths, error } => {
            Line { error: Some(error.clone()), ..Line::now("incomplete", paths.clone()) }
        }
        _ => return None,
    };
    Some(Line { size_bytes: Some(size_bytes), ..line })
}
