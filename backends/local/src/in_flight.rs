//! How much may be in flight to a server at a time, over all files of a tree.
//!
//! A client sends requests in their order: whatever else is asked of the server (to open
//! the next file, to close the last) waits behind the data that are in flight. So all
//! files together have no more in flight than arrives in [`WINDOW_TIME`]; what a
//! file alone needs to keep the link busy, eight of them would each hold against the others.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long what is in flight takes to arrive.
const WINDOW_TIME: Duration = Duration::from_millis(125);
/// What it begins with, until it is known how fast it goes.
const FIRST_WINDOW_BYTES: u64 = 1 << 20;
/// The least, however slow it goes.
const LEAST_WINDOW_BYTES: u64 = 256 << 10;
/// The most: more would be lost in the memory of the machine.
const MOST_WINDOW_BYTES: u64 = 64 << 20;

/// What is in flight to one server.
#[derive(Debug)]
pub(crate) struct InFlightWindow(Mutex<State>);

#[derive(Debug)]
struct State {
    window_bytes: u64,
    in_flight_bytes: u64,
    /// Since when so many bytes have arrived.
    since: Instant,
    arrived_bytes: u64,
}

impl InFlightWindow {
    pub(crate) fn new() -> Self {
        let state =
            State { window_bytes: FIRST_WINDOW_BYTES, in_flight_bytes: 0, since: Instant::now(), arrived_bytes: 0 };
        Self(Mutex::new(state))
    }

    /// So many bytes more are in flight.
    pub(crate) fn started(&self, bytes: u64) {
        self.state().in_flight_bytes += bytes;
    }

    /// So many bytes are no longer.
    pub(crate) fn arrived(&self, bytes: u64, now: Instant) {
        let mut state = self.state();
        state.in_flight_bytes = state.in_flight_bytes.saturating_sub(bytes);
        state.note_arrival(bytes, now);
    }

    /// So many bytes are no longer, and nobody knows when they arrived.
    pub(crate) fn forgotten(&self, bytes: u64) {
        let mut state = self.state();
        state.in_flight_bytes = state.in_flight_bytes.saturating_sub(bytes);
    }

    /// Whether more is in flight than should be.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.state();
        state.in_flight_bytes > state.window_bytes
    }

    /// The most bytes that should be in flight.
    pub(crate) fn window_bytes(&self) -> u64 {
        self.state().window_bytes
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Sets the window by how long the last bytes took. It at most doubles, or halves.
    /// Were it too small for the way, they would arrive sooner than in its time, and
    /// it would grow.
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

    /// The window of a way over which bytes arrive at this speed.
    fn settles_at(bytes_per_s: u64) -> u64 {
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
        assert_eq!(settles_at(1 << 20), LEAST_WINDOW_BYTES);
        let window = settles_at(12_500_000);
        assert!((1_500_000..=1_650_000).contains(&window), "{window}");
        assert_eq!(settles_at(1 << 30), MOST_WINDOW_BYTES);
    }

    #[test]
    fn it_is_full_with_more_than_the_window_until_something_arrives_or_is_forgotten() {
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
