//! Which lines are printed.

use std::collections::HashMap;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::event;
use super::limit::clock_line;
use super::planned::planned_line;
use super::text::plural;
use crate::args::{Format, SyncArguments};
use crate::event_json::{event_json, notice_json, object};
use crate::format::{escape, time_of_day};
use crate::limited_by;
use crate::status::live::View;
use crate::status::notice::Notice;
use crate::status::text::{Clock, block};
use towpath::Event;

/// The most lines of one kind, so that they do not hide the others.
const MAX_ALIKE: u64 = 50;
const STOPPING: &str = "stopping: unfinished files start again in the next run; press Ctrl-C again to stop at once";

/// A line to print; some have line breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// On standard error.
    pub(super) is_problem: bool,
}

impl Line {
    fn problem(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_problem: true }
    }

    fn json(event: &str, fields: Value) -> Self {
        Self { text: Value::Object(object(event, fields)).to_string(), is_problem: false }
    }
}

/// Whether a file or directory more that is as it should be is a further event like this one.
fn is_of_each_file(event: &Event) -> bool {
    matches!(
        event,
        Event::Synced { .. }
            | Event::AttributesApplied { .. }
            | Event::Renamed { .. }
            | Event::Deleted { .. }
            | Event::LongHoles { .. }
            | Event::Skipped { accepted: true, .. }
    )
}

/// Turns what happens into lines.
pub(super) struct Lines {
    quiet: bool,
    /// Events are JSON objects.
    is_json: bool,
    /// What an assessment reports itself is not shown.
    assesses: bool,
    /// How planned steps are written.
    format: Format,
    /// With --quiet a dry run prints only its totals.
    lists_steps: bool,
    each_file: bool,
    max_alike: u64,
    /// Lines of each kind that is cut short.
    shown: HashMap<&'static str, u64>,
}

impl Lines {
    pub(super) fn new(arguments: &SyncArguments) -> Self {
        Self {
            // Only JSON on an output that a program reads.
            quiet: arguments.quiet || arguments.format == Format::Json,
            is_json: arguments.prints_json(),
            assesses: arguments.assesses,
            format: arguments.format,
            lists_steps: !arguments.quiet && !arguments.assesses,
            each_file: arguments.verbose > 0,
            max_alike: MAX_ALIKE,
            shown: HashMap::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn unlimited(format: Format) -> Self {
        let (lists_steps, max_alike, shown) = (true, u64::MAX, HashMap::new());
        Self { quiet: false, is_json: false, assesses: false, format, lists_steps, each_file: false, max_alike, shown }
    }

    /// A step of a dry run.
    pub(super) fn planned(&self, event: &Event) -> Option<Line> {
        let text = planned_line(event, self.format).filter(|_| self.lists_steps)?;
        Some(Line { text, is_problem: false })
    }

    pub(super) fn event(&mut self, event: &Event) -> Option<Line> {
        let is_reported = matches!(
            event,
            Event::ScanStarted { .. } | Event::ScanFinished { .. } | Event::Unreadable { .. } | Event::Skipped { .. }
        );
        if self.assesses && is_reported {
            return None;
        }
        if self.is_json {
            let (name, fields) = event_json(event)?;
            return (self.each_file || !is_of_each_file(event)).then(|| Line::json(name, fields));
        }
        let shown = event::shown(event, self.each_file)?;
        if self.quiet && !shown.is_failure {
            return None;
        }
        let Some(rest) = shown.rest else { return Some(Line { text: shown.text, is_problem: shown.is_problem }) };
        let count = self.shown.entry(rest).or_default();
        *count += 1;
        match *count {
            count if count <= self.max_alike => Some(Line::problem(shown.text)),
            count if count == self.max_alike + 1 => Some(Line::problem(rest)),
            _ => None,
        }
    }

    pub(super) fn notice(&self, notice: &Notice) -> Option<Line> {
        if self.is_json {
            let (name, fields) = notice_json(notice);
            return Some(Line::json(name, fields));
        }
        (!self.quiet).then(|| Line::problem(escape(notice.text().as_bytes())))
    }

    pub(super) fn stopping(&self) -> Option<Line> {
        (!self.quiet).then(|| Line::problem(STOPPING))
    }

    pub(super) fn clock_jump(&self, jump: SignedDuration) -> Option<Line> {
        (!self.quiet).then(|| Line::problem(clock_line(jump)))
    }

    pub(super) fn note(&self, text: String) -> Option<Line> {
        (!self.quiet).then(|| Line::problem(escape(text.as_bytes())))
    }

    /// That lines were lost.
    pub(super) fn lost(&self, lines: u64) -> Line {
        if self.is_json {
            return Line::json("lost", json!({ "count": lines }));
        }
        let count = plural(lines, "line", "lines");
        Line::problem(format!("… {count} not shown, as the output accepted no text"))
    }

    /// The status that a signal requests, even with --quiet, on standard error, separate from output that a program
    /// reads.
    pub(super) fn status(&self, view: &View) -> Line {
        let advice = limited_by::advice_lines(&view.limited_by);
        Line::problem(format!("{} {}{advice}", time_of_day(), block(&view.status, &Clock::of_system())))
    }
}
