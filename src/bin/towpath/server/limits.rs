//! What clients may use, so that none can hold up another one or the run.

use std::time::Duration;

/// The bounds of one listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) connections: usize,
    /// Streams of events: some connections stay free for requests.
    pub(super) streams: usize,
    /// Calls of the run at a time.
    pub(super) reads: usize,
    pub(super) changes: usize,
    pub(super) header_bytes: usize,
    pub(super) body_bytes: usize,
    /// For the header of a request, also until it begins; and for its body.
    pub(super) request_time: Duration,
    /// For the run to answer.
    pub(super) call_time: Duration,
    /// For a client that takes no bytes.
    pub(super) write_time: Duration,
    /// Between two signs of life in a stream of events.
    pub(super) keep_alive: Duration,
    /// For answers that are being sent when the run ends.
    pub(super) grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 64,
            streams: 32,
            reads: 8,
            changes: 4,
            header_bytes: 16 << 10,
            body_bytes: 64 << 10,
            request_time: Duration::from_secs(10),
            call_time: Duration::from_secs(5),
            write_time: Duration::from_secs(30),
            keep_alive: Duration::from_secs(15),
            grace: Duration::from_millis(250),
        }
    }
}
