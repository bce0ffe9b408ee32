//! What a database says of a migration.

use std::path::PathBuf;

use towpath_backend::Timestamp;

use crate::event::{Counts, Side, Totals};

/// What the database says of a migration.
///
/// Reading takes milliseconds, whatever the number of files: it uses the sums that the runs keep. Only where a run of
/// an earlier version, or one that was interrupted before its scan, was the last, the pending files are counted.
///
/// ```no_run
/// # fn example() -> towpath::Result<()> {
/// let last_runs = 10;
/// if let Some(overview) = towpath::Overview::read("backlog.db", last_runs)? {
///     let pending = overview.backlog.map(|backlog| backlog.pending.files);
///     println!("pending: {pending:?}, runs: {}", overview.runs.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Overview {
    /// The root of the source, as raw bytes.
    pub source: Vec<u8>,
    /// The root of the sink, as raw bytes.
    pub sink: Vec<u8>,
    /// The version of the database's schema.
    pub schema: i32,
    /// The backlog; `None` before the first scan is complete, and while another scan is not.
    pub backlog: Option<RecordedBacklog>,
    /// What the last complete scan found in the source and in the sink.
    pub last_scan: Option<(Counts, Counts)>,
    /// The last runs, the newest first.
    pub runs: Vec<RecordedRun>,
    /// What failed in the newest run, by kind and side.
    pub failures: Vec<RecordedFailures>,
    /// The hash of the last line of the audit log's chain ([`crate::ChainCheck::end`]); `None`: its lines are not linked.
    pub audit_chain_end: Option<String>,
    /// The process that runs this migration now. `None` also where the system does not say.
    pub process: Option<u32>,
}

/// What the last scan found, and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedBacklog {
    /// When the scan began.
    pub scanned_at: Timestamp,
    /// What the source contained.
    pub source: Counts,
    /// What the sink contained.
    pub sink: Counts,
    /// What is still to be sent.
    pub pending: Totals,
}

/// A run, as the database records it. A run of an earlier version has fewer figures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedRun {
    /// Its number.
    pub number: i64,
    /// When it began.
    pub started: Timestamp,
    /// When it ended. `None`: it still runs, or it was killed.
    pub finished: Option<Timestamp>,
    /// How it ended. `None`: it still runs, or it was killed.
    pub outcome: Option<RecordedOutcome>,
    /// The version of Towpath.
    pub version: Option<String>,
    /// Its process.
    pub pid: Option<u32>,
    /// Its audit log.
    pub log: Option<PathBuf>,
    /// Whether it began to scan.
    pub scanned: Option<bool>,
    /// Files sent, and their sizes.
    pub sent: Option<Totals>,
    /// Files and links deleted from the sink.
    pub deleted_files: Option<u64>,
    /// Directories removed from the sink.
    pub deleted_dirs: Option<u64>,
    /// Files that failed.
    pub failed: Option<Totals>,
    /// When it last wrote these figures.
    pub updated: Option<Timestamp>,
    /// Why it was stopped, such as `signal SIGTERM`.
    pub stopped_by: Option<String>,
    /// Why it failed, or which guard prevented deletions.
    pub error: Option<String>,
    /// The options in force, as a JSON object. None of them is a secret.
    pub options: Option<String>,
    /// How it was started, as given to [`crate::Builder::command`].
    pub command: Option<String>,
}

#[cfg(test)]
impl RecordedRun {
    /// A run that finished, and did nothing.
    pub(crate) fn at(number: i64, started: Timestamp, finished: Timestamp) -> Self {
        Self {
            number,
            started,
            finished: Some(finished),
            outcome: Some(RecordedOutcome::Finished),
            version: None,
            pid: None,
            log: None,
            scanned: Some(true),
            sent: None,
            deleted_files: None,
            deleted_dirs: None,
            failed: None,
            updated: None,
            stopped_by: None,
            error: None,
            options: None,
            command: None,
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecordedOutcome {
    /// It ran to completion; single files may have failed.
    Finished,
    /// It scanned both trees, and was to do no more ([`crate::Extent::Scan`]).
    Assessed,
    /// It was stopped.
    Stopped,
    /// It could not continue.
    Failed,
}

/// The failures of one kind on one side in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordedFailures {
    /// The tree that failed, if one did.
    pub side: Option<Side>,
    /// The kind ([`crate::FileError::kind_name`]).
    pub kind: String,
    /// How many there were.
    pub count: u64,
    /// The full path of the first.
    pub path: Vec<u8>,
    /// Its error.
    pub error: String,
}
