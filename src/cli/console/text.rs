//! What the console says: pure functions from events and snapshots to text.

use crate::cli::format::{duration, number, path, rate, short_path, size};
use crate::cli::sync::resuming;
use crate::{Counts, Estimate, Event, Outcome, Phase, Report, ScanReason, Snapshot, Totals};

/// Files under way that are shown.
const MAX_FILES: usize = 4;

/// An event in words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    pub(super) text: String,
    /// To be shown on standard error.
    pub(super) is_problem: bool,
    /// To be shown even with --quiet.
    pub(super) is_failure: bool,
}

/// An event in words; `None` if it is not to be shown.
pub(super) fn event(event: &Event, each_file: bool) -> Option<Shown> {
    let told = |text| Some(Shown { text, is_problem: false, is_failure: false });
    let problem = |text| Some(Shown { text, is_problem: true, is_failure: false });
    let failure = |text| Some(Shown { text, is_problem: true, is_failure: true });
    match event {
        Event::ScanStarted { reason } => told(scan_started(*reason).to_owned()),
        Event::ScanFinished { source, sink, pending } => told(format!(
            "scanned: source {}; destination {}; pending {}",
            counts(source),
            counts(sink),
            totals(*pending)
        )),
        Event::Resuming { pending } => told(resuming(*pending)),
        Event::PassStarted { pass: 1, .. } => None,
        Event::PassStarted { pass, .. } => {
            told(format!("trying again what changed or failed for a while (pass {pass})"))
        }
        Event::Synced { paths, size_bytes, checksum } if each_file => {
            let digits = checksum.as_ref().map_or("-", |checksum| checksum.hash.as_str());
            told(format!("{digits} {size_bytes} {}", path(&paths.dest)))
        }
        Event::Synced { .. } => None,
        Event::WillRetry { paths, reason } => problem(format!("will try again: {}: {reason}", path(&paths.source))),
        Event::Failed { paths, error } => failure(format!("failed: {}: {error}", path(&paths.source))),
        Event::Vanished { paths } => problem(format!("vanished: {}", path(&paths.source))),
        Event::Skipped { paths, reason } => problem(format!("skipped: {}: {reason}", path(&paths.source))),
        Event::Unreadable { path: dir, error, .. } => failure(format!("cannot read {}: {error}", path(dir))),
        Event::Warning { message } => problem(format!("warning: {}", path(message.as_bytes()))),
        Event::Stopping => None,
    }
}

fn scan_started(reason: ScanReason) -> &'static str {
    match reason {
        ScanReason::FirstRun => "scanning both trees",
        ScanReason::BacklogEmpty => "scanning both trees: nothing is pending from the last run",
        ScanReason::Interrupted => "scanning both trees: the last scan was interrupted",
        ScanReason::Requested => "scanning both trees, as asked",
    }
}

fn counts(counts: &Counts) -> String {
    format!("{} files, {} directories, {}", number(counts.files), number(counts.dirs), size(counts.bytes))
}

fn totals(totals: Totals) -> String {
    format!("{} files, {}", number(totals.files), size(totals.bytes))
}

/// The lines at the foot of a terminal, none longer than `width`.
pub(super) fn lines(snapshot: &Snapshot, estimate: &Estimate, width: usize) -> Vec<String> {
    let mut lines = match snapshot.phase {
        Phase::Starting | Phase::Ended => Vec::new(),
        Phase::Scanning => vec![
            format!("scan  source       {}", counts(&snapshot.source)),
            format!("      destination  {}", counts(&snapshot.sink)),
            format!("      pending so far {}", totals(snapshot.pending)),
        ],
        Phase::Transferring => {
            let mut lines: Vec<_> = snapshot.current.iter().take(MAX_FILES).map(|file| current(file, width)).collect();
            if snapshot.current.len() > MAX_FILES {
                lines.push(format!("  and {} more", snapshot.current.len() - MAX_FILES));
            }
            lines.push(transfer(snapshot, estimate));
            lines.push(session(snapshot));
            lines
        }
    };
    for line in &mut lines {
        *line = line.chars().take(width).collect();
    }
    lines
}

fn current(file: &crate::CurrentFile, width: usize) -> String {
    let percent = (file.written_bytes * 100).checked_div(file.size_bytes).unwrap_or(100).min(100);
    let name = short_path(file.path.as_bytes(), width.saturating_sub(20));
    format!("  {percent:3} % {:>10}  {name}", size(file.size_bytes))
}

fn transfer(snapshot: &Snapshot, estimate: &Estimate) -> String {
    let eta = |time: Option<std::time::Duration>| time.map_or_else(|| "unknown".to_owned(), duration);
    let file = estimate.current_file.as_ref().map(|(_, time)| *time);
    format!(
        "{}, file done in {}, all done in {}, pending {}",
        rate(estimate.bandwidth_bytes_per_s),
        eta(file),
        eta(estimate.backlog),
        totals(snapshot.pending)
    )
}

fn session(snapshot: &Snapshot) -> String {
    let all = snapshot.in_sync_in_all();
    let failed = match snapshot.failed_files {
        0 => String::new(),
        failed => format!(", failed {}", number(failed)),
    };
    format!(
        "sent now {}; in all {} of {}, {} of {} files{failed}",
        size(snapshot.written_bytes),
        size(all.bytes),
        size(snapshot.source.bytes),
        number(all.files),
        number(snapshot.source.files)
    )
}

/// Progress on one line, for an output that is no terminal.
pub(super) fn one_line(snapshot: &Snapshot, estimate: &Estimate) -> String {
    match snapshot.phase {
        Phase::Starting => "starting".to_owned(),
        Phase::Ended => "ending".to_owned(),
        Phase::Scanning => format!(
            "scanning: source {}; destination {}; pending so far {}",
            counts(&snapshot.source),
            counts(&snapshot.sink),
            totals(snapshot.pending)
        ),
        Phase::Transferring => {
            let file = estimate
                .current_file
                .as_ref()
                .map_or_else(String::new, |(name, _)| format!("; now {}", short_path(name.as_bytes(), 60)));
            format!("{}; {}{file}", transfer(snapshot, estimate), session(snapshot))
        }
    }
}

/// How the run ended, and how to go on.
pub(in crate::cli) fn summary(report: &Report) -> String {
    let seconds = report.duration.as_secs_f64();
    let mean = if seconds > 0.0 { (report.written_bytes as f64 / seconds) as u64 } else { 0 };
    let mut text = format!(
        "{}: sent {} in {} ({})",
        if report.outcome == Outcome::Stopped { "stopped" } else { "done" },
        totals(report.synced),
        duration(report.duration),
        rate(mean)
    );
    let in_sync = report.source.files.saturating_sub(report.pending.files + report.vanished_files);
    if report.source.files > 0 {
        text += &format!("; {} of {} files in sync", number(in_sync), number(report.source.files));
    }
    for (count, what) in [
        (report.failed_files, "failed"),
        (report.vanished_files, "vanished from the source"),
        (report.skipped_files, "skipped, of a kind that is not copied"),
        (report.unreadable_dirs, "directories could not be read"),
    ] {
        if count > 0 {
            text += &format!("\n  {} {what}", number(count));
        }
    }
    if report.pending.files > 0 {
        text += &format!(
            "\n  {} pending: the same command goes on with them; with --rescan it looks at the trees again first",
            totals(report.pending)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CurrentFile, FilePaths};
    use std::time::Duration;
    use towpath_backend::RelPath;

    fn snapshot() -> Snapshot {
        Snapshot {
            phase: Phase::Transferring,
            source: Counts { files: 1_234_567, dirs: 4_000, bytes: 200 << 40 },
            sink: Counts { files: 10, dirs: 2, bytes: 5 << 30 },
            pending: Totals { files: 1_000_000, bytes: 150 << 40 },
            synced: Totals { files: 17, bytes: 3 << 30 },
            failed_files: 2,
            read_bytes: 4 << 30,
            written_bytes: 3 << 30,
            current: (0..6)
                .map(|n| CurrentFile {
                    path: RelPath::new(format!("projects/film {n}\n/take.mov")).unwrap(),
                    size_bytes: 1 << 30,
                    written_bytes: n << 27,
                })
                .collect(),
        }
    }

    fn estimate() -> Estimate {
        Estimate {
            bandwidth_bytes_per_s: 20 << 20,
            current_file: Some((RelPath::new("projects/film 0\n/take.mov").unwrap(), Duration::from_secs(312))),
            backlog: Some(Duration::from_secs(1_825_452)),
        }
    }

    #[test]
    fn a_terminal_shows_files_rate_both_times_and_both_sums() {
        let lines: Vec<_> = lines(&snapshot(), &estimate(), 100).iter().map(|line| format!("|{line}")).collect();
        insta::assert_snapshot!(lines.join("\n"), @r"
        |    0 %    1.0 GiB  projects/film 0\n/take.mov
        |   12 %    1.0 GiB  projects/film 1\n/take.mov
        |   25 %    1.0 GiB  projects/film 2\n/take.mov
        |   37 %    1.0 GiB  projects/film 3\n/take.mov
        |  and 2 more
        |20.0 MiB/s, file done in 05:12, all done in 21d 03:04:12, pending 1,000,000 files, 150.0 TiB
        |sent now 3.0 GiB; in all 50.0 TiB of 200.0 TiB, 234,567 of 1,234,567 files, failed 2
        ");
    }

    #[test]
    fn a_scan_shows_both_sides_and_what_is_pending_so_far() {
        let scanning = Snapshot { phase: Phase::Scanning, ..snapshot() };
        insta::assert_snapshot!(lines(&scanning, &Estimate::default(), 80).join("\n"), @"
        scan  source       1,234,567 files, 4,000 directories, 200.0 TiB
              destination  10 files, 2 directories, 5.0 GiB
              pending so far 1,000,000 files, 150.0 TiB
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 1..120 {
            for line in lines(&snapshot(), &estimate(), width) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }

    #[test]
    fn without_a_terminal_one_line_says_it_all() {
        insta::assert_snapshot!(one_line(&snapshot(), &estimate()), @"20.0 MiB/s, file done in 05:12, all done in 21d 03:04:12, pending 1,000,000 files, 150.0 TiB; sent now 3.0 GiB; in all 50.0 TiB of 200.0 TiB, 234,567 of 1,234,567 files, failed 2; now projects/film 0\\n/take.mov");
    }

    #[test]
    fn failures_are_shown_even_when_quiet() {
        let paths = FilePaths { source: b"/old/a".to_vec(), dest: b"/new/a".to_vec() };
        let shown = event(&Event::Failed { paths: paths.clone(), error: "no".to_owned() }, false).unwrap();
        assert_eq!((shown.text.as_str(), shown.is_failure), ("failed: /old/a: no", true));
        assert!(!event(&Event::Vanished { paths }, false).unwrap().is_failure);
    }

    #[test]
    fn the_summary_says_what_is_left_and_how_to_go_on() {
        let report = Report {
            outcome: Outcome::Stopped,
            scanned: true,
            source: Counts { files: 10, dirs: 1, bytes: 1000 },
            synced: Totals { files: 4, bytes: 400 },
            pending: Totals { files: 5, bytes: 500 },
            failed_files: 1,
            vanished_files: 1,
            skipped_files: 2,
            unreadable_dirs: 0,
            read_bytes: 500,
            written_bytes: 400,
            duration: Duration::from_secs(2),
        };
        insta::assert_snapshot!(summary(&report), @"
        stopped: sent 4 files, 400 B in 2.0 s (200 B/s); 4 of 10 files in sync
          1 failed
          1 vanished from the source
          2 skipped, of a kind that is not copied
          5 files, 500 B pending: the same command goes on with them; with --rescan it looks at the trees again first
        ");
    }
}
