//! How long the storages took to answer small requests: what other users of them felt.

use std::sync::Mutex;
use std::time::Duration;

use crate::lock::locked;
use crate::per_side::PerSide;
use crate::side::Side;

/// The most requests that are kept until they are taken: more than an adaptive limit makes in a minute.
const MAX_REQUESTS: usize = 8192;

/// How long a storage took to answer small requests in an interval: what its other users felt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoundTrips {
    /// How many requests were timed.
    pub requests: u64,
    /// The median; of an hour: the mean of the medians of its minutes, by the number of requests.
    pub median: Duration,
    /// The 95th percentile; of an hour: the highest of its minutes.
    pub p95: Duration,
}

impl RoundTrips {
    /// The figures of these requests.
    pub fn new(requests: u64, median: Duration, p95: Duration) -> Self {
        Self { requests, median, p95 }
    }

    fn of(mut taken: Vec<Duration>) -> Option<Self> {
        taken.sort_unstable();
        // The nearest rank.
        let at = |percent: usize| taken.get((taken.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Some(Self { requests: taken.len() as u64, median: at(50)?, p95: at(95)? })
    }

    /// Those of both intervals.
    pub(super) fn and(self, other: Self) -> Self {
        let requests = self.requests.saturating_add(other.requests);
        let weighted = |one: Self| one.median.as_micros().saturating_mul(one.requests.into());
        let mean = (weighted(self) + weighted(other)).checked_div(requests.into()).unwrap_or(0);
        Self {
            requests,
            median: Duration::from_micros(u64::try_from(mean).unwrap_or(u64::MAX)),
            p95: self.p95.max(other.p95),
        }
    }
}

/// The requests that were timed since they were last taken.
#[derive(Debug, Default)]
pub(crate) struct TimedRequests(PerSide<Mutex<Vec<Duration>>>);

impl TimedRequests {
    /// Adds a request that was answered.
    pub(crate) fn add(&self, side: Side, took: Duration) {
        let mut taken = locked(&self.0[side]);
        if taken.len() < MAX_REQUESTS {
            taken.push(took);
        }
    }

    /// The figures of the requests so far, which begin again.
    pub(crate) fn take(&self) -> PerSide<Option<RoundTrips>> {
        let of = |side| RoundTrips::of(std::mem::take(&mut locked(&self.0[side])));
        PerSide { source: of(Side::Source), sink: of(Side::Sink) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank_and_of_each_side() {
        let timed = TimedRequests::default();
        assert_eq!(timed.take().sink, None);
        (1..=100).rev().for_each(|ms| timed.add(Side::Sink, Duration::from_millis(ms)));
        timed.add(Side::Source, Duration::from_millis(7));
        let taken = timed.take();
        let ms = |one: RoundTrips| (one.requests, one.median.as_millis(), one.p95.as_millis());
        assert_eq!((ms(taken.sink.unwrap()), ms(taken.source.unwrap())), ((100, 50, 95), (1, 7, 7)));
        assert_eq!(timed.take().sink, None, "they begin again");
    }

    #[test]
    fn the_order_of_intervals_does_not_matter_beyond_rounding() {
        let one = |requests, median, p95| {
            RoundTrips::new(requests, Duration::from_micros(median), Duration::from_micros(p95))
        };
        let (a, b, c) = (one(10, 100, 900), one(30, 200, 300), one(60, 1000, 1500));
        for joined in [a.and(b).and(c), c.and(a).and(b), b.and(c.and(a))] {
            assert_eq!((joined.requests, joined.p95.as_micros()), (100, 1500));
            assert!(joined.median.as_micros().abs_diff(670) <= 1, "{joined:?}");
        }
    }
}
