//! Why a migration could not run, or had to stop.

use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::event::Side;

/// The result of running a migration.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a migration cannot work as it was set up. Found before anything is changed at the sink.
#[derive(Clone, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum UsageError {
    /// The builder was not given something that every migration needs.
    #[error("a migration needs {0}")]
    Missing(&'static str),
    /// A number is not from 1 to `max`.
    #[error("{option} must be from 1 to {max}, not {value}")]
    OutOfRange {
        /// The option, in words.
        option: &'static str,
        /// What it was set to.
        value: usize,
        /// The highest value that it takes.
        max: usize,
    },
    /// The bandwidth limit is too low to be kept.
    #[error("bandwidth limit must be at least {min_bytes_per_s} bytes/s, not {bytes_per_s}")]
    LimitTooLow {
        /// What it was set to.
        bytes_per_s: u64,
        /// The lowest limit.
        min_bytes_per_s: u64,
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
    /// Files cannot be replaced atomically at this sink.
    #[error("the destination cannot rename in one step, so files cannot be replaced atomically")]
    NoAtomicRename,
    /// The sink is the source under another name (bind mount, bindfs, another server).
    #[error(
        "the destination {} is the source {} under another name: a file created in one appears in the other; give \
         another destination",
        String::from_utf8_lossy(sink_root),
        String::from_utf8_lossy(source_root)
    )]
    SinkIsSource {
        /// The root of the source.
        source_root: Vec<u8>,
        /// The root of the sink.
        sink_root: Vec<u8>,
    },
}

/// Why a migration could not run, or had to stop before its end.
///
/// What concerns single files is not here: those are [`crate::Event::Failed`],
/// and the run goes on.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The migration was set up in a way that cannot work.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The database could not be used.
    #[error("database {}: {problem}", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// The audit log could not be written.
    #[error("log file {}: {problem}", .path.display())]
    AuditLog {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A whole side failed: its root cannot be looked at, or it is full.
    #[error("{0}")]
    Backend(String),
    /// A run without a scan ([`crate::AfterBacklog::Stop`]) found no backlog to work on.
    #[error("no backlog: {0}; run again without --no-scan to scan both trees")]
    NoBacklog(&'static str),
    /// A guard refused to go on, because going on could do harm.
    #[error("{0}")]
    Refused(String),
    /// It was stopped while it waited for the database. [`crate::Migration::run`] does not
    /// return it: the run ends as [`crate::Outcome::Stopped`].
    #[error("interrupted")]
    Interrupted,
    /// A part of the engine ended when it should not have.
    #[error("internal error: {0}")]
    Internal(String),
}

impl Error {
    /// A whole side that failed: its errors name paths in the tree, and the root alone would be `.`.
    pub(crate) fn of_side(side: Side, root: &[u8], error: &towpath_backend::Error) -> Self {
        Self::Backend(format!("the {side} {} cannot be read: {error}", String::from_utf8_lossy(root)))
    }

    /// The refusal to write into the folder beneath a file system that is not mounted any more.
    pub(crate) fn lost_mount(mount_point: &[u8]) -> Self {
        Self::Refused(format!(
            "the file system that was mounted at {} is not mounted, or its mount point is gone: nothing is sent there. \
             Mount it again; only if it is gone for good, run once with --accept-new-tree",
            String::from_utf8_lossy(mount_point),
        ))
    }

    /// Whether a safety guard refused, rather than something failing.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
