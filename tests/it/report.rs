//! What a run records for a report, and `towpath report`.

use std::time::Duration;

use towpath::{Account, Migration, Overview};

use crate::common::*;

#[test]
fn a_run_records_its_options_what_others_felt_and_its_slowest_files() {
    let bench = Bench::new();
    bench.write("large", noise(1, 4 << 20));
    bench.write("small", "data");
    bench.sync(&["--bwlimit", "1M", "--exclude", "*.tmp"]).with_status(0);
    let overview = Overview::read(bench.database(), 10).unwrap().unwrap();
    let options: serde_json::Value = serde_json::from_str(overview.runs[0].options.as_deref().unwrap()).unwrap();
    assert_eq!((options["bwlimit"].as_u64(), options["filters"][0].as_str()), (Some(1 << 20), Some("- *.tmp")));
    let account = Account::read(bench.database(), 10).unwrap().unwrap();
    let slowest: Vec<_> = account.slowest.iter().map(|file| (&file.path[..], file.size_bytes)).collect();
    assert_eq!(slowest, [(&b"large"[..], 4 << 20)]);
    assert!(account.slowest[0].took > Duration::from_secs(2), "{:?}", account.slowest);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let samples = runtime.block_on(Migration::rate_samples(&bench.database())).unwrap();
    let sample = samples[0];
    // A sample begins up to a second after the first byte.
    assert!(sample.written_bytes.is_some_and(|bytes| (2 << 20..=(4 << 20) + 4).contains(&bytes)), "{samples:?}");
    assert!(sample.peak_bytes_per_s.is_some_and(|peak| (500_000..=1 << 20).contains(&peak)), "{samples:?}");
    for round_trips in [sample.source_round_trips, sample.sink_round_trips] {
        let round_trips = round_trips.expect("a request after two seconds");
        assert!(round_trips.requests >= 1 && round_trips.median <= round_trips.p95, "{round_trips:?}");
    }
}
