//! The number of bytes in flight to a server, over all files of a tree.
//!
//! A client sends requests in order: all other requests (to open the next file, to close the last one) wait behind the
//! data in flight. So all files together have no more in flight than arrives within [`WINDOW_TIME`]. If each of eight
//! files had as much in flight as one file needs to keep the link busy, they would delay each other.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The time that the bytes in flight take to arrive.
const WINDOW_TIME: Duration = Duration::from_millis(125);
/// The first window, until the speed is known.
const FIRST_WINDOW_BYTES: u64 = 1 << 20;
/// The smallest window, however slow the link is.
const LEAST_WINDOW_BYTES: u64 = 256 << 10;
/// The largest window: more would only fill this machine's memory.
const MOST_WINDOW_BYTES: u64 = 64 << 20;

/// The bytes in flight to one server.
#[derive(Debug)]
pub(crate) struct InFlightWindow(Mutex<State>);

#[derive(Debug)]
struct State {
    window_bytes: u64,
    in_flight_bytes: u64,
    /// When counting `arrived_bytes` began.
    since: Instant,
    arrived_bytes: u64,
}

impl InFlightWindow {
    pub(crate) fn new() -> Self {
        let state =
            State { window_bytes: FIRST_WINDOW_BYTES, in_flight_bytes: 0, since: Instant::now(), arrived_bytes: 0 };
        Self(Mutex::new(state))
    }

    /// Adds bytes in flight.
    pub(crate) fn started(&self, bytes: u64) {
        self.state().in_flight_bytes += bytes;
    }

    /// Removes bytes that have arrived.
    pub(crate) fn arrived(&self, bytes: u64, now: Instant) {
        let mut state = self.state();
        state.in_flight_bytes = state.in_flight_bytes.saturating_sub(bytes);
        state.note_arrival(bytes, now);
    }

    /// Removes bytes without knowing when they arrived.
    pub(crate) fn forgotten(&self, bytes: u64) {
        let mut state = self.state();
        state.in_flight_bytes = state.in_flight_bytes.saturating_sub(bytes);
    }

    /// Whether more bytes are in flight than the window allows.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state();
        state.in_flight_bytes > state.window_bytes
    }

    /// The number of bytes that may be in flight.
    pub(crate) fn window_bytes(&self) -> u64 {
        self.state().window_bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sets the window from the time that the last bytes took. It at most doubles or halves. If it is too small for the
    /// link, the bytes arrive in less time, and it grows.
    fn note_arrival(&mut self, bytes: u64, now: Instant) {
        self.arrived_bytes += bytes;
        if self.arrived_bytes < self.window_bytes / 2 {
            return;
        }
        let took = now.saturating_duration_since(self.since).max(Duration::from_micros(1));
        let in_time = (self.arrived_bytes as f64 * WINDOW_TIME.as_secs_f64() / took.as_secs_f64()) as u64;
        let in_time = in_time.clamp(self.window_bytes / 2, self.window_bytes * 2);
        self.window_bytes = in_time.clamp(LEAST_WINDOW_BYTES, MOST_WINDOW_BYTES);
        (self.since, self.arrived_bytes) = (now, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The window for a link on which bytes arrive at this speed.
    fn window_at(bytes_per_s: u64) -> u64 {
        let (window, mut now) = (InFlightWindow::new(), Instant::now());
        for _ in 0..2000 {
            let bytes = 128 << 10;
            window.started(bytes);
            now += Duration::from_secs_f64(bytes as f64 / bytes_per_s as f64);
            window.arrived(bytes, now);
        }
        window.window_bytes()
    }

    #[test]
    fn an_eighth_of_a_second_is_in_flight() {
        assert_eq!(window_at(1 << 20), LEAST_WINDOW_BYTES);
        let window = window_at(12_500_000);
        assert!((1_500_000..=1_650_000).contains(&window), "{window}");
        assert_eq!(window_at(1 << 30), MOST_WINDOW_BYTES);
    }

    #[test]
    fn the_window_is_full_until_bytes_arrive_or_are_forgotten() {
        let window = InFlightWindow::new();
        window.started(FIRST_WINDOW_BYTES);
        assert!(!window.is_full());
        window.started(1);
        assert!(window.is_full());
        window.forgotten(1);
        assert!(!window.is_full());
        window.started(1);
        window.arrived(4096, Instant::now());
        assert!(!window.is_full());
    }
}
