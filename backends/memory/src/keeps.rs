//! Which times, permissions and owners a tree keeps.

use std::ops::RangeInclusive;

use towpath_backend::Timestamp;

/// Which times, permissions and owners a tree keeps. Others are changed without an error, as in file systems that do
/// not support them.
#[derive(Clone, Debug)]
pub struct Keeps {
    /// An mtime outside of this range becomes the nearest one inside.
    pub mtimes: RangeInclusive<Timestamp>,
    /// Whether permissions and owners can be changed after an entry is created.
    pub attributes: bool,
}

impl Default for Keeps {
    /// Everything.
    fn default() -> Self {
        Self { mtimes: Timestamp::from_parts(i64::MIN, 0)..=Timestamp::from_parts(i64::MAX, 0), attributes: true }
    }
}
