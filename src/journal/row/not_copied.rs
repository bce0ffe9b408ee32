//! Why a name of the source is not copied.

use crate::error::{LinkProblem, SkipReason};
use crate::filter::LeftOut;
use crate::journal::store::value::stored_as_integer;

/// Why a name of the source is neither in sync nor in the backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NotCopied {
    /// A rule excludes it; what is below an excluded directory is not listed.
    Excluded,
    /// It is larger than the filter's maximum.
    TooLarge,
    /// It is smaller than the filter's minimum.
    TooSmall,
    /// It is not newer than the filter's time.
    TooOld,
    /// A symbolic link, with the option to skip these.
    LinksSkipped,
    /// A FIFO, socket or device.
    Special,
    /// A partial file of a migration.
    PartialFile,
    /// One of this migration's own files, or at the path of one at the sink.
    OwnFile,
    /// A directory that the file system reserves, such as `lost+found`.
    ReservedDirectory,
    /// A symbolic link that cannot be read.
    LinkNotRead,
    /// A symbolic link that the sink cannot hold.
    LinkNotSupported,
    /// A symbolic link that leads outside of the source.
    LinkOutside,
    /// A symbolic link to nothing.
    LinkDangling,
    /// A symbolic link that leads to itself.
    LinkLoop,
    /// A symbolic link to a directory that it is in.
    LinkHoldsItself,
    /// It was removed while it was listed.
    Gone,
    /// It was removed after the scan.
    Vanished,
    /// Its target, or its own metadata, could not be read: an error.
    Unreadable,
    /// A run of an earlier version recorded no reason.
    Unknown,
    /// Not in the source: a name of the sink that is kept as the sink does not distinguish it from one of the source.
    SinkSpelling,
}

stored_as_integer!(NotCopied {
    NotCopied::Excluded = 1,
    NotCopied::TooLarge = 2,
    NotCopied::TooSmall = 3,
    NotCopied::TooOld = 4,
    NotCopied::LinksSkipped = 5,
    NotCopied::Special = 6,
    NotCopied::PartialFile = 7,
    NotCopied::OwnFile = 8,
    NotCopied::ReservedDirectory = 9,
    NotCopied::LinkNotRead = 10,
    NotCopied::LinkNotSupported = 11,
    NotCopied::LinkOutside = 12,
    NotCopied::LinkDangling = 13,
    NotCopied::LinkLoop = 14,
    NotCopied::LinkHoldsItself = 15,
    NotCopied::Gone = 16,
    NotCopied::Vanished = 17,
    NotCopied::Unreadable = 18,
    NotCopied::Unknown = 19,
    NotCopied::SinkSpelling = 20,
});

impl NotCopied {
    /// All reasons.
    pub const ALL: [Self; 20] = [
        Self::Excluded,
        Self::TooLarge,
        Self::TooSmall,
        Self::TooOld,
        Self::LinksSkipped,
        Self::Special,
        Self::PartialFile,
        Self::OwnFile,
        Self::ReservedDirectory,
        Self::LinkNotRead,
        Self::LinkNotSupported,
        Self::LinkOutside,
        Self::LinkDangling,
        Self::LinkLoop,
        Self::LinkHoldsItself,
        Self::Gone,
        Self::Vanished,
        Self::Unreadable,
        Self::Unknown,
        Self::SinkSpelling,
    ];

    /// A stable name, such as `too-large`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Excluded => "excluded",
            Self::TooLarge => "too-large",
            Self::TooSmall => "too-small",
            Self::TooOld => "too-old",
            Self::LinksSkipped => "links-skipped",
            Self::Special => "special-file",
            Self::PartialFile => "partial-file",
            Self::OwnFile => "own-file",
            Self::ReservedDirectory => "reserved-directory",
            Self::LinkNotRead => "link-not-read",
            Self::LinkNotSupported => "link-not-supported",
            Self::LinkOutside => "link-outside",
            Self::LinkDangling => "link-dangling",
            Self::LinkLoop => "link-loop",
            Self::LinkHoldsItself => "link-holds-itself",
            Self::Gone => "gone-during-scan",
            Self::Vanished => "vanished",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
            Self::SinkSpelling => "sink-spelling",
        }
    }

    /// Its number in the database.
    pub(in crate::journal) fn number(self) -> i64 {
        let at = Self::ALL.iter().position(|reason| *reason == self);
        at.and_then(|at| i64::try_from(at + 1).ok()).unwrap_or(0)
    }

    /// The reason with this code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.code() == code)
    }
}

impl From<LeftOut> for NotCopied {
    fn from(reason: LeftOut) -> Self {
        match reason {
            LeftOut::TooLarge => Self::TooLarge,
            LeftOut::TooSmall => Self::TooSmall,
            LeftOut::TooOld => Self::TooOld,
        }
    }
}

impl From<&SkipReason> for NotCopied {
    fn from(reason: &SkipReason) -> Self {
        match reason {
            SkipReason::ReservedPath => Self::OwnFile,
            SkipReason::PartialFile => Self::PartialFile,
            SkipReason::LinkNotRead => Self::LinkNotRead,
            SkipReason::LinkNotSupported => Self::LinkNotSupported,
            SkipReason::LinkNotFollowed(LinkProblem::LeadsOutside) => Self::LinkOutside,
            SkipReason::LinkNotFollowed(LinkProblem::Dangling) => Self::LinkDangling,
            SkipReason::LinkNotFollowed(LinkProblem::Loops) => Self::LinkLoop,
            SkipReason::LinkNotFollowed(LinkProblem::HoldsItself) => Self::LinkHoldsItself,
            SkipReason::LinkUnresolved(_) => Self::Unreadable,
            SkipReason::Special(_) => Self::Special,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_code_of_its_own() {
        for reason in NotCopied::ALL {
            assert_eq!(NotCopied::of_code(reason.code()), Some(reason));
            let stored = rusqlite::types::ToSqlOutput::from(reason.number());
            assert_eq!(rusqlite::ToSql::to_sql(&reason).unwrap(), stored, "{reason:?}");
        }
        assert_eq!(NotCopied::of_code("other"), None);
    }
}
