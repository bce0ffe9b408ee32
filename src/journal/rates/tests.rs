use proptest::prelude::*;

use super::*;
use crate::journal::tests::open;

fn at(start_s: i64, files: u64) -> RateSample {
    let mut sample = RateSample::new(Timestamp::from_parts(start_s, 0), Duration::from_secs(60));
    sample.files = files;
    sample
}

#[test]
fn samples_are_stored_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let mut full = at(1_800_000_000, u64::MAX >> 1);
    (full.paused, full.bytes, full.limit_bytes_per_s) = (Duration::from_millis(1_500), 1 << 62, Some(5 << 20));
    (full.written_bytes, full.peak_bytes_per_s) = (Some(1 << 61), Some(7));
    full.sink_round_trips = Some(RoundTrips::new(6, Duration::from_micros(1_500), Duration::from_micros(90_000)));
    let samples = [at(1_799_999_900, 3), full];
    let mut db = open(folder.path());
    db.in_transaction(|db| samples.iter().try_for_each(|sample| db.add_sample(sample))).unwrap();
    db.commit().unwrap();
    assert_eq!(read_samples(&folder.path().join("db")).unwrap(), samples);
    assert_eq!(db.thin_samples(Timestamp::from_parts(1_800_000_060, 0)).unwrap(), samples);
}

#[test]
fn hours_replace_the_minutes_of_older_days() {
    const HOUR_S: i64 = 3600;
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(folder.path());
    let begin_s = 500_000 * HOUR_S;
    let minutes = 30 * 60;
    db.in_transaction(|db| (0..minutes).try_for_each(|minute| db.add_sample(&at(begin_s + minute * 60, 1)))).unwrap();
    let now = Timestamp::from_parts(begin_s + minutes * 60, 0);
    let kept = db.in_transaction(|db| db.thin_samples(now)).unwrap();
    db.commit().unwrap();
    assert_eq!(kept.len(), 5 + 25 * 60);
    assert_eq!((kept[0].duration.as_secs(), kept[0].files), (3600, 60));
    assert_eq!(kept.iter().map(|one| one.files).sum::<u64>(), 30 * 60);
    assert_eq!(read_samples(&folder.path().join("db")).unwrap(), kept);
}

#[test]
fn without_a_database_there_are_no_samples() {
    let folder = tempfile::tempdir().unwrap();
    assert!(read_samples(&folder.path().join("none")).unwrap().is_empty());
    assert!(!folder.path().join("none").exists());
    let old = folder.path().join("old");
    Connection::open(&old).unwrap().execute_batch("CREATE TABLE run(id INTEGER PRIMARY KEY)").unwrap();
    assert!(read_samples(&old).unwrap().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_database_keeps_what_thinning_keeps(
        starts in prop::collection::btree_set(1_700_000_000_i64..1_712_000_000, 0..60),
        now_s in 1_700_000_000_i64..1_712_000_000,
        limits in prop::collection::vec(prop::option::of(1_u64..4), 60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut db = open(folder.path());
        let sample = |(start_s, limit): (&i64, &Option<u64>)| {
            let mut sample = at(*start_s, 1);
            sample.limit_bytes_per_s = *limit;
            sample
        };
        let samples: Vec<_> = starts.iter().zip(&limits).map(sample).collect();
        let now = Timestamp::from_parts(now_s, 0);
        let kept = db.in_transaction(|db| {
            samples.iter().try_for_each(|sample| db.add_sample(sample))?;
            db.thin_samples(now)
        }).unwrap();
        prop_assert_eq!(&kept, &thin(&samples, now_s));
        db.commit().unwrap();
        prop_assert_eq!(read_samples(&folder.path().join("db")).unwrap(), kept);
    }
}
