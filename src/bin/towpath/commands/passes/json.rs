//! The passes as JSON.

use serde_json::{Value, json};
use towpath::{PassForecast, Passes, RecordedPass, RecordedScan, Timestamp, Totals};

use crate::format::moment;
use crate::status::model::path_text;
use crate::status::recorded::outcome;

pub(super) fn passes(passes: &Passes, next: Option<&PassForecast>) -> Value {
    json!({
        "source": path_text(&passes.source).0,
        "dest": path_text(&passes.sink).0,
        "passes": passes.passes.iter().map(pass).collect::<Vec<_>>(),
        "forecast": next.map(|next| json!({
            "p50_s": next.p50.as_secs_f64(),
            "p90_s": next.p90.as_secs_f64(),
            "scan_s": next.scan.as_secs_f64(),
            "files": next.work.files,
            "bytes": towpath::json::number(next.work.bytes),
            "learned_from": next.learned_from,
        })),
    })
}

fn pass(pass: &RecordedPass) -> Value {
    let run = &pass.run;
    json!({
        "run": run.number,
        "started": time(run.started),
        "ended": run.finished.map(time),
        "outcome": outcome(run, false),
        "duration_s": pass.duration().map(|time| time.as_secs_f64()),
        "scan": pass.scan.as_ref().map(scan),
        "sent": run.sent.map(totals),
        "deleted": { "files": run.deleted_files, "dirs": run.deleted_dirs },
        "failed": run.failed.map(totals),
        "limit_bytes_per_s": pass.limits_bytes_per_s.as_ref()
            .map(|limits| json!({ "lowest": limits.start(), "highest": limits.end() })),
    })
}

fn scan(scan: &RecordedScan) -> Value {
    json!({
        "started": time(scan.started),
        "ended": scan.finished.map(time),
        "duration_s": scan.duration().map(|time| time.as_secs_f64()),
        "files": scan.source.files,
        "dirs": scan.source.dirs,
        "bytes": towpath::json::number(scan.source.bytes),
        "found": scan.found.map(totals),
    })
}

fn totals(totals: Totals) -> Value {
    json!({ "files": totals.files, "bytes": towpath::json::number(totals.bytes) })
}

fn time(time: Timestamp) -> Option<String> {
    moment(time).map(|time| time.to_string())
}
