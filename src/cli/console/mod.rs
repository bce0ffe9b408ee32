//! The console: listens to the migration and shows how it gets on.

mod bars;
mod text;

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, Instant};

use tokio::time::MissedTickBehavior;

use super::args::SyncArguments;
use super::output;
use crate::{Estimator, Event, EventStream, Progress};
use bars::Bars;

pub(super) use text::summary;

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// Lines of one kind that are shown; the log has them all.
const MAX_ALIKE: u64 = 50;

/// Shows one migration.
pub(super) struct Console {
    progress: Progress,
    estimator: Estimator,
    quiet: bool,
    each_file: bool,
    interval: Duration,
    /// None when standard error is no terminal.
    bars: Option<Bars>,
    shown: HashMap<Discriminant<Event>, u64>,
}

impl Console {
    pub(super) fn new(arguments: &SyncArguments, progress: Progress) -> Self {
        let terminal = std::io::stderr().is_terminal() && !arguments.quiet;
        Self {
            progress,
            estimator: Estimator::default(),
            quiet: arguments.quiet,
            each_file: arguments.verbose > 0,
            interval: if terminal { REDRAW } else { arguments.progress_interval.max(Duration::from_millis(100)) },
            bars: terminal.then(Bars::new),
            shown: HashMap::new(),
        }
    }

    /// Shows events and progress until the migration ends.
    pub(super) async fn listen(mut self, mut events: EventStream) {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.show(&event),
                    None => break,
                },
                _ = ticks.tick() => self.tick(),
            }
        }
        if let Some(bars) = &self.bars {
            bars.clear();
        }
    }

    fn tick(&mut self) {
        if self.quiet {
            return;
        }
        let snapshot = self.progress.snapshot();
        let estimate = self.estimator.estimate(Instant::now(), &snapshot);
        match &self.bars {
            Some(bars) => bars.draw(&text::lines(&snapshot, &estimate, bars.width())),
            None => output::line(&text::one_line(&snapshot, &estimate)),
        }
    }

    fn show(&mut self, event: &Event) {
        let Some(shown) = text::event(event, self.each_file) else { return };
        if self.quiet && !shown.is_failure {
            return;
        }
        // Each file of -v is asked for; of what was not, a screenful is enough.
        if !matches!(event, Event::Synced { .. }) {
            let count = self.shown.entry(discriminant(event)).or_default();
            *count += 1;
            match *count {
                n if n < MAX_ALIKE => {}
                MAX_ALIKE => return self.print(true, "… more of this kind are in the log"),
                _ => return,
            }
        }
        self.print(shown.is_problem, &shown.text);
    }

    fn print(&self, is_problem: bool, text: &str) {
        let write = || if is_problem { output::note(text) } else { output::line(text) };
        match &self.bars {
            Some(bars) => bars.suspend(write),
            None => write(),
        }
    }
}
