//! The status as text: a block for one migration, a table of all.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::model::{Amounts, CurrentFile, Errors, Limit, LimitSetBy, Outcome, Run, Stalled, State, Status, Sum};
use crate::format::{duration, escape, number, rate, short_path, size};

/// Files in flight, and kinds of errors, that are shown.
const MAX_FILES: usize = 3;
const MAX_ERRORS: usize = 5;
/// Earlier runs that are shown.
const MAX_RUNS: usize = 3;
/// Characters of a path.
const PATH_WIDTH: usize = 60;

/// What texts depend on besides the status.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// The time now, in the zone of the system.
    pub(crate) fn of_system() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system() }
    }

    /// The time of the day, with the date if it is another day than today: `02:14`, `2026-11-27 02:14`.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        let (time, today) = (self.zone.to_datetime(time), self.zone.to_datetime(self.now).date());
        time.strftime(if time.date() == today { "%H:%M" } else { "%Y-%m-%d %H:%M" }).to_string()
    }

    fn since(&self, time: Timestamp) -> Duration {
        Duration::try_from(self.now.duration_since(time)).unwrap_or_default()
    }

    fn until(&self, time: Timestamp) -> Duration {
        Duration::try_from(time.duration_since(self.now)).unwrap_or_default()
    }
}

/// The status on several lines.
pub(crate) fn block(status: &Status, clock: &Clock) -> String {
    let mut text = headline(status, clock);
    let mut line = |label: &str, value: Option<String>| {
        if let Some(value) = value {
            text += &format!("\n  {label:<9} {value}");
        }
    };
    line("trees", Some(format!("{} -> {}", shown(&status.source), shown(&status.dest))));
    line(
        "scan",
        status.scan.as_ref().map(|scan| {
            let of = |found: &super::model::Found| {
                let pace = found.entries_per_s.map_or_else(String::new, |pace| format!(", {} entries/s", number(pace)));
                let (files, dirs, size) = (number(found.files), number(found.dirs), size(found.bytes.0));
                format!("{files} files, {dirs} directories, {size}{pace}")
            };
            let percent = scan.percent.map_or_else(String::new, |percent| format!("; {percent:.1} % of the last scan"));
            let eta = scan.eta.map_or_else(String::new, |eta| format!(", complete in {}", duration(clock.until(eta))));
            format!("source {}; destination {}{percent}{eta}", of(&scan.source), of(&scan.dest))
        }),
    );
    line("in sync", in_sync(status));
    line("pending", pending(status));
    line("rate", rates(status, clock));
    line("limit", limit(status, clock));
    line("slowed by", limited_by(status));
    line("done", eta(status, clock));
    for (index, file) in status.current.iter().take(MAX_FILES).enumerate() {
        line(if index == 0 { "now" } else { "" }, Some(current(file, clock)));
    }
    let more = status.more_current + status.current.len().saturating_sub(MAX_FILES);
    line("", (more > 0).then(|| format!("and {} more", number(more as u64))));
    line("stalled", status.stalled.as_ref().map(|stalled| self::stalled(stalled, clock)));
    for (index, kind) in status.errors.iter().take(MAX_ERRORS).enumerate() {
        line(if index == 0 { "errors" } else { "" }, Some(errors(kind)));
    }
    for (index, run) in status.runs.iter().filter(|run| run.outcome != Outcome::Running).take(MAX_RUNS).enumerate() {
        line(if index == 0 { "runs" } else { "" }, Some(history(run, clock)));
    }
    line("database", Some(shown(&status.database)));
    line("log", status.log.as_deref().map(shown));
    text
}

/// Why it is not faster, without small causes.
fn limited_by(status: &Status) -> Option<String> {
    let causes = status.limited_by.iter().filter(|cause| cause.percent >= 5);
    let causes: Vec<_> = causes.map(|cause| format!("{} {} %", shown(&cause.text), cause.percent)).collect();
    (!causes.is_empty()).then(|| causes.join(", "))
}

/// What it does or how it ended, on one line.
pub(crate) fn headline(status: &Status, clock: &Clock) -> String {
    let ended = status.ended.map_or_else(String::new, |ended| format!(" {}", clock.time(ended)));
    let reason = status.reason.as_deref().map(|reason| escape(reason.as_bytes()));
    match status.state {
        State::Stopped if status.reason.as_deref() == Some("killed") => {
            let since = status.started.map_or_else(String::new, |started| format!(" at {}", clock.time(started)));
            format!("stopped: the run that began{since} was killed; {}", to_do(status))
        }
        State::Stopped if status.reason.as_deref() == Some("assessed") => match status.bytes.pending {
            Some(Sum(1..)) => format!(
                "assessed{ended}; {}",
                to_do(status).replace("the same command to resume", "`towpath sync` to send it")
            ),
            _ => format!("assessed{ended}; nothing is pending"),
        },
        State::Stopped => {
            let by = reason.map_or_else(String::new, |by| format!(" by {}", by.trim_start_matches("signal ")));
            format!("stopped{ended}{by}; {}", to_do(status))
        }
        State::Failed => {
            let why = reason.map_or_else(String::new, |why| format!(": {why}"));
            format!("failed{ended}{why}; {}", to_do(status))
        }
        State::Finished => {
            let but = reason.map_or_else(String::new, |why| format!("; {why}"));
            format!("finished{ended}; {}{but}", left_or_done(status))
        }
        State::NeverRun => "never run".to_owned(),
        state => {
            let pid = status.pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
            let since = status.started.map_or_else(String::new, |started| {
                format!(" for {}, since {}", duration(clock.since(started)), clock.time(started))
            });
            let why = reason.map_or_else(String::new, |why| format!("; {why}"));
            match (state, status.started) {
                // The time of the run is not that of the pause.
                (State::Paused, Some(started)) => format!("paused{pid}{why}; the run began at {}", clock.time(started)),
                _ => format!("{}{since}{pid}{why}", state.name()),
            }
        }
    }
}

/// What is left of a run that did not finish.
fn to_do(status: &Status) -> String {
    match (status.bytes.pending, status.files.pending) {
        (Some(bytes), Some(files)) if files.0 > 0 => {
            format!("{} pending; run the same command to resume", amount(bytes, files))
        }
        (Some(_), Some(_)) => "nothing is pending; run the same command to scan again".to_owned(),
        _ => "its scan is not complete; run the same command to scan again".to_owned(),
    }
}

/// What is left of a run that finished: only what failed.
fn left_or_done(status: &Status) -> String {
    match (status.bytes.pending, status.files.pending) {
        (Some(bytes), Some(files)) if files.0 > 0 => {
            format!("{} not in sync; run the same command to try again", amount(bytes, files))
        }
        (Some(_), Some(_)) => "nothing is pending".to_owned(),
        _ => "its scan is not complete; run the same command to scan again".to_owned(),
    }
}

/// `41.2 TiB in 1,204,331 files`.
fn amount(bytes: Sum, files: Sum) -> String {
    format!("{} in {}", size(bytes.0), count(files, "file", "files"))
}

pub(super) fn count(count: Sum, one: &str, many: &str) -> String {
    format!("{} {}", number(u64::try_from(count.0).unwrap_or(u64::MAX)), if count.0 == 1 { one } else { many })
}

/// The part that is in sync.
pub(super) fn in_percent(status: &Status) -> Option<f64> {
    let Amounts { total: Some(total), synced: Some(synced), .. } = status.bytes else { return None };
    let (files, synced_files) = (status.files.total?, status.files.synced?);
    let of = |part: u128, whole: u128| (part * 1000).checked_div(whole).unwrap_or(1000) as f64 / 10.0;
    let percent = if total.0 > 0 { of(synced.0, total.0) } else { of(synced_files.0, files.0) };
    // 99.96 % is not all.
    let is_all = synced == total && synced_files == files;
    Some(if is_all { 100.0 } else { percent.min(99.9) })
}

fn in_sync(status: &Status) -> Option<String> {
    let Amounts { total: Some(total), synced: Some(synced), .. } = status.bytes else { return None };
    let (files, synced_files) = (status.files.total?, status.files.synced?);
    Some(format!(
        "{:.1} %: {} of {}, {} of {}",
        in_percent(status)?,
        size(synced.0),
        size(total.0),
        number(u64::try_from(synced_files.0).unwrap_or(u64::MAX)),
        count(files, "file", "files")
    ))
}

fn pending(status: &Status) -> Option<String> {
    if !status.state.is_live() {
        // The first line says it.
        return None;
    }
    let pending = amount(status.bytes.pending?, status.files.pending?);
    let failed = status.files.failed.filter(|failed| failed.0 > 0);
    let failed = failed.map_or_else(String::new, |failed| format!("; {} failed", count(failed, "file", "files")));
    Some(format!("{pending}{}{failed}", if status.scan.is_some() { " so far" } else { "" }))
}

fn rates(status: &Status, clock: &Clock) -> Option<String> {
    let rates = &status.rate_bytes_per_s;
    let age = status.started.map_or(Duration::ZERO, |started| clock.since(started));
    // A younger run has the same rates again.
    let mean = |time: &str, mean: Option<u64>, from_age: Duration| {
        mean.filter(|_| age >= from_age).map_or_else(String::new, |mean| format!(", {} in {time}", rate(mean)))
    };
    let hour = mean("the last hour", rates.hour, Duration::from_secs(600));
    let day = mean("24 h", rates.day, Duration::from_secs(7200));
    let written = status.session_bytes.map_or_else(String::new, |bytes| format!("; {} in this run", size(bytes)));
    Some(format!("{}{hour}{day}{written}", rate(rates.now?)))
}

fn limit(status: &Status, clock: &Clock) -> Option<String> {
    let Limit { until, .. } = status.limit?;
    let until = until.map_or_else(String::new, |until| format!(" until {}", clock.time(until)));
    let next = status.next_limit.as_ref().map_or_else(String::new, |next| {
        let value = next.bytes_per_s.map_or_else(|| next.value.clone(), rate);
        format!("; {value} from {}", clock.time(next.at))
    });
    Some(format!("{}{until}{next}", limit_in_words(status)))
}

/// The limit in force and what set it: `20.0 MiB/s (timetable)`.
pub(crate) fn limit_in_words(status: &Status) -> String {
    let Some(Limit { bytes_per_s, set_by, .. }) = status.limit else { return "none".to_owned() };
    let value = bytes_per_s.map_or_else(|| "none".to_owned(), rate);
    let by = match set_by {
        LimitSetBy::Option => "",
        LimitSetBy::Timetable => " (timetable)",
        LimitSetBy::Auto => " (auto)",
        LimitSetBy::Control => " (set while it runs)",
    };
    format!("{value}{by}")
}

fn eta(status: &Status, clock: &Clock) -> Option<String> {
    let p50 = status.eta.p50?;
    let p90 = status.eta.p90.filter(|p90| *p90 > p50);
    let p90 = p90.map_or_else(String::new, |p90| format!("; nine times in ten by {}", clock.time(p90)));
    Some(format!("in {}, at {}{p90}", duration(clock.until(p50)), clock.time(p50)))
}

fn current(file: &CurrentFile, clock: &Clock) -> String {
    let percent = file.percent();
    let pace = file.rate_bytes_per_s.map_or_else(String::new, |bytes| format!(", {}", rate(bytes)));
    let eta = file.eta.map_or_else(String::new, |eta| format!(", done in {}", duration(clock.until(eta))));
    let age = duration(Duration::from_secs(file.age_s));
    format!(
        "{}: {percent} % of {} after {age}{pace}{eta}",
        short_path(file.path.as_bytes(), PATH_WIDTH),
        size(file.size)
    )
}

pub(super) fn stalled(stalled: &Stalled, clock: &Clock) -> String {
    format!("{}, for {}", stalled_in_words(stalled), duration(clock.since(stalled.since)))
}

/// What is waited for: `the source: read, projects/a.mov`.
pub(crate) fn stalled_in_words(stalled: &Stalled) -> String {
    let what = match (stalled.side, &stalled.operation) {
        (Some(side), Some(operation)) => format!("the {}: {}", side.name(), escape(operation.as_bytes())),
        (Some(side), None) => format!("the {}", side.name()),
        (None, Some(operation)) => escape(operation.as_bytes()),
        (None, None) => "nothing moves".to_owned(),
    };
    let path = stalled.path.as_ref();
    what + &path.map_or_else(String::new, |path| format!(", {}", short_path(path.as_bytes(), PATH_WIDTH)))
}

fn errors(errors: &Errors) -> String {
    let side = errors.side.map_or_else(String::new, |side| format!(" ({})", side.name()));
    format!(
        "{} {}{side}, such as {}: {}",
        number(errors.count),
        errors.kind,
        shown(&errors.path),
        escape(errors.error.as_bytes())
    )
}

fn history(run: &Run, clock: &Clock) -> String {
    let took = run.ended.map_or_else(String::new, |ended| {
        format!(" after {}", duration(Duration::try_from(ended.duration_since(run.started)).unwrap_or_default()))
    });
    let mut parts = Vec::new();
    if let (Some(files), Some(bytes)) = (run.sent.files, run.sent.bytes) {
        parts.push(match files {
            0 => "sent nothing".to_owned(),
            _ => format!("sent {}", amount(bytes, Sum(files.into()))),
        });
    }
    let deleted = run.deleted.files.unwrap_or(0) + run.deleted.dirs.unwrap_or(0);
    if deleted > 0 {
        parts.push(format!("deleted {}", number(deleted)));
    }
    if let Some(failed) = run.failed.filter(|failed| *failed > 0) {
        parts.push(format!("{} failed", number(failed)));
    }
    let scanned = match run.scanned {
        Some(true) => ", scanned",
        _ => "",
    };
    let did = if parts.is_empty() { String::new() } else { format!(", {}", parts.join(", ")) };
    format!("{} {}{took}{scanned}{did}", clock.time(run.started), run.outcome.name())
}

fn shown(text: &str) -> String {
    escape(text.as_bytes())
}
