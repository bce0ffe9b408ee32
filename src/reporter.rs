//! Writes each record once: as a line of the audit log and as an event.

use towpath_backend::Timestamp;

use crate::audit::{Failure, Line};
use crate::error::{FileError, Result, UnreadableError};
use crate::event::{Event, FilePaths, Side, Totals, Warning};
use crate::event_stream::Emitter;
use crate::journal::{Checked, EndedDeletions, FileKey, Journal, RowState, RowUpdate, SlowFile};

/// An event and the line of the audit log that goes with it.
#[derive(Debug)]
pub(crate) struct Record {
    event: Event,
    line: Option<Line>,
}

impl Record {
    /// The record of `event`; it has a line if [`line_of`] has one.
    pub(crate) fn new(event: Event) -> Self {
        Self { line: line_of(&event), event }
    }

    /// Adds the size of the entry to the line.
    pub(crate) fn with_size(mut self, size_bytes: Option<u64>) -> Self {
        if let Some(line) = &mut self.line {
            line.size_bytes = size_bytes;
        }
        self
    }

    /// Adds the size of the entry to a line that has none.
    pub(crate) fn with_default_size(mut self, size_bytes: u64) -> Self {
        if let Some(line) = &mut self.line {
            line.size_bytes.get_or_insert(size_bytes);
        }
        self
    }

    /// Adds the mtime of the entry to the line.
    pub(crate) fn with_mtime(mut self, modified: Timestamp) -> Self {
        if let Some(line) = &mut self.line {
            line.modified = Some(modified);
        }
        self
    }

    /// An entry that the scan cannot read. `logged` is the error in the log.
    pub(crate) fn unreadable(side: Side, paths: FilePaths, error: UnreadableError, logged: String) -> Self {
        let path = if side == Side::Source { &paths.source } else { &paths.dest };
        let path = path.clone();
        let failure = Some(Failure { side: Some(side), kind: error.kind_name() });
        let line = Line { error: Some(logged), failure, ..Line::now("unreadable", paths) };
        Self { line: Some(line), event: Event::Unreadable { side, path, error } }
    }
}

/// The result of one file: the new state of its row, and its records.
#[derive(Debug)]
pub(crate) struct FileRecords {
    pub(crate) key: FileKey,
    pub(crate) state: RowState,
    pub(crate) records: Vec<Record>,
    /// Of content that was sent: how long it took.
    pub(crate) sent: Option<SlowFile>,
}

/// Writes records: their lines to the audit log, their events to the listener.
#[derive(Clone)]
pub(crate) struct Reporter {
    journal: Journal,
    emitter: Emitter,
}

impl Reporter {
    pub(crate) fn new(journal: Journal, emitter: Emitter) -> Self {
        Self { journal, emitter }
    }

    /// Emits an event that has no line in the audit log.
    pub(crate) async fn notify(&self, event: Event) {
        debug_assert!(line_of(&event).is_none(), "{event:?} has a line");
        self.emitter.emit(event).await;
    }

    /// Emits a warning.
    pub(crate) async fn warn(&self, warning: Warning) {
        self.notify(Event::Warning(warning)).await;
    }

    /// For what also warns before there is a reporter.
    pub(crate) fn emitter(&self) -> &Emitter {
        &self.emitter
    }

    /// Writes records that belong to no row of the database.
    pub(crate) async fn report(&self, records: impl IntoIterator<Item = Record>) -> Result<()> {
        let (lines, events) = split(records);
        if !lines.is_empty() {
            self.journal.log(lines).await?;
        }
        self.emit(events).await;
        Ok(())
    }

    /// Writes records of files in one transaction with their rows. They leave this number of pending files. The events
    /// follow once it is committed.
    pub(crate) async fn report_files(&self, files: Vec<FileRecords>, pending: Totals) -> Result<()> {
        let mut events = Vec::new();
        let update = |FileRecords { key, state, records, sent }| {
            let (lines, of_file) = split(records);
            events.extend(of_file);
            RowUpdate { key, state, lines, sent }
        };
        let updates = files.into_iter().map(update).collect();
        self.journal.record(updates, pending).await?;
        self.emit(events).await;
        Ok(())
    }

    /// Writes records of announced deletions in one transaction with their results in the journal.
    pub(crate) async fn report_deletions(
        &self,
        ended: EndedDeletions,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<()> {
        let (lines, events) = split(records);
        self.journal.end_deletions(EndedDeletions { lines, ..ended }).await?;
        self.emit(events).await;
        Ok(())
    }

    /// Writes results of a pass in one transaction with their rows. Returns for each whether it was recorded; the events
    /// of the others are not emitted.
    pub(crate) async fn report_verified(
        &self,
        pass: i64,
        results: Vec<(Checked, Event)>,
        read_bytes: u64,
    ) -> Result<Vec<bool>> {
        let (checked, events): (Vec<_>, Vec<_>) = results.into_iter().unzip();
        let with_line = |(checked, event): (Checked, &Event)| {
            let line = line_of(event).map(|line| Line { pass: Some(pass), ..line });
            Checked { line, ..checked }
        };
        let checked = checked.into_iter().zip(&events).map(with_line).collect();
        let recorded = self.journal.record_verified(pass, checked, read_bytes).await?;
        let of_recorded = events.into_iter().zip(&recorded).filter_map(|(event, is)| is.then_some(event));
        self.emit(of_recorded.collect()).await;
        Ok(recorded)
    }

    /// Writes the lines of deletions that an earlier run announced and performed, without their events.
    pub(crate) async fn report_earlier_deletions(
        &self,
        ended: EndedDeletions,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<()> {
        let (lines, _events) = split(records);
        self.journal.end_deletions(EndedDeletions { lines, ..ended }).await
    }

    async fn emit(&self, events: Vec<Event>) {
        for event in events {
            self.emitter.emit(event).await;
        }
    }
}

fn split(records: impl IntoIterator<Item = Record>) -> (Vec<Line>, Vec<Event>) {
    let (mut lines, mut events) = (Vec::new(), Vec::new());
    for Record { event, line } in records {
        lines.extend(line);
        events.push(event);
    }
    (lines, events)
}

/// The line that an event has in the audit log, if it has one.
fn line_of(event: &Event) -> Option<Line> {
    let line = |status, paths: &FilePaths| Line::now(status, paths.clone());
    let with_error =
        |status, paths, error: &dyn ToString| Line { error: Some(error.to_string()), ..line(status, paths) };
    let failed = |status, paths, error: &FileError| {
        let failure = Some(Failure { side: error.side(), kind: error.kind_name() });
        Line { failure, ..with_error(status, paths, error) }
    };
    Some(match event {
        Event::Synced { paths, size_bytes, checksum, hard_link_to } => Line {
            size_bytes: Some(*size_bytes),
            checksum: checksum.clone(),
            hard_link: hard_link_to.clone(),
            ..line("synced", paths)
        },
        Event::AttributesApplied { paths } => line("settled", paths),
        Event::AttributeNotAccepted { paths, error } => with_error("refused", paths, error),
        Event::WillRetry { paths, error } => with_error("will-retry", paths, error),
        Event::Vanished { paths } => line("vanished", paths),
        Event::Failed { paths, error } => failed("failed", paths, error),
        Event::Incomplete { paths, error } => failed("incomplete", paths, error),
        Event::Skipped { paths, reason, .. } => with_error("skipped", paths, reason),
        Event::Renamed { paths, from } => Line { renamed_from: Some(from.clone()), ..line("renamed", paths) },
        Event::Deleted { paths, size_bytes } => Line { size_bytes: *size_bytes, ..line("deleted", paths) },
        Event::Verified { paths, size_bytes, result, checksum, cached } => Line {
            size_bytes: Some(*size_bytes),
            checksum: checksum.clone(),
            error: result.detail(),
            cached: cached.map(|reason| reason.to_string()),
            ..line(result.class().status(), paths)
        },
        // The scan that found it logged it (`Record::unreadable`); later runs only report it.
        Event::Unreadable { .. }
        | Event::ScanStarted { .. }
        | Event::ScanFinished { .. }
        | Event::WholeSecondsAtSink { .. }
        | Event::PatternUnmatched { .. }
        | Event::HardLinksCopied { .. }
        | Event::Resuming { .. }
        | Event::AttemptStarted { .. }
        | Event::Protected { .. }
        | Event::LongHoles { .. }
        | Event::Planned { .. }
        | Event::EmptyDirsNotKept { .. }
        // Its line is about the run.
        | Event::Steered { .. }
        | Event::Warning(_) => return None,
    })
}
