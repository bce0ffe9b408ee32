//! The two sides of a migration.

/// One of the two trees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The tree that is read.
    Source,
    /// The tree that is written to.
    Sink,
}

impl Side {
    pub(crate) const BOTH: [Self; 2] = [Self::Source, Self::Sink];

    /// The other side.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Source => Self::Sink,
            Self::Sink => Self::Source,
        }
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Source => "source",
            Self::Sink => "destination",
        })
    }
}
