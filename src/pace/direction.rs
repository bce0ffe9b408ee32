//! One direction, whose limit may change while bytes pass.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::watch;

use super::cost::Link;
use super::gate::Gate;
use super::limit::{Bytes, Direction, IN_FLIGHT, Limit, Steps};
use super::rate::Rate;
use crate::event::Side;

/// The largest step without a limit: large enough to cost nothing, small enough
/// for write-back to start soon and for a stop to be quick.
const UNLIMITED_STEP_BYTES: usize = 1 << 20;

/// How much of a second is requested ahead where each step is a request, in all files together: as long as an answer
/// may take.
const REQUESTED_AHEAD_PER_S: u64 = 4;
/// The most steps of one file that are requested ahead.
const MOST_REQUESTS_AHEAD: u64 = 16;

/// The longest wait for what was in flight when a limit was lowered.
const LONGEST_WAIT_FOR_IN_FLIGHT: Duration = Duration::from_secs(1);

/// One direction's limit, shared by all lanes.
#[derive(Debug)]
pub(crate) struct Pace {
    direction: Direction,
    /// `None` without a limit.
    limit: watch::Sender<Option<Arc<Limit>>>,
    gate: Arc<Gate>,
}

impl Pace {
    /// A direction without a limit.
    pub(super) fn new(side: Side, link: Link, steps: Steps, gate: &Arc<Gate>) -> Self {
        let direction = Direction { side, link, steps, open_files: Arc::default() };
        Self { direction, limit: watch::Sender::new(None), gate: Arc::clone(gate) }
    }

    /// Sets the limit: `fixed_bytes_per_s`, the `adaptive` rate, the lower of both, or none. Steps that wait are
    /// scheduled again.
    pub(super) fn set(&self, fixed_bytes_per_s: Option<u64>, adaptive: Option<Arc<Rate>>) {
        self.limit.send_modify(|limit| {
            let new = |wait| Limit::new(&self.direction, fixed_bytes_per_s, adaptive, wait).map(Arc::new);
            let next_per_s = fixed_bytes_per_s.unwrap_or(u64::MAX);
            *limit = new(wait_for_in_flight(limit.as_deref().map(Limit::bytes_per_s), next_per_s));
        });
    }

    /// Like [`Self::set`], before anything has passed.
    pub(super) fn set_first(&self, fixed_bytes_per_s: Option<u64>, adaptive: Option<Arc<Rate>>) {
        let limit = Limit::new(&self.direction, fixed_bytes_per_s, adaptive, Duration::ZERO);
        self.limit.send_replace(limit.map(Arc::new));
    }

    fn of_limit<T>(&self, get: impl FnOnce(&Limit) -> T) -> Option<T> {
        self.limit.borrow().as_deref().map(get)
    }

    /// The most bytes that pass at once.
    pub(crate) fn step_bytes(&self) -> usize {
        self.of_limit(Limit::step_bytes).unwrap_or(UNLIMITED_STEP_BYTES)
    }

    /// How many bytes to request ahead of the step that is read: two steps, or what passes in 8 ms, hide the round trip
    /// to the source; more would only fill the client's memory.
    ///
    /// Where steps are requests to a server, all files together have as much requested as passes while a response takes
    /// long to come: with many files open, each needs little.
    pub(crate) fn ahead_bytes(&self, step_bytes: usize) -> u64 {
        let by_requests = |limit: &Limit| {
            let step = limit.step_bytes() as u64;
            let share = limit.bytes_per_s() / REQUESTED_AHEAD_PER_S / limit.files();
            (share / step).min(MOST_REQUESTS_AHEAD) * step
        };
        if self.direction.steps == Steps::Requests
            && let Some(ahead_bytes) = self.of_limit(by_requests)
        {
            return ahead_bytes;
        }
        let passes = self.of_limit(|limit| limit.bytes_per_s() / 128).unwrap_or(0);
        (2 * step_bytes as u64).max(passes - passes % step_bytes as u64)
    }

    /// The size of a request, where each step is one.
    pub(crate) fn request_bytes(&self) -> Option<usize> {
        self.of_limit(Limit::step_bytes).filter(|_| self.direction.steps == Steps::Requests)
    }

    /// Whether there is a limit now.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.borrow().is_some()
    }

    /// The largest block: about a sixteenth of a second's bytes, so that the writer starts soon and keeps up.
    pub(crate) fn block_bytes(&self, block_size_bytes: usize) -> usize {
        let of = |limit: &Limit| {
            let step = limit.step_bytes();
            let steps = (usize::try_from(limit.bytes_per_s() / 16).unwrap_or(usize::MAX) / step).max(1);
            let most_steps = (block_size_bytes / step).max(1);
            block_size_bytes.min(steps.min(most_steps) * step)
        };
        self.of_limit(of).unwrap_or(block_size_bytes)
    }

    /// At most `bytes`, in whole steps if that is at least one: if a block ends within a page, a network mount sends
    /// that page twice.
    pub(crate) fn whole_steps(&self, bytes: u64) -> u64 {
        match self.of_limit(|limit| limit.step_bytes() as u64) {
            Some(step) if bytes > step => bytes - bytes % step,
            _ => bytes,
        }
    }

    /// The in-flight window of one file; `None` without a limit. All files share a sixteenth of a second's bytes, so
    /// that data that arrives late is not a burst; one step of each always passes.
    pub(super) fn in_flight_bytes(&self) -> Option<u64> {
        self.of_limit(|limit| {
            let all = (limit.bytes_per_s() as f64 * IN_FLIGHT.as_secs_f64()) as u64;
            (all / limit.files()).max(limit.step_bytes() as u64)
        })
    }

    pub(super) fn count_files(&self, by: isize) {
        self.direction.open_files.fetch_add(by.cast_unsigned(), Relaxed);
    }

    /// Returns when `bytes` of content, about a step at most, may pass. If it is dropped while waiting, nothing counts
    /// as passed.
    pub(crate) async fn pass(&self, bytes: usize) {
        self.pass_bytes(Bytes::Content(bytes as u64)).await;
    }

    /// Counts `bytes` of requests and headers that have already passed: the next step waits for them.
    pub(super) fn owe_overhead(&self, bytes: u64) {
        self.of_limit(|limit| limit.owe_overhead(bytes));
    }

    /// Returns when `bytes` of requests and headers may pass.
    pub(super) async fn pass_overhead(&self, bytes: u64) {
        self.pass_bytes(Bytes::Overhead(bytes)).await;
    }

    /// Returns when the limit in force lets these bytes pass. A wait begins again if the limit changes, or if the
    /// migration is paused meanwhile.
    async fn pass_bytes(&self, bytes: Bytes) {
        loop {
            self.gate.opened().await;
            if !self.is_limited() {
                return;
            }
            let mut limits = self.limit.subscribe();
            let Some(limit) = limits.borrow_and_update().clone() else { return };
            tokio::select! {
                biased;
                () = self.gate.closed() => {}
                () = limit.pass(bytes) => return,
                _changed = limits.changed() => {}
            }
        }
    }
}

/// How long the first step after a change waits. What is in flight when a limit is lowered arrives at once, and counts
/// for the lower limit.
fn wait_for_in_flight(before_per_s: Option<u64>, now_per_s: u64) -> Duration {
    match before_per_s {
        Some(before_per_s) if before_per_s <= now_per_s => Duration::ZERO,
        Some(before_per_s) => {
            let wait = IN_FLIGHT.as_secs_f64() * before_per_s as f64 / now_per_s as f64;
            Duration::from_secs_f64(wait.min(LONGEST_WAIT_FOR_IN_FLIGHT.as_secs_f64()))
        }
        // Without a limit it is unknown how much is in flight.
        None => LONGEST_WAIT_FOR_IN_FLIGHT,
    }
}
