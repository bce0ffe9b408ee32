//! Human-readable sizes, rates, times and names.

pub(crate) mod ends;
pub(crate) mod width;

use std::time::Duration;

use jiff::tz::TimeZone;
use towpath_backend::Timestamp;

/// A size with one decimal: `1.5 GiB`.
pub(crate) fn size(bytes: impl Into<u128>) -> String {
    const UNITS: [&str; 8] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];
    let bytes = bytes.into();
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    // 1023.95 would be shown as 1024.0.
    while value >= 1023.95 && unit < UNITS.len() - 1 {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

/// A rate: `20.0 MiB/s`.
pub(crate) fn rate(bytes_per_s: u64) -> String {
    format!("{}/s", size(bytes_per_s))
}

/// A number with thousands separators: `1,234,567`.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many there are of something, whose plural ends with an s: `1 file`, `1,234 files`.
pub(crate) fn count(count: u64, what: &str) -> String {
    format!("{} {what}{}", number(count), if count == 1 { "" } else { "s" })
}

/// A time: `4.2 s` below a minute, then `04:12`, `3:04:12`, `21d 03:04:12`, `>1 year`.
pub(crate) fn duration(time: Duration) -> String {
    /// From here on days do not matter.
    const YEAR: u64 = 365 * 86_400;
    let seconds = time.as_secs();
    let (minutes, hours, days) = (seconds / 60 % 60, seconds / 3600 % 24, seconds / 86_400);
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{minutes:02}:{:02}", seconds % 60),
        3600..86_400 => format!("{hours}:{minutes:02}:{:02}", seconds % 60),
        YEAR.. => ">1 year".to_owned(),
        _ => format!("{days}d {hours:02}:{minutes:02}:{:02}", seconds % 60),
    }
}

/// A time of the library; `None`: beyond the years that can be shown.
pub(crate) fn moment(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_nanosecond(time.total_ns()).ok()
}

/// The local date and time of a moment: `2026-11-27 20:16`.
pub(crate) fn local_time(time: Timestamp) -> String {
    shown_in(time, &TimeZone::system())
}

/// The local time now: `20:16:39`.
pub(crate) fn time_of_day() -> String {
    TimeZone::system().to_datetime(jiff::Timestamp::now()).strftime("%H:%M:%S").to_string()
}

fn shown_in(time: Timestamp, zone: &TimeZone) -> String {
    moment(time).map_or_else(
        || format!("@{}", time.seconds()),
        |time| zone.to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string(),
    )
}

/// Rows as lines with aligned columns.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<_> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("   ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Whether it changes the order of text or takes no room, so that a name looks like another one. Joiners, which
/// some scripts need, are none of these.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{61c}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Text on one line: control characters and bytes that are not UTF-8 are escaped. Escaping twice is the same as
/// escaping once.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || is_invisible(c) {
                text.extend(c.escape_default());
            } else {
                text.push(c);
            }
        }
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

/// As a shell takes it.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The end of a path, in at most `width` columns.
pub(crate) fn short_path(bytes: &[u8], width: usize) -> String {
    width::cut_begin(&escape(bytes), width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_with_any_name_can_be_given_to_a_shell() {
        assert_eq!([quoted("/a/b-1.log"), quoted("it's a log")], ["/a/b-1.log", "'it'\\''s a log'"]);
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (5 << 30, "5.0 GiB"),
            (u64::MAX.into(), "16.0 EiB"),
            (63 << 60, "63.0 EiB"),
            (5 << 70, "5.0 ZiB"),
            (1_u128 << 100, "1048576.0 YiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(rate(20 << 20), "20.0 MiB/s");
    }

    #[test]
    fn numbers_have_thousands_separators() {
        for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(number(n), text);
        }
    }

    #[test]
    fn times_grow_from_seconds_to_weeks() {
        for (seconds, text) in [
            (4.2, "4.2 s"),
            (61.0, "01:01"),
            (3600.0, "1:00:00"),
            (1_825_452.0, "21d 03:04:12"),
            (31_536_000.0, ">1 year"),
        ] {
            assert_eq!(duration(Duration::from_secs_f64(seconds)), text);
        }
    }

    #[test]
    fn moments_are_shown_in_local_time() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(shown_in(Timestamp::from_ns(1_795_803_399_000_000_000), &zone), "2026-11-27 20:16");
    }

    #[test]
    fn names_cannot_send_control_characters_to_the_terminal() {
        assert_eq!(escape(b"a\nb\x1b[2J\xff\xc3\xa9"), "a\\nb\\u{1b}[2J\\xff\u{e9}");
        assert_eq!(escape("evil\u{202e}txt".as_bytes()), "evil\\u{202e}txt");
    }

    #[test]
    fn long_paths_keep_their_end() {
        assert_eq!(short_path(b"abcdefgh", 8), "abcdefgh");
        assert_eq!(short_path(b"abcdefgh", 4), "…fgh");
    }
}
