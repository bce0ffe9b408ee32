//! The console: prints lines, and shows the progress of a migration.

mod bars;
mod event;
mod feed;
mod holes;
mod limit;
mod lines;
pub(crate) mod output;
mod planned;
mod text;

use std::io::IsTerminal as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::time::MissedTickBehavior;

use crate::args::bwlimit::local_zone;
use crate::args::{Format, SyncArguments};
use crate::format::{ends, time_of_day};
use crate::limited_by;
use crate::status::live::View;
use bars::Bars;
use feed::Fed;
use lines::{Line, Lines};
use towpath::Phase;

pub(crate) use feed::Feed;
pub(crate) use limit::{limit_line, limit_of};
pub(crate) use planned::sums;
pub(crate) use text::summary;

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// How often the status is updated without a terminal, at least.
const TICK: Duration = Duration::from_secs(1);

/// Shows one migration.
pub(crate) struct Console {
    fed: Fed,
    zone: TimeZone,
    /// No progress is shown.
    quiet: bool,
    interval: Duration,
    /// None when standard error is no terminal.
    bars: Option<Bars>,
}

impl Console {
    /// A console, and the way to it.
    pub(crate) fn new(arguments: &SyncArguments) -> (Self, Feed) {
        // Diagnostics are written to the terminal directly, and would break the redrawn lines.
        let diagnostics = arguments.verbose > 1;
        let terminal = std::io::stderr().is_terminal() && !arguments.quiet && !arguments.dry_run && !diagnostics;
        let (feed, fed) = Feed::new(Lines::new(arguments));
        let console = Self {
            fed,
            zone: local_zone().unwrap_or(TimeZone::UTC),
            quiet: arguments.quiet || arguments.format == Format::Json,
            interval: if terminal { REDRAW } else { arguments.progress_interval },
            bars: terminal.then(Bars::new),
        };
        (console, feed)
    }

    /// How often it needs a new view.
    pub(crate) fn tick(&self) -> Duration {
        self.interval.min(TICK)
    }

    /// Prints lines and shows progress until the feed ends. Blocks as long as the output accepts no text.
    pub(crate) async fn show(mut self) {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                line = self.fed.lines.recv() => match line {
                    Some(line) => self.print(&line),
                    None => break,
                },
                _ = ticks.tick(), if !self.quiet => {
                    let view = self.fed.views.borrow().clone();
                    if let Some(view) = view {
                        self.draw(&view);
                    }
                }
            }
        }
        if let Some(bars) = &self.bars {
            bars.clear();
        }
    }

    fn draw(&self, view: &View) {
        let now = jiff::Timestamp::now().to_zoned_datetime(self.zone.clone());
        let ends = ends::ends(&view.estimate, &now);
        let Some(bars) = &self.bars else {
            let line = text::one_line(&view.snapshot, &view.estimate, ends.as_deref());
            return output::line(&format!("{} {line}", time_of_day()));
        };
        let mut lines = text::lines(&view.snapshot, &view.estimate, ends.as_deref(), bars.width());
        if view.snapshot.phase == Phase::Transferring {
            let sentence = limited_by::sentence(&view.limited_by);
            lines.extend(sentence.map(|text| text.chars().take(bars.width()).collect()));
        }
        bars.draw(&lines);
    }

    fn print(&self, line: &Line) {
        let write = || if line.is_problem { output::note(&line.text) } else { output::line(&line.text) };
        match &self.bars {
            Some(bars) => bars.print_above(write),
            None => write(),
        }
    }
}
