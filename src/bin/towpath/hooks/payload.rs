//! What a command of `--on-event` gets: one JSON object for each event.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use towpath::{Event, SteerAction, Warning};
use towpath_backend::WaitReason;

use crate::event_json::{event_json, notice_json};
use crate::exit::{ALL_IN_SYNC, NOT_ALL_IN_SYNC};
use crate::format::{escape, rate};
use crate::signals::is_stop;
use crate::status::model::{Side, Status};
use crate::status::notice::Notice;
use crate::status::sentence::sentence;
use crate::status::text::{Clock, headline};

/// An event, and the object that says what happened.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) event: &'static str,
    pub(super) input: Vec<u8>,
}

/// What is specific to an event.
pub(super) struct Happened {
    event: &'static str,
    /// With `time`.
    fields: Value,
    /// One line for people; `None`: what the status says.
    text: Option<String>,
}

/// What an event of the engine is to a command; `None`: nothing. `expired`: the sides that wait for credentials.
pub(super) fn of_event(event: &Event, expired: &mut Vec<Side>) -> Option<Happened> {
    match event {
        Event::Steered { action, by } => {
            let by = escape(by.as_bytes());
            let text = match action {
                SteerAction::Paused => None,
                SteerAction::Resumed => Some(format!("resumed by {by}")),
                SteerAction::Bandwidth(_) => Some(format!("limit set by {by}")),
                _ => return None,
            };
            let (event, mut fields) = event_json(event)?;
            if *action == SteerAction::Paused {
                fields["reason"] = format!("by {by}").into();
            }
            let limit = fields.get("bwlimit").map(limit);
            let text = text.map(|text| limit.map_or(text.clone(), |limit| format!("{text}: {limit}")));
            Some(Happened { event, fields, text })
        }
        Event::Warning(warning @ Warning::Waiting { side, reason: WaitReason::Credentials, .. }) => {
            let side = Side::from(*side);
            if expired.contains(&side) {
                return None;
            }
            expired.push(side);
            Some(of_credentials("paused", side, warning))
        }
        Event::Warning(warning @ Warning::Resumed { side, .. }) => {
            let side = Side::from(*side);
            let index = expired.iter().position(|other| *other == side)?;
            expired.remove(index);
            Some(of_credentials("resumed", side, warning))
        }
        _ => None,
    }
}

fn of_credentials(event: &'static str, side: Side, warning: &Warning) -> Happened {
    let text = escape(warning.to_string().as_bytes());
    let fields = json!({ "time": Timestamp::now(), "by": null, "reason": text, "side": side });
    Happened { event, fields, text: Some(format!("{event}: {text}")) }
}

fn limit(bwlimit: &Value) -> String {
    match bwlimit {
        Value::Number(bytes_per_s) => bytes_per_s.as_u64().map_or_else(String::new, rate),
        Value::String(text) => text.clone(),
        _ => "none".to_owned(),
    }
}

/// What a notice is to a command; `None`: nothing.
pub(super) fn of_notice(notice: &Notice) -> Option<Happened> {
    if !matches!(notice, Notice::Stalled(_) | Notice::DeadlineAtRisk(_)) {
        return None;
    }
    let (event, fields) = notice_json(notice);
    Some(Happened { event, fields, text: Some(escape(notice.text().as_bytes())) })
}

/// The end of a run with this exit status.
pub(super) fn of_end(exit_status: u8, error: Option<&str>) -> Happened {
    let event = match exit_status {
        ALL_IN_SYNC | NOT_ALL_IN_SYNC => "finished",
        status if is_stop(status) => "stopped",
        _ => "failed",
    };
    let fields = json!({ "time": Timestamp::now(), "exit_status": exit_status, "error": error });
    let text = error.map(|error| format!("{event}: {}", escape(error.as_bytes())));
    Happened { event, fields, text }
}

/// The trees and the database of a run without a status.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) source: Option<(String, Option<String>)>,
    pub(super) dest: Option<(String, Option<String>)>,
    pub(super) database: Option<String>,
}

impl Place {
    fn of(status: &Status) -> Self {
        let pair = |path: &String, bytes: &Option<String>| Some((path.clone(), bytes.clone()));
        Self {
            source: pair(&status.source, &status.source_bytes),
            dest: pair(&status.dest, &status.dest_bytes),
            database: Some(status.database.clone()),
        }
    }
}

impl Happened {
    /// The object, with what the status says.
    pub(super) fn call(self, place: &Place, status: Option<&Status>) -> Call {
        let place = status.map_or_else(|| place.clone(), Place::of);
        let mut all = Map::new();
        let mut put = |key: &str, value: Value| drop(all.insert(key.to_owned(), value));
        put("event", self.event.into());
        put("time", self.fields.get("time").cloned().unwrap_or_default());
        for (key, path) in [("source", place.source), ("dest", place.dest)] {
            put(key, path.as_ref().map(|(path, _)| path.as_str()).into());
            if let Some(bytes) = path.and_then(|(_, bytes)| bytes) {
                put(&format!("{key}_bytes"), bytes.into());
            }
        }
        put("database", place.database.into());
        if let Value::Object(fields) = self.fields {
            fields.into_iter().filter(|(key, _)| key != "time").for_each(|(key, value)| put(&key, value));
        }
        let clock = Clock::of_system();
        let text = self.text.unwrap_or_else(|| match status {
            Some(status) if status.state.is_live() => sentence(status, &clock),
            Some(status) => headline(status, &clock),
            None => self.event.to_owned(),
        });
        put("text", text.into());
        put("status", json!(status));
        Call { event: self.event, input: format!("{}\n", Value::Object(all)).into_bytes() }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::status::model::{Stalled, State};
    use crate::status::notice::DeadlineNotice;
    use crate::status::recorded::never_run;
    use towpath::Bandwidth;

    fn shown(happened: Option<Happened>) -> String {
        let Some(happened) = happened else { return "nothing".to_owned() };
        let mut status = never_run(Path::new("/state/x.db"), b"/old", b"/new\xff");
        status.state = State::Transferring;
        let call = happened.call(&Place::default(), Some(&status));
        let mut object: Value = serde_json::from_slice(&call.input).unwrap();
        let fields = object.as_object_mut().unwrap();
        assert!(fields["time"].as_str().unwrap().parse::<Timestamp>().is_ok());
        assert_eq!(fields["status"]["state"], "transferring");
        fields.retain(|key, _| key != "time" && key != "status");
        assert_eq!(fields["event"], call.event);
        object.to_string()
    }

    fn steered(action: SteerAction) -> String {
        shown(of_event(&Event::Steered { action, by: "user alice (uid 1000)".to_owned() }, &mut Vec::new()))
    }

    #[test]
    fn each_event_says_where_what_and_why() {
        insta::assert_snapshot!(steered(SteerAction::Paused), @r#"{"event":"paused","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","by":"user alice (uid 1000)","reason":"by user alice (uid 1000)","text":"transferring"}"#);
        insta::assert_snapshot!(steered(SteerAction::Resumed), @r#"{"event":"resumed","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","by":"user alice (uid 1000)","text":"resumed by user alice (uid 1000)"}"#);
        insta::assert_snapshot!(steered(SteerAction::Bandwidth(Bandwidth::Limit(20 << 20))), @r#"{"event":"limit-set","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","by":"user alice (uid 1000)","bwlimit":20971520,"bwlimit_max":null,"text":"limit set by user alice (uid 1000): 20.0 MiB/s"}"#);
        insta::assert_snapshot!(steered(SteerAction::Bandwidth(Bandwidth::Unlimited)), @r#"{"event":"limit-set","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","by":"user alice (uid 1000)","bwlimit":null,"bwlimit_max":null,"text":"limit set by user alice (uid 1000): none"}"#);
        assert_eq!(
            steered(SteerAction::Stop { after_current: true }),
            "nothing",
            "the end of the run is an event of its own"
        );
        let stalled = Stalled {
            side: Some(Side::Source),
            operation: Some("read".to_owned()),
            path: Some("a/b".to_owned()),
            since: Timestamp::UNIX_EPOCH,
        };
        insta::assert_snapshot!(shown(of_notice(&Notice::Stalled(stalled.clone()))), @r#"{"event":"stalled","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","side":"source","operation":"read","path":"a/b","since":"1970-01-01T00:00:00Z","text":"stalled: the source: read, a/b"}"#);
        let late = DeadlineNotice {
            deadline: Timestamp::UNIX_EPOCH,
            p50: None,
            enough_bytes_per_s: Some(7),
            text: "too late".to_owned(),
        };
        insta::assert_snapshot!(shown(of_notice(&Notice::DeadlineAtRisk(late))), @r#"{"event":"deadline-at-risk","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","deadline":"1970-01-01T00:00:00Z","p50":null,"enough_bytes_per_s":7,"text":"too late"}"#);
        let moving = Notice::Moving { stalled, after: std::time::Duration::from_secs(90) };
        assert_eq!(shown(of_notice(&moving)), "nothing");
    }

    #[test]
    fn credentials_that_expire_pause_a_run_until_there_are_new_ones() {
        let (side, root) = (towpath::Side::Source, b"s3://bucket".to_vec());
        let waiting = |reason| {
            Event::Warning(Warning::Waiting { side, root: root.clone(), reason, cause: "ExpiredToken".to_owned() })
        };
        let resumed = || Event::Warning(Warning::Resumed { side, root: root.clone() });
        let mut expired = Vec::new();
        let mut told = |event: &Event| shown(of_event(event, &mut expired));
        assert_eq!(told(&waiting(WaitReason::Unavailable)), "nothing");
        assert_eq!(told(&resumed()), "nothing");
        insta::assert_snapshot!(told(&waiting(WaitReason::Credentials)), @r#"{"event":"paused","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","by":null,"reason":"the source s3://bucket: the credentials have expired; waiting for new ones: ExpiredToken","side":"source","text":"paused: the source s3://bucket: the credentials have expired; waiting for new ones: ExpiredToken"}"#);
        assert_eq!(told(&waiting(WaitReason::Credentials)), "nothing", "once");
        insta::assert_snapshot!(told(&resumed()), @r#"{"event":"resumed","source":"/old","dest":"/new�","dest_bytes":"2f6e6577ff","database":"/state/x.db","by":null,"reason":"the source s3://bucket answers again; the run goes on","side":"source","text":"resumed: the source s3://bucket answers again; the run goes on"}"#);
        assert_eq!(told(&resumed()), "nothing");
    }

    #[test]
    fn the_end_of_a_run_that_had_no_database_is_told_too() {
        let place = Place { source: Some(("/old".to_owned(), None)), ..Place::default() };
        let ends = |status, error| {
            let call = of_end(status, error).call(&place, None);
            let mut object: Value = serde_json::from_slice(&call.input).unwrap();
            object.as_object_mut().unwrap().shift_remove("time");
            object.to_string()
        };
        let ends = [
            ends(0, None),
            ends(3, None),
            ends(143, None),
            ends(1, Some("the source is away")),
            ends(4, Some("refused")),
        ];
        insta::assert_snapshot!(ends.join("\n"), @r#"
        {"event":"finished","source":"/old","dest":null,"database":null,"exit_status":0,"error":null,"text":"finished","status":null}
        {"event":"finished","source":"/old","dest":null,"database":null,"exit_status":3,"error":null,"text":"finished","status":null}
        {"event":"stopped","source":"/old","dest":null,"database":null,"exit_status":143,"error":null,"text":"stopped","status":null}
        {"event":"failed","source":"/old","dest":null,"database":null,"exit_status":1,"error":"the source is away","text":"failed: the source is away","status":null}
        {"event":"failed","source":"/old","dest":null,"database":null,"exit_status":4,"error":"refused","text":"failed: refused","status":null}
        "#);
    }
}
