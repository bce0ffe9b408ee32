//! The bandwidth limit on the command line: the values of `--bwlimit`, and the options of `towpath timetable`.

use std::time::Duration;

use clap::Args;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::size::{parse_duration, parse_rate, parse_size};
use crate::timetable::{Rate, Timetable};

/// Show what a timetable of `--bwlimit` means: which value holds from when on, in local time.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath timetable \"08:00,5M 18:00,off\"
  towpath timetable \"Mon-08:00,5M Mon-18:00,20M Sat-00:00,off 2026-12-24,pause\" --from 2026-12-21
  TZ=Europe/Berlin towpath timetable \"00:00,off 02:30,5M\" --from 2026-03-28 --show 3d")]
pub(crate) struct TimetableArguments {
    /// The timetable, as for `towpath sync --bwlimit`
    #[arg(value_name = "TIMETABLE", allow_hyphen_values = true, value_parser = parse_bwlimit)]
    pub(crate) timetable: Timetable,

    /// How much time to show, for example 12h or 30d
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "7d", value_parser = parse_shown)]
    pub(crate) show: Duration,

    /// Where to begin: a date, or a date and a time, for example 2026-03-28T12:00, in local time
    /// [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_from)]
    pub(crate) from: Option<Start>,
}

/// A moment of local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Local(DateTime),
    Moment(Timestamp),
}

impl Start {
    /// The moment in a time zone; a local time that does not exist is moved forward by the gap.
    pub(crate) fn in_zone(self, zone: &TimeZone) -> Result<ZonedDateTime, String> {
        match self {
            Self::Local(civil) => zone.to_zoned_datetime(civil).map_err(|error| format!("--from {civil}: {error}")),
            Self::Moment(time) => Ok(time.to_zoned_datetime(zone.clone())),
        }
    }
}

fn parse_from(text: &str) -> Result<Start, String> {
    let moment = text.parse().map(Start::Moment);
    moment.or_else(|_| text.parse().map(Start::Local)).map_err(|_: jiff::Error| {
        format!("`{text}` is not a time: use 2026-03-28, 2026-03-28T12:00, or 2026-03-28T12:00:00Z")
    })
}

fn parse_shown(text: &str) -> Result<Duration, String> {
    const MOST: Duration = Duration::from_secs(3660 * 24 * 60 * 60);
    let time = parse_duration(text)?;
    if text.ends_with(|last: char| last.is_ascii_digit()) {
        return Err(format!("`{text}` has no unit: use `{text}d` for days, or m, h"));
    }
    if time > MOST { Err(format!("`{text}` is more than 3660d")) } else { Ok(time) }
}

/// A value of `--bwlimit`: a rate, `off`, `auto`, `auto:50M`, `pause`, or a timetable of them.
pub(crate) fn parse_bwlimit(text: &str) -> Result<Timetable, String> {
    Timetable::parse(text, parse_value)
}

/// One value: `20M`, `auto`, `auto:50M`, `pause`, or no limit: `off`, and as in rsync and rclone `0`.
pub(crate) fn parse_value(text: &str) -> Result<Rate, String> {
    match text.to_ascii_lowercase().as_str() {
        "auto" => return Ok(Rate::Auto { max: None }),
        "off" => return Ok(Rate::Off),
        "pause" => return Ok(Rate::Pause),
        _ if is_zero(text) => return Ok(Rate::Off),
        _ => {}
    }
    match text.split_once(':') {
        Some((auto, max)) if auto.eq_ignore_ascii_case("auto") => {
            let max = parse_rate(max).map_err(|problem| format!("`{text}`: the maximum {problem}"))?;
            Ok(Rate::Auto { max: Some(max) })
        }
        Some((up, down)) if [up, down].iter().all(|rate| parse_value(rate).is_ok()) => Err(format!(
            "`{text}` has two rates, for upload and download: one limit holds for reading and for writing; use \
             `{}`",
            lower(up, down)
        )),
        _ => parse_rate(text).map(Rate::Fixed).map_err(|problem| {
            let is_word = text.starts_with(|first: char| first.is_alphabetic());
            problem + if is_word { ", or off, auto, auto:50M, pause" } else { "" }
        }),
    }
}

/// The lower of two rates of rclone.
fn lower<'a>(up: &'a str, down: &'a str) -> &'a str {
    let bytes_per_s = |text| match parse_value(text) {
        Ok(Rate::Fixed(rate)) => rate,
        _ => u64::MAX,
    };
    if bytes_per_s(down) < bytes_per_s(up) { down } else { up }
}

/// Whether it is exactly zero: a rate below one byte does not mean "no limit".
fn is_zero(text: &str) -> bool {
    let rate = text.strip_suffix("/s").unwrap_or(text);
    parse_size(rate) == Ok(0) && !rate.contains(|c: char| matches!(c, '1'..='9'))
}

/// What `--bwlimit` and `--bwlimit-max` mean together.
pub(super) fn limit(bwlimit: Option<&Timetable>, max_bytes_per_s: Option<u64>) -> Result<Timetable, String> {
    let mut timetable = bwlimit.cloned().unwrap_or_else(|| Timetable::always(Rate::Off));
    match max_bytes_per_s {
        Some(max) if !timetable.set_auto_max(max) => Err(match timetable.only_rate() {
            Some(Rate::Auto { .. }) => "--bwlimit auto:RATE has its maximum: remove --bwlimit-max".to_owned(),
            _ => "--bwlimit-max needs --bwlimit auto; a fixed limit is its own maximum".to_owned(),
        }),
        _ => Ok(timetable),
    }
}

/// The time zone of local times. As for all programs, that is UTC where none is configured; but a `TZ` that is not known
/// would apply a timetable at other hours than its user meant.
///
/// # Errors
/// One line that says what to do.
pub(crate) fn local_zone() -> Result<TimeZone, String> {
    let given = std::env::var_os("TZ").filter(|zone| !zone.is_empty());
    match (TimeZone::try_system(), given) {
        (Ok(zone), _) => Ok(zone),
        (Err(_), None) => Ok(TimeZone::UTC),
        (Err(error), Some(given)) => Err(format!(
            "the time zone of TZ={} is not known: {error}; use a name such as Europe/Berlin, and install tzdata",
            given.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(text: &str) -> Result<Rate, String> {
        parse_bwlimit(text).map(|timetable| timetable.only_rate().unwrap())
    }

    #[test]
    fn zero_and_off_are_no_limit() {
        for text in ["0", "off", "OFF", "0K", "0M/s", "0.0M"] {
            assert_eq!(only(text), Ok(Rate::Off), "{text}");
        }
        assert_eq!(only("20M"), Ok(Rate::Fixed(20 << 20)));
        assert_eq!(only("auto"), Ok(Rate::Auto { max: None }));
        assert_eq!(only("auto:50M"), Ok(Rate::Auto { max: Some(50 << 20) }));
        assert_eq!(only("pause"), Ok(Rate::Pause));
        assert!(only("5000").unwrap_err().contains("`5000K`"));
        let small = only("1023B").unwrap_err();
        assert!(small.contains("lowest rate") && small.contains("`off`"), "{small}");
        for text in ["0.5B", "0.0001K"] {
            assert!(only(text).unwrap_err().contains("lowest rate"), "{text}");
        }
        assert!(only("none").is_err() && only("-0").is_err());
        assert!(only("auto:fast").is_err() && only("auto:").is_err() && only("auto:0").is_err());
    }

    #[test]
    fn two_rates_are_an_error_that_names_the_lower_one() {
        for (text, lower) in [("10M:100k", "`100k`"), ("10M:off", "`10M`"), ("off:1M", "`1M`"), ("1M:1M", "`1M`")] {
            let problem = only(text).unwrap_err();
            assert!(problem.contains("two rates") && problem.ends_with(lower), "{problem}");
        }
    }

    #[test]
    fn the_maximum_is_for_values_without_one() {
        let limit = |text: &str, max| limit(Some(&parse_bwlimit(text).unwrap()), max);
        assert_eq!(limit("08:00,auto 18:00,auto:9M", Some(5 << 20)), limit("08:00,auto:5M 18:00,auto:9M", None));
        assert_eq!(limit("auto", Some(50 << 20)), limit("auto:50M", None));
        for text in ["20M", "off", "pause", "08:00,5M 18:00,off"] {
            assert!(limit(text, Some(5 << 20)).unwrap_err().contains("needs --bwlimit auto"), "{text}");
        }
        assert!(limit("auto:9M", Some(5 << 20)).unwrap_err().contains("remove --bwlimit-max"));
    }

    #[test]
    fn the_time_to_show_has_a_unit_and_a_bound() {
        assert_eq!(parse_shown("36h"), Ok(Duration::from_secs(36 * 3600)));
        assert!(parse_shown("7").unwrap_err().contains("`7d`"));
        assert!(parse_shown("3661d").is_err() && parse_shown("soon").is_err());
    }

    #[test]
    fn moments_are_dates_and_times() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        for (text, moment) in [
            ("2026-03-28", "2026-03-27T22:00:00Z"),
            ("2026-03-28T12:00", "2026-03-28T10:00:00Z"),
            ("2026-03-28T12:00:00Z", "2026-03-28T12:00:00Z"),
        ] {
            assert_eq!(parse_from(text).unwrap().in_zone(&zone).unwrap().timestamp().to_string(), moment);
        }
        assert!(parse_from("tomorrow").unwrap_err().contains("2026-03-28T12:00"));
    }
}
