//! The console: listens to the events of a migration and shows its progress.

mod bars;
mod deadline;
mod end;
mod event;
pub(crate) mod format;
mod holes;
mod limit;
pub(crate) mod limited_by;
pub(crate) mod output;
mod planned;
mod text;

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use jiff::SignedDuration;
use jiff::ZonedDateTime;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::args::bwlimit::local_zone;
use crate::args::{Format, SyncArguments};
use crate::signals::StatusRequests;
use bars::Bars;
use deadline::Deadline;
use format::time_of_day;
use limited_by::Recent;
use planned::planned_line;
use towpath::{Estimate, Estimator, Event, EventStream, LimitedBy, Phase, Progress, Snapshot};

use limit::clock_line;
pub(crate) use limit::{limit_line, limit_of};
pub(crate) use planned::sums;
pub(crate) use text::summary;

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// The most lines of one kind, so that they do not hide the others.
const MAX_ALIKE: u64 = 50;
const STOPPING: &str = "stopping: unfinished files start again in the next run; press Ctrl-C again to stop at once";

/// Shows one migration.
pub(super) struct Console {
    progress: Progress,
    estimator: Estimator,
    zone: TimeZone,
    deadline: Option<Deadline>,
    quiet: bool,
    /// How planned steps are written.
    format: Format,
    /// With --quiet a dry run prints only its totals.
    lists_steps: bool,
    each_file: bool,
    interval: Duration,
    recent: Recent,
    /// None when standard error is no terminal.
    bars: Option<Bars>,
    /// Lines shown of each kind that is cut short.
    shown: HashMap<&'static str, u64>,
    /// Also learns of each event.
    observe: Box<dyn Fn(&Event) + Send>,
    /// The text that a signal requests.
    status: Box<dyn Fn() -> String + Send>,
}

impl Console {
    pub(super) fn new(
        arguments: &SyncArguments,
        progress: Progress,
        estimator: Estimator,
        observe: impl Fn(&Event) + Send + 'static,
        status: impl Fn() -> String + Send + 'static,
    ) -> Self {
        // Diagnostics are written to the terminal directly, and would break the redrawn lines.
        let diagnostics = arguments.verbose > 1;
        let terminal = std::io::stderr().is_terminal() && !arguments.quiet && !arguments.dry_run && !diagnostics;
        let zone = local_zone().unwrap_or(TimeZone::UTC);
        Self {
            progress,
            estimator,
            zone,
            deadline: arguments.deadline.map(Deadline::new),
            // Only JSON on an output that a program reads.
            quiet: arguments.quiet || arguments.format == Format::Json,
            format: arguments.format,
            lists_steps: !arguments.quiet,
            each_file: arguments.verbose > 0,
            interval: if terminal { REDRAW } else { arguments.progress_interval },
            recent: Recent::default(),
            bars: terminal.then(Bars::new),
            shown: HashMap::new(),
            observe: Box::new(observe),
            status: Box::new(status),
        }
    }

    /// Shows events and progress until the migration ends.
    pub(super) async fn listen(
        mut self,
        mut events: EventStream,
        mut requests: StatusRequests,
        mut jumps: mpsc::Receiver<SignedDuration>,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = false;
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => self.show(&event),
                    None => break,
                },
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    if !self.quiet {
                        self.print(true, STOPPING);
                    }
                }
                () = requests.next() => self.print_status(),
                Some(jump) = jumps.recv() => if !self.quiet {
                    self.print(true, &clock_line(jump));
                },
                _ = ticks.tick() => self.tick(),
            }
        }
        if let Some(bars) = &self.bars {
            bars.clear();
        }
    }

    fn tick(&mut self) {
        let limited_by = self.limited_by();
        if self.quiet {
            return;
        }
        let (snapshot, estimate, ends) = self.estimate();
        match &self.bars {
            Some(bars) => {
                let mut lines = text::lines(&snapshot, &estimate, ends.as_deref(), bars.width());
                if snapshot.phase == Phase::Transferring {
                    let sentence = limited_by::sentence(&limited_by);
                    lines.extend(sentence.map(|text| text.chars().take(bars.width()).collect()));
                }
                bars.draw(&lines);
            }
            None => {
                output::line(&format!("{} {}", time_of_day(), text::one_line(&snapshot, &estimate, ends.as_deref())));
            }
        }
        self.check_deadline(&estimate);
    }

    /// The counters now, the estimate, and when all is done.
    fn estimate(&mut self) -> (Snapshot, Estimate, Option<String>) {
        let snapshot = self.progress.snapshot();
        let estimate = self.estimator.estimate(Instant::now(), &snapshot);
        let ends = end::ends(&estimate, &self.now());
        (snapshot, estimate, ends)
    }

    fn now(&self) -> ZonedDateTime {
        jiff::Timestamp::now().to_zoned_datetime(self.zone.clone())
    }

    fn check_deadline(&mut self, estimate: &Estimate) {
        let now = self.now();
        let Some(deadline) = &mut self.deadline else { return };
        let limit = |deadline| self.estimator.limit_to_end_by(deadline);
        if let Some(note) = deadline.check(estimate, (Instant::now(), &now), limit) {
            self.print(true, &note);
        }
    }

    /// What limited the run in the last minute.
    fn limited_by(&mut self) -> LimitedBy {
        self.recent.note(Instant::now(), &self.progress.snapshot().limited_by)
    }

    /// Prints the status that a signal requests, even with --quiet, on standard error, separate from output that a
    /// program reads.
    fn print_status(&mut self) {
        let limited_by = self.limited_by();
        let advice = limited_by::advice_lines(&limited_by);
        self.print(true, &format!("{} {}{advice}", time_of_day(), (self.status)()));
    }

    fn show(&mut self, event: &Event) {
        (self.observe)(event);
        if matches!(event, Event::AttemptStarted { .. }) {
            // A first sample, so that the first line of progress has a rate.
            self.estimator.estimate(Instant::now(), &self.progress.snapshot());
        }
        if let Some(line) = planned_line(event, self.format) {
            if self.lists_steps {
                self.print(false, &line);
            }
            return;
        }
        let Some(shown) = event::shown(event, self.each_file) else { return };
        if self.quiet && !shown.is_failure {
            return;
        }
        let Some(rest) = shown.rest else { return self.print(shown.is_problem, &shown.text) };
        let count = self.shown.entry(rest).or_default();
        *count += 1;
        match *count {
            ..=MAX_ALIKE => self.print(true, &shown.text),
            n if n == MAX_ALIKE + 1 => self.print(true, rest),
            _ => {}
        }
    }

    fn print(&self, is_problem: bool, text: &str) {
        let write = || if is_problem { output::note(text) } else { output::line(text) };
        match &self.bars {
            Some(bars) => bars.print_above(write),
            None => write(),
        }
    }
}
