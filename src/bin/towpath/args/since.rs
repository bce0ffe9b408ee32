//! Parses a time in the past: a date, a time, or an age.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::size::parse_duration;
use towpath::Timestamp;

/// A time in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Since {
    pub(crate) time: Timestamp,
    /// The age, if one was given.
    pub(crate) age: Option<Duration>,
}

/// `2026-01-31T12:00:00Z`; `2026-01-31`, or with a time of day, in the local
/// time; `30d`, `12h` before now.
///
/// # Errors
/// One line that says what is accepted.
pub(crate) fn parse_since(text: &str) -> Result<Since, String> {
    parse(text, jiff::Timestamp::now(), &TimeZone::system())
}

fn parse(text: &str, now: jiff::Timestamp, local: &TimeZone) -> Result<Since, String> {
    let wrong = || {
        format!(
            "`{text}` is not a time: use 2026-01-31, 2026-01-31T12:00:00Z, or an age with its unit such as 12h, 30d"
        )
    };
    let moment = |time: jiff::Timestamp| {
        let nanoseconds = i64::try_from(time.as_nanosecond()).map_err(|_| wrong())?;
        Ok(Since { time: Timestamp::from_ns(nanoseconds), age: None })
    };
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return moment(time);
    }
    if let Ok(time) = text.parse::<DateTime>() {
        return moment(local.to_timestamp(time).map_err(|_| wrong())?);
    }
    // A number alone would be in seconds, but is more likely a year.
    if !text.ends_with(|c: char| c.is_ascii_lowercase()) {
        return Err(wrong());
    }
    let age = parse_duration(text).map_err(|_| wrong())?;
    let past = now.checked_sub(age).map_err(|_| wrong())?;
    Ok(Since { age: Some(age), ..moment(past)? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOON_NS: i64 = 1_769_860_800_000_000_000; // 2026-01-31T12:00:00Z
    const HOUR_NS: i64 = 3_600_000_000_000;

    fn at_noon(text: &str) -> Result<Since, String> {
        let now = jiff::Timestamp::from_nanosecond(i128::from(NOON_NS)).unwrap();
        parse(text, now, &TimeZone::fixed(jiff::tz::offset(2)))
    }

    #[test]
    fn moments_dates_and_ages_are_times() {
        for (text, hours) in [
            ("2026-01-31T12:00:00Z", 0),
            ("2026-01-31T12:00:00+01:00", -1),
            ("2026-01-31", -14),
            ("2026-01-31T15:00", 1),
            ("2026-01-31 15:00:00", 1),
        ] {
            let since = Since { time: Timestamp::from_ns(NOON_NS + hours * HOUR_NS), age: None };
            assert_eq!(at_noon(text), Ok(since), "{text}");
        }
        for (text, hours) in [("12h", 12), ("30d", 720), ("120m", 2), ("0s", 0)] {
            let age = Some(Duration::from_secs(hours * 3600));
            let since = Since { time: Timestamp::from_ns(NOON_NS - hours as i64 * HOUR_NS), age };
            assert_eq!(at_noon(text), Ok(since), "{text}");
        }
    }

    #[test]
    fn an_invalid_time_is_an_error_with_examples() {
        for text in ["", "2026", "30", "soon", "2026-02-30", "30 d", "-1d", "9999999d", "1e400d", "9000-01-01"] {
            let error = at_noon(text).unwrap_err();
            assert!(error.contains("2026-01-31T12:00:00Z"), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_rejected(text in "\\PC{0,12}") {
            let _ = parse_since(&text);
        }
    }
}
