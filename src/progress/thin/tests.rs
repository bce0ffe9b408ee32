use proptest::prelude::*;
use towpath_backend::Timestamp;

use super::*;

fn sample(start_s: i64, limit: Option<u64>) -> RateSample {
    let mut sample = RateSample::new(Timestamp::from_parts(start_s, 0), Duration::from_secs(60));
    (sample.files, sample.bytes, sample.limit_bytes_per_s) = (1, 1000, limit);
    sample
}

fn files(samples: &[RateSample]) -> u64 {
    samples.iter().map(|one| one.files).sum()
}

proptest! {
    /// Nothing young is lost, nothing is counted twice, and thinning again changes nothing.
    #[test]
    fn what_is_kept_adds_up(
        samples in prop::collection::vec((0_i64..120 * 86_400, prop::option::of(1_u64..8)), 0..300),
        now_s in 0_i64..120 * 86_400,
    ) {
        let mut samples: Vec<_> = samples.into_iter().map(|(start_s, limit)| sample(start_s, limit)).collect();
        samples.sort_by_key(|one| one.start);
        samples.dedup_by_key(|one| one.start);
        let kept = thin(&samples, now_s);
        let is_valid = |one: &&RateSample| (now_s - KEPT_S..=now_s + 60).contains(&one.start.seconds());
        let valid: Vec<_> = samples.iter().filter(is_valid).copied().collect();
        prop_assert_eq!(files(&kept), files(&valid));
        prop_assert!(kept.is_sorted_by(|a, b| a.start < b.start));
        prop_assert_eq!(thin(&kept, now_s), kept);
    }

    /// Whenever samples are thinned in between, there are never too many.
    #[test]
    fn the_number_is_bounded(step_s in 1_i64..7, limits in 1_u64..20, seed in 0_u64..1000) {
        let (mut kept, mut now_s) = (Vec::new(), 1_700_000_000_i64);
        for number in 0..3_000_u64 {
            now_s += if number % 500 == 499 { 20 * 86_400 } else { step_s };
            kept.push(sample(now_s, Some((number + seed) % limits)));
            if number % 200 == 0 {
                kept = thin(&kept, now_s);
            }
        }
        let kept = thin(&kept, now_s);
        prop_assert!(kept.len() <= MAX_SAMPLES);
        let hours: std::collections::BTreeSet<_> = kept.iter().map(|one| one.start.seconds() / 3600).collect();
        prop_assert!(kept.len() <= hours.len() * 60);
    }
}

#[test]
fn a_quarter_of_a_year_of_minutes_fits() {
    let now_s = 1_700_000_000;
    let samples: Vec<_> = (0..15 * 7 * 1440).rev().map(|minute| sample(now_s - minute * 60, None)).collect();
    let kept = thin(&samples, now_s);
    assert!(kept.len() <= 26 * 60 + 14 * 168 && kept.len() <= MAX_SAMPLES, "{}", kept.len());
    assert!(kept.len() > 24 * 60 + 13 * 168, "{}", kept.len());
}

#[test]
fn samples_of_the_future_and_of_long_ago_are_dropped() {
    let now_s = 1_700_000_000;
    let samples = [sample(now_s - KEPT_S - 1, None), sample(now_s, None), sample(now_s + 61, None)];
    assert_eq!(thin(&samples, now_s), samples[1..2]);
}
