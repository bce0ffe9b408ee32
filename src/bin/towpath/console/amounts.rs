//! How far a run is, and how far a scan.

use std::time::Duration;

use super::text::{counts, plural, totals};
use crate::format::duration;
use crate::status::live::View;
use towpath::Snapshot;

/// What the destination has. Bytes of files in flight count.
pub(super) struct Arrived {
    pub(super) in_all: u128,
    /// Never more than in all.
    pub(super) by_this_run: u128,
    /// Complete and durable.
    pub(super) files: u64,
}

pub(super) fn arrived(snapshot: &Snapshot) -> Arrived {
    let in_flight: u128 = snapshot.current.iter().map(|file| u128::from(file.position_bytes())).sum();
    let in_sync = snapshot.in_sync_in_all();
    let in_all = (in_sync.bytes + in_flight).min(snapshot.source.bytes);
    // A file that changed and was sent again counts once in what the destination has.
    let by_this_run = (snapshot.synced.bytes + in_flight).min(in_all);
    Arrived { in_all, by_this_run, files: in_sync.files }
}

/// Less than 100 until all is done.
pub(super) fn percent(done: u128, all: u128) -> f64 {
    if done >= all { 100.0 } else { (done as f64 / all as f64 * 100.0).min(99.9) }
}

/// What a scan has found, how fast, and when it will be complete.
pub(super) fn scan_items(view: &View) -> Vec<String> {
    let (snapshot, scan) = (&view.snapshot, view.status.scan.unwrap_or_default());
    let pace = |entries: Option<u64>| {
        entries.map_or_else(String::new, |entries| format!(", {}/s", plural(entries, "entry", "entries")))
    };
    let mut items = vec![
        format!("source {}{}", counts(&snapshot.source), pace(scan.source.entries_per_s)),
        format!("destination {}{}", counts(&snapshot.sink), pace(scan.dest.entries_per_s)),
        format!("pending so far {}", totals(snapshot.pending)),
    ];
    if let Some(percent) = scan.percent {
        let left = scan.eta.map(|eta| Duration::try_from(eta.duration_since(view.time)).unwrap_or_default());
        let left = left.map_or_else(String::new, |left| format!(", complete in {}", duration(left)));
        items.push(format!("{percent:.1} % of the last scan{left}"));
    }
    items
}

#[cfg(test)]
mod tests {
    use super::super::fixture::view;
    use super::*;
    use towpath::Totals;

    #[test]
    fn this_run_never_sent_more_than_there_is() {
        let mut snapshot = view().snapshot;
        let before = arrived(&snapshot);
        assert_eq!(before.in_all, (50 << 40) + (15 << 27), "files in flight count");
        // A file that was sent twice.
        snapshot.synced = Totals::new(300_000, 60 << 40);
        let after = arrived(&snapshot);
        assert_eq!(after.by_this_run, after.in_all);
    }

    #[test]
    fn not_all_is_not_one_hundred_percent() {
        assert_eq!([percent(0, 0), percent(7, 7), percent(1, 8)], [100.0, 100.0, 12.5]);
        assert_eq!(percent(u128::from(u64::MAX) - 1, u64::MAX.into()), 99.9);
    }
}
