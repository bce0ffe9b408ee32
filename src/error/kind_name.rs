//! The names of the kinds of failures, in the database and in JSON.

use towpath_backend::ErrorKind;

use super::file::{FileError, UnreadableError};

impl FileError {
    /// The name of the kind of failure, such as `permission-denied`: failures are counted by it.
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Tree { error, .. } => name(error.kind()),
            Self::Changed => "changed",
            Self::OtherFile => "other-file",
            Self::FoundAgain => "found-again",
            Self::AbsenceUncertain(_) => "absence-uncertain",
            Self::NoHardLink(error) => name(error.kind()),
            Self::DirInPlace => "directory-in-place",
            Self::LinkedFileNotSent => "linked-file-not-sent",
            Self::Impossible { .. } => "impossible",
            Self::GaveUp { cause, .. } | Self::CopyIncomplete { cause, .. } => cause.kind_name(),
            Self::LostWhileReplaced => "lost-while-replaced",
        }
    }
}

impl UnreadableError {
    /// The name of the kind of failure, as [`FileError::kind_name`].
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Tree(error) => name(error.kind()),
            Self::LostMount => "lost-mount",
            Self::InEarlierScan => "unreadable-in-earlier-scan",
        }
    }
}

fn name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::NotFound => "not-found",
        ErrorKind::PermissionDenied => "permission-denied",
        ErrorKind::AlreadyExists => "already-exists",
        ErrorKind::NotADirectory => "not-a-directory",
        ErrorKind::IsADirectory => "is-a-directory",
        ErrorKind::NotEmpty => "not-empty",
        ErrorKind::NoSpace => "no-space",
        ErrorKind::ReadOnly => "read-only",
        ErrorKind::InvalidName => "invalid-name",
        ErrorKind::TooLarge => "too-large",
        ErrorKind::Escapes => "leads-outside",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Unavailable => "unavailable",
        _ => "other",
    }
}
