//! A view for the tests of texts.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use towpath::{Counts, CurrentFile, Estimate, Phase, Snapshot, Totals};
use towpath_backend::RelPath;

use crate::status::live::View;
use crate::status::model::{Found, Scan, Sum};

/// A Saturday.
pub(super) const NOW: &str = "2026-11-28T12:00:00Z";

pub(super) fn time() -> Timestamp {
    NOW.parse().unwrap()
}

pub(super) fn snapshot() -> Snapshot {
    let mut snapshot = Snapshot::default();
    snapshot.phase = Phase::Transferring;
    snapshot.source = Counts::new(1_234_567, 4_000, 200 << 40);
    snapshot.sink = Counts::new(10, 2, 5 << 30);
    snapshot.pending = Totals::new(1_000_000, 150 << 40);
    snapshot.synced = Totals::new(17, 3 << 30);
    snapshot.failed_files = 2;
    snapshot.read_bytes = 4 << 30;
    snapshot.written_bytes = 3 << 30;
    snapshot.current = (0..6)
        .map(|n| {
            let path = RelPath::new(format!("projects/film {n}\n/take.mov")).unwrap();
            let mut file = CurrentFile::new(path, 1 << 30);
            file.written_bytes = n << 27;
            file
        })
        .collect();
    snapshot
}

pub(super) fn estimate() -> Estimate {
    let mut estimate = Estimate::default();
    estimate.bandwidth_bytes_per_s = 20 << 20;
    estimate.p50 = Some(Duration::from_secs(50 * 3600));
    estimate.p90 = Some(Duration::from_secs(60 * 3600));
    estimate
}

pub(super) fn view_of(snapshot: Snapshot, estimate: Estimate) -> View {
    let mut view = View::of(snapshot, estimate, time());
    view.mean_bytes_per_s = Some(18 << 20);
    view.status.started = Some(time() - SignedDuration::from_secs(8_000));
    for file in &mut view.status.current {
        file.rate_bytes_per_s = Some(9 << 20);
        file.eta = Some(time() + SignedDuration::from_secs(54));
    }
    view
}

pub(super) fn view() -> View {
    view_of(snapshot(), estimate())
}

/// A scan after an earlier one.
pub(super) fn scan() -> Scan {
    let found = |entries_per_s| Found { files: 1, dirs: 1, bytes: Sum(1), entries_per_s };
    let eta = Some(time() + SignedDuration::from_secs(90));
    Scan { source: found(Some(12_345)), dest: found(Some(1)), percent: Some(45.67), eta }
}
