//! How the speed depends on the hour of the week.

use super::costs::{Costs, Work};
use super::observed::{HOURS, Observed};

/// The speed in each hour of the week, relative to the usual one, without a limit.
#[derive(Clone, Debug)]
pub(super) struct Profile([f64; HOURS]);

impl Default for Profile {
    fn default() -> Self {
        Self([1.0; HOURS])
    }
}

/// A mean counts as much as observations of this length when it stands for hours that it includes.
const SHRINKAGE_S: f64 = 7200.0;
/// No hour is slower than this: it would never end.
const SLOWEST: f64 = 0.02;

/// The mean of speeds, weighted by time.
#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    time_s: f64,
}

impl Mean {
    fn add(&mut self, speed: f64, time_s: f64) {
        self.sum += speed * time_s;
        self.time_s += time_s;
    }

    /// The mean, drawn towards `wider` the fewer observations it has.
    fn shrunk_to(&self, wider: f64) -> f64 {
        (self.sum + wider * SHRINKAGE_S) / (self.time_s + SHRINKAGE_S)
    }
}

impl Profile {
    /// Each hour of the week is drawn towards the same hour of all working days or of the weekend, that towards the
    /// same hour of all days, and that towards the mean. Speeds are relative to `levels`, those of the day around each
    /// sample (1 if there are none): a lasting change is no property of the hours after it.
    pub(super) fn of(observed: &[Observed], costs: &Costs, levels: &[f64]) -> Self {
        let (mut all, mut of_day, mut of_kind) = (Mean::default(), [Mean::default(); 24], [Mean::default(); 48]);
        let mut of_week = [Mean::default(); HOURS];
        let mut under_limit = [Mean::default(); HOURS];
        for (number, one) in observed.iter().enumerate() {
            let work = Work { files: one.files, bytes: one.bytes };
            let time_s = one.active_s * one.weight;
            let level = levels.get(number).copied().unwrap_or(1.0);
            let speed = costs.time_s(work, 1.0, None) / one.active_s / level;
            if costs.bound_by(one).is_some() {
                under_limit[one.hour].add(speed, time_s);
                continue;
            }
            all.add(speed, time_s);
            of_day[one.hour % 24].add(speed, time_s);
            of_kind[kind(one.hour)].add(speed, time_s);
            of_week[one.hour].add(speed, time_s);
        }
        let all = all.shrunk_to(1.0);
        Self(std::array::from_fn(|hour| {
            let of_kind = of_kind[kind(hour)].shrunk_to(of_day[hour % 24].shrunk_to(all));
            let speed = of_week[hour].shrunk_to(of_kind);
            // Where a limit bounded the rate, at least that was possible.
            let reached = under_limit[hour];
            let reached = if reached.time_s > 0.0 { reached.sum / reached.time_s } else { 0.0 };
            speed.max(reached).max(SLOWEST)
        }))
    }

    pub(super) fn speed(&self, hour: usize) -> f64 {
        self.0.get(hour).copied().unwrap_or(1.0)
    }
}

/// The hour of a working day, or of a day of the weekend.
fn kind(hour: usize) -> usize {
    hour % 24 + if hour >= 5 * 24 { 24 } else { 0 }
}
