//! The status of a migration: what `towpath status --json` prints and `GET /v1/status` answers.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The status of a migration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) state: State,
    /// Why it is paused, was stopped or failed.
    pub(crate) reason: Option<String>,
    /// The process of the run; null without a run.
    pub(crate) pid: Option<u32>,
    /// The version of Towpath that ran last, or runs.
    pub(crate) version: Option<String>,
    pub(crate) source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source_bytes: Option<String>,
    pub(crate) dest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dest_bytes: Option<String>,
    pub(crate) database: String,
    pub(crate) log: Option<String>,
    /// The start and the end of the last run.
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    /// When the scan began that the totals are from. Null until a scan is complete.
    pub(crate) scanned_at: Option<Timestamp>,
    pub(crate) files: Amounts,
    pub(crate) bytes: Amounts,
    /// What the scan has found so far.
    pub(crate) scan: Option<Scan>,
    /// What the last run wrote.
    pub(crate) session_bytes: Option<u64>,
    pub(crate) rate_bytes_per_s: Rates,
    pub(crate) limit: Option<Limit>,
    pub(crate) next_limit: Option<NextLimit>,
    pub(crate) eta: Eta,
    /// The files in flight, the one with most bytes left first.
    pub(crate) current: Vec<CurrentFile>,
    /// Files in flight that are not in `current`.
    pub(crate) more_current: usize,
    /// What failed in the last run.
    pub(crate) errors: Vec<Errors>,
    pub(crate) stalled: Option<Stalled>,
    /// What limited the run in the last minute, the largest first.
    #[serde(default)]
    pub(crate) limited_by: Vec<LimitedBy>,
    /// The last runs, the newest first.
    pub(crate) runs: Vec<Run>,
}

/// What a migration is doing, or how its last run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// Also while the run starts.
    Scanning,
    Transferring,
    Mirroring,
    Finalizing,
    Paused,
    Stopped,
    Finished,
    Failed,
    NeverRun,
}

impl State {
    /// Whether a run is in progress.
    pub(crate) fn is_live(self) -> bool {
        matches!(self, Self::Scanning | Self::Transferring | Self::Mirroring | Self::Finalizing | Self::Paused)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Scanning => "scanning",
            Self::Transferring => "transferring",
            Self::Mirroring => "mirroring",
            Self::Finalizing => "finalizing",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Failed => "failed",
            Self::NeverRun => "never run",
        }
    }
}

/// Files, or their bytes. Null: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Amounts {
    /// In the source, as of the last scan.
    pub(crate) total: Option<Sum>,
    pub(crate) synced: Option<Sum>,
    pub(crate) pending: Option<Sum>,
    /// In the last run.
    pub(crate) failed: Option<Sum>,
}

/// A sum: those of sparse files exceed 64 bits. JSON has the nearest number beyond them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sum(pub(crate) u128);

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match u64::try_from(self.0) {
            Ok(sum) => serializer.serialize_u64(sum),
            Err(_) => serializer.serialize_f64(self.0 as f64),
        }
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Number {
            Exact(u64),
            Rounded(f64),
        }
        Ok(Self(match Number::deserialize(deserializer)? {
            Number::Exact(sum) => sum.into(),
            Number::Rounded(sum) => sum as u128,
        }))
    }
}

/// What a scan has found so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scan {
    pub(crate) source: Found,
    pub(crate) dest: Found,
    /// Of the entries that the last complete scan found; null without one.
    #[serde(default)]
    pub(crate) percent: Option<f64>,
    /// When it will be complete, if there are as many entries as then.
    #[serde(default)]
    pub(crate) eta: Option<Timestamp>,
}

/// What a scan has found on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Found {
    pub(crate) files: u64,
    pub(crate) dirs: u64,
    pub(crate) bytes: Sum,
    /// Files and directories per second, over the last seconds.
    #[serde(default)]
    pub(crate) entries_per_s: Option<u64>,
}

/// Bytes written per second: the mean over the last minute, hour and day, or since the run began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Rates {
    pub(crate) now: Option<u64>,
    #[serde(rename = "1h")]
    pub(crate) hour: Option<u64>,
    #[serde(rename = "24h")]
    pub(crate) day: Option<u64>,
}

/// The limit in force.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Limit {
    /// Null: none.
    pub(crate) bytes_per_s: Option<u64>,
    pub(crate) set_by: LimitSetBy,
    /// When it ends.
    pub(crate) until: Option<Timestamp>,
}

/// What decided on a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LimitSetBy {
    Option,
    Timetable,
    Auto,
    Control,
}

/// The next limit of the timetable.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct NextLimit {
    #[serde(rename = "time")]
    pub(crate) at: Timestamp,
    /// As `--bwlimit` takes it: `20M`, `off`, `auto`, `pause`.
    pub(crate) value: String,
    pub(crate) bytes_per_s: Option<u64>,
}

/// When the backlog will be sent: half of such estimates come true earlier (`p50`), or nine in ten (`p90`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Eta {
    pub(crate) p50: Option<Timestamp>,
    pub(crate) p90: Option<Timestamp>,
}

/// A file in flight.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct CurrentFile {
    /// In both trees.
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    pub(crate) size: u64,
    /// Holes that were skipped included.
    pub(crate) written: u64,
    pub(crate) rate_bytes_per_s: Option<u64>,
    /// How long it has been in flight.
    pub(crate) age_s: u64,
    pub(crate) eta: Option<Timestamp>,
}

impl CurrentFile {
    /// How much of it is written. An empty file is complete.
    pub(crate) fn percent(&self) -> u128 {
        (u128::from(self.written) * 100).checked_div(self.size.into()).unwrap_or(100).min(100)
    }
}

/// Failures of one kind on one side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Errors {
    pub(crate) kind: String,
    /// `source`, `dest`, or null.
    pub(crate) side: Option<Side>,
    pub(crate) count: u64,
    /// The full path of the first, and its error.
    pub(crate) path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) path_bytes: Option<String>,
    pub(crate) error: String,
}

/// A side of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Side {
    Source,
    Dest,
}

impl From<towpath::Side> for Side {
    fn from(side: towpath::Side) -> Self {
        match side {
            towpath::Side::Source => Self::Source,
            towpath::Side::Sink => Self::Dest,
        }
    }
}

impl Side {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Dest => "destination",
        }
    }
}

/// Nothing has moved for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Stalled {
    /// What is waited for, as far as it is known.
    pub(crate) side: Option<Side>,
    pub(crate) operation: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) since: Timestamp,
}

/// Why a run is not faster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LimitedBy {
    pub(crate) cause: String,
    /// Its part of the time: those of all causes add up to 100.
    pub(crate) percent: u8,
    /// For people.
    pub(crate) text: String,
    /// What would help, if it is large.
    #[serde(default)]
    pub(crate) advice: Option<String>,
}

/// A run. Null: not recorded, because an earlier version ran.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) number: i64,
    #[serde(rename = "start")]
    pub(crate) started: Timestamp,
    /// Null: it runs, or was killed.
    #[serde(rename = "end")]
    pub(crate) ended: Option<Timestamp>,
    pub(crate) outcome: Outcome,
    pub(crate) stopped_by: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) scanned: Option<bool>,
    pub(crate) sent: Sent,
    pub(crate) deleted: Deleted,
    pub(crate) failed: Option<u64>,
    pub(crate) version: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Running,
    Finished,
    /// `towpath assess`: it only scanned.
    Assessed,
    Stopped,
    Failed,
    /// It has no end.
    Killed,
}

impl Outcome {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Finished => "finished",
            Self::Assessed => "assessed",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Killed => "killed",
        }
    }
}

/// What a run sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sent {
    pub(crate) files: Option<u64>,
    pub(crate) bytes: Option<Sum>,
}

/// What a run deleted from the destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deleted {
    pub(crate) files: Option<u64>,
    pub(crate) dirs: Option<u64>,
}

/// A path as text, and its bytes in hexadecimal if it is not UTF-8.
pub(crate) fn path_text(path: &[u8]) -> (String, Option<String>) {
    let is_text = std::str::from_utf8(path).is_ok();
    (String::from_utf8_lossy(path).into_owned(), (!is_text).then(|| hex::encode(path)))
}
