//! Which lines are printed.

use std::collections::HashMap;

use jiff::SignedDuration;

use super::event;
use super::limit::clock_line;
use super::planned::planned_line;
use crate::args::{Format, SyncArguments};
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
}

/// Turns what happens into lines.
pub(super) struct Lines {
    quiet: bool,
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
            format: arguments.format,
            lists_steps: !arguments.quiet,
            each_file: arguments.verbose > 0,
            max_alike: MAX_ALIKE,
            shown: HashMap::new(),
        }
    }

    #[cfg(test)]
    pub(super) fn unlimited(format: Format) -> Self {
        let (quiet, lists_steps, each_file, max_alike) = (false, true, false, u64::MAX);
        Self { quiet, format, lists_steps, each_file, max_alike, shown: HashMap::new() }
    }

    /// A step of a dry run.
    pub(super) fn planned(&self, event: &Event) -> Option<Line> {
        let text = planned_line(event, self.format).filter(|_| self.lists_steps)?;
        Some(Line { text, is_problem: false })
    }

    pub(super) fn event(&mut self, event: &Event) -> Option<Line> {
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

    /// The status that a signal requests, even with --quiet, on standard error, separate from output that a program
    /// reads.
    pub(super) fn status(&self, view: &View) -> Line {
        let advice = limited_by::advice_lines(&view.limited_by);
        Line::problem(format!("{} {}{advice}", time_of_day(), block(&view.status, &Clock::of_system())))
    }
}
