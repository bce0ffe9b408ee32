//! The console: prints lines, and shows the progress of a migration.

mod amounts;
mod event;
mod feed;
#[cfg(test)]
mod fixture;
mod frame;
mod holes;
mod limit;
mod lines;
pub(crate) mod output;
mod painter;
mod planned;
mod progress_line;
mod row;
mod screen;
mod summary;
mod summary_json;
mod text;
mod verify;
mod verify_summary;

use std::time::Duration;

use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use crate::args::bwlimit::local_zone;
use crate::args::{Format, ProgressKind, SyncArguments};
use crate::event_json::object;
use crate::format::width::ascii;
use crate::format::{ends, time_of_day};
use crate::status::live::View;
use feed::Fed;
use lines::{Line, Lines};
use painter::Painter;
use row::Style;
use screen::Size;

pub(crate) use feed::Feed;
pub(crate) use limit::{limit_line, limit_of};
pub(crate) use planned::sums;
pub(crate) use screen::erase_at_exit;
pub(crate) use summary::{headline, summary};
pub(crate) use summary_json::summary_json;
pub(crate) use text::plural;
pub(crate) use verify::VerifyConsole;
pub(crate) use verify_summary::{verify_summary, verify_summary_json};

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// How often the status is updated without a terminal, at least.
const TICK: Duration = Duration::from_secs(1);
/// Lines that are printed at a time.
const BATCH: usize = 256;

/// Shows one migration.
pub(crate) struct Console {
    fed: Fed,
    zone: TimeZone,
    interval: Duration,
    shows: Shows,
}

/// How progress is shown.
enum Shows {
    /// In a frame on the terminal that standard error is.
    Frame(Terminal),
    Lines,
    Json,
    Nothing,
}

/// A terminal, and what was drawn last.
struct Terminal {
    painter: Painter,
    style: Style,
    /// Standard output is this terminal, too.
    has_output: bool,
    rows: Vec<String>,
}

impl Terminal {
    fn of_environment() -> Self {
        let style = Style::of(|name| std::env::var(name).ok());
        let has_output = screen::has_both_outputs();
        Self { painter: Painter::new(style.is_utf8), style, has_output, rows: Vec::new() }
    }

    fn draw(&mut self, view: &View, now: &ZonedDateTime) {
        let size = Size::now();
        // The last column stays free: some terminals wrap when it is written.
        let columns = size.columns.saturating_sub(1).max(1);
        let rows = frame::rows(view, now, &self.painter, Size { columns, ..size });
        self.rows = rows.iter().map(|row| row.rendered(columns, self.style)).collect();
        screen::draw(&[], &self.rows, size);
    }

    fn print(&self, lines: &[Line]) {
        let (above, elsewhere): (Vec<_>, Vec<_>) =
            lines.iter().cloned().partition(|line| line.is_problem || self.has_output);
        output::write_all(&elsewhere.iter().map(|line| (false, line.text.as_str())).collect::<Vec<_>>());
        if !above.is_empty() {
            let text = |line: Line| if self.style.is_utf8 { line.text } else { ascii(&line.text) };
            screen::draw(&above.into_iter().map(text).collect::<Vec<_>>(), &self.rows, Size::now());
        }
    }

    fn clear(&mut self) {
        self.rows.clear();
        screen::draw(&[], &[], Size::now());
    }
}

impl Console {
    /// A console, and the way to it.
    pub(crate) fn new(arguments: &SyncArguments) -> (Self, Feed) {
        let shows = match arguments.progress {
            _ if arguments.quiet || arguments.format == Format::Json => Shows::Nothing,
            Some(ProgressKind::Json) => Shows::Json,
            Some(ProgressKind::None) => Shows::Nothing,
            Some(ProgressKind::Lines) => Shows::Lines,
            // Diagnostics are written to the terminal directly, and would break the frame.
            Some(ProgressKind::Bar) | None if screen::is_terminal() && !arguments.dry_run && arguments.verbose < 2 => {
                Shows::Frame(Terminal::of_environment())
            }
            Some(ProgressKind::Bar) | None => Shows::Lines,
        };
        let interval = if matches!(shows, Shows::Frame(_)) { REDRAW } else { arguments.progress_interval };
        let (feed, fed) = Feed::new(Lines::new(arguments));
        (Self { fed, zone: local_zone().unwrap_or(TimeZone::UTC), interval, shows }, feed)
    }

    /// How often it needs a new view.
    pub(crate) fn tick(&self) -> Duration {
        self.interval.min(TICK)
    }

    /// Prints lines and shows progress until the feed ends. Blocks as long as the output accepts no text.
    pub(crate) async fn show(mut self) {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut lines = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.draw(),
                count = self.fed.lines.recv_many(&mut lines, BATCH) => match count {
                    0 => break,
                    _ => self.print(&lines),
                },
            }
            lines.clear();
        }
        if let Shows::Frame(terminal) = &mut self.shows {
            terminal.clear();
        }
    }

    fn draw(&mut self) {
        let Some(view) = self.fed.views.borrow().clone() else { return };
        let now = view.time.to_zoned_datetime(self.zone.clone());
        match &mut self.shows {
            Shows::Frame(terminal) => terminal.draw(&view, &now),
            Shows::Lines => {
                let ends = ends::ends(&view.estimate, &now);
                let line = progress_line::progress_line(&view, ends.as_deref());
                output::line(&format!("{} {line}", time_of_day()));
            }
            Shows::Json => {
                let status = serde_json::to_value(&view.status).unwrap_or_default();
                output::line(&Value::Object(object("status", status)).to_string());
            }
            Shows::Nothing => {}
        }
    }

    fn print(&self, lines: &[Line]) {
        match &self.shows {
            Shows::Frame(terminal) => terminal.print(lines),
            _ => output::write_all(&lines.iter().map(|line| (line.is_problem, line.text.as_str())).collect::<Vec<_>>()),
        }
    }
}
