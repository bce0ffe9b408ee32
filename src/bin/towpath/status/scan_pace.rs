//! How fast a scan goes, and when it will be complete, if an earlier scan says how much there is.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use towpath::{Counts, Snapshot};

/// Rates are means over this time.
const WINDOW: Duration = Duration::from_secs(30);
/// The least time between two samples.
const BETWEEN: Duration = Duration::from_millis(900);
/// The least time that says something.
const LEAST: Duration = Duration::from_millis(1800);

/// The entries that a scan had found, at moments of the last seconds.
#[derive(Debug, Default)]
pub(super) struct ScanPace {
    samples: VecDeque<(Instant, Found)>,
    /// What an earlier scan found.
    earlier: Option<Found>,
}

/// Files and directories.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Found {
    source: u64,
    dest: u64,
}

/// The pace of a scan.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    pub(super) source_per_s: Option<u64>,
    pub(super) dest_per_s: Option<u64>,
    /// Of what the earlier scan found.
    pub(super) percent: Option<f64>,
    pub(super) left: Option<Duration>,
}

impl ScanPace {
    /// `earlier`: what the last complete scan found in the source and in the destination.
    pub(super) fn new(earlier: Option<(Counts, Counts)>) -> Self {
        let found = |(source, dest): (Counts, Counts)| Found { source: entries(&source), dest: entries(&dest) };
        Self { samples: VecDeque::new(), earlier: earlier.map(found).filter(|found| found.source + found.dest > 0) }
    }

    /// Adds what is found by now.
    pub(super) fn add(&mut self, now: Instant, snapshot: &Snapshot) {
        let found = found(snapshot);
        let age = |(at, _): &(Instant, Found)| now.saturating_duration_since(*at);
        if self.samples.back().is_some_and(|(_, last)| last.source > found.source || last.dest > found.dest) {
            // Another scan.
            self.samples.clear();
        }
        if self.samples.back().is_none_or(|last| age(last) >= BETWEEN) {
            self.samples.push_back((now, found));
        }
        while self.samples.get(1).is_some_and(|second| age(second) >= WINDOW) {
            self.samples.pop_front();
        }
    }

    /// Forgets a scan that has ended.
    pub(super) fn clear(&mut self) {
        self.samples.clear();
    }

    pub(super) fn pace(&self, now: Instant, snapshot: &Snapshot) -> Pace {
        let found = found(snapshot);
        let first = self.samples.front().map(|(at, first)| (now.saturating_duration_since(*at), *first));
        let first = first.filter(|(time, _)| *time >= LEAST);
        let per_s = |now: u64, before: u64, time: Duration| now.saturating_sub(before) as f64 / time.as_secs_f64();
        let rates =
            first.map(|(time, first)| (per_s(found.source, first.source, time), per_s(found.dest, first.dest, time)));
        let left = self.earlier.map(|earlier| Found {
            source: earlier.source.saturating_sub(found.source),
            dest: earlier.dest.saturating_sub(found.dest),
        });
        // Both sides are scanned at the same time.
        let time = left.zip(rates).and_then(|(left, (source, dest))| {
            let of =
                |left: u64, rate: f64| if left == 0 { Some(0.0) } else { (rate > 0.0).then(|| left as f64 / rate) };
            let longest = of(left.source, source)?.max(of(left.dest, dest)?);
            Duration::try_from_secs_f64(longest).ok().filter(|time| !time.is_zero())
        });
        let percent = self.earlier.zip(left).map(|(earlier, left)| {
            let all = earlier.source + earlier.dest;
            ((all - left.source - left.dest) as f64 / all as f64 * 100.0).min(99.9)
        });
        Pace {
            source_per_s: rates.map(|(source, _)| source as u64),
            dest_per_s: rates.map(|(_, dest)| dest as u64),
            percent,
            left: time,
        }
    }
}

fn found(snapshot: &Snapshot) -> Found {
    Found { source: entries(&snapshot.source), dest: entries(&snapshot.sink) }
}

fn entries(counts: &Counts) -> u64 {
    counts.files + counts.dirs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(pace: &mut ScanPace, start: Instant, seconds: u64, source: u64, dest: u64) -> Pace {
        let mut snapshot = Snapshot::default();
        for second in 0..=seconds {
            snapshot.source.files = source * second;
            snapshot.sink.dirs = dest * second;
            pace.add(start + Duration::from_secs(second), &snapshot);
        }
        pace.pace(start + Duration::from_secs(seconds), &snapshot)
    }

    #[test]
    fn a_first_scan_has_rates_only() {
        let mut pace = ScanPace::new(None);
        let now = after(&mut pace, Instant::now(), 100, 50, 7);
        assert_eq!(now, Pace { source_per_s: Some(50), dest_per_s: Some(7), percent: None, left: None });
        assert!(pace.samples.len() < 33, "bounded");
    }

    #[test]
    fn a_rescan_has_a_percentage_and_an_end() {
        let earlier = || Some((Counts::new(900, 100, 1), Counts::new(500, 0, 1)));
        let now = after(&mut ScanPace::new(earlier()), Instant::now(), 10, 50, 25);
        assert_eq!((now.percent, now.left), (Some(50.0), Some(Duration::from_secs(10))));
        let now = after(&mut ScanPace::new(earlier()), Instant::now(), 10, 500, 5);
        assert_eq!(now.left, Some(Duration::from_secs(90)), "the slower side decides");
        let now = after(&mut ScanPace::new(earlier()), Instant::now(), 10, 500, 500);
        assert_eq!((now.percent, now.left), (Some(99.9), None), "there is more than before");
        let now = after(&mut ScanPace::new(earlier()), Instant::now(), 10, 50, 0);
        assert_eq!(now.left, None, "it does not move");
        let empty = Some((Counts::default(), Counts::default()));
        assert_eq!(after(&mut ScanPace::new(empty), Instant::now(), 1, 5, 5), Pace::default(), "too early");
    }

    #[test]
    fn a_second_scan_begins_at_zero() {
        let (mut pace, start) = (ScanPace::new(None), Instant::now());
        after(&mut pace, start, 10, 50, 50);
        let now = after(&mut pace, start + Duration::from_secs(20), 10, 9, 9);
        assert_eq!(now.source_per_s, Some(9));
    }
}
