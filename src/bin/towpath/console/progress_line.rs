//! Progress on one line, for an output that is not a terminal.

use super::amounts::{arrived, percent, scan_items};
use super::holes::{hashed, written_and_holes};
use super::text::{files, totals};
use crate::format::{duration, number, rate, short_path, size};
use crate::status::live::View;
use towpath::{Phase, Snapshot};

/// `ends`: when all is done.
pub(super) fn progress_line(view: &View, ends: Option<&str>) -> String {
    let paused = if view.snapshot.paused && view.snapshot.phase != Phase::Ended { "paused: " } else { "" };
    format!("{paused}{}", of_phase(view, ends))
}

fn of_phase(view: &View, ends: Option<&str>) -> String {
    let snapshot = &view.snapshot;
    match snapshot.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Scanning => format!("scanning: {}", scan_items(view).join("; ")),
        Phase::Transferring => {
            let hole = hashed(snapshot, &view.estimate, 60).map_or_else(String::new, |text| format!("; {text}"));
            let ends = ends.map_or_else(String::new, |ends| format!(", {ends}"));
            format!("{}{ends}, {}; {}{}{hole}", pace(view), left(snapshot), done(snapshot), now(snapshot))
        }
        Phase::Mirroring => "deleting extras".to_owned(),
        _ => "finishing".to_owned(),
    }
}

fn pace(view: &View) -> String {
    let file = view.estimate.current_file.as_ref();
    let file = file.map_or_else(String::new, |(_, time)| format!(", largest file done in {}", duration(*time)));
    let mean = view.mean_bytes_per_s.map_or_else(String::new, |mean| format!(", {} mean", rate(mean)));
    let allowed = view
        .snapshot
        .adaptive_limit
        .map_or_else(String::new, |limit| format!(" of {} (adaptive limit)", rate(limit.limit_bytes_per_s)));
    let now = rate(view.estimate.progress_bytes_per_s());
    format!("{now}{allowed}{}{mean}{file}", written_and_holes(&view.estimate))
}

fn left(snapshot: &Snapshot) -> String {
    let failed = match snapshot.failed_files {
        0 => String::new(),
        failed => format!(", failed {}", files(failed)),
    };
    format!("pending {}{failed}", totals(snapshot.pending))
}

fn done(snapshot: &Snapshot) -> String {
    let arrived = arrived(snapshot);
    format!(
        "{:.1} %: {} of {}, {} of {}; this run {} in {}",
        percent(arrived.in_all, snapshot.source.bytes),
        size(arrived.in_all),
        size(snapshot.source.bytes),
        number(arrived.files),
        files(snapshot.source.files),
        size(arrived.by_this_run),
        files(snapshot.synced.files)
    )
}

/// The file in flight with the most bytes left, and how far its copy is.
fn now(snapshot: &Snapshot) -> String {
    let largest = snapshot.current.iter().filter(|file| !file.hashes_hole).max_by_key(|file| file.left_bytes());
    largest.map_or_else(String::new, |file| {
        let name = short_path(file.path.as_bytes(), 60);
        format!("; now {name}: {} of {}", size(file.position_bytes()), size(file.size_bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::view;
    use super::*;
    use towpath::Estimate;

    const ENDS: Option<&str> = Some("ends about Tue 14:10, with 90 % by Wed 02:00");

    #[test]
    fn one_line_shows_everything() {
        insta::assert_snapshot!(progress_line(&view(), ENDS), @r"20.0 MiB/s, 18.0 MiB/s mean, ends about Tue 14:10, with 90 % by Wed 02:00, pending 1,000,000 files, 150.0 TiB, failed 2 files; 25.0 %: 50.0 TiB of 200.0 TiB, 234,567 of 1,234,567 files; this run 4.9 GiB in 17 files; now projects/film 0\n/take.mov: 0 B of 1.0 GiB");
    }

    #[test]
    fn a_pause_is_shown() {
        let mut view = view();
        view.snapshot.paused = true;
        assert!(progress_line(&view, ENDS).starts_with("paused: 20.0 MiB/s"));
    }

    #[test]
    fn unknown_estimates_are_not_shown() {
        let mut view = view();
        (view.estimate, view.mean_bytes_per_s) = (Estimate::default(), None);
        view.estimate.bandwidth_bytes_per_s = 20 << 20;
        let line = progress_line(&view, None);
        assert!(line.starts_with("20.0 MiB/s, pending 1,000,000 files"), "{line}");
    }

    #[test]
    fn a_scan_shows_its_pace() {
        let mut view = view();
        view.snapshot.phase = Phase::Scanning;
        view.status.scan = Some(super::super::fixture::scan());
        insta::assert_snapshot!(progress_line(&view, None), @"scanning: source 1,234,567 files, 4,000 directories, 200.0 TiB, 12,345 entries/s; destination 10 files, 2 directories, 5.0 GiB, 1 entry/s; pending so far 1,000,000 files, 150.0 TiB; 45.7 % of the last scan, complete in 01:30");
    }
}
