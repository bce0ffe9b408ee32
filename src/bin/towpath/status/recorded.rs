//! The status of a migration without a run, from its database alone.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use towpath::{Overview, RecordedBacklog, RecordedFailures, RecordedOutcome, RecordedRun, Totals};

use super::model::{Amounts, Deleted, Errors, Eta, Outcome, Rates, Run, Sent, State, Status, Sum, path_text};
use crate::format::moment;

/// The runs that the history shows.
pub(crate) const RUNS: usize = 20;

/// The status of the migration with this database.
pub(crate) fn of_database(database: &Path, overview: &Overview) -> Status {
    let newest = overview.runs.first();
    let (state, reason) = state_of(overview);
    let failed = newest.and_then(|run| run.failed);
    let [files, bytes] = amounts(overview.backlog.as_ref(), failed);
    let sent_bytes = newest.and_then(|run| run.sent).map(|sent| sent.bytes);
    Status {
        state,
        reason,
        pid: overview.process,
        version: newest.and_then(|run| run.version.clone()),
        log: newest.and_then(|run| run.log.as_ref()).map(|log| path_text(log.as_os_str().as_bytes()).0),
        started: newest.and_then(|run| moment(run.started)),
        ended: newest.and_then(|run| run.finished).and_then(moment),
        scanned_at: overview.backlog.and_then(|backlog| moment(backlog.scanned_at)),
        files,
        bytes,
        session_bytes: sent_bytes.map(|bytes| u64::try_from(bytes).unwrap_or(u64::MAX)),
        errors: overview.failures.iter().map(errors).collect(),
        runs: runs(overview),
        ..never_run(database, &overview.source, &overview.sink)
    }
}

/// The status of a migration without a database.
pub(crate) fn never_run(database: &Path, source: &[u8], dest: &[u8]) -> Status {
    let ((source, source_bytes), (dest, dest_bytes)) = (path_text(source), path_text(dest));
    Status {
        state: State::NeverRun,
        reason: None,
        pid: None,
        version: None,
        source,
        source_bytes,
        dest,
        dest_bytes,
        database: path_text(database.as_os_str().as_bytes()).0,
        log: None,
        started: None,
        ended: None,
        scanned_at: None,
        files: Amounts::default(),
        bytes: Amounts::default(),
        scan: None,
        session_bytes: None,
        rate_bytes_per_s: Rates::default(),
        limit: None,
        next_limit: None,
        eta: Eta::default(),
        current: Vec::new(),
        more_current: 0,
        errors: Vec::new(),
        stalled: None,
        limited_by: Vec::new(),
        runs: Vec::new(),
    }
}

/// The history.
pub(crate) fn runs(overview: &Overview) -> Vec<Run> {
    let is_running = |index| index == 0 && overview.process.is_some();
    overview.runs.iter().enumerate().filter_map(|(index, run)| self::run(run, is_running(index))).collect()
}

fn run(run: &RecordedRun, is_running: bool) -> Option<Run> {
    let totals = run.sent;
    Some(Run {
        number: run.number,
        started: moment(run.started)?,
        ended: run.finished.and_then(moment),
        outcome: outcome(run, is_running),
        stopped_by: run.stopped_by.clone(),
        error: run.error.clone(),
        scanned: run.scanned,
        sent: Sent { files: totals.map(|sent| sent.files), bytes: totals.map(|sent| Sum(sent.bytes)) },
        deleted: Deleted { files: run.deleted_files, dirs: run.deleted_dirs },
        failed: run.failed.map(|failed| failed.files),
        version: run.version.clone(),
    })
}

/// How a run ended.
pub(crate) fn outcome(run: &RecordedRun, is_running: bool) -> Outcome {
    match run.outcome {
        Some(RecordedOutcome::Finished) => Outcome::Finished,
        Some(RecordedOutcome::Assessed) => Outcome::Assessed,
        Some(RecordedOutcome::Stopped) => Outcome::Stopped,
        Some(_) => Outcome::Failed,
        None if is_running => Outcome::Running,
        None => Outcome::Killed,
    }
}

/// The state, and the reason for it.
fn state_of(overview: &Overview) -> (State, Option<String>) {
    let Some(newest) = overview.runs.first() else { return (State::NeverRun, None) };
    match newest.outcome {
        Some(RecordedOutcome::Finished) => (State::Finished, newest.error.clone()),
        Some(RecordedOutcome::Assessed) => (State::Stopped, Some("assessed".to_owned())),
        Some(RecordedOutcome::Stopped) => (State::Stopped, newest.stopped_by.clone()),
        Some(_) => (State::Failed, newest.error.clone()),
        None if overview.process.is_some() => {
            let state = if overview.backlog.is_some() { State::Transferring } else { State::Scanning };
            (state, Some("its control socket does not answer: the figures are those of its last commit".to_owned()))
        }
        None => (State::Stopped, Some("killed".to_owned())),
    }
}

/// Files and bytes.
fn amounts(backlog: Option<&RecordedBacklog>, failed: Option<Totals>) -> [Amounts; 2] {
    let of = |total: Option<u128>, pending: Option<u128>, failed: Option<u128>| Amounts {
        total: total.map(Sum),
        synced: total.zip(pending).map(|(total, pending)| Sum(total.saturating_sub(pending))),
        pending: pending.map(Sum),
        failed: failed.map(Sum),
    };
    [
        of(
            backlog.map(|backlog| backlog.source.files.into()),
            backlog.map(|backlog| backlog.pending.files.into()),
            failed.map(|failed| failed.files.into()),
        ),
        of(
            backlog.map(|backlog| backlog.source.bytes),
            backlog.map(|backlog| backlog.pending.bytes),
            failed.map(|failed| failed.bytes),
        ),
    ]
}

fn errors(failures: &RecordedFailures) -> Errors {
    let (path, path_bytes) = path_text(&failures.path);
    Errors {
        kind: failures.kind.clone(),
        side: failures.side.map(Into::into),
        count: failures.count,
        path,
        path_bytes,
        error: failures.error.clone(),
    }
}
