//! Records how fast files are sent: a sample for each minute, while files are sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use towpath_backend::Timestamp;

use super::beside::Beside;
use crate::error::Result;
use crate::options::Bandwidth;
use crate::progress::{Phase, RateSample, Snapshot};
use crate::session::Session;

const SAMPLE_TIME: Duration = Duration::from_secs(60);
/// How often pauses and changes of the limit are noticed.
const TICK: Duration = Duration::from_secs(1);
/// Shorter samples say nothing.
const MIN_ACTIVE: Duration = Duration::from_secs(1);
/// How often old samples are thinned.
const THIN_TIME: Duration = Duration::from_secs(3600);

/// Loads the samples of earlier runs, and begins to add to them. The end of the task records the last sample.
pub(super) async fn begin(session: &Arc<Session>) -> Result<Beside> {
    session.progress.history().set(session.journal.thin_samples(now()).await?);
    let session = Arc::clone(session);
    Ok(Beside::begin("the task that samples the rate panicked", |ended| record(session, ended)))
}

/// A database that fails ends the run by itself: the next file that is recorded reports it, too.
async fn record(session: Arc<Session>, ended: CancellationToken) -> Result<()> {
    let (mut sampler, mut thinned) = (Sampler::default(), Instant::now());
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let is_last = tokio::select! {
            biased;
            () = ended.cancelled() => true,
            _ = ticks.tick() => false,
        };
        let next = sampler.next(Instant::now(), now(), &session.progress.snapshot(), is_last);
        if let Some(mut sample) = next {
            let round_trips = session.progress.timed_requests().take();
            (sample.source_round_trips, sample.sink_round_trips) = (round_trips.source, round_trips.sink);
            session.journal.add_sample(sample).await?;
            session.progress.history().push(sample);
        }
        if sampler.open.is_none() {
            // What was timed while nothing was sent is in no sample.
            session.progress.timed_requests().take();
        }
        if is_last {
            return Ok(());
        }
        if thinned.elapsed() >= THIN_TIME {
            thinned = Instant::now();
            session.progress.history().set(session.journal.thin_samples(now()).await?);
        }
    }
}

fn now() -> Timestamp {
    let now = jiff::Timestamp::now();
    Timestamp::from_total_ns(now.as_nanosecond()).unwrap_or(Timestamp::from_ns(0))
}

/// Turns snapshots into samples.
#[derive(Debug, Default)]
struct Sampler {
    open: Option<Open>,
}

/// A sample that is not complete.
#[derive(Debug)]
struct Open {
    start: Timestamp,
    begun: Instant,
    seen: Instant,
    paused: Duration,
    limit_bytes_per_s: Option<u64>,
    /// The bytes written in the second with the most.
    peak_bytes_per_s: u64,
    first: Counters,
    last: Counters,
}

#[derive(Clone, Copy, Debug)]
struct Counters {
    pending_files: u64,
    bytes: u128,
    written_bytes: u64,
}

impl Sampler {
    /// Takes a snapshot. Returns the sample that is complete with it: after a minute, when the limit changes, when no
    /// more files are sent, or at the end of the run.
    fn next(&mut self, now: Instant, at: Timestamp, snapshot: &Snapshot, is_last: bool) -> Option<RateSample> {
        let sending = Some(snapshot).filter(|snapshot| snapshot.phase == Phase::Transferring && !is_last);
        // A scan counts its own files.
        if let Some(open) = self.open.as_mut().filter(|_| snapshot.phase != Phase::Scanning) {
            open.add(now, snapshot);
        }
        let goes_on = |open: &Open, sending: &Snapshot| {
            now.saturating_duration_since(open.begun) < SAMPLE_TIME && open.limit_bytes_per_s == limit(sending)
        };
        let complete = match (self.open.take(), sending) {
            (Some(open), Some(sending)) if goes_on(&open, sending) => {
                self.open = Some(open);
                return None;
            }
            (open, _) => open,
        };
        self.open = sending.map(|sending| Open::new(now, at, sending));
        complete.map(|open| open.sample()).filter(|sample| sample.active() >= MIN_ACTIVE)
    }
}

impl Open {
    fn new(now: Instant, start: Timestamp, snapshot: &Snapshot) -> Self {
        let counters = Counters::of(snapshot);
        Self {
            start,
            begun: now,
            seen: now,
            paused: Duration::ZERO,
            limit_bytes_per_s: limit(snapshot),
            peak_bytes_per_s: 0,
            first: counters,
            last: counters,
        }
    }

    fn add(&mut self, now: Instant, snapshot: &Snapshot) {
        if snapshot.paused {
            self.paused += now.saturating_duration_since(self.seen);
        }
        let (before, after) = (self.last, Counters::of(snapshot));
        let written = after.written_bytes.saturating_sub(before.written_bytes);
        let second = now.saturating_duration_since(self.seen).max(TICK);
        self.peak_bytes_per_s = self.peak_bytes_per_s.max((written as f64 / second.as_secs_f64()) as u64);
        self.seen = now;
        self.last = after;
    }

    fn sample(&self) -> RateSample {
        let mut sample = RateSample::new(self.start, self.seen.saturating_duration_since(self.begun));
        sample.paused = self.paused;
        sample.files = self.first.pending_files.saturating_sub(self.last.pending_files);
        sample.bytes = u64::try_from(self.last.bytes.saturating_sub(self.first.bytes)).unwrap_or(u64::MAX);
        sample.limit_bytes_per_s = self.limit_bytes_per_s;
        sample.written_bytes = Some(self.last.written_bytes.saturating_sub(self.first.written_bytes));
        sample.peak_bytes_per_s = Some(self.peak_bytes_per_s);
        sample
    }
}

impl Counters {
    fn of(snapshot: &Snapshot) -> Self {
        let passed = u128::from(snapshot.written_bytes) + snapshot.hole_bytes;
        Self {
            pending_files: snapshot.pending.files.saturating_sub(snapshot.long_holes.files),
            bytes: passed.saturating_sub(snapshot.long_holes_bytes),
            written_bytes: snapshot.written_bytes,
        }
    }
}

/// The fixed limit in force.
fn limit(snapshot: &Snapshot) -> Option<u64> {
    match snapshot.bandwidth {
        Bandwidth::Limit(bytes_per_s) => Some(bytes_per_s),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Totals;

    struct Run {
        sampler: Sampler,
        begun: Instant,
        snapshot: Snapshot,
        samples: Vec<RateSample>,
    }

    impl Run {
        fn new() -> Self {
            let pending = Totals { files: 1000, bytes: 1 << 40 };
            let snapshot = Snapshot { phase: Phase::Transferring, pending, ..Snapshot::default() };
            Self { sampler: Sampler::default(), begun: Instant::now(), snapshot, samples: Vec::new() }
        }

        /// A second, in which a file of 10 bytes is sent.
        fn tick(&mut self, second: u64) {
            if second > 0 && !self.snapshot.paused {
                self.snapshot.pending.files -= 1;
                self.snapshot.written_bytes += 10;
            }
            self.next(second, true);
        }

        fn next(&mut self, second: u64, goes_on: bool) {
            let now = self.begun + Duration::from_secs(second);
            let at = Timestamp::from_parts(second.cast_signed(), 0);
            self.samples.extend(self.sampler.next(now, at, &self.snapshot, !goes_on));
        }

        fn shown(&self) -> Vec<(i64, u64, u64, u64, u64, Option<u64>)> {
            let shown = |one: &RateSample| {
                let (duration, paused) = (one.duration.as_secs(), one.paused.as_secs());
                (one.start.seconds(), duration, paused, one.files, one.bytes, one.limit_bytes_per_s)
            };
            self.samples.iter().map(shown).collect()
        }
    }

    #[test]
    fn each_minute_has_a_sample_and_the_rest_has_one_at_the_end() {
        let mut run = Run::new();
        (0..=130).for_each(|second| run.tick(second));
        run.next(131, false);
        assert_eq!(run.shown(), [(0, 60, 0, 60, 600, None), (60, 60, 0, 60, 600, None), (120, 11, 0, 10, 100, None)]);
    }

    #[test]
    fn a_limit_that_changes_begins_a_sample_and_pauses_are_counted() {
        let mut run = Run::new();
        (0..20).for_each(|second| run.tick(second));
        run.snapshot.bandwidth = Bandwidth::Limit(10);
        (20..50).for_each(|second| run.tick(second));
        run.snapshot.paused = true;
        (50..=80).for_each(|second| run.tick(second));
        assert_eq!(run.shown(), [(0, 20, 0, 20, 200, None), (20, 60, 31, 29, 290, Some(10))]);
        run.next(81, false);
        assert_eq!(run.samples.len(), 2, "nothing was sent during the rest");
        let written = run.samples.iter().map(|one| (one.written_bytes, one.peak_bytes_per_s));
        assert_eq!(written.collect::<Vec<_>>(), [(Some(200), Some(10)), (Some(290), Some(10))]);
    }

    #[test]
    fn a_scan_ends_the_sample_and_its_counters_are_not_compared() {
        let mut run = Run::new();
        (0..10).for_each(|second| run.tick(second));
        run.snapshot.phase = Phase::Scanning;
        run.next(10, true);
        run.snapshot.pending.files = 5_000;
        (11..20).for_each(|second| run.next(second, true));
        run.snapshot.phase = Phase::Transferring;
        (20..25).for_each(|second| run.tick(second));
        run.next(26, false);
        assert_eq!(run.shown(), [(0, 9, 0, 9, 90, None), (20, 6, 0, 4, 40, None)]);
    }
}
