//! A file's mtime in an object's user metadata, as rclone has it: seconds since 1970, with a fraction.

use std::collections::HashMap;

use towpath_backend::Timestamp;

/// The key of the metadata.
const KEY: &str = "mtime";

/// The metadata that carry a time.
pub(crate) fn metadata(modified: Timestamp) -> HashMap<String, String> {
    HashMap::from([(KEY.to_owned(), format(modified))])
}

/// Whether this key is that of the time. Some servers give keys back in another case.
pub(crate) fn is_key(key: &str) -> bool {
    key.eq_ignore_ascii_case(KEY)
}

/// The time that metadata carry, if they do.
pub(crate) fn find<'a>(metadata: impl IntoIterator<Item = (&'a str, &'a str)>) -> Option<Timestamp> {
    metadata.into_iter().find(|(key, _)| is_key(key)).and_then(|(_, value)| parse(value))
}

fn format(time: Timestamp) -> String {
    let sign = if time.total_ns() < 0 { "-" } else { "" };
    let ns = time.total_ns().unsigned_abs();
    let (seconds, fraction) = (ns / 1_000_000_000, ns % 1_000_000_000);
    if fraction == 0 {
        return format!("{sign}{seconds}");
    }
    format!("{sign}{seconds}.{fraction:09}").trim_end_matches('0').to_owned()
}

fn parse(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let (seconds, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.is_empty() || !is_number(seconds) || !is_number(fraction) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let ns = seconds.parse::<i128>().ok()?.checked_mul(1_000_000_000)? + fraction.parse::<i128>().ok()?;
    Timestamp::from_total_ns(sign * ns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_are_written_as_others_write_them() {
        assert_eq!(format(Timestamp::from_ns(1_700_000_001_123_456_789)), "1700000001.123456789");
        assert_eq!(format(Timestamp::from_ns(1_700_000_001_120_000_000)), "1700000001.12");
        assert_eq!(format(Timestamp::from_ns(-1_500_000_000)), "-1.5");
        for (text, ns) in
            [("1.5", 1_500_000_000), ("-0.25", -250_000_000), ("7", 7_000_000_000), ("1.1234567899", 1_123_456_789)]
        {
            assert_eq!(parse(text), Some(Timestamp::from_ns(ns)), "{text}");
        }
        for text in ["", "-", "x", "1.x", "1e5", "+1", "99999999999999999999", "1.5.5", ".5"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_time_comes_back(seconds: i64, ns in 0..1_000_000_000u32) {
            let (time, found) = (Timestamp::from_parts(seconds, ns), |map: HashMap<String, String>| {
                find(map.iter().map(|(key, value)| (key.as_str(), value.as_str())))
            });
            prop_assert_eq!(found(metadata(time)), Some(time));
        }

        #[test]
        fn any_text_is_a_time_or_none(text: String) {
            let _ = parse(&text);
        }
    }
}
