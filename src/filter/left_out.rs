//! Why a filter leaves out a file that its rules do not exclude.

use std::fmt;

/// Why a filter leaves out a file that its rules do not exclude.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeftOut {
    /// It is larger than [`Filter::max_size_bytes`](crate::Filter::max_size_bytes).
    TooLarge,
    /// It is smaller than [`Filter::min_size_bytes`](crate::Filter::min_size_bytes).
    TooSmall,
    /// Its mtime is not later than [`Filter::newer_than`](crate::Filter::newer_than).
    TooOld,
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "it is larger than the maximum size",
            Self::TooSmall => "it is smaller than the minimum size",
            Self::TooOld => "it is too old",
        })
    }
}
