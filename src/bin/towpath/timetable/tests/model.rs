//! Properties, for arbitrary timetables, time zones and moments.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ZonedDateTime};
use proptest::prelude::*;

use super::super::Rate;
use super::{Timetable, timetable};

/// Hours of daylight saving and half hours of it, no changes at all, and a day that did not exist (2011-12-30).
const ZONES: [&str; 6] =
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC", "Pacific/Apia"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// An entry as the model sees it: weekday from Monday = 0, or a date; hour and minute; value.
#[derive(Clone, Debug)]
enum Entry {
    From(Option<usize>, (i8, i8), u64),
    /// A date so many days after the day of the moment.
    On(i64, u64),
}

fn entry() -> impl Strategy<Value = Entry> {
    let time = prop_oneof![
        3 => (0..5_i8, prop::sample::select(vec![0, 1, 10, 29, 30, 31, 59])),
        1 => (0..24_i8, 0..60_i8),
        1 => Just((23, 59)),
    ];
    let weekday = prop::option::of(0..7_usize);
    prop_oneof![
        4 => (weekday, time, 1..4_u64).prop_map(|(weekday, time, rate)| Entry::From(weekday, time, rate)),
        1 => (-9..10_i64, 1..4_u64).prop_map(|(day, rate)| Entry::On(day, rate)),
    ]
}

/// A timetable, and the same as the model's entries; the first entry is one of the week.
fn entries() -> impl Strategy<Value = Vec<Entry>> {
    (entry(), prop::collection::vec(entry(), 0..6)).prop_map(|(first, mut rest)| {
        let first = match first {
            Entry::On(day, rate) => Entry::From(None, (i8::try_from(day.unsigned_abs()).unwrap(), 30), rate),
            first => first,
        };
        rest.insert(0, first);
        rest
    })
}

/// A moment in a zone: often within hours of a change of the clock.
fn moment() -> impl Strategy<Value = ZonedDateTime> {
    let seconds = prop_oneof![3 => -7200..7200_i64, 2 => -129_600..129_600_i64, 2 => -864_000..864_000_i64];
    let from_s = 1_300_000_000..1_900_000_000_i64; // 2011 to 2030
    let exact = prop_oneof![Just(0_i32), Just(1), 0..1_000_000_000_i32];
    (prop::sample::select(ZONES.to_vec()), prop_oneof![Just(1_325_000_000), from_s], seconds, exact).prop_map(
        |(zone, from_s, seconds, nanoseconds)| {
            let zone = TimeZone::get(zone).unwrap();
            let from = Timestamp::from_second(from_s).unwrap();
            let near = zone.following(from).next().map_or(from, |transition| transition.timestamp());
            let time = near + SignedDuration::new(seconds, nanoseconds);
            time.to_zoned_datetime(zone)
        },
    )
}

fn text(entries: &[Entry], now: &ZonedDateTime) -> String {
    let texts = entries.iter().map(|entry| match entry {
        Entry::From(weekday, (hour, minute), rate) => {
            let weekday = weekday.map_or(String::new(), |weekday| format!("{}-", WEEKDAYS[weekday]));
            format!("{weekday}{hour:02}:{minute:02},{rate}M")
        }
        Entry::On(day, rate) => format!("{},{rate}M", now.date() + SignedDuration::from_hours(24 * day)),
    });
    texts.collect::<Vec<_>>().join(" ")
}

/// The value by a clock on the wall that is turned back minute by minute until an entry begins.
fn model(entries: &[Entry], today: &ZonedDateTime, now: &ZonedDateTime) -> u64 {
    let days = (now.date() - today.date()).get_days();
    let on = entries.iter().rev().find_map(|entry| match entry {
        Entry::On(day, rate) if *day == i64::from(days) => Some(*rate),
        _ => None,
    });
    let (mut weekday, mut hour, mut minute) = (now.weekday().to_monday_zero_offset(), now.hour(), now.minute());
    on.unwrap_or_else(|| {
        loop {
            let begins = |entry: &Entry| match entry {
                Entry::From(on, time, rate) if *time == (hour, minute) => {
                    on.is_none_or(|on| on == usize::try_from(weekday).unwrap()).then_some(*rate)
                }
                _ => None,
            };
            if let Some(rate) = entries.iter().rev().find_map(begins) {
                return rate;
            }
            minute -= 1;
            if minute < 0 {
                (hour, minute) = (hour - 1, 59);
            }
            if hour < 0 {
                (weekday, hour) = ((weekday + 6) % 7, 23);
            }
        }
    })
}

fn value(timetable: &Timetable, now: &ZonedDateTime) -> u64 {
    match timetable.at(now) {
        Rate::Fixed(rate) => rate >> 20,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_value_is_that_of_the_clock_on_the_wall(entries in entries(), now in moment(), later_s in 0..900_000_i64) {
        let timetable = timetable(&text(&entries, &now));
        for now_or_later in [now.clone(), &now + SignedDuration::from_secs(later_s)] {
            prop_assert_eq!(value(&timetable, &now_or_later), model(&entries, &now, &now_or_later));
        }
    }

    #[test]
    fn the_next_change_is_the_first_moment_with_another_value(entries in entries(), now in moment()) {
        let timetable = timetable(&text(&entries, &now));
        let before = timetable.at(&now);
        let next = timetable.next_change(&now);
        // All offsets of these zones are of whole minutes, so that values change at whole minutes.
        let minute_s = now.timestamp().as_second().div_euclid(60) * 60;
        let minutes = (1..=20 * 24 * 60).map(|minute| Timestamp::from_second(minute_s + minute * 60).unwrap());
        let first = minutes.map(|time| time.to_zoned_datetime(now.time_zone().clone()))
            .find(|time| timetable.at(time) != before);
        let expected = first.map(|time| (time.clone(), timetable.at(&time)));
        prop_assert_eq!(next, expected);
    }
}
