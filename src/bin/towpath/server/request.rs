//! What requests say: queries and bodies.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::answer::Refusal;
use super::api::{Api, ErrorsRequest, Failure, LimitChange, Requester};
use crate::args::bwlimit::parse_value;
use crate::status::history::Window;
use crate::timetable::Rate;

const DEFAULT_ERRORS: usize = 100;
const MAX_ERRORS: usize = 1000;

/// The query of `GET /v1/errors`.
pub(super) fn errors(query: &str) -> Result<ErrorsRequest, Refusal> {
    let mut request = ErrorsRequest { limit: DEFAULT_ERRORS, after: None };
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=').unwrap_or((pair, "")) {
            ("limit", number) => {
                let limit = number.parse().ok().filter(|limit| (1..=MAX_ERRORS).contains(limit));
                request.limit = limit.ok_or_else(|| {
                    Refusal::invalid(format!("limit is not a number from 1 to {MAX_ERRORS}: {number}"))
                })?;
            }
            ("after", cursor) => {
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
                if cursor.is_empty() || !cursor.bytes().all(is_plain) {
                    return Err(Refusal::invalid("after is not what an answer had as `next`"));
                }
                request.after = Some(cursor.to_owned());
            }
            (other, _) => return Err(Refusal::invalid(format!("unknown parameter {other}: use limit, after"))),
        }
    }
    Ok(request)
}

/// The query of `GET /v1/history`.
pub(super) fn history(query: &str) -> Result<Window, Refusal> {
    match query {
        "" | "window=1h" => Ok(Window::Hour),
        "window=1d" => Ok(Window::Day),
        "window=all" => Ok(Window::All),
        _ => Err(Refusal::invalid("the parameter is window=1h, window=1d or window=all")),
    }
}

/// The query of `GET /v1/events`: the name of the only events that are asked for.
pub(super) fn events(query: &str) -> Result<Option<&str>, Refusal> {
    if query.is_empty() {
        return Ok(None);
    }
    let is_name = |name: &&str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let name = query.strip_prefix("only=").filter(is_name);
    name.map(Some).ok_or_else(|| Refusal::invalid("the parameter is only=NAME, the name of an event"))
}

/// A change that a client asks for.
pub(super) enum Change {
    Pause { until: Option<Timestamp> },
    Resume,
    Stop { after_current: bool },
    Limit(LimitChange),
}

impl Change {
    /// The method of a route that changes something.
    pub(super) fn method(path: &str) -> Option<&'static str> {
        match path {
            "/v1/pause" | "/v1/resume" | "/v1/stop" => Some("POST"),
            "/v1/limit" => Some("PUT"),
            _ => None,
        }
    }

    pub(super) fn parse(path: &str, body: &[u8], now: Timestamp) -> Result<Self, Refusal> {
        let fields = |keys| Fields::parse(body, keys);
        Ok(match path {
            "/v1/pause" => Self::Pause { until: fields(&["until"])?.until(now)? },
            "/v1/stop" => Self::Stop { after_current: fields(&["after_current"])?.flag("after_current")? },
            "/v1/limit" => Self::Limit(fields(&["rate", "until", "reset"])?.limit(now)?),
            _ => {
                fields(&[])?;
                Self::Resume
            }
        })
    }

    pub(super) fn apply(&self, api: &dyn Api, by: &Requester) -> Result<(), Failure> {
        match self {
            Self::Pause { until } => api.pause(*until, by),
            Self::Resume => api.resume(by),
            Self::Stop { after_current } => api.stop(*after_current, by),
            Self::Limit(change) => api.limit(change, by),
        }
    }
}

/// The body of a change.
struct Fields(Map<String, Value>);

impl Fields {
    /// An object that has no other keys than these; nothing is an empty one.
    fn parse(body: &[u8], keys: &[&str]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self(Map::new()));
        }
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else {
            return Err(Refusal::invalid("the body is not a JSON object"));
        };
        match fields.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) if keys.is_empty() => Err(Refusal::invalid(format!("unknown key {key}: this change has none"))),
            Some(key) => Err(Refusal::invalid(format!("unknown key {key}: use {}", keys.join(", ")))),
            None => Ok(Self(fields)),
        }
    }

    /// A flag, false without one.
    fn flag(&self, key: &str) -> Result<bool, Refusal> {
        match self.0.get(key) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Refusal::invalid(format!("{key} is not true or false"))),
        }
    }

    /// A time after `now`.
    fn until(&self, now: Timestamp) -> Result<Option<Timestamp>, Refusal> {
        let text = match self.0.get("until") {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.as_str(),
            Some(_) => "",
        };
        let until: Timestamp = text
            .parse()
            .map_err(|_| Refusal::invalid("until is not a time as in RFC 3339, such as 2026-12-24T18:00:00Z"))?;
        if until > now { Ok(Some(until)) } else { Err(Refusal::invalid(format!("until is in the past: {until}"))) }
    }

    /// A change of the limit.
    fn limit(&self, now: Timestamp) -> Result<LimitChange, Refusal> {
        let until = self.until(now)?;
        match (self.0.get("rate"), self.flag("reset")?) {
            (None, true) if until.is_none() => Ok(LimitChange::Reset),
            (Some(rate), false) => Ok(LimitChange::Set { rate: parse_rate(rate)?, until }),
            _ => Err(Refusal::invalid("a limit has either rate, and perhaps until, or \"reset\": true")),
        }
    }
}

/// Bytes per second, or a text as for `--bwlimit`.
fn parse_rate(rate: &Value) -> Result<Rate, Refusal> {
    match rate {
        Value::String(text) => parse_value(text).map_err(Refusal::invalid),
        Value::Number(number) => {
            const LEAST: u64 = towpath::Options::MIN_LIMIT_BYTES_PER_S;
            let rate = number.as_u64().filter(|rate| *rate >= LEAST && i64::try_from(*rate).is_ok());
            let wrong = || format!("{number} is not a rate: use at least {LEAST} bytes per second, or \"off\"");
            rate.map(Rate::Fixed).ok_or_else(|| Refusal::invalid(wrong()))
        }
        _ => Err(Refusal::invalid("rate is neither bytes per second nor a text as for --bwlimit")),
    }
}
