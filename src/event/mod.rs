//! What a migration reports while it runs. The engine never prints: it emits events.

mod data;
mod plan_reason;
mod warning;

use std::sync::Arc;

use crate::checksum::Checksum;
use crate::error::{FileError, ProtectedReason, SkipReason, UnreadableError};

pub use crate::side::Side;
pub use data::{Action, BacklogOrigin, Counts, FilePaths, ScanReason, Totals};
pub use plan_reason::PlanReason;
pub use warning::Warning;

/// Something happened.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// Both trees are being walked.
    ScanStarted {
        /// Why.
        reason: ScanReason,
    },
    /// A directory could not be read; what lies below stays as it was recorded.
    Unreadable {
        /// Whose directory.
        side: Side,
        /// Its full path.
        path: Vec<u8>,
        /// Why not.
        error: UnreadableError,
    },
    /// Something in the source is not copied.
    Skipped {
        /// Where it is, and where it would go.
        paths: FilePaths,
        /// Why.
        reason: SkipReason,
        /// Whether the trees are in sync without it: a special file ([`crate::Specials::Skip`]).
        accepted: bool,
    },
    /// Both trees have been walked, and the backlog is complete.
    ScanFinished {
        /// What the source holds.
        source: Counts,
        /// What the sink holds.
        sink: Counts,
        /// What is to be sent.
        pending: Totals,
    },
    /// All pending files that the sink has under the same name and size differ from it by less than a second in
    /// their mtime: a tool that keeps whole seconds made these copies.
    WholeSecondsAtSink {
        /// How many there are.
        files: u64,
    },
    /// A rule of the filter matched nothing in a scan that came to its end. What lies below an
    /// excluded directory is not scanned.
    PatternUnmatched {
        /// The pattern.
        pattern: Vec<u8>,
        /// Where it is from ([`crate::Rule::origin`]); may be empty.
        origin: String,
    },
    /// Names of files that have several become files of their own.
    HardLinksCopied {
        /// Those whose file has another name already, and the bytes that this costs.
        names: Totals,
    },
    /// The backlog of an earlier run is sent, without a scan before.
    Resuming {
        /// What is to be sent.
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
        /// The checksum of its content, if one was asked for.
        checksum: Option<Checksum>,
        /// The file, by its full path in the sink, that it was made another name of:
        /// nothing was sent.
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
    /// A name at the sink, which folds case or accents, was spelled as the source spells it.
    Renamed {
        /// The name as it is spelled now.
        paths: FilePaths,
        /// Its full path in the sink as it was spelled before.
        from: Vec<u8>,
    },
    /// Something at the sink was deleted, or moved where deleted things go.
    Deleted {
        /// Where it was.
        paths: FilePaths,
        /// Its size; `None` for a directory.
        size_bytes: Option<u64>,
    },
    /// An extra, which the source does not have, was not deleted, to be safe.
    Protected {
        /// Where it is.
        paths: FilePaths,
        /// Why.
        reason: ProtectedReason,
    },
    /// A file will be tried again in this run: in a later attempt, or after the scan.
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
    /// A dry run: a real one would do this.
    Planned {
        /// What.
        action: Action,
        /// To what.
        paths: FilePaths,
        /// Its size; `None` for a directory.
        size_bytes: Option<u64>,
        /// Why.
        reason: PlanReason,
    },
    /// The sink does not keep empty directories: those of the source are not there. Emitted once.
    EmptyDirsNotKept {
        /// How many.
        dirs: u64,
        /// How the sink rejected the first of them.
        error: Arc<towpath_backend::Error>,
    },
    /// Something a user should know that stops nothing.
    Warning(Warning),
}
