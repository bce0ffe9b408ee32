//! Why the content of a directory is unknown, as a column.

use crate::event::Side;
use crate::journal::store::value::stored_as_integer;

/// The column `unreadable.side`: why nothing is concluded about what lies below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Unknown {
    UnreadableSource,
    UnreadableSink,
    /// To the sink its name is the same as another one of the source.
    AmbiguousName,
    /// A file system of the source was mounted there, and is not any more.
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
