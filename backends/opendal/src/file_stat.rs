//! What a server says of a file, and whether two such statements are of one version.

use towpath_backend::{Metadata, Timestamp};

use crate::etag::opaque;
use crate::handle::OpendalTree;

/// What a server says of a file, as ours and as theirs.
#[derive(Clone, Debug)]
pub(crate) struct Stat {
    pub(crate) metadata: Metadata,
    pub(crate) theirs: opendal::Metadata,
}

impl Stat {
    pub(crate) fn of(tree: &OpendalTree, theirs: opendal::Metadata) -> Self {
        Self { metadata: tree.metadata_of(&theirs), theirs }
    }

    /// The version, where one that is overwritten gets another name.
    pub(crate) fn version(&self) -> Option<&str> {
        // What a bucket without versions calls all of them.
        self.theirs.version().filter(|version| *version != "null")
    }

    /// Whether a later statement would show that the file was overwritten.
    pub(crate) fn names_a_version(&self) -> bool {
        // 1970 stands for no time.
        let is_dated = self.metadata.changed.is_some_and(|changed| changed != Timestamp::default());
        is_dated || self.version().is_some() || self.theirs.etag().is_some()
    }

    /// Whether both name their versions, and the same one.
    pub(crate) fn has_version_of(&self, other: &Self) -> bool {
        self.version().is_some() && self.version() == other.version()
    }

    /// Whether both name their versions, and different ones.
    pub(crate) fn has_other_version_than(&self, other: &Self) -> bool {
        self.version().zip(other.version()).is_some_and(|(one, other)| one != other)
    }

    /// Whether the file was overwritten between two answers to the same question.
    pub(crate) fn is_other_than(&self, other: &Self) -> bool {
        if self.has_version_of(other) {
            return false;
        }
        let etags = self.theirs.etag().zip(other.theirs.etag());
        self.has_other_version_than(other)
            || etags.is_some_and(|(one, other)| opaque(one) != opaque(other))
            || self.metadata.changed != other.metadata.changed
    }
}
