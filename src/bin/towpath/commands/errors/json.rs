//! Errors as JSON. Keys are only ever added.

use serde_json::{Map, Value, json};
use towpath::json::{number, put_path, time};
use towpath::{
    AcceptedEntries, AcceptedEntry, ErrorGroup, ErrorSummary, FailedKind, Overview, RecordedError, Side, Totals,
};

use super::migration::{Migration, command, full_path};

/// All groups and exceptions, as one object.
pub(super) fn summary(migration: &Migration, summary: &ErrorSummary, exceptions: &AcceptedEntries) -> Value {
    let overview = &migration.overview;
    let mut fields = Map::new();
    put(&mut fields, "source", &overview.source);
    put(&mut fields, "dest", &overview.sink);
    fields.insert("run_active".to_owned(), overview.process.is_some().into());
    fields.insert("run_error".to_owned(), migration.failure().into());
    fields.insert("errors".to_owned(), sum(&summary.open));
    fields.insert("accepted".to_owned(), sum(&summary.accepted));
    let groups = |groups: &[ErrorGroup], accepted| {
        groups.iter().map(|found| group(migration, found, accepted)).collect::<Vec<_>>()
    };
    let all = [groups(&summary.open, false), groups(&summary.accepted, true)].concat();
    fields.insert("groups".to_owned(), all.into());
    fields.insert("exceptions".to_owned(), exceptions.iter().map(exception).collect());
    Value::Object(fields)
}

fn sum(groups: &[ErrorGroup]) -> Value {
    let entries: u64 = groups.iter().map(|group| group.totals.files).sum();
    json!({ "entries": entries, "bytes": number(groups.iter().map(|group| group.totals.bytes).sum()) })
}

fn group(migration: &Migration, group: &ErrorGroup, accepted: bool) -> Value {
    let dirs = group.dirs.iter().map(|(dir, Totals { files, bytes, .. })| {
        let mut fields = Map::new();
        put(&mut fields, "path", &full_path(&migration.overview, group.side, dir));
        fields.insert("entries".to_owned(), (*files).into());
        fields.insert("bytes".to_owned(), number(*bytes));
        Value::Object(fields)
    });
    json!({
        "code": group.code.name(),
        "cause": group.cause.map(|cause| cause.name()),
        "side": side(group.side),
        "accepted": accepted,
        "entries": group.totals.files,
        "bytes": number(group.totals.bytes),
        "meaning": group.code.meaning(),
        "advice": group.cause.unwrap_or(group.code).advice(),
        "command": command(group, migration),
        "directories": dirs.collect::<Vec<_>>(),
        "more_directories": group.more_dirs,
    })
}

/// An exception.
pub(in crate::commands) fn exception(exception: &AcceptedEntry) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "path", &exception.path);
    fields.insert("reason".to_owned(), exception.reason.as_str().into());
    fields.insert("accepted_at".to_owned(), time(exception.accepted_at).into());
    fields.insert("user".to_owned(), exception.user.as_str().into());
    fields.insert("code".to_owned(), exception.code.map(|code| code.name()).into());
    Value::Object(fields)
}

/// One entry.
pub(super) fn entry(overview: &Overview, error: &RecordedError) -> Value {
    let mut fields = Map::new();
    put(&mut fields, "path", &error.path);
    put(&mut fields, "source", &full_path(overview, Some(Side::Source), &error.path));
    put(&mut fields, "dest", &full_path(overview, Some(Side::Sink), &error.path));
    let kind = match error.kind {
        FailedKind::File => "file",
        FailedKind::Symlink => "symlink",
        FailedKind::Directory => "directory",
        _ => "unknown",
    };
    fields.insert("kind".to_owned(), kind.into());
    fields.insert("code".to_owned(), error.code.name().into());
    fields.insert("cause".to_owned(), error.cause.map(|cause| cause.name()).into());
    fields.insert("side".to_owned(), side(error.side));
    fields.insert("size".to_owned(), error.size_bytes.into());
    fields.insert("error".to_owned(), error.text.as_str().into());
    fields.insert("accepted".to_owned(), error.accepted.as_deref().into());
    Value::Object(fields)
}

fn side(side: Option<Side>) -> Value {
    side.map(|side| if side == Side::Source { "source" } else { "dest" }).into()
}

fn put(fields: &mut Map<String, Value>, key: &str, path: &[u8]) {
    put_path(key, path, |key: &str, value: Value| drop(fields.insert(key.to_owned(), value)));
}
