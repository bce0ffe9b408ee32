//! Parses the moment by which a migration should end.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::bwlimit::local_zone;

/// `2026-12-24T08:00:00Z`; `2026-12-24T08:00` in local time; `2026-12-24`, when that day begins. It may be in the past: a
/// run that is started again after its deadline goes on.
///
/// # Errors
/// One line that says what is accepted.
pub(crate) fn parse_deadline(text: &str) -> Result<Timestamp, String> {
    parse(text, &local_zone()?)
}

fn parse(text: &str, local: &TimeZone) -> Result<Timestamp, String> {
    let wrong = || {
        format!(
            "`{text}` is not a date: use 2026-12-24, 2026-12-24T08:00 (both in local time), or 2026-12-24T08:00:00Z"
        )
    };
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(time);
    }
    text.parse::<DateTime>().ok().and_then(|civil| local.to_timestamp(civil).ok()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn in_berlin(text: &str) -> Result<String, String> {
        parse(text, &TimeZone::get("Europe/Berlin").unwrap()).map(|time| time.to_string())
    }

    #[test]
    fn dates_are_local_and_begin_at_midnight() {
        for (text, expected) in [
            ("2026-12-24", "2026-12-23T23:00:00Z"),
            ("2026-07-01", "2026-06-30T22:00:00Z"),
            ("2026-12-24T08:00", "2026-12-24T07:00:00Z"),
            ("2026-12-24 08:00:30", "2026-12-24T07:00:30Z"),
            ("2026-12-24T08:00:00Z", "2026-12-24T08:00:00Z"),
            ("2026-12-24T08:00:00-05:00", "2026-12-24T13:00:00Z"),
        ] {
            assert_eq!(in_berlin(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn anything_else_is_an_error_with_examples() {
        for text in ["", "soon", "18:00", "2026", "2026-02-30", "12h", "24.12.2026"] {
            let error = in_berlin(text).unwrap_err();
            assert!(error.contains(&format!("`{text}`")) && error.contains("2026-12-24T08:00"), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_rejected(text in "\\PC{0,12}") {
            let _ = in_berlin(&text);
        }
    }
}
