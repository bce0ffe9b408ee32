//! Bandwidth and remaining time, from snapshots taken now and then.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use towpath_backend::RelPath;

use super::{Phase, Snapshot};

/// How a transfer is getting on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Bytes written per second, over the last seconds.
    pub bandwidth_bytes_per_s: u64,
    /// Time until the largest file under way is written, with its path.
    pub current_file: Option<(RelPath, Duration)>,
    /// Time until the backlog is empty.
    pub backlog: Option<Duration>,
}

/// Turns snapshots into estimates.
///
/// The backlog's time is reckoned in work: a file is its bytes and
/// [`Estimator::FILE_COST_BYTES`] more, since a million empty files take time too.
#[derive(Debug, Default)]
pub struct Estimator {
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    written_bytes: u64,
    remaining_work: u64,
}

impl Estimator {
    /// What a file costs beside its bytes.
    pub const FILE_COST_BYTES: u64 = 64 << 10;
    /// How far back the bandwidth looks.
    const BANDWIDTH_WINDOW: Duration = Duration::from_secs(5);
    /// How far back the backlog's rate looks: long, for a calm figure.
    const BACKLOG_WINDOW: Duration = Duration::from_secs(120);
    /// Least distance of two samples that are kept.
    const SAMPLE_DISTANCE: Duration = Duration::from_millis(200);

    /// Takes note of `snapshot`, taken at `now`, and estimates.
    pub fn estimate(&mut self, now: Instant, snapshot: &Snapshot) -> Estimate {
        if snapshot.phase != Phase::Transferring {
            self.samples.clear();
            return Estimate::default();
        }
        let sample =
            Sample { at: now, written_bytes: snapshot.written_bytes, remaining_work: remaining_work(snapshot) };
        let bandwidth =
            self.rate_since(now, Self::BANDWIDTH_WINDOW, |s| sample.written_bytes.saturating_sub(s.written_bytes));
        let work_rate =
            self.rate_since(now, Self::BACKLOG_WINDOW, |s| s.remaining_work.saturating_sub(sample.remaining_work));
        self.keep(sample);
        Estimate {
            bandwidth_bytes_per_s: bandwidth as u64,
            current_file: current_file(snapshot, bandwidth),
            backlog: time_for(sample.remaining_work, work_rate),
        }
    }

    /// Units per second since the oldest sample within `window`.
    fn rate_since(&self, now: Instant, window: Duration, done_since: impl Fn(&Sample) -> u64) -> f64 {
        let oldest = self.samples.iter().find(|sample| now.duration_since(sample.at) <= window).or(self.samples.back());
        let Some(oldest) = oldest else { return 0.0 };
        let seconds = now.duration_since(oldest.at).as_secs_f64();
        if seconds > 0.0 { done_since(oldest) as f64 / seconds } else { 0.0 }
    }

    fn keep(&mut self, sample: Sample) {
        if self.samples.back().is_some_and(|last| sample.at.duration_since(last.at) < Self::SAMPLE_DISTANCE) {
            return;
        }
        self.samples.push_back(sample);
        while self.samples.front().is_some_and(|first| sample.at.duration_since(first.at) > Self::BACKLOG_WINDOW) {
            self.samples.pop_front();
        }
    }
}

fn remaining_work(snapshot: &Snapshot) -> u64 {
    let under_way: u64 = snapshot.current.iter().map(|file| file.written_bytes).sum();
    (snapshot.pending.bytes + snapshot.pending.files * Estimator::FILE_COST_BYTES).saturating_sub(under_way)
}

/// The file under way with most left to write, as if it had its even share of the bandwidth.
fn current_file(snapshot: &Snapshot, bandwidth: f64) -> Option<(RelPath, Duration)> {
    let left = |file: &super::CurrentFile| file.size_bytes.saturating_sub(file.written_bytes);
    let largest = snapshot.current.iter().max_by_key(|file| left(file))?;
    let share = bandwidth / snapshot.current.len() as f64;
    Some((largest.path.clone(), time_for(left(largest), share)?))
}

fn time_for(units: u64, units_per_s: f64) -> Option<Duration> {
    if units_per_s <= 0.0 {
        return None;
    }
    Duration::try_from_secs_f64(units as f64 / units_per_s).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Totals;
    use crate::progress::CurrentFile;

    fn snapshot(written: u64, pending: Totals) -> Snapshot {
        Snapshot { phase: Phase::Transferring, written_bytes: written, pending, ..Snapshot::default() }
    }

    #[test]
    fn a_steady_transfer_is_foretold() {
        let mut estimator = Estimator::default();
        let start = Instant::now();
        let mut last = Estimate::default();
        for second in 0..=10 {
            let pending = Totals { files: 0, bytes: 1000 - 10 * second };
            last = estimator.estimate(start + Duration::from_secs(second), &snapshot(10 * second, pending));
        }
        assert_eq!(last.bandwidth_bytes_per_s, 10);
        assert_eq!(last.backlog, Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_stalled_transfer_promises_nothing() {
        let mut estimator = Estimator::default();
        let start = Instant::now();
        let pending = Totals { files: 1, bytes: 1000 };
        for second in 0..=10 {
            let estimate = estimator.estimate(start + Duration::from_secs(second), &snapshot(0, pending));
            assert_eq!((estimate.bandwidth_bytes_per_s, estimate.backlog), (0, None));
        }
    }

    #[test]
    fn empty_files_take_time_too() {
        let mut estimator = Estimator::default();
        let start = Instant::now();
        estimator.estimate(start, &snapshot(0, Totals { files: 100, bytes: 0 }));
        let estimate = estimator.estimate(start + Duration::from_secs(1), &snapshot(0, Totals { files: 90, bytes: 0 }));
        assert_eq!(estimate.backlog, Some(Duration::from_secs(9)));
    }

    #[test]
    fn the_file_with_most_left_is_the_one_shown() {
        let file = |name: &str, size_bytes, written_bytes| CurrentFile {
            path: RelPath::new(name).unwrap(),
            size_bytes,
            written_bytes,
        };
        let mut estimator = Estimator::default();
        let start = Instant::now();
        let pending = Totals { files: 2, bytes: 2000 };
        estimator.estimate(start, &snapshot(0, pending));
        let mut now = snapshot(100, pending);
        now.current = vec![file("small", 60, 50), file("large", 600, 50)];
        let estimate = estimator.estimate(start + Duration::from_secs(1), &now);
        let (path, time) = estimate.current_file.unwrap();
        assert_eq!((path.as_bytes(), time), (&b"large"[..], Duration::from_secs(11)));
    }

    #[test]
    fn memory_does_not_grow_with_time() {
        let mut estimator = Estimator::default();
        let start = Instant::now();
        for tick in 0..100_000 {
            estimator.estimate(start + Duration::from_millis(100 * tick), &snapshot(tick, Totals::default()));
        }
        assert!(estimator.samples.len() <= 601);
    }
}
