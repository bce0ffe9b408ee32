//! What is known of a file, and the directory entries that carry it.

use std::fmt;

/// Nanoseconds since 1970-01-01 00:00 UTC; negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From seconds and the nanoseconds that follow them, as `stat` has them.
    /// Out of range (before 1677 or after 2262) it is the nearest that fits.
    pub fn from_parts(seconds: i64, nanoseconds: u32) -> Self {
        let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
        Self(i64::try_from(total).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX }))
    }

    /// Whole seconds, rounded towards the past.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// Nanoseconds after [`Self::seconds`], 0 to 999,999,999.
    pub fn subsec_nanoseconds(self) -> u32 {
        // rem_euclid of 10^9 always fits.
        u32::try_from(self.0.rem_euclid(1_000_000_000)).unwrap_or(0)
    }

    /// The distance between two times, in nanoseconds.
    pub fn distance_ns(self, other: Self) -> u64 {
        self.0.abs_diff(other.0)
    }
}

/// What kind of thing a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link, never followed.
    Symlink,
    /// A FIFO, socket or device: never opened.
    Other,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::File => "file",
            Kind::Dir => "directory",
            Kind::Symlink => "symbolic link",
            Kind::Other => "special file (FIFO, socket or device)",
        })
    }
}

/// What a backend knows of one file, directory or link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// File, directory, …
    pub kind: Kind,
    /// Length of the content.
    pub size_bytes: u64,
    /// mtime: last change of the content.
    pub modified: Timestamp,
    /// atime: last access.
    pub accessed: Option<Timestamp>,
    /// ctime: last change of content or attributes.
    pub changed: Option<Timestamp>,
    /// When the file came into being, where the storage tells.
    pub created: Option<Timestamp>,
    /// Permission bits (`0o7777`), recorded and never applied.
    pub permissions: Option<u32>,
}

impl Metadata {
    /// The times a sink can set.
    pub fn times(&self) -> Times {
        Times { modified: self.modified, accessed: self.accessed }
    }
}

/// The times a sink sets on what it wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Times {
    /// mtime.
    pub modified: Timestamp,
    /// atime; left alone where unknown.
    pub accessed: Option<Timestamp>,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name: one path component, any bytes but `/` and NUL.
    pub name: Vec<u8>,
    /// What it is.
    pub metadata: Metadata,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timestamps_split_and_join(ns in any::<i64>()) {
            let time = Timestamp(ns);
            prop_assert_eq!(Timestamp::from_parts(time.seconds(), time.subsec_nanoseconds()), time);
        }
    }

    #[test]
    fn times_out_of_range_are_the_nearest_that_fit() {
        assert_eq!(Timestamp::from_parts(i64::MAX, 0), Timestamp(i64::MAX));
        assert_eq!(Timestamp::from_parts(i64::MIN, 0), Timestamp(i64::MIN));
    }
}
