//! How fast files were sent in an interval, as the database keeps it.

use std::time::Duration;

use towpath_backend::Timestamp;

use super::round_trips::RoundTrips;

/// How fast files were sent in one interval: a minute, or an hour once it is more than a day old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateSample {
    /// When it began.
    pub start: Timestamp,
    /// Its length, pauses included. Only time in which files were sent counts.
    pub duration: Duration,
    /// How much of it the migration was paused.
    pub paused: Duration,
    /// Files that left the backlog.
    pub files: u64,
    /// Bytes written and holes skipped, without files with long holes.
    pub bytes: u64,
    /// The limit in force. `None`: there was none, or an adaptive one.
    pub limit_bytes_per_s: Option<u64>,
    /// Bytes written to the sink, files with long holes included. `None`: an earlier version did not record it.
    pub written_bytes: Option<u64>,
    /// The bytes written in the second with the most.
    pub peak_bytes_per_s: Option<u64>,
    /// How the source answered small requests meanwhile.
    pub source_round_trips: Option<RoundTrips>,
    /// How the sink answered small requests meanwhile.
    pub sink_round_trips: Option<RoundTrips>,
}

impl RateSample {
    /// A sample of an interval without a limit, without pauses, in which nothing was sent.
    pub fn new(start: Timestamp, duration: Duration) -> Self {
        Self {
            start,
            duration,
            paused: Duration::ZERO,
            files: 0,
            bytes: 0,
            limit_bytes_per_s: None,
            written_bytes: None,
            peak_bytes_per_s: None,
            source_round_trips: None,
            sink_round_trips: None,
        }
    }

    /// The time in which files could be sent.
    pub fn active(&self) -> Duration {
        self.duration.saturating_sub(self.paused)
    }

    /// Adds a sample of another interval with the same limit.
    pub(super) fn add(&mut self, other: &Self) {
        self.start = self.start.min(other.start);
        self.duration = self.duration.saturating_add(other.duration);
        self.paused = self.paused.saturating_add(other.paused);
        self.files = self.files.saturating_add(other.files);
        self.bytes = self.bytes.saturating_add(other.bytes);
        // A sum of which a part is unknown is unknown.
        self.written_bytes = self.written_bytes.zip(other.written_bytes).map(|(a, b)| a.saturating_add(b));
        self.peak_bytes_per_s = self.peak_bytes_per_s.zip(other.peak_bytes_per_s).map(|(a, b)| a.max(b));
        self.source_round_trips = joined(self.source_round_trips, other.source_round_trips);
        self.sink_round_trips = joined(self.sink_round_trips, other.sink_round_trips);
    }
}

fn joined(one: Option<RoundTrips>, other: Option<RoundTrips>) -> Option<RoundTrips> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.and(other)),
        (one, other) => one.or(other),
    }
}
