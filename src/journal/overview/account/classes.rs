//! The classes of names, and counts by kind.

use crate::journal::row::not_copied::NotCopied;
use crate::journal::store::name_kind::NameKind;

/// What became of a name of the source. Each name is in exactly one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum NameClass {
    /// In sync.
    Synced,
    /// Left out by a filter or an option.
    Excluded,
    /// Of a kind that is not copied, not part of the tree, or no longer in the source.
    Skipped,
    /// Its last attempt failed, or it could not be read.
    Failed,
    /// Failed, and accepted as an exception.
    Accepted,
    /// To be sent.
    Pending,
}

impl NameClass {
    /// All classes, in the order of the sum.
    pub const ALL: [Self; 6] =
        [Self::Synced, Self::Excluded, Self::Skipped, Self::Failed, Self::Accepted, Self::Pending];

    /// Its name, such as `synced`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Synced => "synced",
            Self::Excluded => "excluded",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Accepted => "accepted",
            Self::Pending => "pending",
        }
    }
}

impl NotCopied {
    /// The class of a name that is not copied for this reason; `None`: it is no name of the source.
    pub fn class(self) -> Option<NameClass> {
        Some(match self {
            Self::Excluded | Self::TooLarge | Self::TooSmall | Self::TooOld | Self::LinksSkipped => NameClass::Excluded,
            Self::Unreadable => NameClass::Failed,
            Self::SinkSpelling => return None,
            _ => NameClass::Skipped,
        })
    }
}

/// Names, and the sum of their sizes. Directories count without a size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Amount {
    /// The number of names.
    pub names: u64,
    /// The sum of their sizes.
    pub bytes: u128,
}

impl Amount {
    /// This many names with this many bytes.
    pub fn new(names: u64, bytes: u128) -> Self {
        Self { names, bytes }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.names += other.names;
        self.bytes += other.bytes;
    }
}

/// Amounts of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByKind([Amount; 4]);

impl ByKind {
    /// Those of one kind.
    pub fn of(&self, kind: NameKind) -> Amount {
        NameKind::ALL.iter().zip(self.0).find(|(one, _)| **one == kind).map(|(_, amount)| amount).unwrap_or_default()
    }

    /// Those of all kinds.
    pub fn total(&self) -> Amount {
        let mut total = Amount::default();
        self.0.iter().for_each(|amount| total.add(*amount));
        total
    }

    /// Adds names of one kind.
    pub(super) fn add(&mut self, kind: NameKind, amount: Amount) {
        if let Some((_, sum)) = NameKind::ALL.iter().zip(&mut self.0).find(|(one, _)| **one == kind) {
            sum.add(amount);
        }
    }
}
