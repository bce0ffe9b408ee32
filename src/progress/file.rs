//! The progress of one file in flight.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use towpath_backend::RelPath;

use super::snapshot::CurrentFile;
use crate::lock::locked;

/// The sums over all files of a run, files in flight and failed attempts included.
#[derive(Debug, Default)]
pub(super) struct Transferred {
    pub(super) written_bytes: AtomicU64,
    /// Not 64 bits: holes of sparse files alone can add up to more.
    pub(super) passed: Mutex<Passed>,
}

/// The progress of all files, besides the bytes written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passed {
    /// Holes that were skipped.
    pub(super) hole_bytes: u128,
    /// Data and holes of files with long holes.
    pub(super) long_holes_bytes: u128,
}

/// Counts one file; clones count the same one. The writer adds what it wrote, and the task that skips holes adds those.
#[derive(Clone, Debug)]
pub(crate) struct FileProgress(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: RelPath,
    size_bytes: u64,
    has_long_holes: bool,
    written_bytes: AtomicU64,
    hole_bytes: AtomicU64,
    hashes_hole: AtomicBool,
    all: Arc<Transferred>,
}

impl FileProgress {
    pub(super) fn new(path: RelPath, size_bytes: u64, has_long_holes: bool, all: Arc<Transferred>) -> Self {
        Self(Arc::new(Inner {
            path,
            size_bytes,
            has_long_holes,
            written_bytes: AtomicU64::new(0),
            hole_bytes: AtomicU64::new(0),
            hashes_hole: AtomicBool::new(false),
            all,
        }))
    }

    /// `bytes` more were written.
    pub(crate) fn add_written(&self, bytes: u64) {
        self.0.written_bytes.fetch_add(bytes, Relaxed);
        self.0.all.written_bytes.fetch_add(bytes, Relaxed);
        if self.0.has_long_holes {
            locked(&self.0.all.passed).long_holes_bytes += u128::from(bytes);
        }
    }

    /// `bytes` more of holes were skipped, and hashed if there is a checksum.
    pub(crate) fn add_hole(&self, bytes: u64) {
        self.0.hole_bytes.fetch_add(bytes, Relaxed);
        let mut passed = locked(&self.0.all.passed);
        passed.hole_bytes += u128::from(bytes);
        if self.0.has_long_holes {
            passed.long_holes_bytes += u128::from(bytes);
        }
    }

    /// Whether a hole is being hashed that takes a while.
    pub(crate) fn set_hashes_hole(&self, hashes_hole: bool) {
        self.0.hashes_hole.store(hashes_hole, Relaxed);
    }

    pub(crate) fn written_bytes(&self) -> u64 {
        self.0.written_bytes.load(Relaxed)
    }

    pub(crate) fn hole_bytes(&self) -> u64 {
        self.0.hole_bytes.load(Relaxed)
    }

    pub(super) fn current(&self) -> CurrentFile {
        CurrentFile {
            path: self.0.path.clone(),
            size_bytes: self.0.size_bytes,
            written_bytes: self.written_bytes(),
            hole_bytes: self.hole_bytes(),
            has_long_holes: self.0.has_long_holes,
            hashes_hole: self.0.hashes_hole.load(Relaxed),
        }
    }
}
