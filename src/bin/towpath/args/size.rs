//! Parses sizes, rates and times.

use std::time::Duration;

/// A number of bytes: `65536`, `64K`, `1.5GiB`, `20MB`. `K M G T` and `KiB MiB GiB TiB` are powers of 1024, `KB MB GB
/// TB` of 1000; lower case is accepted.
///
/// # Errors
/// One line that says what is accepted.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: use a number with K, M, G or T (x1024) or KB, MB, GB, TB (x1000)");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let unit = unit_bytes(suffix).ok_or_else(wrong)?;
    let bytes = match number.split_once('.') {
        None => number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)),
        Some((whole, fraction)) => decimal(whole, fraction, unit),
    };
    bytes.filter(|bytes| i64::try_from(*bytes).is_ok()).ok_or_else(wrong)
}

fn unit_bytes(suffix: &str) -> Option<u64> {
    let suffix = suffix.to_ascii_lowercase();
    let (letter, rest) = suffix.split_at_checked(1).unwrap_or(("", ""));
    let power = match letter {
        "" => return Some(1),
        "b" if rest.is_empty() => return Some(1),
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    match rest {
        "" | "i" | "ib" => Some(1024_u64.pow(power)),
        "b" => Some(1000_u64.pow(power)),
        _ => None,
    }
}

/// `whole.fraction` units, rounded down.
fn decimal(whole: &str, fraction: &str, unit: u64) -> Option<u64> {
    // Further digits are less than a byte in every unit.
    if fraction.is_empty() || fraction.contains('.') || fraction.len() > 15 || whole.is_empty() {
        return None;
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = fraction.parse::<u128>().ok()? * u128::from(unit) / scale;
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    whole.checked_add(u64::try_from(part).ok()?)
}

/// A size of at least one byte.
pub(crate) fn parse_positive_size(text: &str) -> Result<usize, String> {
    match parse_size(text)? {
        0 => Err("must be more than 0".to_owned()),
        bytes => usize::try_from(bytes).map_err(|_| format!("`{text}` is too large")),
    }
}

/// A number, such as of lanes.
pub(crate) fn parse_count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| format!("`{text}` is not a whole number, or too large"))
}

/// A rate in bytes per second.
pub(crate) fn parse_rate(text: &str) -> Result<u64, String> {
    const LEAST: u64 = towpath::Options::MIN_LIMIT_BYTES_PER_S;
    let rate = text.strip_suffix("/s").unwrap_or(text);
    match parse_size(rate)? {
        1.. if rate.ends_with(|last: char| last.is_ascii_digit()) => {
            Err(format!("`{text}` has no unit: use `{rate}K` for KiB per second, as in rsync, or `{rate}B` for bytes"))
        }
        rate if rate < LEAST => {
            Err(format!("`{text}` is less than the lowest rate, 1K per second; use `off` for no limit"))
        }
        rate => Ok(rate),
    }
}

/// A time: seconds, or with `ms`, `s`, `m`, `h`, `d`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a time: use seconds, or a number with ms, s, m, h or d");
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let unit_s = match suffix {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit_s).map_err(|_| wrong())
}

/// The time between two lines of progress.
pub(crate) fn parse_interval(text: &str) -> Result<Duration, String> {
    const LEAST: Duration = Duration::from_millis(100);
    const MOST: Duration = Duration::from_secs(24 * 60 * 60);
    let interval = parse_duration(text)?;
    if (LEAST..=MOST).contains(&interval) {
        Ok(interval)
    } else {
        Err(format!("`{text}` is not from 100ms to 1440m (a day); use --quiet for no progress lines"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn letters_are_powers_of_1024_and_letters_with_b_of_1000() {
        for (text, bytes) in [
            ("0", 0),
            ("17", 17),
            ("17B", 17),
            ("5M", 5 << 20),
            ("5m", 5 << 20),
            ("5MiB", 5 << 20),
            ("5MB", 5_000_000),
            ("1.5K", 1536),
            ("0.5KB", 500),
            ("3T", 3 << 40),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn an_invalid_size_is_an_error_with_the_units() {
        for text in ["", "K", "20Q", "-1", "1.2.3", "1 M", "5X", "1e3", "5MBB", ".5K", "5.", "99999999999T", "Ä"] {
            let error = parse_size(text).unwrap_err();
            assert!(error.contains("K, M, G"), "{text}: {error}");
        }
    }

    #[test]
    fn rates_and_blocks_of_zero_are_errors() {
        for text in ["0", "0M", "1023B"] {
            assert!(parse_rate(text).unwrap_err().contains("lowest rate"), "{text}");
        }
        assert_eq!(parse_rate("20M/s"), Ok(20 << 20));
        for text in ["5000", "5000/s", "1.5"] {
            let error = parse_rate(text).unwrap_err();
            let number = text.trim_end_matches("/s");
            assert!(error.contains(&format!("`{number}K`")) && error.contains(&format!("`{number}B`")), "{error}");
        }
        assert_eq!(parse_rate("5000B"), Ok(5000));
        assert!(parse_positive_size("0").is_err());
    }

    #[test]
    fn counts_are_whole_numbers() {
        assert_eq!(parse_count("16"), Ok(16));
        for text in ["x", "1.5", "-1", "", "99999999999999999999999"] {
            assert!(parse_count(text).unwrap_err().contains("whole number"), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, ms) in [
            ("2", 2000),
            ("0", 0),
            ("100ms", 100),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1.5h", 5_400_000),
            ("1d", 86_400_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(ms)), "{text}");
        }
        assert!(parse_duration("2 weeks").is_err() && parse_duration("-1").is_err() && parse_duration("").is_err());
    }

    #[test]
    fn intervals_are_from_a_tenth_of_a_second_to_a_day() {
        assert_eq!(parse_interval("30"), Ok(Duration::from_secs(30)));
        for text in ["0", "99ms", "1441m", "1000000000000000000"] {
            assert!(parse_interval(text).unwrap_err().contains("100ms"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_accepted_or_rejected(text in "\\PC{0,12}") {
            let _ = (parse_size(&text), parse_rate(&text), parse_duration(&text));
        }

        #[test]
        fn whole_numbers_are_parsed_exactly(bytes in 0..=i64::MAX as u64) {
            prop_assert_eq!(parse_size(&bytes.to_string()), Ok(bytes));
        }
    }
}
