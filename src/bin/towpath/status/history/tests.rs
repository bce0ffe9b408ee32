//! Tests of the history.

use std::time::Duration;

use jiff::SignedDuration;
use towpath::{AdaptiveLimit, Bandwidth};

use super::*;

const START_S: i64 = 1_800_000_000;

struct Run {
    history: History,
    begun: Instant,
    second: i64,
    snapshot: Snapshot,
}

impl Run {
    fn new(earlier: Vec<RateSample>) -> Self {
        let history = History::new(time(0), earlier.into());
        let mut run = Self { history, begun: Instant::now(), second: 0, snapshot: Snapshot::default() };
        run.note();
        run
    }

    fn note(&mut self) {
        let now = self.begun + Duration::from_secs(self.second.unsigned_abs());
        self.history.note(now, time(self.second), &self.snapshot);
    }

    fn send(&mut self, seconds: i64, bytes_per_s: u64) {
        for _ in 0..seconds {
            self.second += 1;
            self.snapshot.written_bytes += bytes_per_s;
            self.note();
        }
    }

    fn series(&self, window: Window) -> Series {
        self.history.series(window, time(self.second))
    }
}

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(START_S + second).unwrap()
}

fn sample(start_s: i64, length_s: u64, bytes: u64) -> RateSample {
    let start = towpath::Timestamp::from_parts(START_S + start_s, 0);
    let mut sample = RateSample::new(start, Duration::from_secs(length_s));
    sample.bytes = bytes;
    sample
}

#[test]
fn a_run_that_begins_has_no_steps() {
    let series = Run::new(Vec::new()).series(Window::Hour);
    assert_eq!((series.bytes_per_s.len(), series.step_s), (0, 5));
}

#[test]
fn rates_limits_pauses_and_delays_are_means_of_each_step() {
    let mut run = Run::new(Vec::new());
    run.send(4, 100);
    run.snapshot.bandwidth = Bandwidth::Limit(50);
    run.send(5, 50);
    run.snapshot.paused = true;
    run.send(5, 0);
    run.snapshot.paused = false;
    run.snapshot.bandwidth = Bandwidth::Auto { max_bytes_per_s: None };
    run.snapshot.adaptive_limit = Some(AdaptiveLimit::new(70, Duration::from_micros(1500)));
    run.send(4, 60);
    let series = run.series(Window::Hour);
    assert_eq!(series.start, time(0));
    assert_eq!(series.bytes_per_s, [Some(100), Some(50), Some(0), Some(60)]);
    assert_eq!(series.limit_bytes_per_s, [None, Some(50), Some(50), Some(70)]);
    assert_eq!(series.paused_percent, [Some(0), Some(0), Some(100), Some(0)]);
    assert_eq!(series.delay_ms, [None, None, None, Some(1.5)]);
}

#[test]
fn no_series_has_more_than_720_steps_and_none_loses_the_newest() {
    let mut run = Run::new(Vec::new());
    run.send(100_000, 1000);
    for (window, step_s) in [(Window::Hour, 5), (Window::Day, 120), (Window::All, 1200)] {
        let series = run.series(window);
        assert!(series.bytes_per_s.len() <= STEPS && series.bytes_per_s.len() >= 83, "{window:?}");
        assert_eq!(series.step_s, step_s, "{window:?}");
        assert!(series.bytes_per_s.iter().all(|rate| *rate == Some(1000)), "{window:?}");
        let end = series.start + SignedDuration::from_secs(step_s * series.bytes_per_s.len() as i64);
        assert!(end > time(run.second) && end <= time(run.second + step_s), "{window:?}");
        for values in [series.limit_bytes_per_s.len(), series.delay_ms.len(), series.paused_percent.len()] {
            assert_eq!(values, series.bytes_per_s.len(), "{window:?}");
        }
    }
}

#[test]
fn earlier_runs_come_from_their_samples() {
    let (hour, day) = (3600, 86_400);
    let earlier = vec![
        sample(-20 * day, 3600, 3600 * 7),
        sample(-2 * hour, 60, 6000),
        // Until after this run began, by the clock.
        sample(-60, 120, 2400),
        sample(600, 60, 1),
    ];
    let mut run = Run::new(earlier);
    run.send(60, 500);
    let all = run.series(Window::All);
    assert_eq!((all.step_s, all.bytes_per_s[0], all.run_started), (14_400, Some(7), time(0)));
    assert!(all.bytes_per_s.len() >= 120 && all.bytes_per_s.len() <= 122, "{}", all.bytes_per_s.len());
    let day = run.series(Window::Day);
    assert_eq!((day.step_s, day.bytes_per_s[0], day.bytes_per_s[1]), (120, Some(100), None));
    let hour = run.series(Window::Hour);
    assert_eq!((hour.start, hour.bytes_per_s[0], hour.bytes_per_s[12]), (time(-60), Some(20), Some(500)));
}

#[test]
fn a_clock_that_jumps_leaves_a_gap_or_adds_to_the_last_step() {
    let mut run = Run::new(Vec::new());
    run.send(4, 10);
    let note = |run: &Run, second: i64, elapsed: u64| {
        run.history.note(run.begun + Duration::from_secs(elapsed), time(second), &run.snapshot);
    };
    note(&run, -1000, 5);
    note(&run, 100, 6);
    let series = run.history.series(Window::Hour, time(100));
    assert_eq!((series.start, series.bytes_per_s.len()), (time(0), 21));
    assert_eq!(series.bytes_per_s[0], Some(8), "40 bytes in 5 s");
    assert!(series.bytes_per_s[1..20].iter().all(Option::is_none));
    let later = run.history.series(Window::Hour, time(10_000));
    assert_eq!(later.bytes_per_s.len(), 0, "all is older than an hour");
}
