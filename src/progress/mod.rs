//! Where a migration stands: counters the engine keeps and anyone may look at.

mod estimate;
mod file;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use towpath_backend::RelPath;

use crate::event::{Counts, Side, Totals};

use file::Transferred;

pub use estimate::{Estimate, Estimator};
pub(crate) use file::FileProgress;

/// What a migration is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Opening the database and looking at the roots.
    #[default]
    Starting,
    /// Walking both trees.
    Scanning,
    /// Sending files.
    Transferring,
    /// Done, or stopped.
    Ended,
}

/// A file in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentFile {
    /// Its path in both trees.
    pub path: RelPath,
    /// Its size.
    pub size_bytes: u64,
    /// Data that the sink has taken.
    pub written_bytes: u64,
    /// Holes passed over. They are not written; with a checksum, their zeros are hashed.
    pub hole_bytes: u64,
    /// Whether it has long holes: files that do are sent one at a time, beside the others.
    pub has_long_holes: bool,
    /// Whether a hole of it is being hashed right now.
    pub hashes_hole: bool,
}

impl CurrentFile {
    /// How far its copy has come: what was written and the holes passed over.
    pub fn position_bytes(&self) -> u64 {
        self.written_bytes.saturating_add(self.hole_bytes).min(self.size_bytes)
    }

    /// What is left of it.
    pub fn left_bytes(&self) -> u64 {
        self.size_bytes - self.position_bytes()
    }
}

/// Where a migration stood at one moment.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// What it was doing.
    pub phase: Phase,
    /// What the scan has found in the source so far (or found, when the backlog was made).
    pub source: Counts,
    /// What the scan has found in the sink so far.
    pub sink: Counts,
    /// Files to be sent: so far, while scanning; still, while transferring.
    pub pending: Totals,
    /// Of these, the files with long holes, as far as they were found. They are sent one at a time.
    pub long_holes: Totals,
    /// Files made durable by this run.
    pub synced: Totals,
    /// Files given up in this run.
    pub failed_files: u64,
    /// Bytes read by this run, files under way included.
    pub read_bytes: u64,
    /// Bytes written by this run, files in flight included.
    pub written_bytes: u64,
    /// Holes that this run passed over, files in flight included.
    pub hole_bytes: u128,
    /// Of `written_bytes` and `hole_bytes`, the part of files with long holes.
    pub long_holes_bytes: u128,
    /// Files in flight, by lane.
    pub current: Vec<CurrentFile>,
    /// Where the limit is that follows the others on the link ([`crate::Bandwidth::Auto`]).
    pub followed: Option<Followed>,
}

/// A limit that follows the others on the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Followed {
    /// The limit at that moment.
    pub limit_bytes_per_s: u64,
    /// How much longer small requests take than at best.
    pub delay: Duration,
}

impl Snapshot {
    /// All of the source that is in sync, earlier runs included.
    pub fn in_sync_in_all(&self) -> Totals {
        Totals {
            files: self.source.files.saturating_sub(self.pending.files),
            bytes: self.source.bytes.saturating_sub(self.pending.bytes),
        }
    }
}

/// A handle on the counters of one migration; clones look at the same ones.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    phase: AtomicU8,
    source: Mutex<Counts>,
    sink: Mutex<Counts>,
    pending: Mutex<Totals>,
    long_holes: Mutex<Totals>,
    synced: Mutex<Totals>,
    failed_files: AtomicU64,
    special_files: AtomicU64,
    read_bytes: AtomicU64,
    transferred: Arc<Transferred>,
    lanes: Mutex<Vec<Option<FileProgress>>>,
    followed: Mutex<Option<Followed>>,
}

/// What a lock guards, also if a thread panicked while it held it: plain counters are never half written.
fn locked<T>(counters: &Mutex<T>) -> MutexGuard<'_, T> {
    counters.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Progress {
    /// The counters as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let counters = &*self.0;
        let lanes = locked(&counters.lanes);
        let current = lanes.iter().flatten().map(FileProgress::current).collect();
        let passed = *locked(&counters.transferred.passed);
        Snapshot {
            phase: match counters.phase.load(Relaxed) {
                0 => Phase::Starting,
                1 => Phase::Scanning,
                2 => Phase::Transferring,
                _ => Phase::Ended,
            },
            source: *locked(&counters.source),
            sink: *locked(&counters.sink),
            pending: *locked(&counters.pending),
            long_holes: *locked(&counters.long_holes),
            synced: *locked(&counters.synced),
            failed_files: counters.failed_files.load(Relaxed),
            read_bytes: counters.read_bytes.load(Relaxed),
            written_bytes: counters.transferred.written_bytes.load(Relaxed),
            hole_bytes: passed.hole_bytes,
            long_holes_bytes: passed.long_holes_bytes,
            current,
            followed: *locked(&counters.followed),
        }
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.0.phase.store(
            match phase {
                Phase::Starting => 0,
                Phase::Scanning => 1,
                Phase::Transferring => 2,
                Phase::Ended => 3,
            },
            Relaxed,
        );
    }

    pub(crate) fn set_counts(&self, side: Side, counts: Counts) {
        *locked(self.side(side)) = counts;
    }

    pub(crate) fn add_counts(&self, side: Side, found: Counts) {
        let mut counters = locked(self.side(side));
        counters.files += found.files;
        counters.dirs += found.dirs;
        counters.bytes += found.bytes;
    }

    pub(crate) fn add_special_file(&self) {
        self.0.special_files.fetch_add(1, Relaxed);
    }

    /// Special files that the scan of this run found in the source.
    pub(crate) fn special_files(&self) -> u64 {
        self.0.special_files.load(Relaxed)
    }

    pub(crate) fn counts(&self, side: Side) -> Counts {
        *locked(self.side(side))
    }

    fn side(&self, side: Side) -> &Mutex<Counts> {
        match side {
            Side::Source => &self.0.source,
            Side::Sink => &self.0.sink,
        }
    }

    pub(crate) fn set_pending(&self, pending: Totals) {
        *locked(&self.0.pending) = pending;
    }

    pub(crate) fn set_long_holes(&self, long_holes: Totals) {
        *locked(&self.0.long_holes) = long_holes;
    }

    pub(crate) fn set_synced(&self, synced: Totals) {
        *locked(&self.0.synced) = synced;
    }

    pub(crate) fn add_failed(&self) {
        self.0.failed_files.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_read(&self, bytes: u64) {
        self.0.read_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn set_followed(&self, limit_bytes_per_s: u64, delay: Duration) {
        let followed = Some(Followed { limit_bytes_per_s, delay });
        *locked(&self.0.followed) = followed;
    }

    /// Counts of a file that is to be sent. They add to those of the run at once, and are shown once a lane has it.
    pub(crate) fn of_file(&self, path: &RelPath, size_bytes: u64, has_long_holes: bool) -> FileProgress {
        FileProgress::new(path.clone(), size_bytes, has_long_holes, Arc::clone(&self.0.transferred))
    }

    /// Shows a file as this lane's, until the guard is dropped.
    pub(crate) fn show_file(&self, lane: usize, file: FileProgress) -> LaneGuard {
        self.set_lane(lane, Some(file));
        LaneGuard { progress: self.clone(), lane }
    }

    fn set_lane(&self, lane: usize, file: Option<FileProgress>) {
        let mut lanes = locked(&self.0.lanes);
        if lanes.len() <= lane {
            lanes.resize(lane + 1, None);
        }
        lanes[lane] = file;
    }
}

/// Clears a lane when dropped.
#[derive(Debug)]
pub(crate) struct LaneGuard {
    progress: Progress,
    lane: usize,
}

impl Drop for LaneGuard {
    fn drop(&mut self) {
        self.progress.set_lane(self.lane, None);
    }
}
