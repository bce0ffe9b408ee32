//! What happened in a stretch of time.

use std::time::Duration;

use towpath::{Bandwidth, RateSample, Snapshot};

/// What happened in a stretch of time; sums, so that stretches can be added up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Interval {
    seconds: f64,
    bytes: f64,
    paused_s: f64,
    /// The time in which a limit was in force, and the bytes that it allowed.
    limited_s: f64,
    allowed_bytes: f64,
    /// The time in which the delay was measured, and its integral.
    measured_s: f64,
    delay_ms_s: f64,
}

impl Interval {
    /// The time before a snapshot.
    pub(super) fn of(length: Duration, bytes: u64, snapshot: &Snapshot) -> Self {
        let seconds = length.as_secs_f64();
        let mut this = Self { seconds, bytes: bytes as f64, ..Self::default() };
        if snapshot.paused {
            this.paused_s = seconds;
        }
        if let Some(limit) = snapshot.limit_bytes_per_s() {
            this.limited_s = seconds;
            this.allowed_bytes = limit as f64 * seconds;
        }
        if let Some(delay) = delay(snapshot).filter(|_| !snapshot.paused) {
            this.measured_s = seconds;
            this.delay_ms_s = delay.as_secs_f64() * 1e3 * seconds;
        }
        this
    }

    pub(super) fn of_sample(sample: &RateSample) -> Self {
        let seconds = sample.duration.as_secs_f64();
        Self {
            seconds,
            bytes: sample.bytes as f64,
            paused_s: sample.paused.as_secs_f64(),
            limited_s: sample.limit_bytes_per_s.map_or(0.0, |_| seconds),
            allowed_bytes: sample.limit_bytes_per_s.map_or(0.0, |limit| limit as f64 * seconds),
            ..Self::default()
        }
    }

    /// A part of it.
    pub(super) fn part(&self, part: f64) -> Self {
        Self {
            seconds: self.seconds * part,
            bytes: self.bytes * part,
            paused_s: self.paused_s * part,
            limited_s: self.limited_s * part,
            allowed_bytes: self.allowed_bytes * part,
            measured_s: self.measured_s * part,
            delay_ms_s: self.delay_ms_s * part,
        }
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.seconds += other.seconds;
        self.bytes += other.bytes;
        self.paused_s += other.paused_s;
        self.limited_s += other.limited_s;
        self.allowed_bytes += other.allowed_bytes;
        self.measured_s += other.measured_s;
        self.delay_ms_s += other.delay_ms_s;
    }

    pub(super) fn bytes_per_s(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| self.bytes / self.seconds)
    }

    /// The mean limit, if there was one for most of the time.
    pub(super) fn limit_bytes_per_s(&self) -> Option<f64> {
        (self.limited_s > 0.0 && self.limited_s * 2.0 >= self.seconds).then(|| self.allowed_bytes / self.limited_s)
    }

    /// The mean delay in milliseconds, to a microsecond.
    pub(super) fn delay_ms(&self) -> Option<f64> {
        (self.measured_s > 0.0).then(|| (self.delay_ms_s / self.measured_s * 1e3).round() / 1e3)
    }

    pub(super) fn paused_percent(&self) -> Option<f64> {
        (self.seconds > 0.0).then(|| (self.paused_s / self.seconds * 100.0).clamp(0.0, 100.0).round())
    }
}

/// How much other requests are delayed; measured under an adaptive limit only.
fn delay(snapshot: &Snapshot) -> Option<Duration> {
    snapshot.adaptive_limit.filter(|_| matches!(snapshot.bandwidth, Bandwidth::Auto { .. })).map(|limit| limit.delay)
}
