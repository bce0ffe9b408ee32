//! Why a migration could not run, or had to stop.

use std::path::PathBuf;

use thiserror::Error as ThisError;

use crate::event::Side;

/// The result of running a migration.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a migration could not run, or had to stop before its end.
///
/// What concerns single files is not here: those are [`crate::Event::Failed`],
/// and the run goes on.
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// An option is out of bounds, something is missing, or the trees cannot be migrated into one another.
    #[error("{0}")]
    Config(String),
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
