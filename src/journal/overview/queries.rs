//! The queries. Each works on every version of the schema.

use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use rusqlite::{Connection, OptionalExtension as _, Row};
use towpath_backend::Timestamp;

use super::model::{Overview, RecordedBacklog, RecordedFailures, RecordedOutcome, RecordedRun};
use crate::event::{Counts, Totals};
use crate::journal::store::cause_columns::ErrorSide;
use crate::journal::store::sums;
use crate::journal::store::value::{bytes, limit, number, optional_number};
use crate::side::Side;

/// The first version of the schema that records what a run did.
const WITH_COUNTS: i32 = 5;
/// The first version of the schema that has the end of the log's chain.
const WITH_CHAIN: i32 = 6;
/// The first version of the schema that records the options of a run, and how it was started.
const WITH_OPTIONS: i32 = 7;

/// The database in one transaction.
pub(super) fn overview(connection: &Connection, runs: usize) -> rusqlite::Result<Overview> {
    let schema = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let root =
        |side: Side| connection.query_row("SELECT root FROM tree WHERE side = ?1", [side], |row| bytes(row, "root"));
    Ok(Overview {
        source: root(Side::Source)?,
        sink: root(Side::Sink)?,
        schema,
        backlog: backlog(connection, schema)?,
        last_scan: last_scan(connection)?,
        runs: last_runs(connection, schema, runs)?,
        failures: if schema < WITH_COUNTS { Vec::new() } else { failures(connection)? },
        audit_chain_end: if schema < WITH_CHAIN { None } else { chain_end(connection)? },
        process: None,
    })
}

fn chain_end(connection: &Connection) -> rusqlite::Result<Option<String>> {
    let last = connection.query_row("SELECT last FROM chain", [], |row| row.get("last"));
    last.optional().map(Option::flatten)
}

/// What the last complete scan found.
fn last_scan(connection: &Connection) -> rusqlite::Result<Option<(Counts, Counts)>> {
    let sql = "SELECT source_files, source_dirs, source_bytes, sink_files, sink_dirs, sink_bytes
         FROM scan WHERE finished IS NOT NULL ORDER BY id DESC LIMIT 1";
    connection.query_row(sql, [], both_counts).optional()
}

/// What a scan found in the source and in the sink.
pub(super) fn both_counts(row: &Row<'_>) -> rusqlite::Result<(Counts, Counts)> {
    let counts = |files, dirs, bytes| -> rusqlite::Result<Counts> {
        Ok(Counts { files: number(row, files)?, dirs: number(row, dirs)?, bytes: number(row, bytes)?.into() })
    };
    Ok((counts("source_files", "source_dirs", "source_bytes")?, counts("sink_files", "sink_dirs", "sink_bytes")?))
}

/// The backlog of the last scan, if that is complete.
fn backlog(connection: &Connection, schema: i32) -> rusqlite::Result<Option<RecordedBacklog>> {
    let sql = "SELECT source_files, source_dirs, source_bytes, sink_files, sink_dirs, sink_bytes, started
         FROM scan WHERE id = (SELECT max(id) FROM scan) AND finished IS NOT NULL";
    let scan = connection.query_row(sql, [], |row| {
        let (source, sink) = both_counts(row)?;
        let scanned_at = Timestamp::from_ns(row.get("started")?);
        Ok(RecordedBacklog { scanned_at, source, sink, pending: Totals::default() })
    });
    let Some(backlog) = scan.optional()? else { return Ok(None) };
    let pending = match kept_pending(connection, schema)? {
        Some(pending) => pending,
        None => counted_pending(connection, schema)?,
    };
    Ok(Some(RecordedBacklog { pending, ..backlog }))
}

/// The pending files as the last run recorded them.
fn kept_pending(connection: &Connection, schema: i32) -> rusqlite::Result<Option<Totals>> {
    if schema < WITH_COUNTS {
        return Ok(None);
    }
    let sql = "SELECT pending_files, pending_bytes FROM run ORDER BY id DESC LIMIT 1";
    let read = |row: &Row<'_>| Ok((optional_number(row, "pending_files")?, optional_number(row, "pending_bytes")?));
    let (files, bytes) = connection.query_row(sql, [], read).optional()?.unwrap_or_default();
    Ok(files.zip(bytes).map(|(files, bytes)| Totals::new(files, bytes.into())).filter(|sum| sums::is_exact(sum.bytes)))
}

/// Counts the pending rows, by an index that has only those. A second for some millions.
fn counted_pending(connection: &Connection, schema: i32) -> rusqlite::Result<Totals> {
    // Names and attributes have no bytes to be sent.
    let bytes = sums::columns(if schema < 2 { "" } else { "FILTER (WHERE work = 0)" });
    connection.query_row(&format!("SELECT count(*) AS files, {bytes} FROM file WHERE status = 0"), [], |row| {
        Ok(Totals { files: number(row, "files")?, bytes: sums::read(row)? })
    })
}

pub(super) fn last_runs(connection: &Connection, schema: i32, runs: usize) -> rusqlite::Result<Vec<RecordedRun>> {
    let counts = if schema < WITH_COUNTS {
        "NULL AS version, NULL AS pid, NULL AS log, id IN (SELECT run FROM scan) AS scanned, NULL AS sent_files,
         NULL AS sent_bytes, NULL AS deleted_files, NULL AS deleted_dirs, NULL AS failed_files, NULL AS failed_bytes,
         NULL AS updated, NULL AS stopped_by, NULL AS error"
    } else {
        "version, pid, log, scanned, sent_files, sent_bytes, deleted_files, deleted_dirs, failed_files, failed_bytes,
         updated, stopped_by, error"
    };
    let options = if schema < WITH_OPTIONS { "NULL AS options, NULL AS command" } else { "options, command" };
    let sql = format!("SELECT id, started, finished, outcome, {counts}, {options} FROM run ORDER BY id DESC LIMIT ?1");
    connection.prepare(&sql)?.query_map([limit(runs)], run)?.collect()
}

fn run(row: &Row<'_>) -> rusqlite::Result<RecordedRun> {
    let time = |column: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Timestamp::from_ns));
    let totals = |files: &str, bytes: &str| -> rusqlite::Result<Option<Totals>> {
        let both = optional_number(row, files)?.zip(optional_number(row, bytes)?);
        Ok(both.map(|(files, bytes)| Totals::new(files, bytes.into())))
    };
    let has_log = row.get_ref("log")? != rusqlite::types::ValueRef::Null;
    Ok(RecordedRun {
        number: row.get("id")?,
        started: Timestamp::from_ns(row.get("started")?),
        finished: time("finished")?,
        outcome: row.get::<_, Option<String>>("outcome")?.map(|outcome| match outcome.as_str() {
            "finished" | "retried" => RecordedOutcome::Finished,
            "assessed" => RecordedOutcome::Assessed,
            "stopped" => RecordedOutcome::Stopped,
            _ => RecordedOutcome::Failed,
        }),
        version: row.get("version")?,
        pid: row.get("pid")?,
        log: has_log
            .then(|| bytes(row, "log"))
            .transpose()?
            .map(|log| PathBuf::from(std::ffi::OsString::from_vec(log))),
        scanned: row.get("scanned")?,
        sent: totals("sent_files", "sent_bytes")?,
        deleted_files: optional_number(row, "deleted_files")?,
        deleted_dirs: optional_number(row, "deleted_dirs")?,
        failed: totals("failed_files", "failed_bytes")?,
        updated: time("updated")?,
        stopped_by: row.get("stopped_by")?,
        error: row.get("error")?,
        options: row.get("options")?,
        command: row.get("command")?,
    })
}

/// What failed in the newest run, the most frequent first.
fn failures(connection: &Connection) -> rusqlite::Result<Vec<RecordedFailures>> {
    let sql = "SELECT side, kind, count, path, error FROM run_error WHERE run = (SELECT max(id) FROM run)
         ORDER BY count DESC, side, kind";
    let read = |row: &Row<'_>| {
        Ok(RecordedFailures {
            side: row.get::<_, ErrorSide>("side")?.0,
            kind: row.get("kind")?,
            count: number(row, "count")?,
            path: bytes(row, "path")?,
            error: row.get("error")?,
        })
    };
    connection.prepare(sql)?.query_map([], read)?.collect()
}
