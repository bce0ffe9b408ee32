//! The status on one line, as service managers and messages show it.

use super::model::{State, Status};
use super::text::{Clock, count, in_percent, stalled};
use crate::format::{escape, number, rate, size};

/// What a run does: `transferring: 25.0 % of 200.0 TiB, 18.0 MiB/s, done at 2026-12-12 06:00; 1 file failed`.
pub(crate) fn sentence(status: &Status, clock: &Clock) -> String {
    let why = status.reason.as_deref().map_or_else(String::new, |why| format!(" {}", escape(why.as_bytes())));
    let mut text = match &status.stalled {
        Some(stall) => format!("stalled, {}", stalled(stall, clock)),
        None => format!("{}{why}", status.state.name()),
    };
    text += &match &status.scan {
        Some(scan) => {
            let (source, dest) = (scan.source.files, scan.dest.files);
            format!(": {} files in the source, {} in the destination so far", number(source), number(dest))
        }
        None => progress(status, clock),
    };
    if let Some(failed) = status.files.failed.filter(|failed| failed.0 > 0) {
        text += &format!("; {} failed", count(failed, "file", "files"));
    }
    text
}

fn progress(status: &Status, clock: &Clock) -> String {
    let Some(percent) = in_percent(status) else { return String::new() };
    let total = status.bytes.total.map_or_else(String::new, |total| format!(" of {}", size(total.0)));
    let is_sending = status.state == State::Transferring;
    let pace = status.rate_bytes_per_s.now.filter(|_| is_sending);
    let pace = pace.map_or_else(String::new, |pace| format!(", {}", rate(pace)));
    let done = status.eta.p50.filter(|_| is_sending);
    let done = done.map_or_else(String::new, |done| format!(", done at {}", clock.time(done)));
    format!(": {percent:.1} %{total} in sync{pace}{done}")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::model::{Amounts, Found, Scan, Side, Stalled, Sum};
    use super::super::recorded::never_run;
    use super::*;

    fn amounts(total: u128, synced: u128, failed: u128) -> Amounts {
        let of = |sum| Some(Sum(sum));
        Amounts { total: of(total), synced: of(synced), pending: of(total - synced), failed: of(failed) }
    }

    #[test]
    fn a_run_is_described_on_one_line() {
        let clock = Clock { now: "2026-11-27T20:16:39Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        let mut status = never_run(Path::new("/state/x.db"), b"/old", b"/new");
        let mut lines = vec![sentence(&status, &clock)];
        let mut say = |status: &Status| lines.push(sentence(status, &clock));
        status.state = State::Scanning;
        say(&status);
        let found = Found { files: 1_204_331, dirs: 7, bytes: Sum(9), entries_per_s: None };
        status.scan = Some(Scan { source: found, ..Scan::default() });
        say(&status);
        (status.scan, status.state) = (None, State::Transferring);
        (status.files, status.bytes) = (amounts(1000, 250, 1), amounts(200 << 40, 50 << 40, 0));
        status.rate_bytes_per_s.now = Some(18 << 20);
        status.eta.p50 = Some("2026-12-12T06:00:00Z".parse().unwrap());
        say(&status);
        let since = "2026-11-27T20:14:39Z".parse().unwrap();
        let stall = Stalled {
            side: Some(Side::Source),
            operation: Some("read".to_owned()),
            path: Some("a/b".to_owned()),
            since,
        };
        status.stalled = Some(stall);
        say(&status);
        (status.stalled, status.state) = (None, State::Paused);
        status.reason = Some("by user alice (uid 1000)".to_owned());
        say(&status);
        insta::assert_snapshot!(lines.join("\n"), @"
        never run
        scanning
        scanning: 1,204,331 files in the source, 0 in the destination so far
        transferring: 25.0 % of 200.0 TiB in sync, 18.0 MiB/s, done at 2026-12-12 06:00; 1 file failed
        stalled, the source: read, a/b, for 02:00: 25.0 % of 200.0 TiB in sync, 18.0 MiB/s, done at 2026-12-12 06:00; 1 file failed
        paused by user alice (uid 1000): 25.0 % of 200.0 TiB in sync; 1 file failed
        ");
    }
}
