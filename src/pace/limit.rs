//! A limit in force: when each step may pass, and how large steps are.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use leaky_bucket::RateLimiter;
use tokio::time::{Instant, sleep_until};
use towpath_backend::Hints;

use super::clock::Clock;
use super::cost::Link;
use super::rate::Rate;
use crate::event::Side;
use crate::lock::locked;
use crate::per_side::PerSide;

/// How often the bucket is refilled. Its timer loses up to 1 ms at each refill (it counts in whole milliseconds), so
/// that it lets through up to 1 % less than the given rate.
const REFILL_INTERVAL: Duration = Duration::from_millis(100);

/// The spacing aims at this share of the limit, so that the jitter of timers and threads, and a step at the end of a
/// second, do not exceed it.
const SPACING_SHARE: f64 = 0.985;

/// How far the spacing may be late and catch up: more than the jitter of a timer, far less than a burst that others
/// would notice.
const CATCH_UP: Duration = Duration::from_millis(5);

/// The largest step under a limit.
pub(super) const MAX_STEP_BYTES: usize = 512 << 10;

/// From this limit on a step takes 1/64 of a second: such limits are for links on which it is still short.
const MANY_BYTES_PER_S: u64 = 10 << 20;

/// Steps in a second of an adaptive rate: each takes two thirds of a millisecond.
const ADAPTIVE_STEPS_PER_S: u64 = 1536;
/// The smallest and largest adaptive step: requests have a cost, too.
const LEAST_ADAPTIVE_STEP_BYTES: usize = 8 << 10;
const MOST_ADAPTIVE_STEP_BYTES: usize = 256 << 10;

/// Steps in a second where each is a request to a server that may be far away, and where the rate is adaptive. The first
/// is a multiple of the refills: what is left in the bucket, less than a step, is lost when it is refilled.
const REQUESTS_PER_S: u64 = 40;
const ADAPTIVE_REQUESTS_PER_S: u64 = 64;
/// The bounds of such steps: what a request adds is little, and a file is not one request.
const LEAST_REQUEST_BYTES: u64 = 16 << 10;
const MOST_REQUEST_BYTES: u64 = 2 << 20;

/// Network mounts send whole pages.
pub(super) const PAGE_BYTES: usize = 4 << 10;

/// How much may be in flight to the sink, in all files together, as the time that it takes to pass.
pub(super) const IN_FLIGHT: Duration = Duration::from_nanos(62_500_000);

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// In pages, which are cheap to ask for: each reaches the link at once.
    Pages,
    /// Each step is a request to a server that may be far away.
    Requests,
}

impl Steps {
    /// How these two are read and written. Small steps are for links: a local disk takes the steps of the other side. Each
    /// step wakes a task, and a busy machine wakes it late.
    pub(crate) fn between(hints: PerSide<Hints>) -> PerSide<Self> {
        let of = |one: Hints, other: Hints| match (one, other) {
            (Hints { request_per_read: true, .. }, _) => Self::Requests,
            (Hints { over_network: false, .. }, Hints { request_per_read: true, .. }) => Self::Requests,
            _ => Self::Pages,
        };
        PerSide { source: of(hints.source, hints.sink), sink: of(hints.sink, hints.source) }
    }
}

/// Bytes that pass.
#[derive(Clone, Copy, Debug)]
pub(super) enum Bytes {
    /// Of a file's content.
    Content(u64),
    /// Of requests and headers.
    Overhead(u64),
}

/// One direction, whose limit may change.
#[derive(Clone, Debug)]
pub(super) struct Direction {
    pub(super) side: Side,
    pub(super) link: Link,
    pub(super) steps: Steps,
    /// Files being read or written in steps.
    pub(super) open_files: Arc<AtomicUsize>,
}

/// A limit that is in force.
#[derive(Debug)]
pub(super) struct Limit {
    direction: Direction,
    /// Bounds a fixed rate, or the highest adaptive one.
    bucket: Option<RateLimiter>,
    fixed_bytes_per_s: u64,
    adaptive: Option<Arc<Rate>>,
    /// For steps that are shorter than the resolution of the runtime's timers.
    clock: Option<Clock>,
    /// When the next step may pass.
    next: Mutex<Instant>,
}

impl Limit {
    /// A limit of `fixed_bytes_per_s`, of the `adaptive` rate, or of the lower of both; `None` if neither is given. The
    /// first step passes after `wait`.
    pub(super) fn new(
        direction: &Direction,
        fixed_bytes_per_s: Option<u64>,
        adaptive: Option<Arc<Rate>>,
        wait: Duration,
    ) -> Option<Self> {
        if fixed_bytes_per_s.is_none() && adaptive.is_none() {
            return None;
        }
        Some(Self {
            direction: direction.clone(),
            bucket: fixed_bytes_per_s.map(bucket),
            fixed_bytes_per_s: fixed_bytes_per_s.unwrap_or(u64::MAX),
            clock: adaptive.as_ref().and_then(|_| Clock::start()),
            adaptive,
            next: Mutex::new(Instant::now() + wait),
        })
    }

    pub(super) fn bytes_per_s(&self) -> u64 {
        let adaptive = self.adaptive.as_ref().map_or(u64::MAX, |rate| rate.bytes_per_s());
        self.fixed_bytes_per_s.min(adaptive)
    }

    /// How many files are read or written in steps: at least the one that asks.
    pub(super) fn files(&self) -> u64 {
        self.direction.open_files.load(Relaxed).max(1) as u64
    }

    pub(super) fn step_bytes(&self) -> usize {
        let per_s = self.bytes_per_s();
        if self.direction.steps == Steps::Requests {
            let requests_per_s = if self.adaptive.is_some() { ADAPTIVE_REQUESTS_PER_S } else { REQUESTS_PER_S };
            let step = (per_s / requests_per_s).clamp(LEAST_REQUEST_BYTES, MOST_REQUEST_BYTES) as usize;
            return step - step % PAGE_BYTES;
        }
        if self.adaptive.is_none() {
            return step_bytes(per_s);
        }
        // Other traffic waits for one step. Where the rate fills the link, a step must be shorter than where it leaves
        // most of the link to others.
        let step = usize::try_from(per_s / ADAPTIVE_STEPS_PER_S).unwrap_or(usize::MAX);
        let step = step.clamp(LEAST_ADAPTIVE_STEP_BYTES, MOST_ADAPTIVE_STEP_BYTES);
        step - step % PAGE_BYTES
    }

    /// Returns when these bytes may pass.
    pub(super) async fn pass(&self, bytes: Bytes) {
        match bytes {
            Bytes::Content(bytes) => {
                self.wait(self.direction.link.of_content(bytes, self.bytes_per_s())).await;
                if let Some(rate) = &self.adaptive {
                    rate.add_passed(self.direction.side, bytes);
                }
            }
            Bytes::Overhead(bytes) if self.direction.link == Link::Network => {
                self.wait(self.direction.link.of_overhead(bytes)).await;
            }
            Bytes::Overhead(_) => {}
        }
    }

    /// Counts `bytes` of requests and headers that have already passed: the next step waits for them.
    pub(super) fn owe_overhead(&self, bytes: u64) {
        self.reserve(Instant::now(), self.direction.link.of_overhead(bytes));
    }

    async fn wait(&self, bytes: u64) {
        if let Some(bucket) = &self.bucket {
            bucket.acquire(usize::try_from(bytes).unwrap_or(usize::MAX)).await;
        }
        let at = self.reserve(Instant::now(), bytes);
        match &self.clock {
            Some(clock) => clock.wait(at.into_std()).await,
            None => sleep_until(at).await,
        }
    }

    /// Takes the next place in the schedule for `bytes`.
    fn reserve(&self, now: Instant, bytes: u64) -> Instant {
        let mut next = locked(&self.next);
        let behind = now.saturating_duration_since(*next);
        let at = if behind > IN_FLIGHT && self.direction.side == Side::Sink {
            // The sink accepted nothing for a while. The data in flight arrives now, all at once, and replaces the next
            // steps.
            now + IN_FLIGHT
        } else {
            now.checked_sub(CATCH_UP).map_or(*next, |earliest| (*next).max(earliest))
        };
        *next = at + Duration::from_secs_f64(bytes as f64 / (self.bytes_per_s() as f64 * SPACING_SHARE));
        at
    }
}

fn bucket(bytes_per_s: u64) -> RateLimiter {
    let per_refill = bytes_per_s as f64 * REFILL_INTERVAL.as_secs_f64();
    let refill = (per_refill as usize).max(1);
    RateLimiter::builder().max(refill).initial(refill).refill(refill).interval(REFILL_INTERVAL).build()
}

/// A step that is so small that other traffic hardly waits for it, and that one more in a second does not matter: below
/// 0.5 % of the limit, or 2 % if the limit is so high that there would be many requests; in whole pages.
pub(super) fn step_bytes(limit_bytes_per_s: u64) -> usize {
    let per_s = if limit_bytes_per_s < MANY_BYTES_PER_S { 256 } else { 64 };
    let step = usize::try_from(limit_bytes_per_s / per_s).unwrap_or(usize::MAX).clamp(PAGE_BYTES, MAX_STEP_BYTES);
    step - step % PAGE_BYTES
}
