//! Parses the values of `--bwlimit`.

use super::size::{parse_rate, parse_size};

/// A value of `--bwlimit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BwLimit {
    /// No limit, as a value, so that a script need not omit the option.
    Off,
    Fixed(u64),
    Auto,
}

/// `20M`, `auto`, or no limit: `off`, and as in rsync and rclone `0`.
pub(crate) fn parse_bwlimit(text: &str) -> Result<BwLimit, String> {
    match text {
        "auto" => Ok(BwLimit::Auto),
        "off" => Ok(BwLimit::Off),
        text if is_zero(text) => Ok(BwLimit::Off),
        text => parse_rate(text).map(BwLimit::Fixed),
    }
}

/// Whether it is exactly zero: a rate below one byte does not mean "no limit".
fn is_zero(text: &str) -> bool {
    let rate = text.strip_suffix("/s").unwrap_or(text);
    parse_size(rate) == Ok(0) && !rate.contains(|c: char| matches!(c, '1'..='9'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_off_are_no_limit() {
        for text in ["0", "off", "0K", "0M/s", "0.0M"] {
            assert_eq!(parse_bwlimit(text), Ok(BwLimit::Off), "{text}");
        }
        assert_eq!(parse_bwlimit("20M"), Ok(BwLimit::Fixed(20 << 20)));
        assert_eq!(parse_bwlimit("auto"), Ok(BwLimit::Auto));
        assert!(parse_bwlimit("5000").unwrap_err().contains("`5000K`"));
        let small = parse_bwlimit("1023B").unwrap_err();
        assert!(small.contains("lowest rate") && small.contains("`off`"), "{small}");
        for text in ["0.5B", "0.0001K"] {
            assert!(parse_bwlimit(text).unwrap_err().contains("lowest rate"), "{text}");
        }
        assert!(parse_bwlimit("none").is_err() && parse_bwlimit("-0").is_err());
    }
}
