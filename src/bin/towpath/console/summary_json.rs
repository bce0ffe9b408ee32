//! How a run ended, as JSON.

use serde_json::{Value, json};
use towpath::json::number;
use towpath::{Report, RunOutcome, Totals};

use crate::event_json::object;
use crate::status::model::Status;

/// One line: the last of `--progress json`.
pub(crate) fn summary_json(report: &Report, status: &Status) -> String {
    let totals = |totals: Totals| json!({ "files": totals.files, "bytes": number(totals.bytes) });
    let sent_bytes = u128::from(report.kept_bytes) + report.hole_bytes;
    let seconds = report.duration.as_secs_f64();
    let fields = json!({
        "time": jiff::Timestamp::now(),
        "outcome": if report.outcome == RunOutcome::Stopped { "stopped" } else { "finished" },
        "all_in_sync": report.all_in_sync(),
        "accepted": report.accepted,
        "duration_s": seconds,
        "sent": totals(Totals::new(report.synced.files, sent_bytes)),
        "hole_bytes": number(report.hole_bytes),
        "written_bytes": report.written_bytes,
        "mean_bytes_per_s": if seconds > 0.0 { (sent_bytes as f64 / seconds) as u64 } else { 0 },
        "source": { "files": report.source.files, "dirs": report.source.dirs, "bytes": number(report.source.bytes) },
        "in_sync_files": report.in_sync_files,
        "pending": totals(report.pending),
        "scanned": report.scanned,
        "scanned_at": report.scanned_at.map(towpath::json::time),
        "failed_files": report.failed_files,
        "vanished_files": report.vanished_files,
        "skipped_files": report.skipped_files,
        "special_files": report.special_files,
        "unreadable": report.unreadable_dirs,
        "attributes_refused": report.attributes_not_accepted,
        "deleted_files": report.deleted_files,
        "deleted_dirs": report.deleted_dirs,
        "protected": report.protected,
        "refusal": report.refusal.as_ref().map(ToString::to_string),
        "audit_chain_end": report.audit_chain_end,
        "errors": status.errors,
        "database": status.database,
        "log": status.log,
    });
    Value::Object(object("summary", fields)).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::view;
    use super::*;

    #[test]
    fn the_summary_is_one_line_with_the_figures_of_the_report() {
        let mut report = Report::default();
        (report.synced, report.kept_bytes) = (Totals::new(4, 400), 400);
        report.duration = std::time::Duration::from_secs(2);
        let line = summary_json(&report, &view().status);
        let summary: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(summary.as_object().unwrap().keys().next().unwrap(), "event");
        assert_eq!((&summary["event"], &summary["mean_bytes_per_s"]), (&json!("summary"), &json!(200)));
        assert_eq!(summary["sent"], json!({"files": 4, "bytes": 400}));
        assert!(!line.contains('\n'));
    }
}
