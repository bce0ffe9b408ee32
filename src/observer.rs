//! Shows what a scan lists in the source to who wants to know more about it than the engine does.

use towpath_backend::{Metadata, RelPath};

use crate::journal::NotCopied;

/// Sees what a scan lists in the source ([`crate::Builder::observer`]). One walk serves the scan and the observer.
///
/// The methods are called by several walkers at a time, and must not block for long: the walker waits.
pub trait ScanObserver: Send + Sync {
    /// Some entries of the directory `dir`, which no rule of the filter excludes.
    fn listed(&self, dir: &RelPath, entries: &[SeenEntry<'_>]);

    /// All entries of the directory `dir` were listed.
    fn dir_ended(&self, dir: &RelPath) {
        let _ = dir;
    }
}

/// An entry of the source, as the scan sees it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SeenEntry<'a> {
    /// Its name in the directory.
    pub name: &'a [u8],
    /// Its metadata; those of its target if it is a link that is followed.
    pub metadata: &'a Metadata,
    /// Why it is not copied; `None`: it is migrated.
    pub not_copied: Option<NotCopied>,
}

impl<'a> SeenEntry<'a> {
    /// An entry.
    pub const fn new(name: &'a [u8], metadata: &'a Metadata, not_copied: Option<NotCopied>) -> Self {
        Self { name, metadata, not_copied }
    }
}
