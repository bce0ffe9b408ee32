use super::*;
use crate::event::Counts;
use crate::journal::RecordedRun;
use crate::progress::RateSample;

const DAY_S: u64 = 86_400;
const LIMIT: u64 = 10 << 20;

fn at(second: u64) -> Timestamp {
    Timestamp::from_parts(second.cast_signed(), 0)
}

/// A migration of a million files under a limit of 10 MiB/s.
struct Simulated {
    passes: Passes,
    files: u64,
}

impl Simulated {
    fn new() -> Self {
        let passes = Passes { source: Vec::new(), sink: Vec::new(), passes: Vec::new(), samples: Vec::new() };
        Self { passes, files: 1_000_000 }
    }

    /// A pass whose scan takes 600 s for a million files, and that sends these files of a MiB; returns how long it takes.
    fn pass(&mut self, start_s: u64, files: u64) -> Duration {
        let work = Totals::new(files, u128::from(files) << 20);
        let (scan_s, send_s) = (self.files * 600 / 1_000_000, files / 10);
        let run = RecordedRun::at(self.passes.passes.len() as i64 + 1, at(start_s), at(start_s + scan_s + send_s));
        let scan = RecordedScan {
            started: at(start_s),
            finished: Some(at(start_s + scan_s)),
            source: Counts { files: self.files, dirs: 0, bytes: 0 },
            found: Some(work),
        };
        for minute in 0..send_s / 60 {
            let mut sample = RateSample::new(at(start_s + scan_s + minute * 60), Duration::from_secs(60));
            (sample.files, sample.bytes, sample.limit_bytes_per_s) = (600, 600 << 20, Some(LIMIT));
            self.passes.samples.push(sample);
        }
        let limits_bytes_per_s = (send_s >= 60).then_some(LIMIT..=LIMIT);
        let run = RecordedRun { sent: Some(work), ..run };
        self.passes.passes.push(RecordedPass { run, scan: Some(scan), limits_bytes_per_s });
        Duration::from_secs(scan_s + send_s)
    }

    fn forecast(&self, at_s: u64) -> Option<PassForecast> {
        let estimator = Estimator::new(self.passes.samples.clone().into());
        self.passes.forecast(at(at_s), &estimator, Allowed::Limit(LIMIT))
    }
}

#[test]
fn a_forecast_needs_two_complete_scans() {
    let mut simulated = Simulated::new();
    assert_eq!(simulated.forecast(0), None);
    simulated.pass(0, 50_000);
    assert_eq!(simulated.forecast(DAY_S), None);
    simulated.pass(DAY_S, 3_000);
    let unfinished = RecordedScan { finished: None, ..simulated.passes.passes[1].scan.unwrap() };
    simulated.passes.passes[1].scan = Some(unfinished);
    assert_eq!(simulated.forecast(2 * DAY_S), None);
}

#[test]
fn daily_passes_are_forecast_within_a_factor_of_one_and_a_half() {
    let mut simulated = Simulated::new();
    simulated.pass(0, 50_000);
    simulated.pass(DAY_S, 20_000);
    for (day, files) in [(2, 18_000), (3, 22_000), (4, 15_000), (5, 20_000)] {
        let forecast = simulated.forecast(day * DAY_S).unwrap();
        let took = simulated.pass(day * DAY_S, files);
        let factor = forecast.p50.as_secs_f64() / took.as_secs_f64();
        assert!((1.0 / 1.5..1.5).contains(&factor), "day {day}: {factor}, {forecast:?}");
        assert!(forecast.p90 > took, "day {day}: {forecast:?}");
        assert!(forecast.scan.abs_diff(Duration::from_secs(600)) < Duration::from_secs(1), "{forecast:?}");
    }
}

#[test]
fn a_pass_soon_after_another_finds_less() {
    let mut simulated = Simulated::new();
    for day in 0..3 {
        simulated.pass(day * DAY_S, 20_000);
    }
    let after = |time_s| simulated.forecast(2 * DAY_S + time_s).unwrap().work.files;
    assert_eq!(after(DAY_S), 20_000);
    assert!((1_000..5_000).contains(&after(DAY_S / 12)), "{}", after(DAY_S / 12));
    assert!(after(2 * DAY_S) > 25_000 && after(2 * DAY_S) < 40_000);
}

#[test]
fn what_an_interrupted_pass_left_is_sent_too_but_is_no_change() {
    let mut simulated = Simulated::new();
    simulated.pass(0, 50_000);
    simulated.pass(DAY_S, 10_000);
    // The second run sent a tenth of what it had found; the third finds the rest and 10,000 more.
    simulated.passes.passes[1].run.sent = Some(Totals::new(1_000, 1_000 << 20));
    assert_eq!(simulated.forecast(2 * DAY_S).unwrap().work.files, 9_000 + 10_000);
    simulated.pass(2 * DAY_S, 19_000);
    assert_eq!(simulated.forecast(3 * DAY_S).unwrap().work.files, 10_000);
}

#[test]
fn a_tree_without_changes_costs_its_scan() {
    let mut simulated = Simulated::new();
    simulated.pass(0, 50_000);
    simulated.pass(DAY_S, 0);
    simulated.pass(2 * DAY_S, 0);
    let forecast = simulated.forecast(3 * DAY_S).unwrap();
    assert_eq!((forecast.work, forecast.scan), (Totals::default(), Duration::from_secs(600)));
    assert_eq!(forecast.p50, Duration::from_secs(600));
}

#[test]
fn nothing_ends_while_nothing_may_be_sent() {
    let mut simulated = Simulated::new();
    simulated.pass(0, 50_000);
    simulated.pass(DAY_S, 3_000);
    let estimator = Estimator::new(simulated.passes.samples.clone().into());
    assert_eq!(simulated.passes.forecast(at(2 * DAY_S), &estimator, Allowed::Nothing), None);
}
