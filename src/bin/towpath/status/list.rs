//! A table of all migrations, a line each.

use super::model::{State, Status, Sum};
use super::text::Clock;
use crate::format::{columns, escape, number, rate, size};

const HEAD: [&str; 7] = ["STATE", "SOURCE", "DEST", "IN SYNC", "PENDING", "RATE", "WHEN"];

/// The table, with its head.
pub(crate) fn table(migrations: &[Status], clock: &Clock) -> String {
    let head = HEAD.map(str::to_owned);
    let rows: Vec<[String; 7]> =
        std::iter::once(head).chain(migrations.iter().map(|migration| row(migration, clock))).collect();
    columns(&rows)
}

fn row(status: &Status, clock: &Clock) -> [String; 7] {
    let text = |path: &str| escape(path.as_bytes());
    let in_sync = match (status.bytes.synced, status.bytes.total, status.files.pending) {
        (Some(_), Some(_), Some(Sum(0))) => "100 %".to_owned(),
        (Some(synced), Some(total), _) => {
            // Not everything is.
            format!("{} %", (synced.0 * 100).checked_div(total.0).unwrap_or(99).min(99))
        }
        _ => "-".to_owned(),
    };
    let pending = match (status.bytes.pending, status.files.pending) {
        (Some(bytes), Some(files)) if files.0 > 0 => {
            let files = u64::try_from(files.0).unwrap_or(u64::MAX);
            format!("{} in {}", size(bytes.0), number(files))
        }
        (Some(_), Some(_)) => "0".to_owned(),
        _ => "-".to_owned(),
    };
    let when = match status.state {
        State::NeverRun => None,
        state if state.is_live() => status.eta.p50.map(|eta| format!("done {}", clock.time(eta))),
        _ => status.ended.or(status.started).map(|time| clock.time(time)),
    };
    [
        status.state.name().to_owned(),
        text(&status.source),
        text(&status.dest),
        in_sync,
        pending,
        status.rate_bytes_per_s.now.map_or_else(|| "-".to_owned(), rate),
        when.unwrap_or_else(|| "-".to_owned()),
    ]
}
