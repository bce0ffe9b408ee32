//! Why the settings of a migration cannot work.

use thiserror::Error;

use super::text::text;

/// Why a migration cannot work with its settings. Detected before anything is changed at the sink.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum UsageError {
    /// The builder was given no source.
    #[error("a migration needs a source")]
    NoSource,
    /// The builder was given no sink.
    #[error("a migration needs a sink")]
    NoSink,
    /// The builder was given no database.
    #[error("a migration needs a database")]
    NoDatabase,
    /// The builder was given no audit log.
    #[error("a migration needs an audit log")]
    NoAuditLog,
    /// A number is not from 1 to `max`.
    #[error("{option} must be from 1 to {max}, not {value}")]
    OutOfRange {
        /// The option, in words.
        option: &'static str,
        /// What it was set to.
        value: usize,
        /// The highest value.
        max: usize,
    },
    /// A verification with a sample of nothing.
    #[error("a sample of no files proves nothing")]
    EmptySample,
    /// A verification is to read both copies of files, and has no source.
    #[error("reading both copies needs the source")]
    BothWithoutSource,
    /// The bandwidth limit is too low.
    #[error("bandwidth limit must be at least {min_bytes_per_s} bytes/s, not {bytes_per_s}")]
    LimitTooLow {
        /// What it was set to.
        bytes_per_s: u64,
        /// The lowest limit.
        min_bytes_per_s: u64,
    },
    /// The audit log would be rotated at too small a size.
    #[error("an audit log is rotated at {min_bytes} bytes or more, not {bytes}")]
    LogTooSmall {
        /// What it was set to.
        bytes: u64,
        /// The smallest size.
        min_bytes: u64,
    },
    /// The filter leaves out every file by its size.
    #[error("min size {min_bytes} is larger than max size {max_bytes}: no file would be sent")]
    SizesExcludeAll {
        /// Smaller files are left out.
        min_bytes: u64,
        /// Larger files are left out.
        max_bytes: u64,
    },
    /// The patterns of the filter would take too much memory.
    #[error("{0} patterns to exclude and include are too many")]
    TooManyPatterns(usize),
    /// A mirror cannot accept new trees in the same run.
    #[error("a run that accepts a new tree deletes nothing: mirror in the next run")]
    AcceptNewTreeWithMirror,
    /// A run that must not scan was asked to scan.
    #[error("a run without a scan can neither rescan nor accept a new tree")]
    ScanContradicted,
    /// A run that retries failed entries does nothing else.
    #[error("a run that retries failed files can neither scan nor delete, and is no dry run")]
    RetryNotAlone,
    /// Files cannot be replaced atomically at this sink.
    #[error("the destination cannot rename in one step, so files cannot be replaced atomically")]
    NoAtomicRename,
    /// Deleted files are to be moved to the trash, and the sink has none.
    #[error("the destination has no trash that deleted files could be moved to")]
    NoTrash,
    /// The sink is the source under another name (bind mount, bindfs, another server).
    #[error(
        "the destination {} is the source {} under another name: a file created in one appears in the other; give \
         another destination",
        text(sink_root),
        text(source_root)
    )]
    SinkIsSource {
        /// The root of the source.
        source_root: Vec<u8>,
        /// The root of the sink.
        sink_root: Vec<u8>,
    },
}
