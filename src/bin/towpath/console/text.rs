//! Progress and results as text: pure functions of snapshots and reports.

use std::cmp::Reverse;
use std::time::Duration;

use super::holes::{hashed, written_and_holes};
use crate::format::{duration, local_time, number, rate, short_path, size};
use towpath::{BacklogOrigin, Counts, CurrentFile, Estimate, Phase, Report, RunOutcome, Snapshot, Totals};

/// Files in flight that are shown.
const MAX_FILES: usize = 4;

pub(super) fn counts(counts: &Counts) -> String {
    format!("{}, {}, {}", files(counts.files), plural(counts.dirs, "directory", "directories"), size(counts.bytes))
}

pub(super) fn totals(totals: Totals) -> String {
    format!("{}, {}", files(totals.files), size(totals.bytes))
}

/// `1 file`, `2 files`.
pub(super) fn files(count: u64) -> String {
    plural(count, "file", "files")
}

/// A line for each count that is not zero: the count, its noun in the singular, and in the plural.
pub(super) fn count_lines(counts: &[(u64, &str, &str)]) -> String {
    let counted = counts.iter().filter(|(count, ..)| *count > 0);
    counted.map(|(count, one, many)| format!("\n  {}", plural(*count, one, many))).collect()
}

/// The count, and the words for one or for many.
pub(super) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), noun(count, one, many))
}

/// The words for this count, without the count.
pub(super) fn noun<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// The lines at the bottom of a terminal, none longer than `width`. `ends`: when all is done.
pub(super) fn lines(snapshot: &Snapshot, estimate: &Estimate, ends: Option<&str>, width: usize) -> Vec<String> {
    let mut lines = match snapshot.phase {
        Phase::Scanning => vec![
            format!("scan  source       {}", counts(&snapshot.source)),
            format!("      destination  {}", counts(&snapshot.sink)),
            format!("      pending so far {}", totals(snapshot.pending)),
        ],
        Phase::Transferring => {
            let mut lines = current_files(snapshot, estimate, width);
            lines.push(pace(snapshot, estimate));
            lines.extend(ends.map(str::to_owned));
            lines.push(left(snapshot));
            lines.push(done(snapshot));
            lines
        }
        // It starts or ends.
        _ => Vec::new(),
    };
    if snapshot.paused && snapshot.phase != Phase::Ended {
        lines.push("paused".to_owned());
    }
    for line in &mut lines {
        *line = line.chars().take(width).collect();
    }
    lines
}

/// The files with the most bytes left are first: they stay in place, while small ones change below them. The estimate
/// of the remaining time is for the first.
fn current_files(snapshot: &Snapshot, estimate: &Estimate, width: usize) -> Vec<String> {
    let mut files: Vec<&CurrentFile> = snapshot.current.iter().collect();
    files.sort_by_key(|file| Reverse(file.left_bytes()));
    let mut lines: Vec<_> = files.iter().take(MAX_FILES).map(|file| current_file(file, width)).collect();
    if files.len() > MAX_FILES {
        lines.push(format!("  and {} more", files.len() - MAX_FILES));
    }
    lines.extend(hashed(snapshot, estimate, width.saturating_sub(70)));
    lines
}

fn current_file(file: &CurrentFile, width: usize) -> String {
    let percent = (u128::from(file.position_bytes()) * 100).checked_div(file.size_bytes.into()).unwrap_or(100).min(100);
    let name = short_path(file.path.as_bytes(), width.saturating_sub(20));
    format!("  {percent:3} % {:>10}  {name}", size(file.size_bytes))
}

fn pace(snapshot: &Snapshot, estimate: &Estimate) -> String {
    let file = estimate.current_file.as_ref();
    let file = file.map_or_else(String::new, |(_, time)| format!(", largest file done in {}", duration(*time)));
    let allowed = snapshot
        .adaptive_limit
        .map_or_else(String::new, |limit| format!(" of {} (adaptive limit)", rate(limit.limit_bytes_per_s)));
    format!("{}{allowed}{}{file}", rate(estimate.progress_bytes_per_s()), written_and_holes(estimate))
}

fn left(snapshot: &Snapshot) -> String {
    let failed = match snapshot.failed_files {
        0 => String::new(),
        failed => format!(", failed {}", files(failed)),
    };
    format!("pending {}{failed}", totals(snapshot.pending))
}

fn done(snapshot: &Snapshot) -> String {
    let all = snapshot.in_sync_in_all();
    let holes = match snapshot.hole_bytes {
        0 => String::new(),
        holes => format!(" and {} of holes skipped", size(holes)),
    };
    format!(
        "written {}{holes}; in sync {} of {}, {} of {} files",
        size(snapshot.written_bytes),
        size(all.bytes),
        size(snapshot.source.bytes),
        number(all.files),
        number(snapshot.source.files)
    )
}

/// Progress on one line, for an output that is not a terminal.
pub(super) fn one_line(snapshot: &Snapshot, estimate: &Estimate, ends: Option<&str>) -> String {
    let paused = if snapshot.paused && snapshot.phase != Phase::Ended { "paused: " } else { "" };
    format!("{paused}{}", phase_line(snapshot, estimate, ends))
}

fn phase_line(snapshot: &Snapshot, estimate: &Estimate, ends: Option<&str>) -> String {
    match snapshot.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Scanning => format!(
            "scanning: source {}; destination {}; pending so far {}",
            counts(&snapshot.source),
            counts(&snapshot.sink),
            totals(snapshot.pending)
        ),
        Phase::Transferring => {
            let hole = hashed(snapshot, estimate, 60).map_or_else(String::new, |text| format!("; {text}"));
            let ends = ends.map_or_else(String::new, |ends| format!(", {ends}"));
            let (pace, left) = (pace(snapshot, estimate), left(snapshot));
            format!("{pace}{ends}, {left}; {}{}{hole}", done(snapshot), now(snapshot))
        }
        Phase::Mirroring => "deleting extras".to_owned(),
        _ => "finishing".to_owned(),
    }
}

/// The file in flight with the most bytes left, and how far its copy is.
fn now(snapshot: &Snapshot) -> String {
    let largest = snapshot.current.iter().filter(|file| !file.hashes_hole).max_by_key(|file| file.left_bytes());
    largest.map_or_else(String::new, |file| {
        let name = short_path(file.path.as_bytes(), 60);
        format!("; now {name}: {} of {}", size(file.position_bytes()), size(file.size_bytes))
    })
}

fn mean_rate(bytes: impl Into<u128>, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    rate(if seconds > 0.0 { (bytes.into() as f64 / seconds) as u64 } else { 0 })
}

/// How the run ended, and what to do next.
pub(crate) fn summary(report: &Report) -> String {
    let sent_bytes = u128::from(report.kept_bytes) + report.hole_bytes;
    let mut text = format!(
        "{}: sent {} in {} ({})",
        if report.outcome == RunOutcome::Stopped { "stopped" } else { "done" },
        totals(Totals::new(report.synced.files, sent_bytes)),
        duration(report.duration),
        mean_rate(sent_bytes, report.duration)
    );
    if report.source.files > 0 {
        text += &format!("; {} of {} files in sync", number(report.in_sync_files), number(report.source.files));
    }
    if report.outcome == RunOutcome::Stopped && report.scanned && report.scanned_at.is_none() {
        text += "\n  the scan was interrupted: the same command scans again";
    }
    if let Some(scanned_at) = report.scanned_at.filter(|_| !report.scanned) {
        text += &format!(" as of the scan of {}", local_time(scanned_at));
        if report.outcome == RunOutcome::Finished {
            text += "\n  what was created or changed since then may be missing: run the same command again to scan";
        }
    }
    if report.hole_bytes > 0 {
        text += &format!(
            "\n  of these {} were written ({}); the other {} are holes",
            size(report.kept_bytes),
            mean_rate(report.kept_bytes, report.duration),
            size(report.hole_bytes)
        );
    }
    let lost_bytes = report.written_bytes.saturating_sub(report.kept_bytes);
    if lost_bytes > 0 {
        text += &format!(
            "\n  {} were written in total ({}), {} of them for unfinished files, which start again at 0",
            size(report.written_bytes),
            mean_rate(report.written_bytes, report.duration),
            size(lost_bytes)
        );
    }
    text += &count_lines(&[
        (report.failed_files, "file failed", "files failed"),
        (report.vanished_files, "file vanished from the source", "files vanished from the source"),
        (report.skipped_files, "file skipped: it cannot be copied", "files skipped: they cannot be copied"),
        (
            report.special_files,
            "special file (FIFO, socket, device) skipped",
            "special files (FIFOs, sockets, devices) skipped",
        ),
        (report.unreadable_dirs, "path could not be read", "paths could not be read"),
        (
            report.attributes_not_accepted,
            "attribute (time, permissions, owner, …) not accepted by the destination",
            "attributes (times, permissions, owners, …) not accepted by the destination",
        ),
        (
            report.denied_attributes,
            "of these needs a privileged user, such as root",
            "of these need a privileged user, such as root",
        ),
        (report.deleted_files, "extra file deleted", "extra files deleted"),
        (report.deleted_dirs, "extra directory removed", "extra directories removed"),
        (report.protected, "extra entry kept, to be safe", "extra entries kept, to be safe"),
    ]);
    if report.pending.files > 0 {
        // A run that was stopped before its scan, while it retried failed files, leaves the same backlog.
        let only_failed = !report.scanned && report.backlog == Some(BacklogOrigin::Failed);
        let next = match report.outcome {
            RunOutcome::Stopped if !only_failed => {
                "the same command resumes without a scan; with --then-scan it scans afterwards, with --rescan first"
            }
            _ => "the same command tries them again, then scans",
        };
        text += &format!("\n  {} pending: {next}", totals(report.pending));
    }
    text
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use towpath_backend::{RelPath, Timestamp};

    const ENDS: Option<&str> = Some("ends about Tue 14:10, with 90 % by Wed 02:00");

    pub(in crate::console) fn snapshot() -> Snapshot {
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

    pub(in crate::console) fn estimate() -> Estimate {
        let mut estimate = Estimate::default();
        estimate.bandwidth_bytes_per_s = 20 << 20;
        estimate.current_file = Some((RelPath::new("projects/film 0\n/take.mov").unwrap(), Duration::from_secs(312)));
        estimate
    }

    #[test]
    fn a_terminal_shows_files_rate_both_times_and_both_sums() {
        let lines: Vec<_> = lines(&snapshot(), &estimate(), ENDS, 80).iter().map(|line| format!("|{line}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        |    0 %    1.0 GiB  projects/film 0\n/take.mov
        |   12 %    1.0 GiB  projects/film 1\n/take.mov
        |   25 %    1.0 GiB  projects/film 2\n/take.mov
        |   37 %    1.0 GiB  projects/film 3\n/take.mov
        |  and 2 more
        |20.0 MiB/s, largest file done in 05:12
        |ends about Tue 14:10, with 90 % by Wed 02:00
        |pending 1,000,000 files, 150.0 TiB, failed 2 files
        |written 3.0 GiB; in sync 50.0 TiB of 200.0 TiB, 234,567 of 1,234,567 files
        ");
    }

    #[test]
    fn a_pause_is_shown() {
        let mut paused = snapshot();
        paused.paused = true;
        assert_eq!(lines(&paused, &estimate(), ENDS, 80).last().unwrap(), "paused");
        assert!(one_line(&paused, &estimate(), ENDS).starts_with("paused: 20.0 MiB/s"));
    }

    #[test]
    fn a_scan_shows_both_sides_and_what_is_pending_so_far() {
        let mut scanning = snapshot();
        scanning.phase = Phase::Scanning;
        insta::assert_snapshot!(lines(&scanning, &Estimate::default(), None, 80).join("\n"), @"
        scan  source       1,234,567 files, 4,000 directories, 200.0 TiB
              destination  10 files, 2 directories, 5.0 GiB
              pending so far 1,000,000 files, 150.0 TiB
        ");
    }

    #[test]
    fn the_file_with_an_estimate_is_the_first_one_shown() {
        let mut snapshot = snapshot();
        snapshot.current.reverse();
        let lines = lines(&snapshot, &estimate(), ENDS, 80);
        assert!(lines[0].contains("film 0"), "{lines:?}");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 1..120 {
            for line in lines(&snapshot(), &estimate(), ENDS, width) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn without_a_terminal_one_line_shows_everything() {
        insta::assert_snapshot!(one_line(&snapshot(), &estimate(), ENDS), @"20.0 MiB/s, largest file done in 05:12, ends about Tue 14:10, with 90 % by Wed 02:00, pending 1,000,000 files, 150.0 TiB, failed 2 files; written 3.0 GiB; in sync 50.0 TiB of 200.0 TiB, 234,567 of 1,234,567 files; now projects/film 0\\n/take.mov: 0 B of 1.0 GiB");
    }

    #[test]
    fn unknown_estimates_are_not_shown() {
        let mut estimate = Estimate::default();
        estimate.bandwidth_bytes_per_s = 20 << 20;
        let line = one_line(&snapshot(), &estimate, None);
        assert!(line.starts_with("20.0 MiB/s, pending 1,000,000 files"), "{line}");
    }

    #[test]
    fn the_next_step_depends_on_where_the_run_was_stopped() {
        let mut stopped = report();
        let next = |report: &Report| summary(report).lines().last().unwrap().to_owned();
        assert!(next(&stopped).contains("resumes without a scan"));
        (stopped.scanned, stopped.backlog) = (false, Some(BacklogOrigin::Failed));
        assert!(next(&stopped).ends_with("the same command tries them again, then scans"));
        (stopped.scanned, stopped.scanned_at, stopped.pending) = (true, None, Totals::default());
        assert!(summary(&stopped).contains("the scan was interrupted: the same command scans again"));
    }

    #[test]
    fn the_summary_says_what_is_pending_and_what_to_do() {
        insta::assert_snapshot!(summary(&report()), @"
        stopped: sent 4 files, 2.3 KiB in 2.0 s (1.2 KiB/s); 4 of 10 files in sync
          of these 400 B were written (200 B/s); the other 2.0 KiB are holes
          450 B were written in total (225 B/s), 50 B of them for unfinished files, which start again at 0
          1 file failed
          1 file vanished from the source
          2 files skipped: they cannot be copied
          3 special files (FIFOs, sockets, devices) skipped
          2 attributes (times, permissions, owners, …) not accepted by the destination
          1 of these needs a privileged user, such as root
          7 extra files deleted
          3 extra directories removed
          1 extra entry kept, to be safe
          5 files, 500 B pending: the same command resumes without a scan; with --then-scan it scans afterwards, with --rescan first
        ");
    }

    fn report() -> Report {
        let mut report = Report::default();
        report.outcome = RunOutcome::Stopped;
        report.scanned = true;
        report.scanned_at = Some(Timestamp::from_ns(1_700_000_000_000_000_000));
        report.source = Counts::new(10, 1, 1000);
        report.in_sync_files = 4;
        report.synced = Totals::new(4, 400);
        report.pending = Totals::new(5, 500);
        report.failed_files = 1;
        report.vanished_files = 1;
        report.skipped_files = 2;
        report.special_files = 3;
        report.deleted_files = 7;
        report.deleted_dirs = 3;
        report.protected = 1;
        report.attributes_not_accepted = 2;
        report.denied_attributes = 1;
        report.read_bytes = 500;
        report.written_bytes = 450;
        report.kept_bytes = 400;
        report.hole_bytes = 2000;
        report.duration = Duration::from_secs(2);
        report
    }
}
