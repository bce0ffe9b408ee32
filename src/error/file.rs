//! Why single entries of the trees were not brought into sync.

use std::sync::Arc;

use thiserror::Error;
use towpath_backend::{Error as BackendError, ErrorKind, Kind, RelPath};

use crate::side::Side;

/// Why a file or directory is not in sync.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// An operation on one of the trees failed.
    #[error("{side}: {error}")]
    Tree {
        /// Which tree.
        side: Side,
        /// The error of its backend.
        #[source]
        error: Arc<BackendError>,
    },
    /// The file changed while it was being sent.
    #[error("it changed while it was being sent")]
    Changed,
    /// The file was sent under another name, which is a different file by now.
    #[error("its other name, which was sent, is a different file by now")]
    OtherFile,
    /// The file was not found when it was read, and was found afterwards.
    #[error("it was not found when it was read, but exists")]
    FoundAgain,
    /// The file was not found, and it is uncertain whether the source still has it.
    #[error("{side}: it was not found, but {0}", side = Side::Source)]
    AbsenceUncertain(#[source] Uncertainty),
    /// The sink cannot create a hard link, so the name is copied as a separate file.
    #[error("it cannot be a hard link at the destination, so it is copied as a separate file: {0}")]
    NoHardLink(#[source] Arc<BackendError>),
    /// A directory at the sink has the name, and may be deleted as an extra later in this run.
    #[error("a directory at the destination has its name, and may be deleted because the source does not have it")]
    DirInPlace,
    /// The file that it is another name of was not sent.
    #[error("the file that it is another name of (hard link) was not sent")]
    LinkedFileNotSent,
    /// The sink cannot hold the file.
    #[error("{}: {reason}", Side::Sink)]
    Impossible {
        /// Why not, for example because another file has the same name there.
        reason: String,
    },
    /// Every attempt of this run failed.
    #[error("{cause}, {attempts} times; giving up for this run")]
    GaveUp {
        /// How the last attempt failed.
        #[source]
        cause: Box<Self>,
        /// The number of attempts.
        attempts: u32,
    },
    /// The transfer failed, and so the copy at the sink is not complete.
    #[error("{cause}; the copy at the destination {copy}")]
    CopyIncomplete {
        /// How the transfer failed.
        #[source]
        cause: Box<Self>,
        /// What is at the sink.
        copy: CopyState,
    },
    /// The copy at the sink is not complete, and the source does not have the file any more.
    #[error(
        "the source lost it, or a filter left it out, while it was being replaced: neither its old nor its new \
         content is complete at the destination. Restore it, or delete it there"
    )]
    LostWhileReplaced,
}

impl FileError {
    /// The kind of the backend's error behind it; [`ErrorKind::Other`] if there is none.
    pub fn kind(&self) -> ErrorKind {
        self.backend_error().map_or(ErrorKind::Other, BackendError::kind)
    }

    /// The backend's error behind it, if there is one.
    pub fn backend_error(&self) -> Option<&BackendError> {
        match self {
            Self::Tree { error, .. } | Self::NoHardLink(error) => Some(error),
            Self::GaveUp { cause, .. } | Self::CopyIncomplete { cause, .. } => cause.backend_error(),
            _ => None,
        }
    }

    /// The tree that failed, if one did.
    pub fn side(&self) -> Option<Side> {
        match self {
            Self::Tree { side, .. } => Some(*side),
            Self::AbsenceUncertain(_) => Some(Side::Source),
            Self::NoHardLink(_) | Self::Impossible { .. } => Some(Side::Sink),
            Self::GaveUp { cause, .. } | Self::CopyIncomplete { cause, .. } => cause.side(),
            _ => None,
        }
    }
}

/// The state of the copy at the sink after a failed transfer.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum CopyState {
    /// Nothing: the older content is gone too.
    #[error("is gone, with its older content")]
    Gone,
    /// It could not be checked.
    #[error("could not be checked: {0}")]
    Unchecked(#[source] Arc<BackendError>),
    /// Part of the new content; the older content is lost.
    #[error("is incomplete, and its older content is lost")]
    Incomplete,
    /// Possibly part of the new content.
    #[error("may be incomplete")]
    MaybeIncomplete,
    /// Part of the new content, which could not be removed.
    #[error("is incomplete, and could not be removed: {0}")]
    NotRemoved(#[source] Arc<BackendError>),
}

/// Why a directory, or a name in one, could not be read.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum UnreadableError {
    /// The tree failed.
    #[error(transparent)]
    Tree(Arc<BackendError>),
    /// The file system that was mounted there is no longer mounted.
    #[error(
        "the file system that was mounted here is not mounted, or was replaced by another one: its files at the \
         destination stay as they are. Mount it again; only if it is gone permanently, run once with \
         --accept-new-tree"
    )]
    LostMount,
    /// The scan whose backlog this run resumes could not read it.
    #[error("it could not be read when the trees were scanned; the next scan reads it again")]
    InEarlierScan,
}

/// Why an entry of the source is not copied.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum SkipReason {
    /// Its path at the sink belongs to the migration's own files.
    #[error("its path at the destination is used by this migration's own files")]
    ReservedPath,
    /// It is a partial file of another migration.
    #[error("a partial file of another migration is not copied")]
    PartialFile,
    /// The source's symbolic links cannot be read.
    #[error("a symbolic link is not copied from this source, and not followed")]
    LinkNotRead,
    /// The sink cannot hold symbolic links.
    #[error("the destination cannot hold a symbolic link")]
    LinkNotSupported,
    /// The symbolic link cannot be followed.
    #[error("{0}")]
    LinkNotFollowed(LinkProblem),
    /// The target of a symbolic link that is followed is uncertain.
    #[error("the target of this symbolic link could not be checked: {0}")]
    LinkUnresolved(#[source] Arc<BackendError>),
    /// It is not a file, directory or symbolic link.
    #[error("a {0} is not copied")]
    Special(Kind),
}

/// Why a symbolic link is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LinkProblem {
    /// Its target is not in the source.
    #[error("a symbolic link that points outside the source is not followed")]
    LeadsOutside,
    /// Its target does not exist.
    #[error("a symbolic link whose target does not exist cannot be followed")]
    Dangling,
    /// It points back to itself.
    #[error("a symbolic link that points back to itself is not followed")]
    Loops,
    /// Its target is a directory that contains it.
    #[error("a symbolic link to a directory that contains it is not followed")]
    HoldsItself,
}

/// Why it is uncertain whether the source has a path.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum Uncertainty {
    /// No directory above it was scanned.
    #[error("the scan saw none of its parent directories in the source")]
    NotScanned,
    /// The directory that was scanned has been replaced.
    #[error("{0} is not the directory that the scan saw in the source")]
    DirReplaced(RelPath),
    /// A component above it is an entry of this kind now.
    #[error("a component of its path in the source is a {0}")]
    Above(Kind),
    /// It could not be checked.
    #[error("it could not be checked: {0}")]
    Unchecked(#[source] Arc<BackendError>),
    /// Its directory could not be checked.
    #[error("its directory could not be checked: {0}")]
    DirUnchecked(#[source] Arc<BackendError>),
    /// The source could not be checked.
    #[error("the source could not be checked: {0}")]
    SourceUnchecked(#[source] Arc<BackendError>),
}

/// Why an extra of the sink was not deleted.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum ProtectedReason {
    /// Another file system was mounted there since the scan.
    #[error("another file system was mounted there since the scan")]
    Mounted,
    /// It changed since the scan.
    #[error("it changed since the scan")]
    Changed,
    /// The source has it now.
    #[error("the source has it now")]
    InSource,
    /// Its directory could not be read completely in the source.
    #[error("its directory could not be read completely in the source")]
    SourceUnreadable,
    /// It is uncertain whether the source has it.
    #[error("{0}")]
    AbsenceUncertain(#[source] Uncertainty),
    /// It could not be checked.
    #[error("it could not be checked: {0}")]
    Unchecked(#[source] Arc<BackendError>),
    /// It could not be deleted.
    #[error("it could not be deleted: {0}")]
    NotDeleted(#[source] Arc<BackendError>),
}
