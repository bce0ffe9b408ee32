//! Throughput, limit and delay over time: what `GET /v1/history` answers.
//!
//! Each second of the run goes into four rings of 720 steps, the finest of which reaches back an hour and the coarsest
//! 120 days. What earlier runs did comes from the rate samples of the database.

mod interval;
mod ring;

use crate::lock::locked;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;
use towpath::{RateHistory, RateSample, Snapshot};

use interval::Interval;
use ring::{Ring, STEPS};

/// The seconds of a step in each ring: an hour, a day, ten days and 120 days in 720 steps.
const STEP_S: [i64; 4] = [5, 120, 1200, 14_400];

/// What a series covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum Window {
    #[serde(rename = "1h")]
    Hour,
    #[serde(rename = "1d")]
    Day,
    /// The whole migration, earlier runs included.
    #[serde(rename = "all")]
    All,
}

/// Equal steps of time, the oldest first. Each list has one value per step, null where nothing is known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Series {
    window: Window,
    /// When the first step begins.
    start: Timestamp,
    step_s: i64,
    /// When this run began: steps before are of earlier runs.
    run_started: Timestamp,
    /// Means of each step, of the time that was observed.
    bytes_per_s: Vec<Option<u64>>,
    limit_bytes_per_s: Vec<Option<u64>>,
    delay_ms: Vec<Option<f64>>,
    paused_percent: Vec<Option<u8>>,
}

/// The history of a run; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct History(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    started: Timestamp,
    /// What earlier runs left.
    earlier: RateHistory,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    last: Option<(Instant, u64)>,
    rings: [Ring; 4],
}

impl History {
    pub(crate) fn new(started: Timestamp, earlier: RateHistory) -> Self {
        let kept = Kept { last: None, rings: STEP_S.map(Ring::new) };
        Self(Arc::new(Shared { started, earlier, kept: Mutex::new(kept) }))
    }

    /// Takes note of the time since the last call. To be called each second.
    pub(crate) fn note(&self, now: Instant, time: Timestamp, snapshot: &Snapshot) {
        let mut kept = self.kept();
        let Some((then, written)) = kept.last.replace((now, snapshot.written_bytes)) else { return };
        let bytes = snapshot.written_bytes.saturating_sub(written);
        let interval = Interval::of(now.saturating_duration_since(then), bytes, snapshot);
        kept.rings.iter_mut().for_each(|ring| ring.add(time.as_second(), &interval));
    }

    /// The series of a window that ends now.
    pub(crate) fn series(&self, window: Window, now: Timestamp) -> Series {
        let earlier: Vec<_> = self.0.earlier.samples().into_iter().filter(|sample| self.is_earlier(sample)).collect();
        let span_s = match window {
            Window::Hour => 3600,
            Window::Day => 24 * 3600,
            Window::All => {
                let first = earlier.first().map_or(self.0.started.as_second(), |sample| sample.start.seconds());
                now.as_second().saturating_sub(first)
            }
        };
        let kept = self.kept();
        let reaches = |ring: &&Ring| ring.step_s.saturating_mul(STEPS as i64 - 1) >= span_s;
        // The first two are the hour and the day.
        let ring = match window {
            Window::Hour => Some(&kept.rings[0]),
            Window::Day => Some(&kept.rings[1]),
            Window::All => kept.rings.iter().find(reaches).or(kept.rings.last()),
        };
        let mut ring = ring.cloned().unwrap_or_else(|| Ring::new(STEP_S[0]));
        drop(kept);
        self.add_earlier(&mut ring, &earlier, now);
        let steps = ring.last_steps(now.as_second());
        self.shown(window, &ring, &steps)
    }

    fn is_earlier(&self, sample: &RateSample) -> bool {
        sample.start.seconds() < self.0.started.as_second()
    }

    /// Spreads each sample evenly over its time before this run.
    fn add_earlier(&self, ring: &mut Ring, earlier: &[RateSample], now: Timestamp) {
        let mut before = Ring::new(ring.step_s);
        let oldest_s = now.as_second().saturating_sub(ring.step_s.saturating_mul(STEPS as i64));
        for sample in earlier {
            let start_s = sample.start.seconds();
            let length_s = i64::try_from(sample.duration.as_secs()).unwrap_or(i64::MAX).max(1);
            let end_s = start_s.saturating_add(length_s).min(self.0.started.as_second());
            let whole = Interval::of_sample(sample);
            let mut at_s = start_s.max(oldest_s);
            while at_s < end_s {
                let next_s = (at_s - at_s.rem_euclid(ring.step_s)).saturating_add(ring.step_s).min(end_s);
                before.add(at_s, &whole.part((next_s - at_s) as f64 / length_s as f64));
                at_s = next_s;
            }
        }
        ring.put_before(before);
    }

    fn shown(&self, window: Window, ring: &Ring, steps: &[Option<Interval>]) -> Series {
        let known = |value: fn(&Interval) -> Option<f64>| {
            steps.iter().map(move |step| step.as_ref().and_then(value)).collect::<Vec<_>>()
        };
        let whole =
            |values: Vec<Option<f64>>| values.into_iter().map(|value| value.map(|value| value as u64)).collect();
        let paused = known(Interval::paused_percent).into_iter().map(|value| value.map(|value| value as u8));
        Series {
            window,
            start: Timestamp::from_second(ring.first_s(steps.len())).unwrap_or(Timestamp::UNIX_EPOCH),
            step_s: ring.step_s,
            run_started: self.0.started,
            bytes_per_s: whole(known(Interval::bytes_per_s)),
            limit_bytes_per_s: whole(known(Interval::limit_bytes_per_s)),
            delay_ms: known(Interval::delay_ms),
            paused_percent: paused.collect(),
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        locked(&self.0.kept)
    }
}

#[cfg(test)]
mod tests;
