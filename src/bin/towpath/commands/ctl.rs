//! `towpath ctl`: asks the run of a migration for a change, over its Unix socket, and prints what is in force then.

#[cfg(test)]
mod tests;

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use hyper::Method;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use tokio::task::block_in_place;
use towpath::Overview;

use super::run_database::database_of;
use crate::args::ctl::{CtlAction, CtlArguments, LimitAction};
use crate::args::run_address::RunName;
use crate::console::output;
use crate::exit::{COULD_NOT_RUN, ExitError, USAGE_ERROR};
use crate::format;
use crate::server::client::{Answer, ClientError, START_PATIENCE, change};

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: &CtlArguments) -> u8 {
    match try_run(arguments).await {
        Ok(lines) => {
            lines.iter().for_each(|line| output::line(line));
            0
        }
        Err(error) => error.report(),
    }
}

/// Asks for the change; returns what is in force then, as lines.
async fn try_run(arguments: &CtlArguments) -> Result<Vec<String>, ExitError> {
    let wrong_usage = |problem: String| ExitError(USAGE_ERROR, problem);
    let Request { method, route, body, run } = Request::of(&arguments.action).map_err(wrong_usage)?;
    let database = database_of(&run)?;
    let failed = |problem: String| ExitError(COULD_NOT_RUN, problem);
    match change(&database, method, route, &body).await {
        Ok(Answer { status, body }) if status.is_success() => Ok(lines(&body)),
        Ok(Answer { status, body }) => {
            let message = body["error"]["message"].as_str().map_or_else(|| status.to_string(), str::to_owned);
            Err(failed(format!("the run cannot do that: {message}")))
        }
        Err(ClientError::NoRun) => Err(failed(no_run(&run, &database))),
        Err(ClientError::Starting) => Err(failed(format!(
            "the run is still starting and does not answer after {} s: try again",
            START_PATIENCE.as_secs()
        ))),
        Err(ClientError::Failed(problem)) => Err(failed(problem)),
    }
}

/// A request to the server.
struct Request {
    method: Method,
    route: &'static str,
    body: Value,
    run: RunName,
}

impl Request {
    fn of(action: &CtlAction) -> Result<Self, String> {
        let post = |route, body, run| Self { method: Method::POST, route, body, run };
        Ok(match action {
            CtlAction::Pause { run, until } => post("/v1/pause", json!({ "until": time(*until) }), run.name()?),
            CtlAction::Resume { run } => post("/v1/resume", json!({}), run.name()?),
            CtlAction::Stop { run, after_current } => {
                post("/v1/stop", json!({ "after_current": after_current }), run.name()?)
            }
            CtlAction::Limit(arguments) => {
                let (action, run) = arguments.action()?;
                let body = match action {
                    LimitAction::Set { rate, until } => json!({ "rate": rate, "until": time(until) }),
                    LimitAction::Reset => json!({ "reset": true }),
                };
                Self { method: Method::PUT, route: "/v1/limit", body, run }
            }
        })
    }
}

fn time(time: Option<Timestamp>) -> Value {
    time.map(|time| time.to_string()).into()
}

fn no_run(run: &RunName, database: &Path) -> String {
    let shown = |path: &Path| format::escape(path.as_os_str().as_bytes());
    let database_text = shown(database);
    // Without a socket, a run is known by its lock.
    let overview = block_in_place(|| Overview::read(database, 1)).ok().flatten();
    if let Some(process) = overview.and_then(|overview| overview.process) {
        return format!(
            "the run of process {process} has no control socket for the database {database_text}; \
             `kill -TERM {process}` stops it"
        );
    }
    match run {
        RunName::Database(_) => format!("no run with the database {database_text} answers"),
        RunName::Trees(source, dest) => format!(
            "no run from {source} to {dest} answers (its database would be {database_text}; if it was started with \
             --database, or by another user, give --database)"
        ),
    }
}

/// What is in force, for people.
fn lines(in_force: &Value) -> Vec<String> {
    let text = |value: &Value| format::escape(value.as_str().unwrap_or("?").as_bytes());
    let until = |value: &Value| value.as_str().map(|time| format!(" until {}", local(time))).unwrap_or_default();
    let mut lines = Vec::new();
    let stop = &in_force["stop"];
    if stop.is_object() {
        let how = if stop["after_current"] == true { "after the files in flight" } else { "now" };
        lines.push(format!("stopping {how}, asked by {}", text(&stop["by"])));
    }
    let pause = &in_force["pause"];
    if pause.is_object() {
        lines.push(format!("paused{}, by {}", until(&pause["until"]), text(&pause["by"])));
    } else if in_force["state"] == "running" {
        lines.push("running".to_owned());
    }
    let limit = &in_force["limit"];
    lines.push(format!("limit: {}{}, set by {}", rate(limit), until(&limit["until"]), text(&limit["set_by"])));
    let next = &in_force["next_limit"];
    if let Some(time) = next["time"].as_str() {
        lines.push(format!("next:  {} at {}", rate(next), local(time)));
    }
    lines
}

fn rate(limit: &Value) -> String {
    let at_most = |value: &Value| value.as_u64().map(|max| format!(", at most {}", each_way(max))).unwrap_or_default();
    match limit["kind"].as_str() {
        Some("off") => "none".to_owned(),
        Some("pause") => "pause".to_owned(),
        Some("auto") => format!("auto{}", at_most(&limit["max_bytes_per_s"])),
        _ => limit["bytes_per_s"].as_u64().map_or_else(|| "?".to_owned(), each_way),
    }
}

fn each_way(bytes_per_s: u64) -> String {
    format!("{} each way", format::rate(bytes_per_s).replace(".0 ", " "))
}

/// A time of the answer in local time.
fn local(time: &str) -> String {
    let local = |time| TimeZone::system().to_datetime(time).strftime("%Y-%m-%d %H:%M").to_string();
    time.parse().map_or_else(|_| format::escape(time.as_bytes()), local)
}
