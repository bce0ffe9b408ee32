//! Steering a fake run by a fake clock.

#[cfg(test)]
mod model;

use std::sync::{Arc, Mutex};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use towpath::{Bandwidth, UsageError};

use super::handle::Steering;
use super::state::SetBy;
use super::steered::Steered;
use crate::args::bwlimit::parse_bwlimit;
use crate::timetable::Rate;

/// What was requested of the engine.
#[derive(Clone, Debug, Default)]
struct Engine(Arc<Mutex<Requested>>);

#[derive(Debug, Default)]
struct Requested {
    is_paused: bool,
    bandwidth: Bandwidth,
    log: Vec<String>,
}

impl Engine {
    fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().log)
    }

    fn state(&self) -> (bool, Bandwidth) {
        let requested = self.0.lock().unwrap();
        (requested.is_paused, requested.bandwidth)
    }
}

impl Steered for Engine {
    fn pause(&self, by: &str) {
        let mut requested = self.0.lock().unwrap();
        assert!(!std::mem::replace(&mut requested.is_paused, true), "is paused already");
        requested.log.push(format!("pause by {by}"));
    }

    fn resume(&self, by: &str) {
        let mut requested = self.0.lock().unwrap();
        assert!(std::mem::replace(&mut requested.is_paused, false), "is not paused");
        requested.log.push(format!("resume by {by}"));
    }

    fn set_bandwidth(&self, bandwidth: Bandwidth, by: &str) -> Result<(), UsageError> {
        let mut requested = self.0.lock().unwrap();
        requested.bandwidth = bandwidth;
        requested.log.push(format!("{bandwidth:?} by {by}"));
        Ok(())
    }

    fn stop(&self, after_current: bool, by: &str) {
        self.0.lock().unwrap().log.push(format!("stop {after_current} by {by}"));
    }
}

/// A steered engine, and the clock.
struct Bench {
    steering: Steering,
    engine: Engine,
    clock: Arc<Mutex<Timestamp>>,
}

impl Bench {
    fn new(limit: &str, now: &str) -> Self {
        let (engine, clock) = (Engine::default(), Arc::new(Mutex::new(time(now))));
        let read = Arc::clone(&clock);
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let clock_of_steering = move || *read.lock().unwrap();
        let limit = parse_bwlimit(limit).unwrap();
        let steering = Steering::with_clock(limit, zone, engine.clone(), clock_of_steering);
        Self { steering, engine, clock }
    }

    fn now(&self) -> Timestamp {
        *self.clock.lock().unwrap()
    }

    /// Sets the clock, and ticks; returns the requests to the engine.
    fn at(&self, now: &str) -> Vec<String> {
        *self.clock.lock().unwrap() = time(now);
        self.steering.tick();
        self.engine.log()
    }
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn the_engine_follows_the_timetable() {
    let bench = Bench::new("08:00,5M 12:00,pause 13:00,auto 18:00,off", "2026-11-28T06:59:59Z");
    assert_eq!(bench.at("2026-11-28T06:59:59Z"), ["Unlimited by timetable"]);
    assert_eq!(bench.steering.tick(), Some(time("2026-11-28T07:00:00Z")));
    assert_eq!(bench.at("2026-11-28T06:59:59.999Z"), [""; 0]);
    assert_eq!(bench.at("2026-11-28T07:00:00Z"), ["Limit(5242880) by timetable"]);
    assert_eq!(bench.at("2026-11-28T11:00:00Z"), ["pause by timetable"]);
    assert!(bench.steering.in_force().is_paused());
    // The limit first.
    let resumed = ["Auto { max_bytes_per_s: None } by timetable", "resume by timetable"];
    assert_eq!(bench.at("2026-11-28T12:00:00Z"), resumed);
    // The clock is set forward by days, and back: what holds at that time is in force.
    assert_eq!(bench.at("2026-12-03T08:00:00Z"), ["Limit(5242880) by timetable"]);
    assert_eq!(bench.at("2026-11-28T20:00:00Z"), ["Unlimited by timetable"]);
}

#[test]
fn a_single_value_is_applied_once() {
    let bench = Bench::new("auto:5M", "2026-11-28T12:00:00Z");
    assert_eq!(bench.at("2026-11-28T12:00:00Z"), ["Auto { max_bytes_per_s: Some(5242880) } by --bwlimit"]);
    assert_eq!(bench.at("2027-11-28T12:00:00Z"), [""; 0]);
    assert_eq!((bench.steering.tick(), bench.steering.in_force().set_by), (None, SetBy::Option));
    let bench = Bench::new("pause", "2026-11-28T12:00:00Z");
    assert_eq!(bench.at("2026-11-28T12:00:00Z"), ["pause by --bwlimit"]);
}

#[test]
fn a_requested_limit_comes_before_the_timetable_until_it_ends() {
    let bench = Bench::new("08:00,5M 18:00,off", "2026-11-28T12:00:00Z");
    bench.at("2026-11-28T12:00:00Z");
    let end = time("2026-11-28T18:00:00Z");
    bench.steering.set_limit(Rate::Fixed(1 << 20), Some(end), "alice").unwrap();
    assert_eq!(bench.engine.log(), ["Limit(1048576) by alice"]);
    let in_force = bench.steering.in_force();
    assert_eq!((in_force.set_by, in_force.until), (SetBy::Control, Some(end)));
    assert_eq!(in_force.next, Some((end, Rate::Off)));
    // Not at 18:00 local time.
    assert_eq!(bench.at("2026-11-28T17:30:00Z"), [""; 0]);
    assert_eq!(bench.at("2026-11-28T18:00:00Z"), ["Unlimited by timetable"]);
    // It does not return if the clock is set back.
    assert_eq!(bench.at("2026-11-28T17:59:00Z"), [""; 0]);
    // Without an end it holds until it is reset.
    bench.steering.set_limit(Rate::Fixed(2 << 20), None, "bob").unwrap();
    assert_eq!((bench.steering.in_force().next, bench.steering.tick()), (None, None));
    assert_eq!(bench.at("2026-11-29T12:00:00Z"), ["Limit(2097152) by bob"]);
    bench.steering.reset_limit("carol");
    assert_eq!(bench.engine.log(), ["Limit(5242880) by carol"]);
}

#[test]
fn a_requested_pause_comes_before_all_until_it_ends() {
    let bench = Bench::new("08:00,5M 18:00,off", "2026-11-28T16:00:00Z");
    bench.at("2026-11-28T16:00:00Z");
    bench.steering.pause(Some(time("2026-11-28T18:00:00Z")), "alice");
    assert_eq!(bench.engine.log(), ["pause by alice"]);
    // The limit changes meanwhile.
    assert_eq!(bench.at("2026-11-28T17:00:00Z"), ["Unlimited by timetable"]);
    let since = bench.steering.in_force().pause.unwrap().since;
    bench.steering.pause(Some(time("2026-11-28T19:00:00Z")), "bob");
    let pause = bench.steering.in_force().pause.unwrap();
    assert_eq!((pause.since, pause.by.as_str()), (since, "bob"));
    assert_eq!(bench.at("2026-11-28T18:59:59Z"), [""; 0]);
    assert_eq!(bench.at("2026-11-28T19:00:00Z"), ["resume by timer"]);
    bench.steering.pause(None, "alice");
    bench.steering.resume("bob").unwrap();
    assert_eq!(bench.engine.log(), ["pause by alice", "resume by bob"]);
    // The end is past.
    bench.steering.pause(Some(bench.now()), "alice");
    assert_eq!(bench.engine.log(), [""; 0]);
}

#[test]
fn a_pause_of_the_timetable_ends_by_a_limit_and_not_by_resuming() {
    let bench = Bench::new("08:00,pause 18:00,off", "2026-11-28T12:00:00Z");
    assert_eq!(bench.at("2026-11-28T12:00:00Z"), ["pause by timetable"]);
    assert!(bench.steering.resume("alice").unwrap_err().contains("set a limit"));
    assert_eq!(bench.engine.log(), [""; 0]);
    bench.steering.set_limit(Rate::Off, Some(time("2026-11-28T13:00:00Z")), "alice").unwrap();
    assert_eq!(bench.engine.log(), ["Unlimited by alice", "resume by alice"]);
    assert_eq!(bench.at("2026-11-28T13:00:00Z"), ["pause by timetable"]);
    // A limit may be a pause, too.
    bench.steering.set_limit(Rate::Pause, None, "alice").unwrap();
    assert_eq!(bench.at("2026-11-28T17:00:00Z"), [""; 0]);
    assert!(bench.steering.resume("alice").unwrap_err().contains("another limit"));
    bench.steering.reset_limit("alice");
    assert_eq!(bench.engine.log(), ["resume by alice"]);
}

#[test]
fn invalid_requests_change_nothing() {
    let bench = Bench::new("20M", "2026-11-28T12:00:00Z");
    bench.at("2026-11-28T12:00:00Z");
    for rate in [Rate::Fixed(0), Rate::Fixed(1023), Rate::Auto { max: Some(5) }] {
        assert!(bench.steering.set_limit(rate, None, "alice").unwrap_err().contains("1024"));
    }
    assert!(bench.steering.set_limit(Rate::Off, Some(bench.now()), "alice").unwrap_err().contains("past"));
    assert_eq!((bench.engine.log(), bench.steering.in_force().set_by), (Vec::new(), SetBy::Option));
    bench.steering.stop(true, "alice");
    assert_eq!(bench.engine.log(), ["stop true by alice"]);
}
