//! The counters of one migration.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Semaphore;
use towpath_backend::{RelPath, Timestamp};

use super::file::{FileProgress, Transferred};
use super::history::RateHistory;
use super::limited_by::{LaneClocks, Ledger, LimitMode};
use super::operations::Operations;
use super::recorded::Recorded;
use super::round_trips::TimedRequests;
use super::snapshot::{AdaptiveLimit, Phase, Snapshot};
use crate::event::{Counts, Side, Totals};
use crate::lock::locked;
use crate::options::Bandwidth;
use crate::per_side::PerSide;

/// A handle on the counters of one migration; clones share them.
///
/// ```
/// # async fn example(migration: &towpath::Migration) {
/// use std::time::{Duration, Instant};
/// use towpath::Estimator;
///
/// let progress = migration.progress();
/// tokio::spawn(async move {
///     let mut estimator = Estimator::default();
///     loop {
///         let snapshot = progress.snapshot();
///         let estimate = estimator.estimate(Instant::now(), &snapshot);
///         println!("{} bytes written, {} bytes/s", snapshot.written_bytes, estimate.bandwidth_bytes_per_s);
///         tokio::time::sleep(Duration::from_secs(1)).await;
///     }
/// });
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    history: RateHistory,
    phase: Mutex<Phase>,
    counts: PerSide<Mutex<Counts>>,
    pending: Mutex<Totals>,
    long_holes: Mutex<Totals>,
    synced: Mutex<Totals>,
    scanned_at: Mutex<Option<Timestamp>>,
    failed: Mutex<Totals>,
    special_files: AtomicU64,
    read_bytes: AtomicU64,
    transferred: Arc<Transferred>,
    lanes: Mutex<Vec<Option<FileProgress>>>,
    operations: Operations,
    bandwidth: Mutex<Bandwidth>,
    adaptive_limit: Mutex<Option<AdaptiveLimit>>,
    lane_time: Ledger,
    paused: AtomicBool,
    recorded: Mutex<Option<Recorded>>,
    queue: Mutex<Queue>,
    database_steps: AtomicU64,
    timed_requests: TimedRequests,
}

/// The permits of the queue between reading and writing, and how many there are in all.
#[derive(Debug, Default)]
struct Queue {
    free: Weak<Semaphore>,
    all: usize,
}

impl Queue {
    fn fill(&self) -> Option<f64> {
        let free = self.free.upgrade()?.available_permits();
        (self.all > 0).then(|| self.all.saturating_sub(free) as f64 / self.all as f64)
    }
}

impl Progress {
    /// The counters as they are now.
    pub fn snapshot(&self) -> Snapshot {
        let counters = &*self.0;
        let lanes = locked(&counters.lanes);
        let current = lanes.iter().flatten().map(FileProgress::current).collect();
        let passed = *locked(&counters.transferred.passed);
        let failed = *locked(&counters.failed);
        let (operation, operations_done) = counters.operations.oldest();
        Snapshot {
            phase: *locked(&counters.phase),
            scanned_at: *locked(&counters.scanned_at),
            source: *locked(&counters.counts.source),
            sink: *locked(&counters.counts.sink),
            pending: *locked(&counters.pending),
            long_holes: *locked(&counters.long_holes),
            synced: *locked(&counters.synced),
            failed_files: failed.files,
            failed_bytes: failed.bytes,
            read_bytes: counters.read_bytes.load(Relaxed),
            written_bytes: counters.transferred.written_bytes.load(Relaxed),
            hole_bytes: passed.hole_bytes,
            long_holes_bytes: passed.long_holes_bytes,
            current,
            operation,
            operations_done,
            bandwidth: *locked(&counters.bandwidth),
            adaptive_limit: *locked(&counters.adaptive_limit),
            limited_by: counters.lane_time.limited_by(),
            paused: counters.paused.load(Relaxed),
            recorded: locked(&counters.recorded).clone(),
            queue_fill: locked(&counters.queue).fill(),
            database_steps: counters.database_steps.load(Relaxed),
        }
    }

    /// The small requests that were timed.
    pub(crate) fn timed_requests(&self) -> &TimedRequests {
        &self.0.timed_requests
    }

    /// What the migration is doing.
    pub(crate) fn phase(&self) -> Phase {
        *locked(&self.0.phase)
    }

    /// The calls in progress outside of the lanes.
    pub(crate) fn operations(&self) -> &Operations {
        &self.0.operations
    }

    /// How fast files were sent, in this run and in earlier ones.
    pub fn history(&self) -> RateHistory {
        self.0.history.clone()
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        *locked(&self.0.phase) = phase;
    }

    /// When the scan began that the counts are from; `None` while another scan runs.
    pub(crate) fn set_scanned_at(&self, scanned_at: Option<Timestamp>) {
        *locked(&self.0.scanned_at) = scanned_at;
    }

    pub(crate) fn set_counts(&self, side: Side, counts: Counts) {
        *locked(&self.0.counts[side]) = counts;
    }

    pub(crate) fn add_counts(&self, side: Side, found: Counts) {
        let mut counters = locked(&self.0.counts[side]);
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
        *locked(&self.0.counts[side])
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

    /// Counts a file that failed.
    pub(crate) fn add_failed(&self, size_bytes: u64) {
        let mut failed = locked(&self.0.failed);
        failed.files += 1;
        failed.bytes += u128::from(size_bytes);
    }

    pub(crate) fn add_database_step(&self) {
        self.0.database_steps.fetch_add(1, Relaxed);
    }

    pub(crate) fn add_read(&self, bytes: u64) {
        self.0.read_bytes.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn set_recorded(&self, recorded: &Recorded) {
        *locked(&self.0.recorded) = Some(recorded.clone());
    }

    /// Shows how full a queue is that has `all` permits, for as long as it exists.
    pub(crate) fn set_queue(&self, free: &Arc<Semaphore>, all: usize) {
        *locked(&self.0.queue) = Queue { free: Arc::downgrade(free), all };
    }

    pub(crate) fn set_adaptive_limit(&self, adaptive_limit: AdaptiveLimit) {
        *locked(&self.0.adaptive_limit) = Some(adaptive_limit);
        self.update_limit_mode();
    }

    /// No adaptive limit is in force.
    pub(crate) fn clear_adaptive_limit(&self) {
        *locked(&self.0.adaptive_limit) = None;
        self.update_limit_mode();
    }

    pub(crate) fn set_bandwidth(&self, bandwidth: Bandwidth) {
        *locked(&self.0.bandwidth) = bandwidth;
        self.update_limit_mode();
    }

    pub(crate) fn set_paused(&self, paused: bool) {
        self.0.paused.store(paused, Relaxed);
        self.update_limit_mode();
    }

    /// What the lanes' wait for the limit means from now on. An adaptive limit at its highest value is as a fixed one.
    fn update_limit_mode(&self) {
        let limit = locked(&self.0.adaptive_limit).map_or(0, |limit| limit.limit_bytes_per_s);
        self.0.lane_time.set_mode(match *locked(&self.0.bandwidth) {
            _ if self.0.paused.load(Relaxed) => LimitMode::Paused,
            Bandwidth::Auto { max_bytes_per_s } if max_bytes_per_s.is_none_or(|max| limit < max) => LimitMode::Adaptive,
            _ => LimitMode::Fixed,
        });
    }

    /// The counters of a file that is sent. They count for the run at once, and are shown once a lane has the file.
    pub(crate) fn of_file(&self, path: &RelPath, size_bytes: u64, has_long_holes: bool) -> FileProgress {
        FileProgress::new(path.clone(), size_bytes, has_long_holes, Arc::clone(&self.0.transferred))
    }

    /// Shows a file as this lane's, until the guard is dropped.
    pub(crate) fn show_file(&self, lane: usize, file: FileProgress) -> LaneGuard {
        self.set_lane(lane, Some(file));
        LaneGuard { progress: self.clone(), lane }
    }

    /// Starts the clocks of this many lanes, which run until they are dropped.
    pub(crate) fn lane_clocks(&self, lanes: usize) -> LaneClocks {
        self.0.lane_time.begin(lanes)
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
