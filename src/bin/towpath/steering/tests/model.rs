//! Arbitrary requests at arbitrary moments, against a model.

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::timetable::Timetable;

const LIMITS: [&str; 4] =
    ["20M", "08:00,5M 12:00,pause 13:00,auto 18:00,off", "pause", "Mon-00:00,pause Tue-00:30,auto:9M 2026-12-03,off"];

#[derive(Clone, Debug)]
enum Step {
    Pause(Option<i64>),
    Resume,
    Limit(Rate, Option<i64>),
    Reset,
    /// The clock goes on, or is set.
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let seconds = prop_oneof![1..60_i64, 1..90_000_i64];
    let until = prop::option::of(seconds.clone());
    let rate = prop::sample::select(vec![Rate::Off, Rate::Fixed(4096), Rate::Auto { max: None }, Rate::Pause]);
    prop_oneof![
        until.clone().prop_map(Step::Pause),
        Just(Step::Resume),
        (rate, until).prop_map(|(rate, until)| Step::Limit(rate, until)),
        Just(Step::Reset),
        seconds.clone().prop_map(Step::Pass),
        seconds.prop_map(|seconds| Step::Pass(-seconds)),
        Just(Step::Pass(0)),
    ]
}

/// What is to be in force.
struct Model {
    option: Timetable,
    zone: TimeZone,
    limits: Vec<(Rate, Timestamp)>,
    pauses: Vec<Timestamp>,
    /// The last limit other than a pause.
    bandwidth: Bandwidth,
}

impl Model {
    fn step(&mut self, step: &Step, now: Timestamp) {
        let end =
            |until: &Option<i64>| until.map_or(Timestamp::MAX, |seconds| now + SignedDuration::from_secs(seconds));
        match step {
            Step::Pause(until) => self.pauses = vec![end(until)],
            Step::Resume => self.pauses.clear(),
            Step::Limit(rate, until) => self.limits = vec![(*rate, end(until))],
            Step::Reset => self.limits.clear(),
            Step::Pass(_) => {}
        }
        self.pauses.retain(|end| now < *end);
        self.limits.retain(|(_, end)| now < *end);
        self.bandwidth = self.rate(now).bandwidth().unwrap_or(self.bandwidth);
    }

    fn rate(&self, now: Timestamp) -> Rate {
        let of_option = self.option.at(&now.to_zoned_datetime(self.zone.clone()));
        self.limits.first().filter(|(_, end)| now < *end).map_or(of_option, |(rate, _)| *rate)
    }

    fn is_paused(&self, now: Timestamp) -> bool {
        self.pauses.iter().any(|end| now < *end) || self.rate(now) == Rate::Pause
    }

    fn in_force(&self, now: Timestamp) -> (bool, Rate) {
        (self.is_paused(now), self.rate(now))
    }
}

fn apply(bench: &Bench, step: &Step) {
    let end = |until: &Option<i64>| until.map(|seconds| bench.now() + SignedDuration::from_secs(seconds));
    match step {
        Step::Pause(until) => bench.steering.pause(end(until), "alice"),
        Step::Resume => drop(bench.steering.resume("alice")),
        Step::Limit(rate, until) => bench.steering.set_limit(*rate, end(until), "alice").unwrap(),
        Step::Reset => bench.steering.reset_limit("alice"),
        Step::Pass(seconds) => *bench.clock.lock().unwrap() += SignedDuration::from_secs(*seconds),
    }
}

proptest! {
    #[test]
    fn what_is_in_force_is_that_of_the_model(
        limit in prop::sample::select(LIMITS.to_vec()),
        steps in prop::collection::vec(step(), 1..25),
        parts in prop::collection::vec(0.0..1.0_f64, 5),
    ) {
        let bench = Bench::new(limit, "2026-11-28T12:00:00Z");
        let mut model = Model {
            option: parse_bwlimit(limit).unwrap(),
            zone: TimeZone::get("Europe/Berlin").unwrap(),
            limits: Vec::new(),
            pauses: Vec::new(),
            bandwidth: Bandwidth::Unlimited,
        };
        for step in std::iter::once(Step::Pass(0)).chain(steps) {
            apply(&bench, &step);
            let wake_at = bench.steering.tick();
            let now = bench.now();
            model.step(&step, now);
            prop_assert_eq!(bench.engine.state(), (model.is_paused(now), model.bandwidth));
            let in_force = bench.steering.in_force();
            prop_assert_eq!((in_force.is_paused(), in_force.rate), model.in_force(now));
            // Nothing changes before the next tick is due, and the next limit is what the model has then.
            let end = wake_at.unwrap_or(now + SignedDuration::from_hours(24 * 30));
            prop_assert!(end > now);
            for part in &parts {
                let between = now + end.duration_since(now).mul_f64(*part);
                prop_assert_eq!(model.in_force(between), model.in_force(now));
            }
            prop_assert_eq!(model.in_force(end - SignedDuration::from_nanos(1)), model.in_force(now));
            if let Some((at, rate)) = in_force.next {
                prop_assert_eq!(model.rate(at), rate);
                prop_assert!(wake_at.is_some_and(|wake_at| wake_at <= at));
            }
        }
    }
}
