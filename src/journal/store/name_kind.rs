//! The kind of a name of the source, and how its size is counted.

use towpath_backend::{Kind, Metadata};

use crate::journal::store::value::stored_as_integer;

/// The kind of a name of the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NameKind {
    /// A regular file.
    File,
    /// A symbolic link.
    Symlink,
    /// A FIFO, socket or device, or an entry of unknown kind.
    Other,
    /// A directory.
    Dir,
}

stored_as_integer!(NameKind {
    NameKind::File = 0,
    NameKind::Symlink = 1,
    NameKind::Other = 2,
    NameKind::Dir = 3,
});

impl From<Kind> for NameKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::File => Self::File,
            Kind::Symlink => Self::Symlink,
            Kind::Dir => Self::Dir,
            Kind::Other => Self::Other,
        }
    }
}

impl NameKind {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::File, Self::Dir, Self::Symlink, Self::Other];

    /// Its name, such as `directory`.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Symlink => "symlink",
            Self::Other => "other",
            Self::Dir => "directory",
        }
    }
}

/// The size of an entry as the totals count it: directories have none.
pub(crate) fn counted_bytes(metadata: &Metadata) -> u64 {
    if metadata.kind == Kind::Dir { 0 } else { metadata.size_bytes }
}

/// Names that a listing had twice.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::journal) struct Twice([(u64, u128); 4]);

impl Twice {
    /// Counts a name that has its row already: its directory changed while it was listed.
    pub(in crate::journal) fn add(&mut self, metadata: &Metadata) {
        let at = NameKind::ALL.iter().position(|kind| *kind == NameKind::from(metadata.kind));
        if let Some((names, bytes)) = at.and_then(|at| self.0.get_mut(at)) {
            *names += 1;
            *bytes += u128::from(counted_bytes(metadata));
        }
    }

    /// Names and bytes of each kind, in the order of [`NameKind::ALL`].
    pub(in crate::journal) fn by_kind(self) -> [(u64, u128); 4] {
        self.0
    }
}
