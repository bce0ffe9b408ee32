//! Mean rates over a minute, an hour and a day, from a bounded number of samples.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::model::Rates;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The least time between two samples of the last minute.
const FINE: Duration = Duration::from_millis(900);
/// The time between two samples of the last day.
const COARSE: Duration = Duration::from_secs(59);

/// What was written, at moments of the last day.
#[derive(Debug, Default)]
pub(super) struct Written {
    minute: VecDeque<Sample>,
    day: VecDeque<Sample>,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    bytes: u64,
}

impl Written {
    /// Adds the bytes written so far.
    pub(super) fn add(&mut self, at: Instant, bytes: u64) {
        let sample = Sample { at, bytes };
        keep(&mut self.minute, sample, FINE, MINUTE);
        keep(&mut self.day, sample, COARSE, DAY);
    }

    /// The rates at a moment. Before a time has passed, its rate is that since the first sample.
    pub(super) fn rates(&self, at: Instant, bytes: u64) -> Rates {
        let now = Sample { at, bytes };
        Rates { now: mean(&self.minute, now, MINUTE), hour: mean(&self.day, now, HOUR), day: mean(&self.day, now, DAY) }
    }
}

/// Adds a sample if the last one is older than `distance`, and forgets those that are older than `window`, except one.
fn keep(samples: &mut VecDeque<Sample>, sample: Sample, distance: Duration, window: Duration) {
    let age = |of: &Sample| sample.at.saturating_duration_since(of.at);
    if samples.back().is_some_and(|last| age(last) < distance) {
        return;
    }
    samples.push_back(sample);
    while samples.get(1).is_some_and(|second| age(second) >= window) {
        samples.pop_front();
    }
}

/// The mean rate since the last sample that is at least as old as `window`, or since the first.
fn mean(samples: &VecDeque<Sample>, now: Sample, window: Duration) -> Option<u64> {
    let is_old = |sample: &Sample| now.at.saturating_duration_since(sample.at) >= window;
    let begin = samples.get(samples.partition_point(is_old).saturating_sub(1))?;
    let seconds = now.at.saturating_duration_since(begin.at).as_secs_f64();
    (seconds > 0.0).then(|| (now.bytes.saturating_sub(begin.bytes) as f64 / seconds) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rates after some seconds with these rates, one for each second.
    fn after(rates: impl IntoIterator<Item = u64>) -> (Written, Rates) {
        let (start, mut written, mut bytes) = (Instant::now(), Written::default(), 0);
        let mut at = start;
        written.add(at, 0);
        for rate in rates {
            at += Duration::from_secs(1);
            bytes += rate;
            written.add(at, bytes);
        }
        let rates = written.rates(at, bytes);
        (written, rates)
    }

    #[test]
    fn the_rates_are_means_over_a_minute_an_hour_and_a_day() {
        let (written, rates) = after((0..100_000).map(|second| if second < 99_000 { 100 } else { 1000 }));
        assert_eq!(rates.now, Some(1000));
        let near = |rate: Option<u64>, expected: u64| rate.is_some_and(|rate| rate.abs_diff(expected) * 50 < expected);
        assert!(near(rates.hour, (1000 * 1000 + 2600 * 100) / 3600), "{rates:?}");
        assert!(near(rates.day, (1000 * 1000 + 85_400 * 100) / 86_400), "{rates:?}");
        assert!(written.minute.len() <= 62 && written.day.len() <= 1500, "bounded");
    }

    #[test]
    fn a_run_that_is_younger_has_its_mean() {
        assert_eq!(Written::default().rates(Instant::now(), 0), Rates::default());
        let (_, rates) = after([10; 30]);
        assert_eq!((rates.now, rates.hour, rates.day), (Some(10), Some(10), Some(10)));
    }

    #[test]
    fn a_rate_falls_when_nothing_is_written() {
        let (_, rates) = after([100; 120].into_iter().chain([0; 60]));
        assert_eq!(rates.now, Some(0));
    }
}
