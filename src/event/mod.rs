//! What a migration reports while it runs. The engine never prints: it emits events.

mod data;
mod plan_reason;
mod steer;
mod warning;

use std::sync::Arc;

use towpath_backend::CacheReason;

use crate::checksum::Checksum;
use crate::error::{FileError, ProtectedReason, SkipReason, UnreadableError};
use crate::verify_result::VerifyResult;

pub use crate::side::Side;
pub use data::{Action, BacklogOrigin, Counts, FilePaths, ScanReason, Totals};
pub use plan_reason::PlanReason;
pub use steer::SteerAction;
pub use warning::Warning;

/// An event of a migration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A scan of both trees begins.
    ScanStarted {
        /// Why.
        reason: ScanReason,
    },
    /// A directory could not be read; the records of its content stay as they are.
    Unreadable {
        /// Whose directory.
        side: Side,
        /// Its full path.
        path: Vec<u8>,
        /// Why not.
        error: UnreadableError,
    },
    /// An entry of the source is not copied.
    Skipped {
        /// Where it is, and where it would go.
        paths: FilePaths,
        /// Why.
        reason: SkipReason,
        /// Whether the trees are in sync without it: a special file ([`crate::Specials::Skip`]).
        accepted: bool,
    },
    /// Both trees were scanned, and the backlog is complete.
    ScanFinished {
        /// What the source holds.
        source: Counts,
        /// What the sink holds.
        sink: Counts,
        /// The files to be sent.
        pending: Totals,
    },
    /// All pending files that the sink has under the same name and size differ from it by less than a second in
    /// their mtime: a tool that keeps whole seconds made these copies.
    WholeSecondsAtSink {
        /// How many there are.
        files: u64,
    },
    /// A rule of the filter matched nothing in a scan that finished. Excluded directories are not entered.
    PatternUnmatched {
        /// The pattern.
        pattern: Vec<u8>,
        /// Where it is from ([`crate::Rule::origin`]); may be empty.
        origin: String,
    },
    /// Hard links are copied as separate files.
    HardLinksCopied {
        /// The names after the first of each file, and the bytes that they cost.
        names: Totals,
    },
    /// The backlog of an earlier run is sent without a scan.
    Resuming {
        /// The files to be sent.
        pending: Totals,
        /// How that run ended.
        origin: BacklogOrigin,
        /// Whether this run scans afterwards.
        then_scan: bool,
    },
    /// An attempt at the backlog begins: the first sends everything, later ones
    /// send again what changed or failed temporarily.
    AttemptStarted {
        /// 1, 2, …
        attempt: u32,
        /// Files still pending.
        pending: Totals,
    },
    /// A file is at the sink, durable and recorded.
    Synced {
        /// The file.
        paths: FilePaths,
        /// Its size.
        size_bytes: u64,
        /// The checksum of its content, if the options request one.
        checksum: Option<Checksum>,
        /// The full path in the sink of the file that it is another name (hard link) of: nothing was sent.
        hard_link_to: Option<Vec<u8>>,
    },
    /// Permissions or owner of a file in sync were applied.
    AttributesApplied {
        /// The file.
        paths: FilePaths,
    },
    /// The sink did not accept, or did not keep, an attribute of a file or directory that is otherwise in sync.
    AttributeNotAccepted {
        /// The file or directory.
        paths: FilePaths,
        /// Which attribute, and why.
        error: Arc<towpath_backend::Error>,
    },
    /// An entry of the sink, which folds case or accents, was renamed to the source's spelling.
    Renamed {
        /// Its paths now.
        paths: FilePaths,
        /// Its previous full path in the sink.
        from: Vec<u8>,
    },
    /// An entry of the sink was deleted, or moved to the trash.
    Deleted {
        /// Where it was.
        paths: FilePaths,
        /// Its size; `None` for a directory.
        size_bytes: Option<u64>,
    },
    /// An extra was left for safety.
    Protected {
        /// Where it is.
        paths: FilePaths,
        /// Why.
        reason: ProtectedReason,
    },
    /// A file will be retried in this run: in a later attempt, or after the scan.
    WillRetry {
        /// The file.
        paths: FilePaths,
        /// How this attempt failed.
        error: FileError,
    },
    /// A file was not transferred in this run; it stays in the backlog.
    Failed {
        /// The file.
        paths: FilePaths,
        /// Why.
        error: FileError,
    },
    /// The copy of a file at the sink has neither the old nor the new content: it was being overwritten
    /// ([`crate::WriteMode::InPlace`]) and could not be finished.
    Incomplete {
        /// The file.
        paths: FilePaths,
        /// Why it could not be finished, and what to do.
        error: FileError,
    },
    /// A file has long holes, whose zeros take long to hash. It waits for the lane for such files, which sends them
    /// one at a time, the smallest first.
    LongHoles {
        /// The file.
        paths: FilePaths,
    },
    /// A file of the backlog no longer exists in the source.
    Vanished {
        /// The file.
        paths: FilePaths,
    },
    /// A step that a dry run found.
    Planned {
        /// What a run would do.
        action: Action,
        /// The entry.
        paths: FilePaths,
        /// Its size; `None` for a directory.
        size_bytes: Option<u64>,
        /// Why.
        reason: PlanReason,
    },
    /// The sink does not keep empty directories, so that those of the source were not created. Emitted once.
    EmptyDirsNotKept {
        /// How many.
        dirs: u64,
        /// How the sink rejected the first of them.
        error: Arc<towpath_backend::Error>,
    },
    /// A file in sync was verified.
    Verified {
        /// The file.
        paths: FilePaths,
        /// The size that the copy should have.
        size_bytes: u64,
        /// What was found.
        result: VerifyResult,
        /// The checksum of the copy, if it was read.
        checksum: Option<Checksum>,
        /// Why the copy may have been read from a cache of this machine, if it may.
        cached: Option<CacheReason>,
    },
    /// The run was steered while it runs ([`crate::Control`]).
    Steered {
        /// How.
        action: SteerAction,
        /// Who requested it, for example `user alice (uid 1000)`.
        by: String,
    },
    /// A problem that does not stop the run.
    Warning(Warning),
}
