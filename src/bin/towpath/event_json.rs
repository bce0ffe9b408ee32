//! Events as JSON: those of the control API. The keys are those of the audit log where both have them.

use crate::status::notice::{DeadlineNotice, Notice};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use towpath::json::{number, put_path};
use towpath::{Bandwidth, Counts, Event, FilePaths, Side, SteerAction, Totals};

/// The name of an event and its fields; `None` for what only dry runs emit.
pub(crate) fn event_json(event: &Event) -> Option<(&'static str, Value)> {
    let mut fields = Map::new();
    fields.insert("time".to_owned(), Timestamp::now().to_string().into());
    let name = put_fields(event, &mut fields)?;
    Some((name, Value::Object(fields)))
}

/// An object with the name of an event first.
pub(crate) fn object(event: &str, fields: Value) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("event".to_owned(), event.into());
    if let Value::Object(fields) = fields {
        object.extend(fields);
    }
    object
}

/// The name of a notice and its fields.
pub(crate) fn notice_json(notice: &Notice) -> (&'static str, Value) {
    let deadline = |notice: &DeadlineNotice| json!({ "deadline": notice.deadline, "p50": notice.p50, "enough_bytes_per_s": notice.enough_bytes_per_s });
    let (name, fields) = match notice {
        Notice::DeadlineAtRisk(notice) => ("deadline-at-risk", deadline(notice)),
        Notice::DeadlineInTime(notice) => ("deadline-in-time", deadline(notice)),
        Notice::Stalled(stalled) => ("stalled", json!(stalled)),
        Notice::Moving { stalled, after } => ("moving", json!({ "since": stalled.since, "after_s": after.as_secs() })),
    };
    let mut all = Map::new();
    all.insert("time".to_owned(), Timestamp::now().to_string().into());
    if let Value::Object(fields) = fields {
        all.extend(fields);
    }
    all.insert("text".to_owned(), notice.text().into());
    (name, Value::Object(all))
}

fn put_fields(event: &Event, fields: &mut Map<String, Value>) -> Option<&'static str> {
    let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
    Some(match event {
        Event::ScanStarted { reason } => {
            put("reason", reason.name().into());
            "scan-started"
        }
        Event::ScanFinished { source, sink, pending } => {
            put("source", counts(source));
            put("dest", counts(sink));
            put("pending", totals(*pending));
            "scan-finished"
        }
        Event::Resuming { pending, origin, then_scan } => {
            put("reason", origin.name().into());
            put("pending", totals(*pending));
            put("then_scan", (*then_scan).into());
            "resuming"
        }
        Event::AttemptStarted { attempt, pending } => {
            put("attempt", (*attempt).into());
            put("pending", totals(*pending));
            "attempt-started"
        }
        Event::Unreadable { side, path, error } => {
            put("side", side_name(*side).into());
            put_path("path", path, &mut put);
            put("error", error.to_string().into());
            "unreadable"
        }
        Event::Synced { paths, size_bytes, checksum, hard_link_to } => {
            put_paths(paths, &mut put);
            put("size", (*size_bytes).into());
            put("algorithm", checksum.as_ref().map(|checksum| checksum.algorithm.name()).into());
            put("checksum", checksum.as_ref().map(|checksum| checksum.hash.as_str()).into());
            if let Some(path) = hard_link_to {
                put_path("hard_link", path, &mut put);
            }
            "synced"
        }
        Event::Verified { paths, size_bytes, result, checksum, cached } => {
            put_paths(paths, &mut put);
            put("class", result.class().name().into());
            put("size", (*size_bytes).into());
            put("algorithm", checksum.as_ref().map(|checksum| checksum.algorithm.name()).into());
            put("checksum", checksum.as_ref().map(|checksum| checksum.hash.as_str()).into());
            put("error", result.detail().into());
            put("cached", cached.map(|reason| reason.to_string()).into());
            "verified"
        }
        Event::Renamed { paths, from } => {
            put_paths(paths, &mut put);
            put_path("from", from, &mut put);
            "renamed"
        }
        Event::Deleted { paths, size_bytes } => {
            put_paths(paths, &mut put);
            put("size", (*size_bytes).into());
            "deleted"
        }
        Event::AttributesApplied { paths } => of_file("settled", paths, None, &mut put),
        Event::AttributeNotAccepted { paths, error } => of_file("refused", paths, Some(error), &mut put),
        Event::Skipped { paths, reason, .. } => of_file("skipped", paths, Some(reason), &mut put),
        Event::Protected { paths, reason } => of_file("protected", paths, Some(reason), &mut put),
        Event::WillRetry { paths, error } => of_file("will-retry", paths, Some(error), &mut put),
        Event::Failed { paths, error } => of_file("failed", paths, Some(error), &mut put),
        Event::Incomplete { paths, error } => of_file("incomplete", paths, Some(error), &mut put),
        Event::LongHoles { paths } => of_file("long-holes", paths, None, &mut put),
        Event::Vanished { paths } => of_file("vanished", paths, None, &mut put),
        Event::Steered { action, by } => {
            put("by", by.as_str().into());
            steered(*action, &mut put)?
        }
        Event::Warning(warning) => {
            put("text", warning.to_string().into());
            "warning"
        }
        // Planned steps, notes, and what a later version of the library may add.
        _ => return None,
    })
}

type Put<'a> = &'a mut dyn FnMut(&str, Value);

fn of_file(name: &'static str, paths: &FilePaths, error: Option<&dyn ToString>, put: Put<'_>) -> &'static str {
    put_paths(paths, put);
    if let Some(error) = error {
        put("error", error.to_string().into());
    }
    name
}

fn put_paths(paths: &FilePaths, put: Put<'_>) {
    put_path("source", &paths.source, &mut *put);
    put_path("dest", &paths.dest, put);
}

fn steered(action: SteerAction, put: Put<'_>) -> Option<&'static str> {
    Some(match action {
        SteerAction::Paused => "paused",
        SteerAction::Resumed => "resumed",
        SteerAction::Bandwidth(bandwidth) => {
            let (limit, max) = match bandwidth {
                Bandwidth::Limit(bytes_per_s) => (bytes_per_s.into(), None),
                Bandwidth::Auto { max_bytes_per_s } => ("auto".into(), max_bytes_per_s),
                _ => (Value::Null, None),
            };
            put("bwlimit", limit);
            put("bwlimit_max", max.into());
            "limit-set"
        }
        SteerAction::Stop { after_current } => {
            put("after_current", after_current.into());
            "stop-requested"
        }
        _ => return None,
    })
}

/// The side as keys name it.
fn side_name(side: Side) -> &'static str {
    match side {
        Side::Source => "source",
        Side::Sink => "dest",
    }
}

fn totals(totals: Totals) -> Value {
    json!({ "files": totals.files, "bytes": number(totals.bytes) })
}

fn counts(counts: &Counts) -> Value {
    json!({ "files": counts.files, "dirs": counts.dirs, "bytes": number(counts.bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::model::{Side as StatusSide, Stalled};

    fn shown(event: &Event) -> String {
        let (name, mut fields) = event_json(event).unwrap();
        let time = fields.as_object_mut().unwrap().shift_remove("time").unwrap();
        assert!(time.as_str().unwrap().parse::<Timestamp>().is_ok());
        format!("{name} {fields}")
    }

    #[test]
    fn notices_have_figures_and_a_text() {
        let shown = |notice: &Notice| {
            let (name, mut fields) = notice_json(notice);
            fields.as_object_mut().unwrap().shift_remove("time").unwrap();
            format!("{name} {fields}")
        };
        let deadline = Timestamp::UNIX_EPOCH;
        let late = DeadlineNotice { deadline, p50: None, enough_bytes_per_s: Some(7), text: "late".to_owned() };
        insta::assert_snapshot!(shown(&Notice::DeadlineAtRisk(late)), @r#"deadline-at-risk {"deadline":"1970-01-01T00:00:00Z","p50":null,"enough_bytes_per_s":7,"text":"late"}"#);
        let stalled = Stalled {
            side: Some(StatusSide::Source),
            operation: Some("read".to_owned()),
            path: Some("a/b".to_owned()),
            since: deadline,
        };
        insta::assert_snapshot!(shown(&Notice::Stalled(stalled.clone())), @r#"stalled {"side":"source","operation":"read","path":"a/b","since":"1970-01-01T00:00:00Z","text":"stalled: the source: read, a/b"}"#);
        let moving = Notice::Moving { stalled, after: std::time::Duration::from_secs(90) };
        insta::assert_snapshot!(shown(&moving), @r#"moving {"since":"1970-01-01T00:00:00Z","after_s":90,"text":"no longer stalled, after 01:30"}"#);
    }

    #[test]
    fn names_and_keys_are_those_of_the_log() {
        let paths = FilePaths::new(b"/old/\xff".to_vec(), "/new/a");
        let synced = Event::Synced { paths: paths.clone(), size_bytes: 5, checksum: None, hard_link_to: None };
        insta::assert_snapshot!(shown(&synced), @r#"synced {"source":"/old/�","source_bytes":"2f6f6c642fff","dest":"/new/a","size":5,"algorithm":null,"checksum":null}"#);
        let steered = |action| shown(&Event::Steered { action, by: "user alice (uid 1000)".to_owned() });
        insta::assert_snapshot!(steered(SteerAction::Bandwidth(Bandwidth::Auto { max_bytes_per_s: Some(9) })), @r#"limit-set {"by":"user alice (uid 1000)","bwlimit":"auto","bwlimit_max":9}"#);
        insta::assert_snapshot!(steered(SteerAction::Stop { after_current: true }), @r#"stop-requested {"by":"user alice (uid 1000)","after_current":true}"#);
        let resuming =
            Event::Resuming { pending: Totals::new(1, 7), origin: towpath::BacklogOrigin::Failed, then_scan: true };
        insta::assert_snapshot!(shown(&resuming), @r#"resuming {"reason":"failed-files","pending":{"files":1,"bytes":7},"then_scan":true}"#);
        let finished =
            Event::ScanFinished { source: Counts::new(1, 2, 3), sink: Counts::default(), pending: Totals::new(1, 3) };
        insta::assert_snapshot!(shown(&finished), @r#"scan-finished {"source":{"files":1,"dirs":2,"bytes":3},"dest":{"files":0,"dirs":0,"bytes":0},"pending":{"files":1,"bytes":3}}"#);
    }
}
