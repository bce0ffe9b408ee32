//! Samples as the model uses them: in seconds, by hour of the week, weighted by age.

use super::super::sample::RateSample;

/// The hours of a week.
pub(super) const HOURS: usize = 168;
/// Younger samples are used as they are; of older ones those of an hour are added up.
const FINE_S: i64 = 3 * 3600;
/// A sample of this age counts half.
const HALF_LIFE_S: f64 = 14.0 * 86_400.0;
/// From this share of the limit on, the limit bounds the rate, and not the trees and the link.
pub(super) const BOUND_SHARE: f64 = 0.85;
/// The shortest time that says anything.
const MIN_ACTIVE_S: f64 = 1.0;

/// What was sent in a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Observed {
    /// Seconds since 1970.
    pub(super) start_s: i64,
    pub(super) active_s: f64,
    pub(super) files: f64,
    pub(super) bytes: f64,
    pub(super) limit_bytes_per_s: Option<f64>,
    pub(super) hour: usize,
    /// From 1 for the youngest to 0.
    pub(super) weight: f64,
}

impl Observed {
    /// The limit, if it alone bounded the rate: nothing else took time.
    pub(super) fn bound_by(&self) -> Option<f64> {
        self.limit_bytes_per_s.filter(|limit| self.bytes >= limit * self.active_s * BOUND_SHARE)
    }

    fn of(sample: &RateSample, now_s: i64, offset_s: i64) -> Self {
        let start_s = sample.start.seconds();
        let age_s = now_s.saturating_sub(start_s).max(0) as f64;
        Self {
            start_s,
            active_s: sample.active().as_secs_f64(),
            files: sample.files as f64,
            bytes: sample.bytes as f64,
            limit_bytes_per_s: sample.limit_bytes_per_s.filter(|limit| *limit > 0).map(|limit| limit as f64),
            hour: hour_of_week(start_s, offset_s),
            weight: (-age_s / HALF_LIFE_S).exp2(),
        }
    }
}

/// The hour of the local week of a moment, from 0 to 167; weeks begin on Monday.
pub(super) fn hour_of_week(at_s: i64, utc_offset_s: i64) -> usize {
    // The first of January 1970 was a Thursday.
    const MONDAY_S: i64 = 3 * 86_400;
    let hours = at_s.saturating_add(utc_offset_s).saturating_add(MONDAY_S).div_euclid(3600);
    usize::try_from(hours.rem_euclid(HOURS as i64)).unwrap_or(0)
}

/// The samples until `now_s` in the order of time. `offset_s`: the local time's offset from UTC at a moment.
pub(super) fn observed(samples: &[RateSample], now_s: i64, offset_s: impl Fn(i64) -> i64) -> Vec<Observed> {
    let mut all: Vec<Observed> = Vec::new();
    for sample in samples {
        let start_s = sample.start.seconds();
        if start_s > now_s || sample.active().as_secs_f64() < MIN_ACTIVE_S {
            continue;
        }
        let next = Observed::of(sample, now_s, offset_s(start_s));
        match all.last_mut() {
            Some(last) if start_s < now_s - FINE_S && is_alike(last, &next) => {
                last.active_s += next.active_s;
                last.files += next.files;
                last.bytes += next.bytes;
            }
            _ => all.push(next),
        }
    }
    all
}

/// Whether both are of the same hour, and were bounded by the same limit.
fn is_alike(a: &Observed, b: &Observed) -> bool {
    a.start_s.div_euclid(3600) == b.start_s.div_euclid(3600)
        && a.limit_bytes_per_s == b.limit_bytes_per_s
        && a.bound_by().is_some() == b.bound_by().is_some()
}
