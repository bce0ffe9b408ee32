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
/// A backlog takes as long as its bytes do at the best rate of late, or as long
/// as its files do, whichever is longer. How long files take beside their bytes
/// shows while they come through without the link being busy; until it does,
/// [`Estimator::FILE_COST`] stands for it.
#[derive(Debug, Default)]
pub struct Estimator {
    samples: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    written_bytes: u64,
    pending_files: u64,
}

/// Progress per second.
#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    bytes: f64,
    files: f64,
}

impl Estimator {
    /// What a file is taken to cost beside its bytes as long as that is not known.
    pub const FILE_COST: Duration = Duration::from_millis(2);
    /// How far back the bandwidth looks.
    const BANDWIDTH_WINDOW: Duration = Duration::from_secs(5);
    /// How far back the best rates are looked for.
    const BACKLOG_WINDOW: Duration = Duration::from_secs(120);
    /// Rates are those of stretches no shorter than this, if there are such.
    const STRETCH: Duration = Duration::from_secs(2);
    /// Least distance of two samples that are kept.
    const SAMPLE_DISTANCE: Duration = Duration::from_millis(200);
    /// A link that carries less of its best than this is not what files wait for.
    const IDLE_SHARE: f64 = 0.5;

    /// Takes note of `snapshot`, taken at `now`, and estimates.
    pub fn estimate(&mut self, now: Instant, snapshot: &Snapshot) -> Estimate {
        if snapshot.phase != Phase::Transferring {
            self.samples.clear();
            return Estimate::default();
        }
        let sample = Sample { at: now, written_bytes: snapshot.written_bytes, pending_files: snapshot.pending.files };
        let recent = self.rate_since(&sample, Self::BANDWIDTH_WINDOW);
        self.keep(sample);
        let backlog = self.backlog(snapshot, recent);
        let mut file = current_file(snapshot, recent.bytes);
        if let (Some((_, file)), Some(backlog)) = (&mut file, backlog) {
            // It is among what is left.
            *file = (*file).min(backlog);
        }
        Estimate { bandwidth_bytes_per_s: recent.bytes as u64, current_file: file, backlog }
    }

    fn backlog(&self, snapshot: &Snapshot, recent: Rate) -> Option<Duration> {
        let best = self.best_rate();
        let (bytes, files) = (left_bytes(snapshot), snapshot.pending.files);
        let link = time_for(bytes, best.bytes)?;
        let assumed = Self::FILE_COST.saturating_mul(u32::try_from(files).unwrap_or(u32::MAX));
        let is_busy = recent.bytes > best.bytes * Self::IDLE_SHARE;
        let files = match (time_for(files, recent.files), time_for(files, best.files)) {
            (Some(time), _) if !is_busy => time,
            (_, Some(time)) => time.min(assumed),
            // Nothing came through yet.
            (_, None) if bytes == 0 && files > 0 => return None,
            _ => assumed,
        };
        Some(link.max(files))
    }

    /// The rate since the oldest sample within `window`.
    fn rate_since(&self, now: &Sample, window: Duration) -> Rate {
        let within = |sample: &&Sample| now.at.duration_since(sample.at) <= window;
        let oldest = self.samples.iter().find(within).or(self.samples.back());
        oldest.map_or(Rate::default(), |oldest| rate(oldest, now))
    }

    /// The best rates of any stretch that is remembered.
    fn best_rate(&self) -> Rate {
        let stretch = |to: &Sample| {
            let long_ago = |from: &Sample| to.at.duration_since(from.at) >= Self::STRETCH;
            let begin = self.samples.partition_point(long_ago).checked_sub(1)?;
            Some(rate(&self.samples[begin], to))
        };
        let best = |a: Rate, b: Rate| Rate { bytes: a.bytes.max(b.bytes), files: a.files.max(b.files) };
        let whole = self.samples.front().zip(self.samples.back()).map(|(first, last)| rate(first, last));
        self.samples.iter().filter_map(stretch).reduce(best).or(whole).unwrap_or_default()
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

/// What came through per second between two samples.
fn rate(from: &Sample, to: &Sample) -> Rate {
    let seconds = to.at.duration_since(from.at).as_secs_f64();
    if seconds <= 0.0 {
        return Rate::default();
    }
    Rate {
        bytes: to.written_bytes.saturating_sub(from.written_bytes) as f64 / seconds,
        files: from.pending_files.saturating_sub(to.pending_files) as f64 / seconds,
    }
}

fn left_bytes(snapshot: &Snapshot) -> u128 {
    let under_way: u128 = snapshot.current.iter().map(|file| u128::from(file.written_bytes)).sum();
    snapshot.pending.bytes.saturating_sub(under_way)
}

/// The file under way with most left to write, as if it had its even share of the bandwidth.
fn current_file(snapshot: &Snapshot, bandwidth: f64) -> Option<(RelPath, Duration)> {
    let left = |file: &super::CurrentFile| file.size_bytes.saturating_sub(file.written_bytes);
    let largest = snapshot.current.iter().max_by_key(|file| left(file))?;
    let share = bandwidth / snapshot.current.len() as f64;
    Some((largest.path.clone(), time_for(left(largest), share)?))
}

/// `None` if it would never be done.
fn time_for(units: impl Into<u128>, units_per_s: f64) -> Option<Duration> {
    let units = units.into();
    if units == 0 {
        return Some(Duration::ZERO);
    }
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
            let pending = Totals { files: 0, bytes: u128::from(1000 - 10 * second) };
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

    /// A run over files of these sizes on `lanes` lanes, of which each file costs
    /// `cost` beside its bytes: what is estimated each second, and what was left.
    fn simulate(sizes: &[u64], lanes: usize, bytes_per_s: f64, cost: Duration) -> Vec<(f64, Option<f64>)> {
        const TICK: f64 = 0.01;
        let mut waiting: VecDeque<u64> = sizes.iter().copied().collect();
        let mut under_way: Vec<(u64, f64, f64)> = Vec::new();
        let mut pending = Totals { files: sizes.len() as u64, bytes: sizes.iter().copied().map(u128::from).sum() };
        let (mut written, mut at, mut told) = (0.0, 0.0, Vec::new());
        let (mut estimator, start) = (Estimator::default(), Instant::now());
        while pending.files > 0 {
            while under_way.len() < lanes
                && let Some(size) = waiting.pop_front()
            {
                under_way.push((size, 0.0, cost.as_secs_f64()));
            }
            let mut budget = bytes_per_s * TICK;
            for (size, done, wait) in &mut under_way {
                let more = budget.min(*size as f64 - *done);
                (*done, budget, written) = (*done + more, budget - more, written + more);
                *wait -= TICK;
            }
            under_way.retain(|(size, done, wait)| {
                let is_done = *done + 0.5 >= *size as f64 && *wait <= 0.0;
                if is_done {
                    pending.files -= 1;
                    pending.bytes -= u128::from(*size);
                }
                !is_done
            });
            at += TICK;
            let current = under_way.iter().map(|(size, done, _)| CurrentFile {
                path: RelPath::root(),
                size_bytes: *size,
                written_bytes: *done as u64,
            });
            let now = Snapshot { current: current.collect(), ..snapshot(written as u64, pending) };
            let estimate = estimator.estimate(start + Duration::from_secs_f64(at), &now);
            told.push((at, estimate.backlog.map(|time| time.as_secs_f64())));
        }
        told.into_iter().map(|(then, time)| (at - then, time)).collect()
    }

    /// Checks the estimates from `after` seconds on, until the last second.
    #[track_caller]
    fn assert_near(run: &[(f64, Option<f64>)], after: f64) {
        let whole = run[0].0;
        for (left, told) in run.iter().filter(|(left, _)| *left < whole - after && *left > 1.0) {
            let told = told.unwrap_or_else(|| panic!("unknown with {left:.1} s left"));
            assert!((left / 1.5..left * 1.5 + 1.0).contains(&told), "{told:.1} s with {left:.1} s left of {whole:.1}");
        }
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn one_large_file_and_many_alike_are_foretold() {
        assert_near(&simulate(&[40 * MIB], 8, 2e6, Duration::ZERO), 1.0);
        assert_near(&simulate(&[4 * MIB; 10], 8, 2e6, Duration::ZERO), 1.0);
        assert_near(&simulate(&[64 << 10; 2000], 8, 4e6, Duration::ZERO), 1.0);
    }

    #[test]
    fn large_files_behind_small_ones_are_not_forgotten() {
        let mut sizes = vec![2000; 300];
        sizes.push(20 * MIB);
        assert_near(&simulate(&sizes, 8, 2e6, Duration::from_millis(1)), 3.0);
    }

    #[test]
    fn small_files_among_large_ones_do_not_count_for_more_than_they_cost() {
        let mut sizes = vec![6 * MIB; 3];
        sizes.extend([2000; 500]);
        sizes.extend([4 * MIB; 2]);
        assert_near(&simulate(&sizes, 8, 2e6, Duration::from_millis(1)), 3.0);
    }

    #[test]
    fn small_files_that_wait_for_round_trips_are_foretold() {
        assert_near(&simulate(&[1000; 2000], 8, 100e6, Duration::from_millis(50)), 2.0);
        let mut sizes = vec![200 * MIB];
        sizes.extend([1000; 3000]);
        // That they wait shows only once they are under way.
        let run = simulate(&sizes, 8, 50e6, Duration::from_millis(100));
        assert_near(&run, 15.0);
    }

    #[test]
    fn a_file_is_never_done_later_than_all() {
        let file = |size_bytes, written_bytes| CurrentFile { path: RelPath::root(), size_bytes, written_bytes };
        let mut estimator = Estimator::default();
        let start = Instant::now();
        let pending = Totals { files: 8, bytes: 1007 };
        estimator.estimate(start, &snapshot(0, pending));
        let mut now = snapshot(100, pending);
        now.current = [vec![file(1000, 100)], vec![file(1, 0); 7]].concat();
        let estimate = estimator.estimate(start + Duration::from_secs(4), &now);
        assert!(estimate.current_file.unwrap().1 <= estimate.backlog.unwrap());
    }

    #[test]
    fn memory_does_not_grow_with_time() {
        let mut estimator = Estimator::default();
        let start = Instant::now();
        for tick in 0..5_000 {
            estimator.estimate(start + Duration::from_millis(100 * tick), &snapshot(tick, Totals::default()));
        }
        assert!(estimator.samples.len() <= 601);
    }
}
