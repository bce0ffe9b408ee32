//! The words of a report.

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub(super) use crate::console::plural;
use crate::format::{number, size};
use crate::report::model::{Amount, Report, State};

/// A moment of the local time, with its zone.
pub(super) fn time(time: Timestamp) -> String {
    time.to_zoned_datetime(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
}

pub(super) fn optional_time(moment: Option<Timestamp>) -> String {
    moment.map_or_else(|| "–".to_owned(), time)
}

/// A size that is exact and readable: `1.5 GiB (1,610,612,736 B)`.
pub(super) fn exact_size(bytes: u128) -> String {
    if bytes < 1024 {
        return size(bytes);
    }
    let exact = u64::try_from(bytes).map_or_else(|_| bytes.to_string(), number);
    format!("{} ({exact} B)", size(bytes))
}

pub(super) fn amount(amount: Amount) -> String {
    format!("{}, {}", plural(amount.names, "name", "names"), size(amount.bytes))
}

/// A signed number: `0`, `+3`, `−3`.
pub(super) fn signed(value: i128) -> String {
    let digits = u64::try_from(value.unsigned_abs()).map_or_else(|_| value.unsigned_abs().to_string(), number);
    match value {
        0 => digits,
        1.. => format!("+{digits}"),
        _ => format!("\u{2212}{digits}"),
    }
}

/// A part in percent: `12.3 %`; never 100 or 0 unless it is all or nothing.
pub(super) fn percent(part: u128, whole: u128) -> String {
    if whole == 0 {
        return "–".to_owned();
    }
    let value = part as f64 / whole as f64 * 100.0;
    match part {
        0 => "0 %".to_owned(),
        part if part == whole => "100 %".to_owned(),
        _ => format!("{:.1} %", value.clamp(0.1, 99.9)),
    }
}

pub(super) fn state(report: &Report) -> (&'static str, &'static str) {
    match report.state {
        State::Running => ("warn", "The migration is running"),
        State::NotScanned => ("bad", "The migration has not completed a scan"),
        State::Pending => ("warn", "The migration is not finished"),
        State::Exceptions => ("warn", "The migration is finished, with exceptions"),
        State::Complete => ("good", "The migration is complete"),
    }
}

/// Why the totals do not reconcile to zero.
pub(crate) fn imbalance(report: &Report) -> String {
    let Some(totals) = &report.totals else {
        return "the totals cannot be reconciled: no scan is complete, or the last one was interrupted; the next run scans"
            .to_owned();
    };
    match &totals.difference {
        None => {
            "the totals cannot be reconciled: the last scan was made by an earlier version, which did not count what \
                 it listed; a scan (`towpath sync --rescan`) does"
                .to_owned()
        }
        Some(difference) => format!(
            "the totals do not reconcile: the source has {} names and {} bytes that are in no class",
            signed(difference.all.names),
            signed(difference.all.bytes)
        ),
    }
}
