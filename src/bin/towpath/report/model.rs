//! The model of a report: what `towpath report --json` writes. The HTML is a rendering of it.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::status::model::path_text;

/// The report of a migration.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// When it was made, by which version, and where.
    pub(crate) generated: Timestamp,
    pub(crate) towpath: &'static str,
    pub(crate) host: Option<String>,
    pub(crate) scope: Scope,
    pub(crate) state: State,
    /// Whether each name of the source is in one class. False also if that is not known.
    pub(crate) balanced: bool,
    /// Null: no scan is complete.
    pub(crate) totals: Option<Totals>,
    /// Files in sync with the checksum of what was sent.
    pub(crate) with_checksum: Amount,
    pub(crate) verification: Verification,
    pub(crate) failed: Exceptions,
    /// Failed, and accepted as they are.
    pub(crate) accepted: Exceptions,
    /// All acceptances that ever were, the oldest first.
    pub(crate) acceptances: Vec<Acceptance>,
    pub(crate) skipped: Exceptions,
    pub(crate) unreadable: Exceptions,
    pub(crate) throughput: Throughput,
    pub(crate) sizes: Vec<SizeRange>,
    pub(crate) slowest: Vec<SlowFile>,
    pub(crate) deletions: Deletions,
    pub(crate) manifest: Option<Manifest>,
    /// The hash of the last line of the audit log; null: its lines are not linked.
    pub(crate) audit_chain_end: Option<String>,
    /// All runs, the oldest first.
    pub(crate) runs: Vec<Run>,
}

/// A path as text, and its bytes in hexadecimal if it is not UTF-8.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Path {
    pub(crate) path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    /// For the rendering.
    #[serde(skip)]
    pub(crate) raw: Vec<u8>,
}

impl From<&[u8]> for Path {
    fn from(raw: &[u8]) -> Self {
        let (path, path_bytes) = path_text(raw);
        Self { path, path_bytes, raw: raw.to_vec() }
    }
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Scope {
    pub(crate) source: Path,
    pub(crate) dest: Path,
    pub(crate) database: Path,
    pub(crate) schema: i32,
    pub(crate) first_run: Option<Timestamp>,
    /// The end of the last run; null while it goes on, and after a kill.
    pub(crate) last_run_ended: Option<Timestamp>,
}

/// How far the migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// A process runs it now.
    Running,
    /// No scan is complete, or the last one is not.
    NotScanned,
    /// Names are to be sent.
    Pending,
    /// Names have failed, their content is unknown, or a verification found copies that are not what was recorded.
    Exceptions,
    /// Each name of the source is in sync, excluded, skipped or accepted.
    Complete,
}

/// Names and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Amount {
    pub(crate) names: u64,
    pub(crate) bytes: u128,
}

/// Amounts of each kind, and in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ByKind {
    pub(crate) all: Amount,
    pub(crate) files: Amount,
    pub(crate) directories: Amount,
    pub(crate) links: Amount,
    pub(crate) other: Amount,
}

/// A signed amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Difference {
    pub(crate) names: i128,
    pub(crate) bytes: i128,
}

/// Signed amounts of each kind, and in all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Differences {
    pub(crate) all: Difference,
    pub(crate) files: Difference,
    pub(crate) directories: Difference,
    pub(crate) links: Difference,
    pub(crate) other: Difference,
}

/// The names of the source at the last complete scan.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Totals {
    pub(crate) scanned_at: Option<Timestamp>,
    /// What the listings had, counted before anything was decided. Null: the scan of an earlier version.
    pub(crate) listed: Option<ByKind>,
    pub(crate) listed_twice: ByKind,
    /// Followed links and names without a kind, as listed and as what they are.
    pub(crate) resolved: ByKind,
    pub(crate) resolved_to: ByKind,
    /// `listed` less `listed_twice` and `resolved`, with `resolved_to`.
    pub(crate) source: Option<Differences>,
    pub(crate) classes: Vec<Class>,
    /// `source` less all classes: zero.
    pub(crate) difference: Option<Differences>,
    pub(crate) reasons: Vec<Reason>,
    /// Files whose size changed after the scan: as scanned, and as sent.
    pub(crate) resized_from: Amount,
    pub(crate) resized_to: Amount,
    /// Files of earlier scans below directories that could not be read.
    pub(crate) below_unreadable: Amount,
    /// Directories of other file systems that were not entered.
    pub(crate) not_entered: u64,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Class {
    pub(crate) class: &'static str,
    #[serde(flatten)]
    pub(crate) amount: ByKind,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Reason {
    pub(crate) class: &'static str,
    pub(crate) reason: String,
    /// The rule that excludes them.
    pub(crate) rule: Option<String>,
    #[serde(flatten)]
    pub(crate) amount: ByKind,
    pub(crate) example: Option<Path>,
}

/// Exceptions: at most as many as were asked for are listed.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Exceptions {
    pub(crate) count: u64,
    /// Of these, those that are not accepted.
    pub(crate) open: u64,
    pub(crate) listed: Vec<Exception>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Exception {
    #[serde(flatten)]
    pub(crate) path: Path,
    pub(crate) kind: Option<&'static str>,
    pub(crate) bytes: Option<u64>,
    pub(crate) side: Option<&'static str>,
    pub(crate) reason: String,
    pub(crate) error: Option<String>,
    /// The reason of the acceptance that covers it.
    pub(crate) accepted: Option<String>,
}

/// What somebody accepted as it is, with what is below a directory.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Acceptance {
    #[serde(flatten)]
    pub(crate) path: Path,
    pub(crate) reason: String,
    pub(crate) user: String,
    pub(crate) time: Option<Timestamp>,
    /// Why the entry was not in sync then.
    pub(crate) code: Option<String>,
    /// When it ended: null while it is in force.
    pub(crate) ended: Option<Timestamp>,
    /// `settled`: in sync, or gone from the source; `removed` by somebody.
    pub(crate) end: Option<&'static str>,
}

/// What `towpath verify` found.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Verification {
    /// Files and links in sync, by what their last verification found: `not-verified` since they were sent, `matches`, …
    pub(crate) coverage: Vec<Verified>,
    /// The last passes, the newest first.
    pub(crate) passes: Vec<VerifyPass>,
    /// Files that did not match.
    pub(crate) not_matching: Vec<NotMatching>,
    /// Whether there are more of them.
    pub(crate) has_more: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Verified {
    pub(crate) class: &'static str,
    pub(crate) is_bad: bool,
    #[serde(flatten)]
    pub(crate) amount: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct VerifyPass {
    pub(crate) number: i64,
    pub(crate) started: Option<Timestamp>,
    /// Null: it goes on, or was interrupted.
    pub(crate) finished: Option<Timestamp>,
    pub(crate) selection: String,
    pub(crate) seed: Option<String>,
    pub(crate) read_bytes: u64,
    /// Files whose copy may have been read from a cache of this machine.
    pub(crate) cached_files: u64,
    pub(crate) classes: Vec<Verified>,
    /// Of a complete sample: with a confidence of 95 %, a smaller share of the files does not match.
    pub(crate) share_below: Option<f64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct NotMatching {
    #[serde(flatten)]
    pub(crate) path: Path,
    pub(crate) class: &'static str,
    pub(crate) detail: Option<String>,
    pub(crate) checked: Option<Timestamp>,
    pub(crate) bytes: u64,
}

/// How fast files were sent, against the limit, and what others felt.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Throughput {
    /// The time in which files were sent, without pauses.
    pub(crate) active_s: u64,
    pub(crate) paused_s: u64,
    pub(crate) written_bytes: u128,
    /// The second with the most, and its part of the limit in force.
    pub(crate) peak_bytes_per_s: Option<u64>,
    pub(crate) peak_of_limit: Option<f64>,
    pub(crate) samples: Vec<Sample>,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Sample {
    pub(crate) start: Timestamp,
    pub(crate) duration_s: f64,
    pub(crate) paused_s: f64,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) written_bytes: Option<u64>,
    pub(crate) peak_bytes_per_s: Option<u64>,
    pub(crate) limit_bytes_per_s: Option<u64>,
    pub(crate) source: Option<RoundTrips>,
    pub(crate) dest: Option<RoundTrips>,
}

impl Sample {
    pub(crate) fn active_s(&self) -> f64 {
        (self.duration_s - self.paused_s).max(0.0)
    }

    /// The mean rate while it was not paused.
    pub(crate) fn rate(&self) -> f64 {
        let bytes = self.written_bytes.unwrap_or(self.bytes) as f64;
        if self.active_s() > 0.0 { bytes / self.active_s() } else { 0.0 }
    }
}

/// How a storage answered small requests.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct RoundTrips {
    pub(crate) requests: u64,
    pub(crate) median_ms: f64,
    pub(crate) p95_ms: f64,
}

#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct SizeRange {
    pub(crate) from_bytes: u64,
    /// Null: no bound.
    pub(crate) below_bytes: Option<u64>,
    pub(crate) all: Amount,
    pub(crate) synced: Amount,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct SlowFile {
    #[serde(flatten)]
    pub(crate) path: Path,
    pub(crate) run: i64,
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
}

/// What was deleted from the destination.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Deletions {
    /// As the database counts them.
    pub(crate) files: u64,
    pub(crate) directories: u64,
    /// Lines of the audit logs about deletions.
    pub(crate) logged: u64,
    pub(crate) listed: Vec<Deleted>,
    pub(crate) logs: Vec<Log>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Deleted {
    pub(crate) time: String,
    #[serde(flatten)]
    pub(crate) path: Path,
    /// Null: a directory.
    pub(crate) bytes: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Log {
    #[serde(flatten)]
    pub(crate) path: Path,
    /// Why it could not be read.
    pub(crate) problem: Option<String>,
}

/// A manifest of the migration.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Manifest {
    #[serde(flatten)]
    pub(crate) path: Path,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
    /// Null: there is no signature beside it.
    pub(crate) signature: Option<Signature>,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Signature {
    /// The key that made it, as minisign prints it.
    pub(crate) key_id: String,
    pub(crate) trusted_comment: String,
    pub(crate) check: SignatureCheck,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SignatureCheck {
    /// No public key was given.
    NotChecked,
    Valid,
    Invalid,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Run {
    pub(crate) number: i64,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    /// Null: it runs now, or was killed.
    pub(crate) outcome: Option<&'static str>,
    pub(crate) is_running: bool,
    pub(crate) version: Option<String>,
    pub(crate) scanned: Option<bool>,
    pub(crate) sent: Option<Amount>,
    pub(crate) failed: Option<Amount>,
    pub(crate) deleted_files: Option<u64>,
    pub(crate) deleted_directories: Option<u64>,
    pub(crate) stopped_by: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) log: Option<Path>,
    pub(crate) options: Option<Value>,
}
