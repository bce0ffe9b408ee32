//! What the server serves: a trait that the run implements, and its typed requests and answers.

use std::fmt;
use std::net::SocketAddr;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::events::EventFeed;

use crate::metrics::Figures;
use crate::status::history::Window;
use crate::steering::{InForce, SetBy};
use crate::timetable::Rate;

/// A run as the server sees it. Each call is made on a blocking thread, several at a time.
pub(crate) trait Api: Send + Sync + 'static {
    /// The answer of `GET /v1/status`, an object.
    fn status(&self) -> Result<Value, Failure>;

    /// A page of what failed.
    fn errors(&self, request: &ErrorsRequest) -> Result<ErrorsPage, Failure>;

    /// The answer of `GET /v1/history`, an object.
    fn history(&self, window: Window) -> Result<Value, Failure>;

    /// The figures of `GET /metrics`.
    fn metrics(&self) -> Result<Figures, Failure>;

    /// Where the run's events come from.
    fn events(&self) -> EventFeed;

    /// What steers the run now: the answer to each change.
    fn steered(&self) -> Steered;

    fn pause(&self, until: Option<Timestamp>, by: &Requester) -> Result<(), Failure>;

    fn resume(&self, by: &Requester) -> Result<(), Failure>;

    fn stop(&self, after_current: bool, by: &Requester) -> Result<(), Failure>;

    fn limit(&self, change: &LimitChange, by: &Requester) -> Result<(), Failure>;
}

/// What `GET /v1/errors` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorsRequest {
    pub(crate) limit: usize,
    /// `next` of the page before.
    pub(crate) after: Option<String>,
}

/// Some of the errors.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct ErrorsPage {
    /// Objects with the keys of a line of the log.
    pub(crate) errors: Vec<Value>,
    /// Where the next page begins, in letters, digits and `-._~`.
    pub(crate) next: Option<String>,
}

impl ErrorsPage {
    pub(super) fn to_json(&self) -> Value {
        json!({ "errors": self.errors, "next": self.next })
    }
}

/// A change of the limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LimitChange {
    Set {
        rate: Rate,
        until: Option<Timestamp>,
    },
    /// Back to the option or the timetable.
    Reset,
}

/// Who asks for a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Requester {
    /// The user of the process at the other end of the Unix socket.
    User { uid: u32, name: Option<String> },
    /// Someone who has the token, over TCP.
    Token { from: SocketAddr },
}

/// As the log names them: `user alice (uid 1000)`.
impl fmt::Display for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User { uid, name: Some(name) } => write!(f, "user {name} (uid {uid})"),
            Self::User { uid, name: None } => write!(f, "uid {uid}"),
            Self::Token { from } => write!(f, "token holder at {}", from.ip()),
        }
    }
}

/// Why a request was not served: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The request cannot be met by this run: 400.
    Invalid(String),
    /// The run is in another state, such as ending: 409.
    Conflict(String),
    /// It may work later: 503.
    Unavailable(String),
}

/// What steers a run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Steered {
    pub(crate) in_force: InForce,
    pub(crate) stop: Option<Stop>,
}

/// A stop that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) after_current: bool,
    pub(crate) by: String,
}

impl Steered {
    pub(super) fn to_json(&self) -> Value {
        let InForce { rate, set_by, until, next, pause } = &self.in_force;
        let state = match (&self.stop, pause, rate) {
            (Some(_), ..) => "stopping",
            (None, Some(_), _) | (None, None, Rate::Pause) => "paused",
            _ => "running",
        };
        let mut limit = rate_json(*rate);
        limit["set_by"] = match set_by {
            SetBy::Option => "option",
            SetBy::Timetable => "timetable",
            SetBy::Control => "control",
        }
        .into();
        limit["until"] = time(*until);
        json!({
            "state": state,
            "limit": limit,
            "next_limit": next.map(|(at, rate)| {
                let mut next = rate_json(rate);
                next["time"] = time(Some(at));
                next
            }),
            "pause": pause.as_ref().map(|pause| json!({
                "since": time(Some(pause.since)), "until": time(pause.until), "by": pause.by
            })),
            "stop": self.stop.as_ref().map(|stop| json!({ "after_current": stop.after_current, "by": stop.by })),
        })
    }
}

fn rate_json(rate: Rate) -> Value {
    let (kind, bytes_per_s, max_bytes_per_s) = match rate {
        Rate::Off => ("off", None, None),
        Rate::Fixed(bytes_per_s) => ("fixed", Some(bytes_per_s), None),
        Rate::Auto { max } => ("auto", None, max),
        Rate::Pause => ("pause", Some(0), None),
    };
    json!({ "kind": kind, "bytes_per_s": bytes_per_s, "max_bytes_per_s": max_bytes_per_s })
}

fn time(time: Option<Timestamp>) -> Value {
    time.map(|time| time.to_string()).into()
}
