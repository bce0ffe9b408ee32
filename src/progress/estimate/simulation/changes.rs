//! Lasting changes in the middle of a run, which no history foretells.

use super::*;

/// A run of this many days with so many days of history before it; from `at_s` on, the link has this factor, by the
/// seconds of the week and the seconds since the change.
fn changing(factor: fn(i64, f64) -> f64, days: f64, history_days: i64, at_s: i64) -> World {
    let link = move |week_s, since_s: i64, random: &mut Random| {
        let factor = if since_s < at_s { 1.0 } else { factor(week_s, (since_s - at_s) as f64) };
        10.0 * MIB * factor * random.factor(0.2)
    };
    world(Box::new(link), days, history_days)
}

fn to_a_third(_: i64, _: f64) -> f64 {
    1.0 / 3.0
}

fn to_a_half(_: i64, _: f64) -> f64 {
    0.5
}

fn to_the_double(_: i64, _: f64) -> f64 {
    2.0
}

fn slower_by_day(week_s: i64, _: f64) -> f64 {
    if (8..18).contains(&hour(week_s)) { 0.4 } else { 1.0 }
}

fn slow_decay(_: i64, after_s: f64) -> f64 {
    (-after_s / DAY_S as f64).exp().max(0.4)
}

fn slow_growth(_: i64, after_s: f64) -> f64 {
    (after_s / DAY_S as f64).exp().min(2.5)
}

/// The forecasts of runs with this change; `is_after`: only those that were made after it.
fn calibrate_change(factor: fn(i64, f64) -> f64, is_after: bool) -> Calibration {
    let mut all = Calibration::default();
    for (days, history_days, at_s) in [(1.0, 0, 30_000), (1.0, 3, 40_000), (3.0, 5, 100_000)] {
        let world = changing(factor, days, history_days, at_s);
        all.add(calibrate_from(&world, if is_after { at_s } else { 0 }, 3));
    }
    all
}

const CHANGES: [fn(i64, f64) -> f64; 6] =
    [to_a_third, to_a_half, to_the_double, slower_by_day, slow_decay, slow_growth];

#[test]
fn a_lasting_change_is_covered_once_it_is_there() {
    for factor in CHANGES {
        calibrate_change(factor, true).assert_p90_covers();
    }
}

#[test]
fn changes_to_slower_and_to_faster_are_covered_on_the_whole() {
    let mut all = Calibration::default();
    CHANGES.into_iter().for_each(|factor| all.add(calibrate_change(factor, false)));
    all.assert_p90_covers();
    assert!((0.4..=0.6).contains(&all.p50_share()), "{}", all.p50_share());
}
