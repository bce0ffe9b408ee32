//! What a tree keeps of what it is given.

use std::ops::RangeInclusive;

use towpath_backend::Timestamp;

/// What a tree keeps of times, permissions and owners. What it does not keep becomes something else
/// without an error, as in file systems that lack it.
#[derive(Clone, Debug)]
pub struct Keeps {
    /// mtimes outside become the nearest one inside.
    pub mtimes: RangeInclusive<Timestamp>,
    /// Whether permissions and owners stay as they were made.
    pub attributes: bool,
}

impl Default for Keeps {
    /// Everything.
    fn default() -> Self {
        Self { mtimes: Timestamp::from_parts(i64::MIN, 0)..=Timestamp::from_parts(i64::MAX, 0), attributes: true }
    }
}
