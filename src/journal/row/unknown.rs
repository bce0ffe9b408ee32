//! The column that records why the content of a directory is unknown.

use crate::error::FailureCode;
use crate::event::Side;
use crate::journal::store::value::stored_as_integer;

/// The column `unreadable.side`: why the content of a directory is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Unknown {
    UnreadableSource,
    UnreadableSink,
    /// The sink does not distinguish its name from another name of the source.
    AmbiguousName,
    /// A file system of the source was mounted there and no longer is.
    LostSourceMount,
    LostSinkMount,
}

stored_as_integer!(Unknown {
    Unknown::UnreadableSource = 0,
    Unknown::UnreadableSink = 1,
    Unknown::AmbiguousName = 2,
    Unknown::LostSourceMount = 3,
    Unknown::LostSinkMount = 4,
});

/// Why a directory, or a name in one, could not be read.
#[derive(Clone, Debug)]
pub(crate) struct UnreadableCause {
    /// It is a name in a directory that was listed.
    pub(crate) is_entry: bool,
    pub(crate) code: FailureCode,
    /// The error, for people.
    pub(crate) text: String,
}

impl Unknown {
    pub(in crate::journal) fn unreadable(side: Side) -> Self {
        match side {
            Side::Source => Self::UnreadableSource,
            Side::Sink => Self::UnreadableSink,
        }
    }

    pub(in crate::journal) fn lost_mount(side: Side) -> Self {
        match side {
            Side::Source => Self::LostSourceMount,
            Side::Sink => Self::LostSinkMount,
        }
    }
}
