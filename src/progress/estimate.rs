//! Bandwidth and remaining time, from snapshots taken at intervals and from the rates of earlier days.

mod costs;
mod forecast;
mod grid;
mod level;
mod observed;
mod outlook;
mod profile;
mod recent;
#[cfg(test)]
mod simulation;
mod spread;

use std::time::{Duration, Instant};

use towpath_backend::{RelPath, Timestamp};

use super::history::RateHistory;
use super::snapshot::{Phase, Snapshot};
use crate::event::Totals;
use crate::options::Bandwidth;
use costs::Work;
use forecast::{Forecast, Times, YEAR_S};
use recent::{Now, Recent};

pub use outlook::{Allowed, Outlook};

/// The speed of a transfer, and how long it will take.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Estimate {
    /// Bytes written per second, over the last seconds.
    pub bandwidth_bytes_per_s: u64,
    /// Holes skipped per second, over the last seconds. Nothing is written for them.
    pub holes_bytes_per_s: u64,
    /// How fast the file with long holes progresses, over the last seconds.
    pub long_holes_bytes_per_s: u64,
    /// Time until the largest file in flight is complete, with its path.
    pub current_file: Option<(RelPath, Duration)>,
    /// Time until the backlog is empty, if everything stays as in the last minutes.
    pub backlog: Option<Duration>,
    /// Time until the backlog is empty: with a chance of one half it takes no longer. [`Self::YEAR`] stands for more
    /// than a year. `None`: unknown, or never, as during a pause without an end.
    pub p50: Option<Duration>,
    /// Time until the backlog is empty: with a chance of 90 % it takes no longer. [`Self::YEAR`] stands for more than a
    /// year.
    pub p90: Option<Duration>,
}

impl Estimate {
    /// The latest end that is estimated.
    pub const YEAR: Duration = Duration::from_secs(YEAR_S as u64);

    /// How fast files progress: bytes written and holes skipped.
    pub fn progress_bytes_per_s(&self) -> u64 {
        self.bandwidth_bytes_per_s.saturating_add(self.holes_bytes_per_s)
    }
}

/// Turns snapshots into estimates. How the end is forecast is described in ARCHITECTURE.md ("The forecast").
#[derive(Default)]
pub struct Estimator {
    recent: Recent,
    history: RateHistory,
    outlook: Option<Box<dyn Outlook>>,
    learned: Option<Learned>,
    /// Since when what is allowed has not changed.
    steady_since: Option<Instant>,
    /// The files without long holes that are left, and the moment in seconds since 1970.
    last: Option<(Work, i64)>,
}

/// A forecast, and from what it was learned.
struct Learned {
    forecast: Forecast,
    history_version: u64,
    at_s: i64,
}

/// The limit in force stays.
struct Unchanged;

impl Outlook for Unchanged {
    fn allowed(&self, _: Timestamp, in_force: Allowed) -> Allowed {
        in_force
    }
}

impl Estimator {
    /// The assumed cost of a file besides its bytes, until the real one is known.
    pub const FILE_COST: Duration = recent::FILE_COST;
    /// After so long the outlook is asked again.
    const LEARN_S: i64 = 60;
    /// So much of the last minutes says how fast it is now.
    const LIVE_TIME: Duration = Duration::from_secs(20);

    /// An estimator that knows earlier rates, usually those of [`crate::Progress::history`].
    pub fn new(history: RateHistory) -> Self {
        Self { history, ..Self::default() }
    }

    /// Forecasts with the limits of an outlook; otherwise with the limit in force.
    #[must_use]
    pub fn with_outlook(self, outlook: impl Outlook + 'static) -> Self {
        Self { outlook: Some(Box::new(outlook)), ..self }
    }

    /// Adds `snapshot`, taken at `now`, and estimates.
    pub fn estimate(&mut self, now: Instant, snapshot: &Snapshot) -> Estimate {
        let at_ns = jiff::Timestamp::now().as_nanosecond();
        self.estimate_at(now, Timestamp::from_total_ns(at_ns).unwrap_or(Timestamp::from_ns(0)), snapshot)
    }

    /// Adds `snapshot`, taken at `now`, which is the moment `at`, and estimates.
    pub fn estimate_at(&mut self, now: Instant, at: Timestamp, snapshot: &Snapshot) -> Estimate {
        if snapshot.phase != Phase::Transferring {
            (self.last, self.steady_since) = (None, None);
            self.recent.clear();
            return Estimate::default();
        }
        let recent = self.recent.add(now, snapshot);
        let times = self.times(now, at.seconds(), snapshot, &recent);
        let whole = |time_s: f64| {
            let others = Duration::try_from_secs_f64(time_s).unwrap_or(Estimate::YEAR);
            recent.with_long_holes(others).map(|time| time.min(Estimate::YEAR))
        };
        Estimate {
            p50: times.and_then(|times| whole(times.p50_s)),
            p90: times.and_then(|times| whole(times.p90_s)),
            backlog: recent.others.and_then(|others| recent.with_long_holes(others)),
            bandwidth_bytes_per_s: recent.bandwidth_bytes_per_s,
            holes_bytes_per_s: recent.holes_bytes_per_s,
            long_holes_bytes_per_s: recent.long_holes_bytes_per_s,
            current_file: recent.current_file,
        }
    }

    /// The lowest constant limit with which the files of the last snapshot are sent by `deadline`, with a chance of one
    /// half. `None`: no limit is high enough, or nothing is known yet.
    pub fn limit_to_end_by(&self, deadline: Timestamp) -> Option<u64> {
        let ((work, at_s), learned) = (self.last?, self.learned.as_ref()?);
        learned.forecast.limit_for(work, at_s, deadline.seconds().saturating_sub(at_s).max(0) as f64)
    }

    /// The time that `work` takes from `at` on, under a limit that stays unless the outlook says otherwise: with a chance
    /// of one half, and of 90 %, it takes no longer. `None`: it never ends, as during a pause without an end.
    pub fn time_of(&self, work: Totals, at: Timestamp, limit: Allowed) -> Option<(Duration, Duration)> {
        let outlook: &dyn Outlook = self.outlook.as_deref().unwrap_or(&Unchanged);
        let forecast = Forecast::new(&self.history.samples(), at.seconds(), outlook, limit);
        let work = Work { files: work.files as f64, bytes: work.bytes as f64 };
        let times = forecast.times(work, at.seconds())?;
        let time = |time_s: f64| Duration::try_from_secs_f64(time_s).unwrap_or(Estimate::YEAR).min(Estimate::YEAR);
        Some((time(times.p50_s), time(times.p90_s)))
    }

    fn times(&mut self, now: Instant, at_s: i64, snapshot: &Snapshot, recent: &Now) -> Option<Times> {
        self.learn(now, at_s, snapshot);
        self.last = Some((recent.left, at_s));
        let steady_since = *self.steady_since.get_or_insert(now);
        let forecast = &mut self.learned.as_mut()?.forecast;
        let is_steady = now.saturating_duration_since(steady_since) >= Self::LIVE_TIME;
        if !snapshot.paused && forecast.is_known() {
            let sent = self.recent.sent_since(steady_since).filter(|_| is_steady);
            let live = sent.and_then(|(sent, time)| Some(forecast.time_now_s(sent, at_s)? / time.as_secs_f64()));
            forecast.set_live(live);
        } else if !snapshot.paused && (is_steady || forecast.live().is_none()) {
            // Nothing but the last minutes is known.
            let others_s = recent.others?.as_secs_f64();
            let expected_s = forecast.time_now_s(recent.left, at_s);
            forecast.set_live(expected_s.map(|expected_s| expected_s / others_s.max(f64::MIN_POSITIVE)));
        }
        forecast.times(recent.left, at_s)
    }

    /// Learns from the history when it has grown, and asks the outlook again when it has changed or time has passed.
    fn learn(&mut self, now: Instant, at_s: i64, snapshot: &Snapshot) {
        let in_force = in_force(snapshot);
        let outlook: &dyn Outlook = self.outlook.as_deref().unwrap_or(&Unchanged);
        let allowed = outlook.allowed(Timestamp::from_parts(at_s, 0), in_force);
        let history_version = self.history.version();
        let mut live = None;
        if let Some(learned) = &self.learned {
            if learned.forecast.allowed(at_s) != Some(allowed) {
                self.steady_since = Some(now);
            } else if learned.history_version == history_version
                && (0..Self::LEARN_S).contains(&at_s.saturating_sub(learned.at_s))
            {
                return;
            }
            live = learned.forecast.live();
        }
        let mut forecast = Forecast::new(&self.history.samples(), at_s, outlook, in_force);
        forecast.set_live(live);
        self.learned = Some(Learned { forecast, history_version, at_s });
    }
}

/// What the limit in force allows.
fn in_force(snapshot: &Snapshot) -> Allowed {
    match snapshot.bandwidth {
        _ if snapshot.paused => Allowed::Nothing,
        Bandwidth::Limit(bytes_per_s) => Allowed::Limit(bytes_per_s),
        _ => Allowed::Unlimited,
    }
}

impl std::fmt::Debug for Estimator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Estimator")
            .field("recent", &self.recent)
            .field("history", &self.history)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
