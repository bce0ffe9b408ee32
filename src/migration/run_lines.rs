//! The log's lines about a run: its options, and its result.

use std::fmt::Debug;

use serde_json::{Value, json};
use towpath_backend::RelPath;

use crate::audit::RunLine;
use crate::error::{Error, Result};
use crate::event::{FilePaths, SteerAction};
use crate::json;
use crate::options::{Bandwidth, Extent, MaxDelete, Options};
use crate::report::{Report, RunOutcome};
use crate::session::Session;

/// The first line of the run, without the fields that the database adds.
pub(super) fn start_line(session: &Session) -> RunLine {
    let mut line = RunLine::started(roots(session));
    line.put("version", env!("CARGO_PKG_VERSION"));
    line.put("options", options(&session.options, session.lanes));
    line
}

/// The last line of the run.
pub(super) fn end_line(
    session: &Session,
    stop_reason: Option<&String>,
    report: &Report,
    result: &Result<()>,
) -> RunLine {
    let mut line = RunLine::ended(roots(session));
    let word = match result {
        Err(error) if error.is_refusal() => "refused",
        Err(_) => "failed",
        Ok(()) if report.outcome == RunOutcome::Stopped => "stopped",
        Ok(()) if report.refusal.is_some() => "refused",
        Ok(()) if session.options.extent != Extent::Migration => "assessed",
        Ok(()) => "completed",
    };
    line.error =
        result.as_ref().err().map(Error::to_string).or_else(|| report.refusal.as_ref().map(ToString::to_string));
    line.put("result", word);
    line.put("stopped_by", stop_reason.filter(|_| word == "stopped").cloned());
    line.put("scanned", report.scanned);
    line.put("scanned_at", report.scanned_at.map(json::time));
    for (key, number) in [
        ("source_files", report.source.files),
        ("in_sync_files", report.in_sync_files),
        ("sent_files", report.synced.files),
        ("sent_bytes", report.kept_bytes),
        ("written_bytes", report.written_bytes),
        ("pending_files", report.pending.files),
        ("failed_files", report.failed_files),
        ("vanished_files", report.vanished_files),
        ("skipped_files", report.skipped_files),
        ("special_files", report.special_files),
        ("unreadable_dirs", report.unreadable_dirs),
        ("deleted_files", report.deleted_files),
        ("deleted_dirs", report.deleted_dirs),
        ("protected", report.protected),
        ("refused_attributes", report.attributes_not_accepted),
    ] {
        line.put(key, number);
    }
    line.put("source_bytes", json::number(report.source.bytes));
    line.put("pending_bytes", json::number(report.pending.bytes));
    let duration_ms = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX);
    line.put("duration_ms", duration_ms);
    line
}

/// A line about how the run was steered.
pub(super) fn steered_line(session: &Session, action: SteerAction, by: &str) -> RunLine {
    let status = match action {
        SteerAction::Paused => "paused",
        SteerAction::Resumed => "resumed",
        SteerAction::Bandwidth(_) => "limit-set",
        SteerAction::Stop { .. } => "stop-requested",
    };
    let mut line = RunLine::now(status, roots(session));
    line.put("by", by);
    match action {
        SteerAction::Bandwidth(bandwidth) => {
            let (bwlimit, bwlimit_max) = limits(bandwidth);
            line.put("bwlimit", bwlimit);
            line.put("bwlimit_max", bwlimit_max);
        }
        SteerAction::Stop { after_current } => line.put("after_current", after_current),
        SteerAction::Paused | SteerAction::Resumed => {}
    }
    line
}

fn roots(session: &Session) -> FilePaths {
    session.paths(&RelPath::root())
}

/// The options in force. None of them is a secret: those are in the configuration and the environment.
fn options(options: &Options, lanes: usize) -> Value {
    let (bwlimit, bwlimit_max) = limits(options.bandwidth);
    let max_delete = options.mirror.map(|mirror| match mirror.max_delete {
        MaxDelete::Files(files) => files.into(),
        MaxDelete::Percent(percent) => format!("{percent}%").into(),
        MaxDelete::Default => Value::from("default"),
    });
    json!({
        "bwlimit": bwlimit,
        "bwlimit_max": bwlimit_max,
        "checksum": options.checksum.map(|algorithm| algorithm.name()),
        "lanes": lanes,
        "walkers": options.walkers,
        "block_size": options.block_size_bytes,
        "queue_capacity": options.queue_capacity,
        "modify_window_s": options.modify_window.map(|window| window.as_secs_f64()),
        "links": word(options.links),
        "hard_links": word(options.hard_links),
        "specials": word(options.specials),
        "write_mode": word(options.write_mode),
        "perms": options.keep_permissions,
        "owner": options.keep_owner,
        "xattrs": options.keep_xattrs,
        "filters": options.filter.fingerprint().lines().collect::<Vec<_>>(),
        "delete_extras": options.mirror.is_some(),
        "max_delete": max_delete,
        "trash": options.mirror.is_some_and(|mirror| mirror.discard),
        "delete_other_file_systems": options.mirror.is_some_and(|mirror| mirror.other_file_systems),
        "delete_excluded": options.delete_excluded,
        "rescan": options.rescan,
        "after_backlog": word(options.after_backlog),
        "rescan_after_s": options.rescan_after.map(|age| age.as_secs_f64()),
        "accept_new_tree": options.accept_new_tree,
        "audit_chain": options.audit_chain,
        "log_rotate": options.max_log_bytes,
    })
}

/// The values of `bwlimit` and `bwlimit_max`.
fn limits(bandwidth: Bandwidth) -> (Value, Option<u64>) {
    match bandwidth {
        Bandwidth::Unlimited => (Value::Null, None),
        Bandwidth::Limit(bytes_per_s) => (bytes_per_s.into(), None),
        Bandwidth::Auto { max_bytes_per_s } => ("auto".into(), max_bytes_per_s),
    }
}

/// The name of a choice as the command line spells it: `Links::Follow` is `follow`.
fn word(choice: impl Debug) -> String {
    format!("{choice:?}").to_lowercase()
}
