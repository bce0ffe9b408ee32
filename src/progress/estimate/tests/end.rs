//! The forecast of the end, as the estimator gives it.

use super::*;
use crate::progress::RateSample;

/// A Monday, 00:00 UTC.
const MONDAY_S: i64 = 1_767_571_200;
const HOUR_S: i64 = 3600;
const MB: u64 = 1_000_000;

/// Hours before Monday in which files of 1 MB were sent at this rate.
fn history(hours: i64, bytes_per_s: u64, limit: Option<u64>) -> RateHistory {
    let sample = |hour: i64| {
        let start = Timestamp::from_parts(MONDAY_S - hour * HOUR_S, 0);
        let mut sample = RateSample::new(start, Duration::from_secs(3600));
        sample.bytes = bytes_per_s * 3600;
        sample.files = sample.bytes / MB;
        sample.limit_bytes_per_s = limit;
        sample
    };
    (1..=hours).rev().map(sample).collect::<Vec<_>>().into()
}

/// The estimate at the start of a run that sends so many bytes in files of 1 MB.
fn at_start(estimator: &mut Estimator, bytes: u64) -> Estimate {
    let pending = Totals { files: bytes / MB, bytes: bytes.into() };
    estimator.estimate_at(Instant::now(), Timestamp::from_parts(MONDAY_S, 0), &snapshot(0, pending))
}

#[track_caller]
fn assert_about(time: Option<Duration>, expected_s: u64) {
    let time_s = time.unwrap().as_secs_f64();
    let expected_s = expected_s as f64;
    assert!((expected_s * 0.97..=expected_s * 1.03).contains(&time_s), "{time_s} s instead of {expected_s} s");
}

/// A timetable by hour of the day, in UTC.
struct ByHour(fn(i64) -> Allowed);

impl Outlook for ByHour {
    fn allowed(&self, at: Timestamp, _: Allowed) -> Allowed {
        (self.0)(at.seconds().rem_euclid(24 * HOUR_S) / HOUR_S)
    }
}

#[test]
fn earlier_days_give_an_estimate_before_anything_is_sent() {
    assert_eq!(at_start(&mut Estimator::default(), 36_000 * MB).p50, None);
    let mut estimator = Estimator::new(history(100, 10 * MB, None));
    let estimate = at_start(&mut estimator, 36_000 * MB);
    assert_about(estimate.p50, 3_600);
    assert!(estimate.p90 > estimate.p50 && estimate.p90 < estimate.p50.map(|time| time * 13 / 10), "{estimate:?}");
}

#[test]
fn limits_and_pauses_of_the_timetable_count() {
    let timetable = |hour| match hour {
        0 => Allowed::Limit(MB),
        1 => Allowed::Nothing,
        _ => Allowed::Unlimited,
    };
    let mut estimator = Estimator::new(history(100, 10 * MB, None)).with_outlook(ByHour(timetable));
    // An hour at 1 MB/s, an hour's pause, and an hour at 10 MB/s.
    assert_about(at_start(&mut estimator, 39_600 * MB).p50, 3 * 3_600);
}

#[test]
fn a_pause_without_an_end_has_no_end() {
    let mut estimator = Estimator::new(history(100, 10 * MB, None)).with_outlook(ByHour(|_| Allowed::Nothing));
    assert_eq!(at_start(&mut estimator, 39_600 * MB).p50, None);
    let mut estimator = Estimator::new(history(100, 10 * MB, None));
    let mut paused = snapshot(0, Totals { files: 1, bytes: 1_000_000 });
    paused.paused = true;
    assert_eq!(estimator.estimate(Instant::now(), &paused).p50, None);
}

#[test]
fn beyond_a_year_nothing_is_distinguished() {
    let mut estimator = Estimator::new(history(100, 1000, None));
    for bytes in [100_000 * MB, u64::MAX] {
        let estimate = at_start(&mut estimator, bytes);
        assert_eq!((estimate.p50, estimate.p90), (Some(Estimate::YEAR), Some(Estimate::YEAR)));
    }
    let estimate = at_start(&mut estimator, 20_000 * MB);
    assert!(estimate.p50 < Some(Estimate::YEAR), "{estimate:?}");
}

#[test]
fn the_limit_for_a_deadline_is_the_lowest_that_suffices() {
    let deadline = |after_s| Timestamp::from_parts(MONDAY_S + after_s, 0);
    let mut estimator = Estimator::new(history(100, 10 * MB, None)).with_outlook(ByHour(|_| Allowed::Limit(1_000_000)));
    assert_eq!(estimator.limit_to_end_by(deadline(3600)), None, "nothing is known yet");
    assert_about(at_start(&mut estimator, 36_000 * MB).p50, 36_000);
    let limit = estimator.limit_to_end_by(deadline(2 * 3600)).unwrap();
    assert!((4_900_000..5_200_000).contains(&limit), "{limit}");
    assert_eq!(estimator.limit_to_end_by(deadline(3_000)), None, "the link is not that fast");
    assert_eq!(estimator.limit_to_end_by(deadline(-1)), None);
}

#[test]
fn a_stall_is_expected_to_pass_if_earlier_ones_did() {
    let (mut estimator, start) = (Estimator::new(history(100, 10 * MB, None)), Instant::now());
    let pending = Totals { files: 36_000, bytes: u128::from(36_000 * MB) };
    let mut last = Estimate::default();
    for second in 0..=120 {
        let at = Timestamp::from_parts(MONDAY_S + second, 0);
        let now = start + Duration::from_secs(second.cast_unsigned());
        last = estimator.estimate_at(now, at, &snapshot(0, pending));
    }
    assert_eq!(last.backlog, None, "at the rate of the last minutes it never ends");
    let p50 = last.p50.unwrap().as_secs();
    assert!((3_900..5_400).contains(&p50), "{p50}");
}

#[test]
fn what_is_measured_now_counts_for_a_while() {
    let (mut estimator, start) = (Estimator::new(history(100, 10 * MB, None)), Instant::now());
    let mut last = Estimate::default();
    for second in 0..=60 {
        // Twice as fast as ever before.
        let written = second * 20 * MB;
        let pending = Totals { files: (200_000 * MB - written) / MB, bytes: u128::from(200_000 * MB - written) };
        let at = Timestamp::from_parts(MONDAY_S + second.cast_signed(), 0);
        last = estimator.estimate_at(start + Duration::from_secs(second), at, &snapshot(written, pending));
    }
    let p50 = last.p50.unwrap().as_secs();
    assert!((18_300..19_700).contains(&p50), "{p50}");
}

fn any_sample() -> impl Strategy<Value = RateSample> {
    let times = (0_i64..50_000_000, 0_u64..7_200, 0_u64..7_200);
    (times, any::<u64>(), any::<u64>(), prop::option::of(any::<u64>()), any::<bool>()).prop_map(
        |((start_s, duration_s, paused_s), files, bytes, limit, is_huge)| {
            let start = Timestamp::from_parts(MONDAY_S - 40_000_000 + start_s, 0);
            let mut sample = RateSample::new(start, Duration::from_secs(duration_s));
            sample.paused = Duration::from_secs(paused_s);
            sample.files = if is_huge { files } else { files >> 50 };
            sample.bytes = if is_huge { bytes } else { bytes >> 25 };
            sample.limit_bytes_per_s = limit;
            sample
        },
    )
}

struct Any([Option<u64>; 24]);

impl Outlook for Any {
    fn allowed(&self, at: Timestamp, _: Allowed) -> Allowed {
        let hour = usize::try_from(at.seconds().rem_euclid(24 * HOUR_S) / HOUR_S).unwrap();
        match self.0[hour] {
            None => Allowed::Unlimited,
            Some(limit) if limit % 3 == 0 => Allowed::Nothing,
            Some(limit) => Allowed::Limit(limit),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Whatever is counted, and whatever was before: p50 is not after p90, and neither is after a year.
    #[test]
    fn the_end_is_within_a_year_or_unknown(
        mut samples in prop::collection::vec(any_sample(), 0..40),
        outlook in prop::array::uniform24(prop::option::of(any::<u64>())),
        steps in prop::collection::vec((any::<u64>(), any::<u128>(), any::<u64>(), any::<u64>(), 0_u64..100_000), 1..12),
        paused: bool,
    ) {
        samples.sort_by_key(|sample| sample.start);
        let mut estimator = Estimator::new(samples.into()).with_outlook(Any(outlook));
        let (start, mut at) = (Instant::now(), Duration::ZERO);
        for (files, bytes, written, holes, millis) in steps {
            at += Duration::from_millis(millis);
            let wall = Timestamp::from_parts(MONDAY_S + at.as_secs().cast_signed(), 0);
            let now = Snapshot {
                hole_bytes: holes.into(),
                paused,
                ..snapshot(written, Totals { files, bytes })
            };
            let estimate = estimator.estimate_at(start + at, wall, &now);
            if let Some(p50) = estimate.p50 {
                prop_assert!(p50 <= Estimate::YEAR && estimate.p90.is_some_and(|p90| p50 <= p90 && p90 <= Estimate::YEAR));
            } else {
                prop_assert_eq!(estimate.p90, None);
            }
            let _any_limit = estimator.limit_to_end_by(wall);
        }
    }
}
