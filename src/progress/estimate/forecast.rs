//! When the work will be done. The model is described in ARCHITECTURE.md ("The forecast").

use super::super::sample::RateSample;
use super::costs::{Costs, Work};
use super::grid::{Grid, Slot};
use super::level::{Level, of_days};
use super::observed::{Observed, observed};
use super::outlook::{Allowed, Outlook};
use super::profile::Profile;
use super::spread::{Expected, Spread};

use towpath_backend::Timestamp;

/// Nothing later is distinguished.
pub(super) const YEAR_S: f64 = 365.0 * 86_400.0;
/// The 90th percentile of the normal distribution.
const Z90: f64 = 1.2816;
/// The profile is learned relative to the speed of the day around each sample, in so many rounds.
const PROFILE_ROUNDS: usize = 2;
/// How long the speed of the last minutes lasts.
const LIVE_LASTS_S: f64 = 900.0;
/// From so much history on, the speed of the last minutes is not all that is known.
const KNOWN_S: f64 = 600.0;
/// The deviation that no history excludes, and that of a horizon much longer than the history.
const LEAST_DEVIATION: f64 = 0.03;
const UNKNOWN_DEVIATION: f64 = 0.55;
/// The observed variance is that of neighboring stretches; the future is farther away.
const VARIANCE_FACTOR: f64 = 1.5;
const MAX_DEVIATION: f64 = 1.3;
const MAX_LIVE: f64 = 1e3;

/// The two times, in seconds from now: [`YEAR_S`] if it is later.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    pub(super) p50_s: f64,
    pub(super) p90_s: f64,
}

/// Where the work is done, if it is done within a year.
#[derive(Clone, Copy, Debug)]
struct End {
    after_s: f64,
    /// Without pauses.
    active_s: f64,
}

/// How a walk differs from the expected one.
#[derive(Clone, Copy, Debug)]
struct Walk {
    costs: Costs,
    /// A factor on the speed.
    speed: f64,
    /// A constant limit instead of those of the outlook.
    limit_bytes_per_s: Option<u64>,
    no_limit: bool,
}

/// What was learned from samples.
#[derive(Debug)]
pub(super) struct Forecast {
    costs: Costs,
    profile: Profile,
    spread: Spread,
    level: Level,
    history_s: f64,
    grid: Grid,
    /// The speed of the last minutes relative to the expected one.
    live: Option<f64>,
}

impl Forecast {
    /// Learns from the samples until `now_s`; `in_force` is allowed now.
    pub(super) fn new(samples: &[RateSample], now_s: i64, outlook: &dyn Outlook, in_force: Allowed) -> Self {
        let offset_s = |at_s| i64::from(outlook.utc_offset_s(Timestamp::from_parts(at_s, 0)));
        let observed = observed(samples, now_s, offset_s);
        let costs = Costs::of(&observed);
        let stretches = |profile: &Profile| -> Vec<Expected> {
            let expected = |one: &Observed| {
                let work = Work { files: one.files, bytes: one.bytes };
                let limit = one.limit_bytes_per_s;
                Expected { expected_s: costs.time_s(work, profile.speed(one.hour), limit), active_s: one.active_s }
            };
            observed.iter().map(expected).collect()
        };
        let mut profile = Profile::of(&observed, &costs, &[]);
        for _ in 0..PROFILE_ROUNDS {
            profile = Profile::of(&observed, &costs, &of_days(&stretches(&profile)));
        }
        let stretches = stretches(&profile);
        Self {
            spread: Spread::of(&stretches),
            level: Level::of(&stretches),
            history_s: observed.iter().map(|one| one.active_s).sum(),
            grid: Grid::new(now_s, outlook, in_force),
            costs,
            profile,
            live: None,
        }
    }

    /// Whether enough is known to judge the last minutes by it.
    pub(super) fn is_known(&self) -> bool {
        self.history_s >= KNOWN_S
    }

    /// What the outlook allows now.
    pub(super) fn allowed(&self, now_s: i64) -> Option<Allowed> {
        self.grid.allowed(now_s)
    }

    /// The time that `work` takes if everything stays as it is expected to be now; `None` during a pause.
    pub(super) fn time_now_s(&self, work: Work, now_s: i64) -> Option<f64> {
        if work == Work::default() {
            return Some(0.0);
        }
        let slot = self.grid.slots(now_s).next()?;
        let rate = self.rate(&slot, work, &self.walk())?;
        Some(1.0 / (rate * self.level.speed(0.0)))
    }

    /// Sets the speed of the last minutes relative to the expected one.
    pub(super) fn set_live(&mut self, live: Option<f64>) {
        self.live = live.filter(|live| live.is_finite()).map(|live| live.clamp(0.0, MAX_LIVE));
    }

    pub(super) fn live(&self) -> Option<f64> {
        self.live
    }

    /// When `work` is done. `None`: never, as far as is known.
    pub(super) fn times(&self, work: Work, now_s: i64) -> Option<Times> {
        let p50 = self.end(work, now_s, &self.walk())?;
        let deviation = self.deviation(work, now_s, p50);
        let slower = Walk { speed: (-Z90 * deviation).exp(), ..self.walk() };
        let p90_s = self.end(work, now_s, &slower).map_or(YEAR_S, |end| end.after_s);
        Some(Times { p50_s: p50.after_s, p90_s: p90_s.max(p50.after_s) })
    }

    /// The lowest constant limit with which `work` is done within `time_s` with a chance of one half; `None`: not even
    /// without a limit. Pauses stay.
    pub(super) fn limit_for(&self, work: Work, now_s: i64, time_s: f64) -> Option<u64> {
        let in_time = |walk: &Walk| self.end(work, now_s, walk).is_some_and(|end| end.after_s <= time_s);
        if !in_time(&Walk { no_limit: true, ..self.walk() }) {
            return None;
        }
        let (mut too_low, mut enough) = (0_u64, 1_u64 << 50);
        while enough - too_low > 1 + enough / 256 {
            let middle = too_low + (enough - too_low) / 2;
            let walk = Walk { limit_bytes_per_s: Some(middle), ..self.walk() };
            if in_time(&walk) { enough = middle } else { too_low = middle }
        }
        Some(enough)
    }

    fn walk(&self) -> Walk {
        Walk { costs: self.costs, speed: 1.0, limit_bytes_per_s: None, no_limit: false }
    }

    /// The standard deviation of the logarithm of the speed until `end`.
    fn deviation(&self, work: Work, now_s: i64, end: End) -> f64 {
        let observed = (VARIANCE_FACTOR * self.spread.variance(end.active_s)).max(self.level.variance(end.active_s));
        let unknown = UNKNOWN_DEVIATION.powi(2) * end.active_s / (end.active_s + self.history_s).max(1.0);
        let dearer = Walk { costs: self.costs.dearer(work, Z90), ..self.walk() };
        let later_s = self.end(work, now_s, &dearer).map_or(YEAR_S, |end| end.after_s);
        let of_costs = ((later_s / end.after_s.max(1.0)).max(1.0).ln() / Z90).powi(2);
        (LEAST_DEVIATION.powi(2) + observed + unknown + of_costs).sqrt().min(MAX_DEVIATION)
    }

    /// Walks until the work is done.
    fn end(&self, work: Work, now_s: i64, walk: &Walk) -> Option<End> {
        if work.files <= 0.0 && work.bytes <= 0.0 {
            return Some(End { after_s: 0.0, active_s: 0.0 });
        }
        let (mut done, mut after_s, mut active_s) = (0.0, 0.0, 0.0);
        for slot in self.grid.slots(now_s) {
            let length_s = (slot.end_s - slot.begin_s) as f64;
            if let Some(rate) = self.rate(&slot, work, walk) {
                // Progress is faster or slower at the start: it is measured at the slot's middle.
                let rate = rate * self.factor(after_s + length_s / 2.0) * walk.speed;
                if done + rate * length_s >= 1.0 {
                    let rest_s = (1.0 - done) / rate;
                    return Some(End { after_s: after_s + rest_s, active_s: active_s + rest_s });
                }
                done += rate * length_s;
                active_s += length_s;
            }
            after_s += length_s;
        }
        self.end_after_grid(work, walk, done, End { after_s, active_s })
    }

    /// The weeks after the grid repeat its last one.
    fn end_after_grid(&self, work: Work, walk: &Walk, done: f64, grid: End) -> Option<End> {
        let (mut week, mut week_s, mut active_s) = (0.0, 0.0, 0.0);
        for slot in self.grid.last_week() {
            let length_s = (slot.end_s - slot.begin_s) as f64;
            week_s += length_s;
            if let Some(rate) = self.rate(slot, work, walk) {
                week += rate * length_s * self.factor(grid.after_s) * walk.speed;
                active_s += length_s;
            }
        }
        if week <= 0.0 {
            return None;
        }
        let weeks = (1.0 - done) / week;
        let after_s = (grid.after_s + weeks * week_s).min(YEAR_S);
        Some(End { after_s, active_s: (grid.active_s + weeks * active_s).min(YEAR_S) })
    }

    /// The share of `work` that is done per second in a slot; `None` during a pause.
    fn rate(&self, slot: &Slot, work: Work, walk: &Walk) -> Option<f64> {
        let limit = match (slot.allowed, walk.limit_bytes_per_s) {
            (Allowed::Nothing | Allowed::Limit(0), _) | (_, Some(0)) => return None,
            _ if walk.no_limit => None,
            (_, Some(limit)) | (Allowed::Limit(limit), None) => Some(limit as f64),
            (Allowed::Unlimited, None) => None,
        };
        let time_s = walk.costs.time_s(work, self.profile.speed(slot.hour), limit);
        (time_s > 0.0).then(|| 1.0 / time_s)
    }

    /// The level after a time from now.
    fn factor(&self, after_s: f64) -> f64 {
        let level = self.level.speed(after_s);
        let Some(live) = self.live else { return level };
        let lasts = if self.is_known() { (-after_s / LIVE_LASTS_S).exp() } else { 1.0 };
        level * (1.0 + (live - 1.0) * lasts)
    }
}
