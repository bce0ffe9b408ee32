//! What of the given times, attributes and link targets a tree keeps.

use std::ops::RangeInclusive;

use towpath_backend::{Timestamp, Xattr};

/// What of the given times, attributes and link targets a tree keeps. The rest is changed without an error, as in file
/// systems that do not support it.
#[derive(Clone, Debug)]
pub struct Keeps {
    /// An mtime outside of this range becomes the nearest one inside.
    pub mtimes: RangeInclusive<Timestamp>,
    /// Whether permissions and owners can be changed after an entry is created.
    pub attributes: bool,
    /// Whether extended attributes can be set.
    pub xattrs: bool,
    /// An extended attribute that everything has besides those that are set, as from a system with labels.
    pub own_xattr: Option<Xattr>,
    /// Whether the slashes in the targets of links stay. Otherwise they become backslashes, as on some servers.
    pub slashes_in_targets: bool,
}

impl Default for Keeps {
    /// Everything.
    fn default() -> Self {
        Self {
            mtimes: Timestamp::from_parts(i64::MIN, 0)..=Timestamp::from_parts(i64::MAX, 0),
            attributes: true,
            xattrs: true,
            own_xattr: None,
            slashes_in_targets: true,
        }
    }
}
