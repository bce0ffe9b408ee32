//! How fast files were sent in an interval, as the database keeps it.

use std::time::Duration;

use towpath_backend::Timestamp;

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
}

impl RateSample {
    /// A sample of an interval without a limit, without pauses, in which nothing was sent.
    pub fn new(start: Timestamp, duration: Duration) -> Self {
        Self { start, duration, paused: Duration::ZERO, files: 0, bytes: 0, limit_bytes_per_s: None }
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
    }
}
