//! Whether content came from the storage, or perhaps from a cache of this machine.

use std::fmt;

/// Where the content came from that was read with [`ReadOptions::bypass_cache`](crate::ReadOptions::bypass_cache).
///
/// ```
/// use towpath_backend::{CacheReason, Freshness};
///
/// let first = Freshness::Storage;
/// let second = Freshness::MaybeCached(CacheReason::Pinned);
/// assert_eq!(first.and(second), second, "a file is as fresh as its least fresh part");
/// assert!(!second.is_storage());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// All of it was read from the storage (its disk, its server) after the file was opened.
    Storage,
    /// A part of it may have come from a cache of this machine, which hides what changed below it.
    MaybeCached(CacheReason),
}

impl Freshness {
    /// Whether all of it came from the storage.
    pub fn is_storage(self) -> bool {
        self == Self::Storage
    }

    /// Of two parts together: the first reason, if there is one.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self.is_storage() { other } else { self }
    }
}

impl Default for Freshness {
    /// Nothing is known.
    fn default() -> Self {
        Self::MaybeCached(CacheReason::NotReported)
    }
}

impl fmt::Display for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage => f.write_str("read from the storage"),
            Self::MaybeCached(reason) => write!(f, "may come from a cache of this machine: {reason}"),
        }
    }
}

/// Why content may have come from a cache of this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CacheReason {
    /// The backend does not report where content comes from.
    NotReported,
    /// The cache was not to be bypassed.
    NotRequested,
    /// The file system exists in memory only: there is no storage below it.
    InMemory,
    /// The page cache keeps a part of the file (another program maps or locks it), or the kernel does not say whether
    /// it does, because the file belongs to another user; and the file cannot be read directly.
    Pinned,
    /// A program serves the file system (FUSE), and may have a cache of its own.
    Program,
    /// The file system, or the device below it, has a cache of its own.
    OwnCache,
}

impl fmt::Display for CacheReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReported => "the backend does not report where content comes from",
            Self::NotRequested => "the cache was not to be bypassed",
            Self::InMemory => "the file system exists in memory only",
            Self::Pinned => "the kernel does not let go of cached pages, or does not report them to this user",
            Self::Program => "a program serves the file system (FUSE) and may cache content",
            Self::OwnCache => "the file system or its device has a cache of its own",
        })
    }
}
