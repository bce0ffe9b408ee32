//! What timetables mean: examples, errors, and properties against a model.

#[cfg(test)]
mod errors;
#[cfg(test)]
mod model;

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;

use super::*;

fn timetable(text: &str) -> Timetable {
    Timetable::parse(text, crate::args::bwlimit::parse_value).unwrap()
}

const fn fixed(mib_per_s: u64) -> Rate {
    Rate::Fixed(mib_per_s << 20)
}

fn moment(text: &str) -> ZonedDateTime {
    text.parse().unwrap()
}

/// The changes after a moment, as local times with their offsets.
fn changes(text: &str, from: &str, count: usize) -> Vec<(String, Rate)> {
    let (timetable, mut now) = (timetable(text), moment(from));
    let next = || {
        let (time, rate) = timetable.next_change(&now)?;
        now = time;
        Some((now.strftime("%a %Y-%m-%d %H:%M:%S %:z").to_string(), rate))
    };
    std::iter::from_fn(next).take(count).collect()
}

#[track_caller]
fn assert_changes(text: &str, from: &str, expected: &[(&str, Rate)]) {
    let expected: Vec<_> = expected.iter().map(|(time, rate)| ((*time).to_owned(), *rate)).collect();
    assert_eq!(changes(text, from, expected.len()), expected);
}

#[test]
fn examples_of_rclone_mean_the_same() {
    for (text, time, rate) in [
        ("08:00,512k 12:00,10M 13:00,512k 18:00,30M 23:00,off", "2026-11-26T07:59:59", Rate::Off),
        ("08:00,512k 12:00,10M 13:00,512k 18:00,30M 23:00,off", "2026-11-26T08:00:00", Rate::Fixed(512 << 10)),
        ("08:00,512k;12:00,10M;13:00,512k;18:00,30M;23:00,off", "2026-11-26T12:59:59", fixed(10)),
        ("08:00,512k;;12:00,10M ; 23:00,off;", "2026-11-26T23:00:00", Rate::Off),
        ("Mon-00:00,512k Fri-23:59,10M Sat-10:00,1M Sun-20:00,off", "2026-11-27T23:58:59", Rate::Fixed(512 << 10)),
        ("Mon-00:00,512k Fri-23:59,10M Sat-10:00,1M Sun-20:00,off", "2026-11-28T09:59:00", fixed(10)),
        ("monday-00:00,512k FRI-23:59,10M Sat-10:00,1M Sunday-20:00,off", "2026-11-29T20:00:00", Rate::Off),
        // Times without a weekday hold on all days.
        ("Mon-00:00,512k 12:00,1M Sun-20:00,off", "2026-11-29T12:00:00", fixed(1)),
        ("Mon-00:00,512k 12:00,1M Sun-20:00,off", "2026-11-30T11:59:00", Rate::Fixed(512 << 10)),
    ] {
        assert_eq!(timetable(text).at(&moment(&format!("{time}+01:00[Europe/Berlin]"))), rate, "{text} at {time}");
    }
}

#[test]
fn the_last_entry_of_a_week_holds_until_the_first_one_of_the_next() {
    // rclone takes the last entry as written, as its weeks begin on Sunday: `off` from Sunday 00:00 on.
    let text = "Mon-00:00,5M Sat-10:00,1M Sun-20:00,off";
    assert_eq!(timetable(text).at(&moment("2026-11-29T10:00:00Z[UTC]")), fixed(1));
    // In any order.
    assert_eq!(timetable("18:00,off 08:00,5M").at(&moment("2026-11-29T07:00:00Z[UTC]")), Rate::Off);
}

#[test]
fn of_two_entries_for_the_same_time_the_later_one_holds() {
    let saturday = moment("2026-11-28T08:00:00Z[UTC]");
    assert_eq!(timetable("08:00,5M Sat-08:00,off").at(&saturday), Rate::Off);
    assert_eq!(timetable("Sat-08:00,off 08:00,5M").at(&saturday), fixed(5));
}

#[test]
fn a_date_holds_all_day_and_the_week_goes_on_after_it() {
    assert_changes(
        "08:00,5M 18:00,off 2026-12-24,pause",
        "2026-12-23T17:00:00+01:00[Europe/Berlin]",
        &[
            ("Wed 2026-12-23 18:00:00 +01:00", Rate::Off),
            ("Thu 2026-12-24 00:00:00 +01:00", Rate::Pause),
            ("Fri 2026-12-25 00:00:00 +01:00", Rate::Off),
            ("Fri 2026-12-25 08:00:00 +01:00", fixed(5)),
        ],
    );
    // 23 hours.
    assert_changes(
        "00:00,off 2026-03-29,pause",
        "2026-03-28T12:00:00+01:00[Europe/Berlin]",
        &[("Sun 2026-03-29 00:00:00 +01:00", Rate::Pause), ("Mon 2026-03-30 00:00:00 +02:00", Rate::Off)],
    );
    // Midnight does not exist on this day.
    assert_changes(
        "00:00,off 2026-09-06,5M",
        "2026-09-05T12:00:00-04:00[America/Santiago]",
        &[("Sun 2026-09-06 01:00:00 -03:00", fixed(5)), ("Mon 2026-09-07 00:00:00 -03:00", Rate::Off)],
    );
    // The last hour of this day comes twice.
    assert_changes(
        "00:00,off 2026-04-04,5M",
        "2026-04-03T12:00:00-03:00[America/Santiago]",
        &[("Sat 2026-04-04 00:00:00 -03:00", fixed(5)), ("Sun 2026-04-05 00:00:00 -04:00", Rate::Off)],
    );
    // A minute after its end the clock is set back into this day.
    assert_changes(
        "00:00,5M 2010-11-06,off",
        "2010-11-06T12:00:00-02:30[America/St_Johns]",
        &[
            ("Sun 2010-11-07 00:00:00 -02:30", fixed(5)),
            ("Sat 2010-11-06 23:01:00 -03:30", Rate::Off),
            ("Sun 2010-11-07 00:00:00 -03:30", fixed(5)),
        ],
    );
}

#[test]
fn a_time_in_a_gap_begins_at_the_end_of_the_gap() {
    assert_changes(
        "00:00,off 02:30,5M",
        "2026-03-29T01:00:00+01:00[Europe/Berlin]",
        &[("Sun 2026-03-29 03:00:00 +02:00", fixed(5)), ("Mon 2026-03-30 00:00:00 +02:00", Rate::Off)],
    );
    // Half an hour.
    assert_changes(
        "00:00,off 02:10,5M",
        "2026-10-04T01:00:00+10:30[Australia/Lord_Howe]",
        &[("Sun 2026-10-04 02:30:00 +11:00", fixed(5)), ("Mon 2026-10-05 00:00:00 +11:00", Rate::Off)],
    );
}

#[test]
fn the_values_of_an_hour_that_comes_twice_hold_twice() {
    assert_changes(
        "00:00,off 02:30,5M",
        "2026-10-25T01:00:00+02:00[Europe/Berlin]",
        &[
            ("Sun 2026-10-25 02:30:00 +02:00", fixed(5)),
            ("Sun 2026-10-25 02:00:00 +01:00", Rate::Off),
            ("Sun 2026-10-25 02:30:00 +01:00", fixed(5)),
            ("Mon 2026-10-26 00:00:00 +01:00", Rate::Off),
        ],
    );
}

#[test]
fn a_day_that_does_not_exist_is_left_out() {
    assert_changes(
        "Fri-00:00,5M Sat-12:00,off 2011-12-30,pause",
        "2011-12-29T12:00:00-10:00[Pacific/Apia]",
        &[
            ("Sat 2011-12-31 00:00:00 +14:00", fixed(5)),
            ("Sat 2011-12-31 12:00:00 +14:00", Rate::Off),
            ("Fri 2012-01-06 00:00:00 +14:00", fixed(5)),
        ],
    );
}

#[test]
fn what_never_changes_has_no_next_change() {
    for text in ["5M", "pause", "00:00,5M", "00:00,5M Mon-12:00,5M 2026-12-24,5M", "00:00,5M 2020-12-24,off"] {
        assert_eq!(timetable(text).next_change(&moment("2026-11-28T12:00:00+01:00[Europe/Berlin]")), None, "{text}");
    }
    assert_changes(
        "00:00,5M 2199-12-24,off",
        "2026-11-28T12:00:00+01:00[Europe/Berlin]",
        &[("Tue 2199-12-24 00:00:00 +01:00", Rate::Off), ("Wed 2199-12-25 00:00:00 +01:00", fixed(5))],
    );
    assert_eq!(timetable("00:00,5M 06:00,5M").only_rate(), Some(fixed(5)));
    assert_eq!(timetable("00:00,5M 06:00,off").only_rate(), None);
}

#[test]
fn a_zone_without_rules_has_no_other_changes() {
    let zone = TimeZone::fixed(jiff::tz::offset(-3));
    let now = moment("2026-11-28T12:00:00Z[UTC]").with_time_zone(zone);
    let (next, rate) = timetable("08:00,5M 18:00,off").next_change(&now).unwrap();
    assert_eq!((next.timestamp().to_string(), rate), ("2026-11-28T21:00:00Z".to_owned(), Rate::Off));
}
