//! One direction's limit.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use leaky_bucket::RateLimiter;
use tokio::time::{Instant, sleep_until};

use super::clock::Clock;
use super::cost::Link;
use super::rate::Rate;
use crate::event::Side;

/// How often the bucket is refilled. Its timer loses up to 1 ms at each refill (it counts in whole milliseconds), so
/// that it lets through up to 1 % less than the given rate.
const REFILL_INTERVAL: Duration = Duration::from_millis(100);

/// The spacing aims at this share of the limit, so that the jitter of timers and threads, and a step at the end of a
/// second, do not exceed it.
const SPACING_SHARE: f64 = 0.985;

/// How far the spacing may be late and catch up: more than the jitter of a timer, far less than a burst that others
/// would notice.
const CATCH_UP: Duration = Duration::from_millis(5);

/// The largest step without a limit: large enough to cost nothing, small enough
/// for write-back to start soon and for a stop to be quick.
const UNLIMITED_STEP_BYTES: usize = 1 << 20;

/// The largest step under a limit.
pub(super) const MAX_STEP_BYTES: usize = 512 << 10;

/// From this limit on a step takes 1/64 of a second: such limits are for links on which it is still short.
const MANY_BYTES_PER_S: u64 = 10 << 20;

/// Steps in a second of an adaptive rate: each takes two thirds of a millisecond.
const ADAPTIVE_STEPS_PER_S: u64 = 1536;
/// The smallest and largest adaptive step: requests have a cost, too.
const LEAST_ADAPTIVE_STEP_BYTES: usize = 8 << 10;
const MOST_ADAPTIVE_STEP_BYTES: usize = 256 << 10;

/// Steps in a second where each is a request to a server that may be far away, and where the rate is adaptive.
const REQUESTS_PER_S: u64 = 32;
const ADAPTIVE_REQUESTS_PER_S: u64 = 64;
/// The bounds of such steps: what a request adds is little, and a file is not one request.
const LEAST_REQUEST_BYTES: u64 = 16 << 10;
const MOST_REQUEST_BYTES: u64 = 2 << 20;
/// How much of a second is requested ahead there, in all files together: as long as an answer may take.
const REQUESTED_AHEAD_PER_S: u64 = 4;
/// The most steps of one file that are requested ahead.
const MOST_REQUESTS_AHEAD: u64 = 16;

/// Network mounts send whole pages.
pub(super) const PAGE_BYTES: usize = 4 << 10;

/// How much may be in flight to the sink, in all files together, as the time that it takes to pass.
pub(super) const IN_FLIGHT: Duration = Duration::from_nanos(62_500_000);

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steps {
    /// In pages, which are cheap to ask for.
    Pages,
    /// Each step is a request to a server that may be far away.
    Requests,
}

/// One direction's limit, shared by all lanes.
#[derive(Debug)]
pub(crate) struct Pace(pub(super) Option<Limit>);

#[derive(Debug)]
pub(super) struct Limit {
    side: Side,
    /// Bounds a fixed rate, or the highest adaptive one.
    bucket: Option<RateLimiter>,
    fixed_bytes_per_s: u64,
    adaptive: Option<Arc<Rate>>,
    /// For steps that are shorter than the resolution of the runtime's timers.
    clock: Option<Clock>,
    link: Link,
    steps: Steps,
    /// When the next step may pass.
    next: Mutex<Instant>,
    /// Files being read or written in steps.
    open_files: AtomicUsize,
}

impl Pace {
    /// A pace of `fixed_bytes_per_s`, of the `adaptive` rate, of the lower of both, or without a limit.
    pub(super) fn new(
        side: Side,
        fixed_bytes_per_s: Option<u64>,
        adaptive: Option<Arc<Rate>>,
        link: Link,
        steps: Steps,
    ) -> Self {
        if fixed_bytes_per_s.is_none() && adaptive.is_none() {
            return Self(None);
        }
        Self(Some(Limit {
            side,
            bucket: fixed_bytes_per_s.map(bucket),
            fixed_bytes_per_s: fixed_bytes_per_s.unwrap_or(u64::MAX),
            clock: adaptive.as_ref().and_then(|_| Clock::start()),
            adaptive,
            link,
            steps,
            next: Mutex::new(Instant::now()),
            open_files: AtomicUsize::new(0),
        }))
    }

    /// The most bytes that pass at once.
    pub(crate) fn step_bytes(&self) -> usize {
        self.0.as_ref().map_or(UNLIMITED_STEP_BYTES, Limit::step_bytes)
    }

    /// How many bytes to request ahead of the step that is read: two steps, or what passes in 8 ms, hide the round trip
    /// to the source; more would only fill the client's memory.
    ///
    /// Where steps are requests to a server, all files together have as much requested as passes while a response takes
    /// long to come: with many files open, each needs little.
    pub(crate) fn ahead_bytes(&self, step_bytes: usize) -> u64 {
        if let Some(limit) = self.0.as_ref().filter(|limit| limit.steps == Steps::Requests) {
            let step = limit.step_bytes() as u64;
            let share = limit.bytes_per_s() / REQUESTED_AHEAD_PER_S / limit.files();
            return (share / step).min(MOST_REQUESTS_AHEAD) * step;
        }
        let passes = self.0.as_ref().map_or(0, |limit| limit.bytes_per_s() / 128);
        (2 * step_bytes as u64).max(passes - passes % step_bytes as u64)
    }

    /// The size of a request, where each step is one.
    pub(crate) fn request_bytes(&self) -> Option<usize> {
        self.0.as_ref().filter(|limit| limit.steps == Steps::Requests).map(Limit::step_bytes)
    }

    /// Whether there is a limit.
    pub(crate) fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// The largest block: about a sixteenth of a second's bytes, so that the writer starts soon and keeps up.
    pub(crate) fn block_bytes(&self, block_size_bytes: usize) -> usize {
        let Some(limit) = &self.0 else { return block_size_bytes };
        let step = limit.step_bytes();
        let steps = (usize::try_from(limit.bytes_per_s() / 16).unwrap_or(usize::MAX) / step).max(1);
        let most_steps = (block_size_bytes / step).max(1);
        block_size_bytes.min(steps.min(most_steps) * step)
    }

    /// At most `bytes`, in whole steps if that is at least one: if a block ends within a page, a network mount sends
    /// that page twice.
    pub(crate) fn whole_steps(&self, bytes: u64) -> u64 {
        match &self.0 {
            Some(limit) if bytes > limit.step_bytes() as u64 => bytes - bytes % limit.step_bytes() as u64,
            _ => bytes,
        }
    }

    /// The in-flight window of one file; `None` without a limit. All files share a sixteenth of a second's bytes, so
    /// that data that arrives late is not a burst; one step of each always passes.
    pub(super) fn in_flight_bytes(&self) -> Option<u64> {
        let limit = self.0.as_ref()?;
        let all = (limit.bytes_per_s() as f64 * IN_FLIGHT.as_secs_f64()) as u64;
        Some((all / limit.files()).max(limit.step_bytes() as u64))
    }

    pub(super) fn count_files(&self, by: isize) {
        if let Some(limit) = &self.0 {
            limit.open_files.fetch_add(by.cast_unsigned(), Relaxed);
        }
    }

    /// Returns when `bytes` of content, about a step at most, may pass. If it is dropped while waiting, nothing counts
    /// as passed.
    pub(crate) async fn pass(&self, bytes: usize) {
        let Some(limit) = &self.0 else { return };
        limit.pass(limit.link.of_content(bytes as u64, limit.bytes_per_s())).await;
        if let Some(rate) = &limit.adaptive {
            rate.add_passed(limit.side, bytes as u64);
        }
    }

    /// Counts `bytes` of requests and headers that have already passed: the next step waits for them.
    pub(super) fn owe_overhead(&self, bytes: u64) {
        if let Some(limit) = &self.0 {
            limit.reserve(Instant::now(), limit.link.of_overhead(bytes));
        }
    }

    /// Returns when `bytes` of requests and headers may pass.
    pub(super) async fn pass_overhead(&self, bytes: u64) {
        let Some(limit) = &self.0 else { return };
        if limit.link == Link::Network {
            limit.pass(limit.link.of_overhead(bytes)).await;
        }
    }
}

impl Limit {
    pub(super) fn bytes_per_s(&self) -> u64 {
        let adaptive = self.adaptive.as_ref().map_or(u64::MAX, |rate| rate.bytes_per_s());
        self.fixed_bytes_per_s.min(adaptive)
    }

    /// How many files are read or written in steps: at least the one that asks.
    fn files(&self) -> u64 {
        self.open_files.load(Relaxed).max(1) as u64
    }

    fn step_bytes(&self) -> usize {
        let per_s = self.bytes_per_s();
        if self.steps == Steps::Requests {
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

    async fn pass(&self, bytes: u64) {
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
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let behind = now.saturating_duration_since(*next);
        let at = if behind > IN_FLIGHT && self.side == Side::Sink {
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
