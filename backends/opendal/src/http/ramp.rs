//! The start of many requests: few at first, and one more with each answer, so that a service does not see all lanes open
//! their connections at the same moment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

/// Requests in flight before the first is answered.
const FIRST: usize = 4;
/// From this number on there is no limit: more than a run has in flight.
const ALL: usize = 64;
/// The longest that a request waits. One that takes minutes, such as a large upload, holds none up for longer.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// After a pause as long as this the connections are closed, and are opened again.
const IDLE: Duration = Duration::from_secs(90);

/// How many requests to one storage may be in flight.
#[derive(Debug)]
pub(crate) struct Ramp {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    most: usize,
    in_flight: usize,
    /// When the last one ended.
    ended: Option<Instant>,
}

impl Default for Ramp {
    fn default() -> Self {
        let state = Mutex::new(State { most: FIRST, in_flight: 0, ended: None });
        Self { state, changed: Notify::new() }
    }
}

/// A request in flight.
#[derive(Debug)]
pub(crate) struct InFlight<'a>(&'a Ramp);

impl Ramp {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until another request may start.
    pub(crate) async fn enter(&self) -> InFlight<'_> {
        let until = Instant::now() + LONGEST_WAIT;
        loop {
            // Registered before the state is read, so that no change is missed.
            let mut changed = std::pin::pin!(self.changed.notified());
            changed.as_mut().enable();
            if self.state().admit(Instant::now() >= until) {
                return InFlight(self);
            }
            let _elapsed = timeout_at(until, changed).await;
        }
    }
}

impl State {
    fn admit(&mut self, at_once: bool) -> bool {
        if self.in_flight == 0 && self.ended.is_some_and(|ended| ended.elapsed() >= IDLE) {
            self.most = FIRST;
        }
        let admitted = at_once || self.most >= ALL || self.in_flight < self.most;
        self.in_flight += usize::from(admitted);
        admitted
    }
}

impl InFlight<'_> {
    /// The service has answered, and asks for no fewer requests.
    pub(crate) fn answered(&self) {
        let mut state = self.0.state();
        state.most = (state.most + 1).min(ALL);
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.in_flight -= 1;
        state.ended = Some(Instant::now());
        drop(state);
        self.0.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const ROUND_TRIP: Duration = Duration::from_millis(20);

    /// When these many requests start that come together.
    async fn starts(ramp: &Arc<Ramp>, requests: usize, takes: Duration) -> Vec<Duration> {
        let began = Instant::now();
        let lanes = (0..requests).map(|_| {
            let ramp = Arc::clone(ramp);
            tokio::spawn(async move {
                let in_flight = ramp.enter().await;
                let started = began.elapsed();
                tokio::time::sleep(takes).await;
                in_flight.answered();
                started
            })
        });
        let lanes: Vec<_> = lanes.collect();
        let mut starts = Vec::new();
        for lane in lanes {
            starts.push(lane.await.unwrap());
        }
        starts.sort();
        starts
    }

    #[tokio::test(start_paused = true)]
    async fn requests_double_with_each_round_trip_and_again_after_a_pause() {
        let ramp = Arc::new(Ramp::default());
        for _ in 0..2 {
            let starts = starts(&ramp, 100, ROUND_TRIP).await;
            let of = |round: u32| starts.iter().filter(|at| **at == ROUND_TRIP * round).count();
            assert_eq!([of(0), of(1), of(2), of(3), of(4)], [4, 8, 16, 32, 40], "{starts:?}");
            tokio::time::advance(IDLE).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_are_allowed_nothing_waits() {
        let ramp = Arc::new(Ramp::default());
        starts(&ramp, 100, ROUND_TRIP).await;
        assert!(starts(&ramp, 1000, ROUND_TRIP).await.iter().all(Duration::is_zero));
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_take_long_hold_no_others_up_for_long() {
        let ramp = Arc::new(Ramp::default());
        let starts = starts(&ramp, 100, Duration::from_secs(3600)).await;
        assert_eq!(starts[FIRST..], [LONGEST_WAIT; 100 - FIRST]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_fails_makes_place_for_one() {
        let ramp = Ramp::default();
        let mut held: Vec<_> = Vec::new();
        for _ in 0..FIRST {
            held.push(ramp.enter().await);
        }
        held.pop();
        let began = Instant::now();
        held.push(ramp.enter().await);
        assert_eq!(began.elapsed(), Duration::ZERO);
        held.push(ramp.enter().await);
        assert_eq!(began.elapsed(), LONGEST_WAIT);
    }
}
