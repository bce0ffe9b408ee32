//! How a run ended, as text.

use std::time::Duration;

use super::text::{count_lines, plural, totals};
use crate::format::{duration, escape, local_time, number, quoted, rate, size};
use crate::status::model::Status;
use towpath::{BacklogOrigin, Report, RunOutcome, Totals};

/// Kinds of failures that are listed.
const MAX_KINDS: usize = 8;

fn mean_rate(bytes: impl Into<u128>, time: Duration) -> String {
    let seconds = time.as_secs_f64();
    rate(if seconds > 0.0 { (bytes.into() as f64 / seconds) as u64 } else { 0 })
}

/// How the run ended, on one line.
pub(crate) fn headline(report: &Report) -> String {
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
    text
}

/// How the run ended, and what to do next.
pub(crate) fn summary(report: &Report, status: &Status) -> String {
    let mut text = headline(report);
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
    text += &count_lines(&[(report.failed_files, "file failed", "files failed")]);
    text += &failures(status);
    text += &count_lines(&[
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
        (report.accepted, "of these is an accepted exception", "of these are accepted exceptions"),
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
    if let Some(hash) = &report.audit_chain_end {
        text += &format!("\n  hash of the last line of the log: {hash}");
    }
    text
}

/// What failed, by kind, and the command that lists it.
fn failures(status: &Status) -> String {
    let kinds = status.errors.iter().take(MAX_KINDS).map(|errors| {
        let side = errors.side.map_or_else(String::new, |side| format!(" ({})", side.name()));
        format!("\n    {} {}{side}, such as {}", number(errors.count), errors.kind, escape(errors.path.as_bytes()))
    });
    let mut text: String = kinds.collect();
    if status.errors.len() > MAX_KINDS {
        text += &format!("\n    {}", plural((status.errors.len() - MAX_KINDS) as u64, "other kind", "other kinds"));
    }
    if let Some(log) = status.log.as_ref().filter(|_| !text.is_empty()) {
        let log = escape(log.as_bytes());
        let filter = r#"select(.status == "failed") | .source + ": " + .error"#;
        text += &format!("\n    list: jq -r '{filter}' {}", quoted(&log));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::fixture::view;
    use super::*;
    use crate::status::model::{Errors, Side};
    use towpath::Counts;
    use towpath_backend::Timestamp;

    #[test]
    fn the_next_step_depends_on_where_the_run_was_stopped() {
        let mut stopped = report();
        let next = |report: &Report| summary(report, &view().status).lines().last().unwrap().to_owned();
        assert!(next(&stopped).contains("resumes without a scan"));
        (stopped.scanned, stopped.backlog) = (false, Some(BacklogOrigin::Failed));
        assert!(next(&stopped).ends_with("the same command tries them again, then scans"));
        (stopped.scanned, stopped.scanned_at, stopped.pending) = (true, None, Totals::default());
        assert!(summary(&stopped, &view().status).contains("the scan was interrupted: the same command scans again"));
    }

    #[test]
    fn the_summary_says_what_is_pending_and_what_to_do() {
        insta::assert_snapshot!(summary(&report(), &status()), @r#"
        stopped: sent 4 files, 2.3 KiB in 2.0 s (1.2 KiB/s); 4 of 10 files in sync
          of these 400 B were written (200 B/s); the other 2.0 KiB are holes
          450 B were written in total (225 B/s), 50 B of them for unfinished files, which start again at 0
          1 file failed
            1 permission-denied (source), such as /old/a\n
            list: jq -r 'select(.status == "failed") | .source + ": " + .error' /state/x
          1 file vanished from the source
          2 files skipped: they cannot be copied
          3 special files (FIFOs, sockets, devices) skipped
          2 attributes (times, permissions, owners, …) not accepted by the destination
          1 of these needs a privileged user, such as root
          7 extra files deleted
          3 extra directories removed
          1 extra entry kept, to be safe
          5 files, 500 B pending: the same command resumes without a scan; with --then-scan it scans afterwards, with --rescan first
        "#);
    }

    fn status() -> Status {
        let mut status = view().status;
        status.errors = vec![Errors {
            kind: "permission-denied".to_owned(),
            side: Some(Side::Source),
            count: 1,
            path: "/old/a\n".to_owned(),
            path_bytes: None,
            error: "denied".to_owned(),
        }];
        status
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
