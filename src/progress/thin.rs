//! Which samples are kept: minutes for a day, hours for 14 weeks.

use std::collections::BTreeMap;
use std::time::Duration;

use super::sample::RateSample;

const MINUTE_S: i64 = 60;
const HOUR_S: i64 = 3600;
/// Samples are kept by minute for so long.
const FINE_S: i64 = 24 * HOUR_S;
/// Samples are kept for so long.
const KEPT_S: i64 = 14 * 7 * 24 * HOUR_S;
/// The most samples of one hour: one for each limit.
const MAX_PER_HOUR: usize = 4;

/// The most samples that are kept.
#[cfg(test)]
pub(crate) const MAX_SAMPLES: usize =
    ((FINE_S + 2 * HOUR_S) / MINUTE_S) as usize + 2 + MAX_PER_HOUR * ((KEPT_S - FINE_S) / HOUR_S + 2) as usize;

/// What is kept of `samples` at `now_s` (seconds since 1970), by the time they began. Samples of the same minute, or of
/// the same hour if they are more than a day old, are added up, those with different limits apart. Samples of the
/// future are dropped: the clock was wrong.
pub(crate) fn thin(samples: &[RateSample], now_s: i64) -> Vec<RateSample> {
    let mut fine = BTreeMap::<i64, Vec<RateSample>>::new();
    let mut coarse = fine.clone();
    for sample in samples {
        let start_s = sample.start.seconds();
        let age_s = now_s.saturating_sub(start_s);
        // A whole hour is coarse at once, so that thinning again changes nothing.
        let hour_age_s = now_s.saturating_sub(start_s - start_s.rem_euclid(HOUR_S));
        if !(-MINUTE_S..=KEPT_S).contains(&age_s) {
            continue;
        }
        let (bucket, of_bucket) =
            if hour_age_s > FINE_S + HOUR_S { (HOUR_S, &mut coarse) } else { (MINUTE_S, &mut fine) };
        add(of_bucket.entry(start_s.div_euclid(bucket)).or_default(), sample);
    }
    let merge = |(most, mut bucket): (usize, Vec<RateSample>)| {
        merge(&mut bucket, most);
        bucket
    };
    let coarse = coarse.into_values().map(|bucket| (MAX_PER_HOUR, bucket));
    let mut kept: Vec<_> = coarse.chain(fine.into_values().map(|bucket| (1, bucket))).flat_map(merge).collect();
    kept.sort_by_key(|sample| sample.start);
    kept.dedup_by_key(|sample| sample.start);
    kept
}

/// Adds a sample to those with the same limit.
fn add(bucket: &mut Vec<RateSample>, sample: &RateSample) {
    match bucket.iter_mut().find(|one| one.limit_bytes_per_s == sample.limit_bytes_per_s) {
        Some(one) => one.add(sample),
        None => bucket.push(*sample),
    }
}

/// Adds the shortest ones to the longest one until no more than `most` are left.
fn merge(bucket: &mut Vec<RateSample>, most: usize) {
    let length = |one: &RateSample| -> Duration { one.active() };
    bucket.sort_by_key(|one| (std::cmp::Reverse(length(one)), one.start));
    while bucket.len() > most {
        let Some(last) = bucket.pop() else { return };
        if let Some(longest) = bucket.first_mut() {
            longest.add(&last);
        }
    }
}

#[cfg(test)]
mod tests;
