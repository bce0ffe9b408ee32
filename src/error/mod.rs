//! Why a migration could not run or had to stop, and why single entries are not in sync.

mod code;
mod file;
mod files;
mod filter;
mod guard;
mod kind_name;
mod text;
mod usage;

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error as ThisError;
use towpath_backend::{Error as BackendError, ErrorKind};

use crate::side::Side;
use text::text;

pub use code::{FailureCode, Remedy, UnknownCode};
pub use file::{CopyState, FileError, LinkProblem, ProtectedReason, SkipReason, Uncertainty, UnreadableError};
pub use files::{AuditLogError, DatabaseError, FileChange, NoBacklog, SqliteError};
pub use filter::ErrorFilter;
pub use guard::GuardRefusal;
pub use usage::UsageError;

/// The result of running a migration.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a migration could not run, or had to stop before its end.
///
/// Failures of single files are not errors of the run, which continues: see [`crate::Event::Failed`].
#[derive(Debug, ThisError)]
#[non_exhaustive]
pub enum Error {
    /// The migration was set up with settings that cannot work.
    #[error(transparent)]
    Usage(#[from] UsageError),
    /// The database could not be used.
    #[error("database {}: {error}", .path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        #[source]
        error: DatabaseError,
    },
    /// The audit log could not be written.
    #[error("log file {}: {error}", .path.display())]
    AuditLog {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        error: AuditLogError,
    },
    /// A whole tree failed: its root cannot be read, or it is full.
    #[error("the {side} {} {failure}", text(root))]
    Tree {
        /// Which tree.
        side: Side,
        /// Its root.
        root: Vec<u8>,
        /// How it failed.
        #[source]
        failure: TreeFailure,
    },
    /// A run without a scan ([`crate::AfterBacklog::Stop`]) found no backlog to work on.
    #[error("no backlog: {0}; run again without --no-scan to scan both trees")]
    NoBacklog(#[source] NoBacklog),
    /// A guard stopped the run, because continuing could destroy data.
    #[error(transparent)]
    Refused(#[from] GuardRefusal),
    /// It was stopped while it waited for the database. [`crate::Migration::run`] does not
    /// return it: the run ends as [`crate::RunOutcome::Stopped`].
    #[error("interrupted")]
    Interrupted,
    /// A part of the engine ended when it should not have.
    #[error("internal error: {0}")]
    Internal(String),
}

/// How a whole tree failed.
#[derive(Clone, Debug, ThisError)]
#[non_exhaustive]
pub enum TreeFailure {
    /// Its root cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] Arc<BackendError>),
    /// It is no longer reachable.
    #[error("is gone: {0}")]
    Gone(#[source] Arc<BackendError>),
    /// It does not take the credentials, or not any more.
    #[error("rejects the credentials: {0}; renew them and run the same command again: finished files are recorded")]
    Credentials(#[source] Arc<BackendError>),
    /// It lists a name that no entry can have.
    #[error("lists an invalid name: {0:?}")]
    InvalidName(String),
    /// It accepts no more data: it is full, or was remounted read-only.
    #[error("accepts no more data: {0}; finished files are recorded: free some space and run the same command again")]
    Full(#[source] Arc<BackendError>),
    /// It could not make written files durable.
    #[error("could not make files durable, so they stay pending: {0}; run the same command again")]
    NotDurable(#[source] Arc<BackendError>),
}

impl Error {
    /// The failure of a whole tree, whose errors name paths inside it: the root alone would be `.`.
    pub(crate) fn tree(
        side: Side,
        root: &[u8],
        failure: fn(Arc<BackendError>) -> TreeFailure,
        error: impl Into<Arc<BackendError>>,
    ) -> Self {
        let error = error.into();
        let failure = match error.kind() {
            ErrorKind::Credentials => TreeFailure::Credentials,
            _ => failure,
        };
        Self::Tree { side, root: root.to_vec(), failure: failure(error) }
    }

    /// Whether a guard stopped the run, and nothing failed.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused(_))
    }
}
