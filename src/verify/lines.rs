//! The log's lines about a verification: its options, and its result.

use serde_json::{Map, Value, json};
use towpath_backend::RelPath;

use super::options::VerifyOptions;
use super::report::VerifyReport;
use super::session::VerifySession;
use crate::audit::RunLine;
use crate::error::{Error, Result};
use crate::event::FilePaths;
use crate::journal::Pass;
use crate::json;
use crate::options::Bandwidth;
use crate::report::RunOutcome;
use crate::selection::Selection;
use crate::verify_result::VerifyClass;

/// The first line.
pub(super) fn start_line(roots: FilePaths, options: &VerifyOptions, lanes: usize, pass: &Pass) -> RunLine {
    let mut line = RunLine::now("verify-started", roots);
    line.put("pass", pass.number);
    line.put("resumed_from", pass.is_resumed.then(|| json::time(pass.started)));
    line.put("selection", options.selection.to_string());
    line.put("seed", matches!(options.selection, Selection::Sample(_)).then(|| pass.seed.clone()));
    line.put("version", env!("CARGO_PKG_VERSION"));
    let (bwlimit, bwlimit_max) = match options.bandwidth {
        Bandwidth::Unlimited => (Value::Null, None),
        Bandwidth::Limit(bytes_per_s) => (bytes_per_s.into(), None),
        Bandwidth::Auto { max_bytes_per_s } => ("auto".into(), max_bytes_per_s),
    };
    line.put(
        "options",
        json!({
            "bwlimit": bwlimit,
            "bwlimit_max": bwlimit_max,
            "hash_both": options.hash_both,
            "checksum": options.checksum.name(),
            "lanes": lanes,
            "modify_window_s": options.modify_window.map(|window| window.as_secs_f64()),
        }),
    );
    line
}

/// The last line.
pub(super) fn end_line(
    session: &VerifySession,
    stop_reason: Option<&String>,
    report: &VerifyReport,
    result: &Result<()>,
) -> RunLine {
    let mut line = RunLine::now("verify-ended", session.paths(&RelPath::root()));
    let word = match result {
        Err(error) if error.is_refusal() => "refused",
        Err(_) => "failed",
        Ok(()) if report.outcome == RunOutcome::Stopped => "stopped",
        Ok(()) => "completed",
    };
    line.error = result.as_ref().err().map(Error::to_string);
    line.put("pass", report.pass);
    line.put("result", word);
    line.put("stopped_by", stop_reason.filter(|_| word == "stopped").cloned());
    let classes: Map<_, _> = VerifyClass::ALL
        .into_iter()
        .map(|class| {
            let totals = report.of(class);
            (class.name().to_owned(), json!({ "files": totals.files, "bytes": json::number(totals.bytes) }))
        })
        .collect();
    line.put("classes", classes);
    line.put("synced_files", report.synced.files);
    line.put("synced_bytes", json::number(report.synced.bytes));
    line.put("pending_files", report.pending.files);
    line.put("left_files", report.left.files);
    line.put("cached_files", report.cached_files);
    line.put("read_bytes", report.read_bytes);
    line.put("duration_ms", u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX));
    line
}
