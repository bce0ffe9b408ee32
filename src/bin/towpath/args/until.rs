//! Parses a time in the future: a time of day, a date, or a moment.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::bwlimit::local_zone;
use super::size::parse_duration;

/// `18:00`, the next one in local time; `2026-12-24` or `2026-12-24T08:00` in local time; `2026-12-24T08:00:00Z`.
///
/// # Errors
/// One line that says what is accepted.
pub(crate) fn parse_until(text: &str) -> Result<Timestamp, String> {
    parse(text, Timestamp::now(), &local_zone()?)
}

/// The end of a time that begins now.
///
/// # Errors
/// One line that says what is accepted.
pub(crate) fn parse_for(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    match Timestamp::now().checked_add(duration) {
        Ok(_) if !duration.is_zero() => Ok(duration),
        _ => Err(format!("`{text}` is not a time that ends: use a number with s, m, h or d, such as 2h")),
    }
}

fn parse(text: &str, now: Timestamp, local: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || {
        format!("`{text}` is not a time: use 18:00, 2026-12-24, 2026-12-24T08:00 (local time) or 2026-12-24T08:00:00Z")
    };
    let until = if let Ok(time) = text.parse::<Timestamp>() {
        time
    } else if let Ok(date) = text.parse::<DateTime>() {
        local.to_timestamp(date).map_err(|_| wrong())?
    } else if text.contains(':')
        && let Ok(time) = text.parse::<Time>()
    {
        next(time, now, local).ok_or_else(wrong)?
    } else {
        return Err(wrong());
    };
    if until <= now {
        return Err(format!("`{text}` is in the past"));
    }
    Ok(until)
}

/// The next moment at which a local clock shows this time, or would if daylight saving did not leave it out.
fn next(time: Time, now: Timestamp, local: &TimeZone) -> Option<Timestamp> {
    let today = local.to_datetime(now).date();
    // In an hour that comes twice, the second one is later today.
    let moments = (0..=2).filter_map(|days: i64| {
        let moment = local.to_ambiguous_timestamp(today.checked_add(days.days()).ok()?.to_datetime(time));
        let earlier = moment.compatible().ok()?;
        Some([earlier, moment.later().unwrap_or(earlier)])
    });
    moments.flatten().find(|moment| *moment > now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(now: &str, zone: &str, text: &str) -> String {
        let zone = TimeZone::get(zone).unwrap();
        parse(text, now.parse().unwrap(), &zone).map_or_else(|problem| problem, |time| time.to_string())
    }

    #[test]
    fn a_time_of_day_is_the_next_one() {
        for (now, text, expected) in [
            ("2026-12-24T12:00:00Z", "18:00", "2026-12-24T17:00:00Z"),
            ("2026-12-24T17:00:00Z", "18:00", "2026-12-25T17:00:00Z"),
            ("2026-12-24T16:59:59Z", "18:00:30", "2026-12-24T17:00:30Z"),
            ("2026-12-31T23:30:00Z", "00:15", "2027-01-01T23:15:00Z"),
            // 02:30 does not exist on that day.
            ("2026-03-28T23:00:00Z", "02:30", "2026-03-29T01:30:00Z"),
            // It comes twice.
            ("2026-10-24T22:00:00Z", "02:30", "2026-10-25T00:30:00Z"),
            ("2026-10-25T00:45:00Z", "02:30", "2026-10-25T01:30:00Z"),
            ("2026-10-25T01:30:00Z", "02:30", "2026-10-26T01:30:00Z"),
        ] {
            assert_eq!(at(now, "Europe/Berlin", text), expected, "{now} {text}");
        }
    }

    #[test]
    fn dates_are_local_and_moments_are_not() {
        for (text, expected) in [
            ("2026-12-25", "2026-12-24T23:00:00Z"),
            ("2026-12-25T08:00", "2026-12-25T07:00:00Z"),
            ("2026-12-25 08:00", "2026-12-25T07:00:00Z"),
            ("2026-12-25T08:00:00Z", "2026-12-25T08:00:00Z"),
            ("2026-12-25T08:00:00-05:00", "2026-12-25T13:00:00Z"),
        ] {
            assert_eq!(at("2026-12-24T12:00:00Z", "Europe/Berlin", text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_past_or_no_time_is_an_error() {
        let at = |text| at("2026-12-24T12:00:00Z", "Europe/Berlin", text);
        for text in ["2026-12-24T12:00:00Z", "2026-12-24", "2001-01-01"] {
            assert!(at(text).ends_with("is in the past"), "{text}");
        }
        for text in ["", "18", "1800", "2026", "24:00", "18:60", "soon", "2h", "-1", "2026-02-30"] {
            assert!(at(text).contains("use 18:00, 2026-12-24"), "{text}: {}", at(text));
        }
    }

    #[test]
    fn durations_end() {
        assert_eq!(parse_for("2h"), Ok(Duration::from_secs(7200)));
        for text in ["0", "9999999999d", "2x", ""] {
            assert!(parse_for(text).is_err(), "{text}");
        }
    }
}
