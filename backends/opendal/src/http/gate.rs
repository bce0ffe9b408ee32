//! A gate that all requests to one storage pass: when the service asks for fewer requests, no lane sends any for a while,
//! and afterwards they start one by one.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long the gate is closed where the service does not say: at first, and at most.
const FIRST_BACKOFF: Duration = Duration::from_secs(1);
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);
/// The longest that a service is obeyed when it says how long to wait.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(10 * 60);
/// How far apart requests start after the gate was closed: at first, and at most. Each answer shortens it by a tenth.
const FIRST_SPACING: Duration = Duration::from_millis(20);
const LONGEST_SPACING: Duration = Duration::from_secs(1);
/// Below this, requests start when they want to.
const NO_SPACING: Duration = Duration::from_millis(1);
/// The longest that a signed request waits: signatures are valid for a quarter of an hour.
const SIGNED_PATIENCE: Duration = Duration::from_secs(4 * 60);

/// When requests to one storage may start.
#[derive(Debug)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Whether nobody waits any more: the migration stops.
    stopped: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct State {
    /// No request starts before.
    opens: Option<Instant>,
    /// When the gate was closed last.
    closed: Option<Instant>,
    backoff: Duration,
    spacing: Duration,
}

impl Default for Gate {
    fn default() -> Self {
        Self { state: Mutex::default(), stopped: watch::Sender::new(false) }
    }
}

/// A request waited too long, or the migration stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GateClosed;

impl fmt::Display for GateClosed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the service asks for a longer pause between requests")
    }
}

impl std::error::Error for GateClosed {}

impl GateClosed {
    /// The OpenDAL error that carries it.
    pub(crate) fn into_error(self) -> opendal::Error {
        opendal::Error::new(opendal::ErrorKind::RateLimited, "").set_temporary().set_source(self)
    }

    /// Whether an error carries it.
    pub(crate) fn is_source_of(error: &opendal::Error) -> bool {
        std::error::Error::source(error).is_some_and(|source| source.is::<Self>())
    }
}

impl Gate {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends or allows waiting.
    pub(crate) fn set_stopped(&self, stopped: bool) {
        self.stopped.send_replace(stopped);
    }

    /// Whether nobody waits any more.
    pub(crate) fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// When it opens, if it is closed.
    pub(crate) fn opens(&self) -> Option<Instant> {
        self.state().opens
    }

    /// Waits until the gate is open; nothing is taken from the others.
    pub(crate) async fn opened(&self) {
        loop {
            let opens = self.state().opens;
            match opens {
                Some(at) if at > Instant::now() && !self.is_stopped() => self.sleep_until(at).await,
                _ => return,
            }
        }
    }

    /// Waits for a signed request's place in the line; the time at which it starts.
    pub(crate) async fn pass(&self) -> Result<Instant, GateClosed> {
        let came = Instant::now();
        loop {
            let now = Instant::now();
            let at = {
                let mut state = self.state();
                match state.opens {
                    Some(at) if at > now => at,
                    _ => {
                        state.opens = (state.spacing > Duration::ZERO).then(|| now + state.spacing);
                        return Ok(now);
                    }
                }
            };
            if self.is_stopped() || at > came + SIGNED_PATIENCE {
                return Err(GateClosed);
            }
            self.sleep_until(at).await;
        }
    }

    /// Sleeps; no longer than waiting is allowed.
    pub(crate) async fn sleep_until(&self, at: Instant) {
        let mut stopped = self.stopped.subscribe();
        tokio::select! {
            () = sleep_until(at) => {}
            // The sender lives as long as the gate.
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }

    /// Closes the gate, since the service asked for fewer requests in its answer to one that started at `started`.
    /// Returns when it opens.
    pub(crate) fn throttled(&self, started: Instant, retry_after: Option<Duration>) -> Instant {
        let now = Instant::now();
        let mut state = self.state();
        // Answers to what was sent before it was closed say nothing new.
        if state.closed.is_none_or(|closed| started >= closed) {
            state.backoff = (state.backoff * 2).clamp(FIRST_BACKOFF, LONGEST_BACKOFF);
            state.spacing = (state.spacing * 2).clamp(FIRST_SPACING, LONGEST_SPACING);
            state.closed = Some(now);
        }
        let pause = match retry_after {
            Some(asked) => asked.min(LONGEST_RETRY_AFTER),
            // From a half to all of it, so that several clients do not come back together.
            None => state.backoff.mul_f64(0.5 + jitter() / 2.0),
        };
        let opens = state.opens.map_or(now + pause, |opens| opens.max(now + pause));
        state.opens = Some(opens);
        opens
    }

    /// The service has answered a request without asking for fewer.
    pub(crate) fn answered(&self, started: Instant) {
        let mut state = self.state();
        if state.closed.is_some_and(|closed| started >= closed) {
            state.spacing = state.spacing.mul_f64(0.9);
            if state.spacing < NO_SPACING {
                *state = State::default();
            }
        }
    }
}

/// A number from 0 to 1 that differs between processes and calls.
pub(crate) fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(0) >> 11;
    random as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test(start_paused = true)]
    async fn all_requests_wait_as_long_as_the_service_says_and_then_start_one_by_one() {
        let gate = Arc::new(Gate::default());
        let began = Instant::now();
        gate.throttled(gate.pass().await.unwrap(), Some(Duration::from_secs(60)));
        let lanes: Vec<_> = (0..16)
            .map(|_| {
                tokio::spawn({
                    let gate = Arc::clone(&gate);
                    async move { gate.pass().await }
                })
            })
            .collect();
        let mut starts = Vec::new();
        for lane in lanes {
            starts.push(lane.await.unwrap().unwrap() - began);
        }
        starts.sort();
        assert!(starts[0] >= Duration::from_secs(60), "{starts:?}");
        for pair in starts.windows(2) {
            assert!(pair[1] - pair[0] >= FIRST_SPACING, "{starts:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_time_from_the_service_the_pause_doubles_and_has_a_bound() {
        let gate = Gate::default();
        let mut pauses = Vec::new();
        for _ in 0..10 {
            let started = gate.pass().await.unwrap();
            pauses.push((gate.throttled(started, None) - started).as_secs_f64());
        }
        for (i, pause) in pauses.iter().enumerate() {
            let most = 2f64.powi(i32::try_from(i).unwrap()).min(30.0);
            assert!((most / 2.0..=most).contains(pause), "{pauses:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn many_answers_to_what_was_sent_before_count_as_one() {
        let gate = Gate::default();
        let started = gate.pass().await.unwrap();
        tokio::time::advance(Duration::from_millis(10)).await;
        for _ in 0..100 {
            gate.throttled(started, None);
        }
        assert_eq!(gate.state().backoff, FIRST_BACKOFF);
    }

    #[tokio::test(start_paused = true)]
    async fn after_enough_answers_nothing_is_spaced_any_more() {
        let gate = Gate::default();
        gate.throttled(gate.pass().await.unwrap(), None);
        for _ in 0..100 {
            let started = gate.pass().await.unwrap();
            gate.answered(started);
        }
        let now = Instant::now();
        assert_eq!((gate.pass().await, gate.pass().await), (Ok(now), Ok(now)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_signed_request_does_not_outlive_its_signature_and_a_stop_ends_all_waiting() {
        let gate = Gate::default();
        gate.throttled(gate.pass().await.unwrap(), Some(Duration::from_secs(300)));
        let began = Instant::now();
        assert_eq!(gate.pass().await, Err(GateClosed));
        assert_eq!(began.elapsed(), Duration::ZERO);
        let stop = async {
            sleep_until(began + Duration::from_secs(1)).await;
            gate.set_stopped(true);
        };
        tokio::join!(gate.opened(), stop);
        assert_eq!(began.elapsed(), Duration::from_secs(1));
    }
}
