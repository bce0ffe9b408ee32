//! How fast it is compared with what costs and hours say, and for how long that is to be expected.

use super::spread::Expected;

/// The shortest time to come that is distinguished, and how many; each is twice as long as the one before.
const SHORTEST_S: f64 = 1800.0;
const HORIZONS: u32 = 12;
/// The shortest past that is taken for the time to come.
const LEAST_PAST_S: f64 = 1800.0;
/// The mean of a longer past counts like so much of the shorter one: a stall does not last.
const SHRINKAGE_S: f64 = 1800.0;
const LONGER: f64 = 4.0;
const LEAST_LONGER_S: f64 = 4.0 * 3600.0;
/// The number of earlier moments, and the least time between them.
const MOMENTS: f64 = 64.0;
const LEAST_STEP_S: f64 = 900.0;
/// What went wrong is forgotten in as long as the time to come, and not before a day.
const DAY_S: f64 = 86_400.0;
/// The current speed is the lowest of these pasts.
const CURRENT_S: [f64; 3] = [1800.0, 3600.0, 4.0 * 3600.0];
const MIN_SPEED: f64 = 1e-3;
const MAX_SPEED: f64 = 1e3;
/// The largest error of a logarithm that is counted: otherwise a stall would outweigh everything.
const MAX_ERROR: f64 = 1.4;
/// The speed after some time is at least this share of the mean until then.
const LEAST_SHARE: f64 = 0.2;

/// The speed relative to the expected one in the time to come, by the length of that time.
#[derive(Clone, Debug)]
pub(super) struct Level {
    horizons: Vec<Horizon>,
    current: f64,
}

/// What is to be expected over a time to come.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Horizon {
    time_s: f64,
    speed: f64,
    /// The variance of its logarithm.
    variance: f64,
}

impl Level {
    pub(super) fn of(stretches: &[Expected]) -> Self {
        let past = Past::of(stretches);
        let current = CURRENT_S.iter().map(|past_s| past.speed(past.end_s() - past_s, past.end_s()));
        let moments = past.moments();
        let candidates = past.candidates(&moments);
        let times = (0..HORIZONS).map(|n| SHORTEST_S * f64::from(1_u32 << n));
        let horizons = times.map(|time_s| past.horizon(time_s, &moments, &candidates));
        Self { horizons: horizons.collect(), current: current.fold(MAX_SPEED, f64::min) }
    }

    /// The speed at a moment after `after_s`.
    pub(super) fn speed(&self, after_s: f64) -> f64 {
        let after = self.horizons.partition_point(|one| one.time_s <= after_s);
        let before = after.checked_sub(1).and_then(|at| self.horizons.get(at));
        match (before, self.horizons.get(after)) {
            (Some(before), Some(next)) => {
                let between = next.speed * next.time_s - before.speed * before.time_s;
                (between / (next.time_s - before.time_s)).max(next.speed * LEAST_SHARE)
            }
            (None, Some(only)) | (Some(only), None) => only.speed,
            (None, None) => 1.0,
        }
    }

    /// The variance of the logarithm of the mean speed until `time_s`: how wrong such forecasts were, how much slower it
    /// is now than is expected then, and how much slower it became in a past of the same length.
    pub(super) fn variance(&self, time_s: f64) -> f64 {
        let after = self.horizons.partition_point(|one| one.time_s <= time_s);
        let before = after.checked_sub(1).and_then(|at| self.horizons.get(at));
        let (speed, variance) = match (before, self.horizons.get(after)) {
            (Some(before), Some(next)) => {
                let share = (time_s - before.time_s) / (next.time_s - before.time_s);
                let between = |a: f64, b: f64| a + (b - a) * share;
                (between(before.speed, next.speed), between(before.variance, next.variance))
            }
            (None, Some(only)) | (Some(only), None) => (only.speed, only.variance),
            (None, None) => return 0.0,
        };
        variance + (speed / self.current).ln().max(0.0).powi(2)
    }
}

/// The mean speed of the day around each stretch: of a whole day, in which day and night do not differ.
pub(super) fn of_days(stretches: &[Expected]) -> Vec<f64> {
    let past = Past::of(stretches);
    let latest_s = (past.end_s() - DAY_S).max(0.0);
    let around = |ends: &[f64]| {
        let from_s = (f64::midpoint(ends[0], ends[1]) - DAY_S / 2.0).clamp(0.0, latest_s);
        past.speed(from_s, from_s + DAY_S)
    };
    past.active_s.windows(2).map(around).collect()
}

/// Sums up to the end of each stretch. Moments are counted in time in which files were sent.
struct Past {
    active_s: Vec<f64>,
    expected_s: Vec<f64>,
}

impl Past {
    fn of(stretches: &[Expected]) -> Self {
        let sums = |of: fn(&Expected) -> f64| {
            let sum = |sum: &mut f64, one: &Expected| {
                *sum += of(one);
                Some(*sum)
            };
            std::iter::once(0.0).chain(stretches.iter().scan(0.0, sum)).collect()
        };
        Self { active_s: sums(|one| one.active_s), expected_s: sums(|one| one.expected_s) }
    }

    fn end_s(&self) -> f64 {
        self.active_s.last().copied().unwrap_or(0.0)
    }

    /// The mean speed between two moments.
    fn speed(&self, from_s: f64, to_s: f64) -> f64 {
        let (from_s, to_s) = (from_s.max(0.0), to_s.min(self.end_s()));
        if to_s <= from_s {
            return 1.0;
        }
        ((self.expected_until(to_s) - self.expected_until(from_s)) / (to_s - from_s)).clamp(MIN_SPEED, MAX_SPEED)
    }

    fn expected_until(&self, at_s: f64) -> f64 {
        let after = self.active_s.partition_point(|end_s| *end_s <= at_s);
        let of = |sums: &[f64], at: usize| sums.get(at).copied().unwrap_or(0.0);
        let Some(before) = after.checked_sub(1) else { return 0.0 };
        let (begin_s, expected_s) = (of(&self.active_s, before), of(&self.expected_s, before));
        if after == self.active_s.len() {
            return expected_s;
        }
        let share = (at_s - begin_s) / (of(&self.active_s, after) - begin_s);
        expected_s + (of(&self.expected_s, after) - expected_s) * share
    }

    /// What would be foreseen at a moment from the `past_s` before it.
    fn foreseen(&self, at_s: f64, past_s: f64) -> f64 {
        let past_s = past_s.min(at_s);
        let longer = self.speed(at_s - (past_s * LONGER).max(LEAST_LONGER_S), at_s);
        (self.speed(at_s - past_s, at_s) * past_s + longer * SHRINKAGE_S) / (past_s + SHRINKAGE_S)
    }

    /// Earlier moments at which it is checked what would have been foreseen.
    fn moments(&self) -> Vec<f64> {
        let end_s = self.end_s();
        let step_s = (end_s / MOMENTS).max(LEAST_STEP_S);
        let moments = std::iter::successors(Some(end_s - step_s), |at_s| Some(at_s - step_s));
        moments.take_while(|at_s| *at_s > LEAST_PAST_S).collect()
    }

    /// What would have been foreseen from pasts of each length.
    fn candidates(&self, moments: &[f64]) -> Vec<Candidate> {
        let end_s = self.end_s();
        let lengths = std::iter::successors(Some(LEAST_PAST_S), |past_s| (*past_s < end_s).then_some(past_s * 2.0));
        let candidate = |past_s| Candidate {
            now: self.foreseen(end_s, past_s),
            earlier: moments.iter().map(|at_s| self.foreseen(*at_s, past_s).ln()).collect(),
        };
        lengths.map(candidate).collect()
    }

    /// What is to be expected over a time to come: what is foreseen from the past of that length with which earlier
    /// forecasts over such a time would have been best.
    fn horizon(&self, time_s: f64, moments: &[f64], candidates: &[Candidate]) -> Horizon {
        let end_s = self.end_s();
        let known = |at_s: &f64| {
            let known_s = (end_s - at_s).min(time_s);
            let weight = known_s / time_s * (-(end_s - at_s) / time_s.max(DAY_S)).exp();
            (self.speed(*at_s, at_s + known_s).ln(), weight)
        };
        let known: Vec<_> = moments.iter().map(known).collect();
        let (mut speed, mut least) = (1.0, f64::INFINITY);
        for candidate in candidates {
            let error = mean_square_error(&candidate.earlier, &known);
            if error < least {
                (speed, least) = (candidate.now, error);
            }
        }
        Horizon { time_s, speed, variance: least + self.slowdown(time_s).powi(2) }
    }

    /// The logarithm of how much slower the second half of the last `time_s` was than the first.
    fn slowdown(&self, time_s: f64) -> f64 {
        let end_s = self.end_s();
        let half_s = time_s.min(end_s) / 2.0;
        let halves = [self.speed(end_s - 2.0 * half_s, end_s - half_s), self.speed(end_s - half_s, end_s)];
        (halves[0] / halves[1]).ln().max(0.0)
    }
}

/// A length of the past.
struct Candidate {
    /// The speed that is foreseen from it.
    now: f64,
    /// The logarithms of what would have been foreseen at earlier moments.
    earlier: Vec<f64>,
}

/// How wrong logarithms were that were foreseen, beside those that are known by now, with their weights.
fn mean_square_error(foreseen: &[f64], known: &[(f64, f64)]) -> f64 {
    let (mut sum, mut weights) = (0.0, 0.0);
    for (foreseen, (known, weight)) in foreseen.iter().zip(known) {
        sum += weight * (known - foreseen).clamp(-MAX_ERROR, MAX_ERROR).powi(2);
        weights += weight;
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stretches(speeds: impl IntoIterator<Item = f64>) -> Vec<Expected> {
        speeds.into_iter().map(|speed| Expected { expected_s: 3600.0 * speed, active_s: 3600.0 }).collect()
    }

    #[test]
    fn without_a_past_everything_is_as_expected() {
        let level = Level::of(&[]);
        assert_eq!((level.speed(0.0), level.speed(1e9), level.variance(1e6)), (1.0, 1.0, 0.0));
        assert!(of_days(&[]).is_empty());
    }

    #[test]
    fn a_lasting_drop_is_expected_to_last_and_a_stall_is_not() {
        let dropped = Level::of(&stretches((0..100).map(|hour| if hour < 90 { 1.0 } else { 0.3 })));
        for after_s in [0.0, 3600.0, DAY_S, 20.0 * DAY_S] {
            assert!((0.29..0.4).contains(&dropped.speed(after_s)), "{}", dropped.speed(after_s));
        }
        assert!(dropped.variance(DAY_S) > 0.1);
        let stalled = Level::of(&stretches((0..100).map(|hour| if hour == 99 { 0.0 } else { 1.0 })));
        for after_s in [0.0, 3600.0, DAY_S] {
            assert!(stalled.speed(after_s) > 0.1, "{}", stalled.speed(after_s));
        }
        let over = Level::of(&stretches((0..110).map(|hour| if hour == 99 { 0.0 } else { 1.0 })));
        assert!(over.speed(DAY_S) > 0.85, "{}", over.speed(DAY_S));
    }

    #[test]
    fn what_changes_every_hour_is_its_mean_in_the_long_run() {
        let level = Level::of(&stretches((0..200).map(|hour| if hour % 2 == 0 { 0.5 } else { 1.5 })));
        assert!((0.9..1.1).contains(&level.speed(2.0 * DAY_S)), "{}", level.speed(2.0 * DAY_S));
    }

    #[test]
    fn the_speed_of_the_day_around_a_stretch_has_no_day_and_night() {
        let days = of_days(&stretches((0..96).map(|hour| if hour % 24 < 12 { 0.5 } else { 1.5 })));
        assert!(days.iter().all(|speed| (speed - 1.0).abs() < 1e-6), "{days:?}");
    }
}
