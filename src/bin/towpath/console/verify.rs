//! Shows a verification.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use super::event;
use super::output;
use super::painter::Painter;
use super::row::{Row, Style, Tone, flow};
use super::screen::{self, Size};
use super::text::files;
use crate::args::ProgressKind;
use crate::args::verify::VerifyArguments;
use crate::event_json::{event_json, object};
use crate::format::width::{ascii, columns};
use crate::format::{duration, escape, number, rate, short_path, size, time_of_day};
use towpath::{
    CancellationToken, Event, EventStream, VerifyClass, VerifyPhase, VerifyProgress, VerifyResult, VerifySnapshot,
};

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(200);
/// Over which time the rate is measured.
const RATE_TIME: Duration = Duration::from_secs(60);
/// The most lines of one class, so that they do not hide the others.
const MAX_ALIKE: u64 = 50;
/// Files in flight that are shown.
const MAX_FILES: usize = 8;
const MAX_BAR: usize = 60;
const INDENT: &str = "  ";

/// Shows one verification.
pub(crate) struct VerifyConsole {
    progress: VerifyProgress,
    database: String,
    interval: Duration,
    shows: Shows,
    quiet: bool,
    is_json: bool,
    each_file: bool,
    started: Instant,
    /// Bytes read at earlier moments, the oldest first.
    read: VecDeque<(Instant, u64)>,
    shown: HashMap<VerifyClass, u64>,
}

enum Shows {
    /// In a frame on the terminal that standard error is.
    Frame {
        painter: Painter,
        style: Style,
        has_output: bool,
        rows: Vec<String>,
    },
    Lines,
    Json,
    Nothing,
}

impl VerifyConsole {
    pub(crate) fn new(arguments: &VerifyArguments, progress: VerifyProgress, database: String) -> Self {
        let shows = match arguments.progress {
            Some(ProgressKind::Json) => Shows::Json,
            Some(ProgressKind::None) => Shows::Nothing,
            _ if arguments.quiet => Shows::Nothing,
            Some(ProgressKind::Lines) => Shows::Lines,
            Some(ProgressKind::Bar) | None if screen::is_terminal() => {
                let style = Style::of(|name| std::env::var(name).ok());
                let has_output = screen::has_both_outputs();
                Shows::Frame { painter: Painter::new(style.is_utf8), style, has_output, rows: Vec::new() }
            }
            // Only the result, for a program that reads it.
            None if arguments.json => Shows::Nothing,
            Some(ProgressKind::Bar) | None => Shows::Lines,
        };
        let interval = if matches!(shows, Shows::Frame { .. }) { REDRAW } else { arguments.progress_interval };
        Self {
            progress,
            database,
            interval,
            shows,
            quiet: arguments.quiet,
            is_json: arguments.prints_json(),
            each_file: arguments.verbose > 0,
            started: Instant::now(),
            read: VecDeque::from([(Instant::now(), 0)]),
            shown: HashMap::new(),
        }
    }

    /// Prints events and shows progress until the verification ends. Blocks as long as the output accepts no text.
    pub(crate) async fn show(mut self, mut events: EventStream, stop: CancellationToken) {
        let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + self.interval, self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut is_stopping = false;
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => self.tick(),
                () = stop.cancelled(), if !is_stopping => {
                    is_stopping = true;
                    if !self.quiet {
                        self.print(true, "stopping: the same command goes on; press Ctrl-C again to stop at once");
                    }
                }
                event = events.next() => match event {
                    Some(event) => self.event(&event),
                    None => break,
                },
            }
        }
        if let Shows::Frame { rows, .. } = &mut self.shows {
            rows.clear();
            screen::draw(&[], &[], Size::now());
        }
    }

    fn event(&mut self, event: &Event) {
        if self.is_json {
            let is_shown = self.each_file || !matches!(event, Event::Verified { result: VerifyResult::Matches, .. });
            if let Some((name, fields)) = event_json(event).filter(|_| is_shown) {
                self.print(false, &Value::Object(object(name, fields)).to_string());
            }
            return;
        }
        if let Event::Verified { paths, result, .. } = event {
            let class = result.class();
            let detail = result.detail().map_or_else(String::new, |detail| format!(": {detail}"));
            let text = format!("{class}: {}{detail}", String::from_utf8_lossy(&paths.dest));
            return self.result(class, &escape(text.as_bytes()));
        }
        if let Some(shown) = event::shown(event, self.each_file).filter(|shown| shown.is_failure || !self.quiet) {
            self.print(shown.is_problem, &shown.text);
        }
    }

    fn result(&mut self, class: VerifyClass, text: &str) {
        if !class.is_bad() {
            if self.each_file {
                self.print(false, text);
            }
            return;
        }
        let count = self.shown.entry(class).or_default();
        *count += 1;
        match *count {
            count if count <= MAX_ALIKE => self.print(true, text),
            count if count == MAX_ALIKE + 1 => {
                let more = format!("{class}: … more files; `towpath verify --database {} --list`", self.database);
                self.print(true, &more);
            }
            _ => {}
        }
    }

    fn print(&self, is_problem: bool, text: &str) {
        match &self.shows {
            Shows::Frame { style, has_output, rows, .. } if is_problem || *has_output => {
                let text = if style.is_utf8 { text.to_owned() } else { ascii(text) };
                screen::draw(&[text], rows, Size::now());
            }
            _ => output::write_all(&[(is_problem, text)]),
        }
    }

    fn tick(&mut self) {
        let snapshot = self.progress.snapshot();
        let now = Instant::now();
        self.read.push_back((now, snapshot.read_bytes));
        while self.read.len() > 2 && self.read.get(1).is_some_and(|(time, _)| now - *time >= RATE_TIME) {
            self.read.pop_front();
        }
        let pace = self.pace();
        match &mut self.shows {
            Shows::Frame { painter, style, rows, .. } => {
                let size = Size::now();
                // The last column stays free: some terminals wrap when it is written.
                let columns = size.columns.saturating_sub(1).max(1);
                let drawn = frame(&snapshot, pace, self.started.elapsed(), painter, Size { columns, ..size });
                *rows = drawn.iter().map(|row| row.rendered(columns, *style)).collect();
                screen::draw(&[], rows, size);
            }
            Shows::Lines => output::line(&format!("{} {}", time_of_day(), line(&snapshot, pace))),
            Shows::Json => output::line(&status_json(&snapshot, pace)),
            Shows::Nothing => {}
        }
    }

    /// Bytes per second over the last minute.
    fn pace(&self) -> u64 {
        let (Some(first), Some(last)) = (self.read.front(), self.read.back()) else { return 0 };
        let seconds = (last.0 - first.0).as_secs_f64();
        if seconds > 0.0 { ((last.1 - first.1) as f64 / seconds) as u64 } else { 0 }
    }
}

/// How far it is: what is recorded, and what was read of the files in flight.
fn done_bytes(snapshot: &VerifySnapshot) -> u128 {
    let in_flight: u128 = snapshot.engine.current.iter().map(|file| u128::from(file.position_bytes())).sum();
    (snapshot.checked().bytes + in_flight).min(snapshot.selected.bytes)
}

fn percent(snapshot: &VerifySnapshot) -> f64 {
    let (done, all) = match snapshot.selected.bytes {
        0 => (u128::from(snapshot.checked().files), u128::from(snapshot.selected.files)),
        bytes => (done_bytes(snapshot), bytes),
    };
    super::amounts::percent(done, all)
}

fn amounts(snapshot: &VerifySnapshot) -> String {
    format!(
        "{} of {}, {} of {}",
        size(done_bytes(snapshot)),
        size(snapshot.selected.bytes),
        number(snapshot.checked().files),
        files(snapshot.selected.files)
    )
}

/// The time that is left at this rate.
fn left(snapshot: &VerifySnapshot, pace: u64) -> Option<String> {
    let left = snapshot.selected.bytes.saturating_sub(done_bytes(snapshot));
    let seconds = (pace > 0).then(|| left as f64 / pace as f64)?;
    let time = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
    Some(format!("about {} left", duration(time)))
}

/// What was found that is not as it should be.
fn problems(snapshot: &VerifySnapshot) -> Vec<String> {
    let bad = snapshot.classes.iter().filter(|(class, _)| class.is_bad());
    bad.map(|(class, totals)| format!("{class} {}", files(totals.files))).collect()
}

fn line(snapshot: &VerifySnapshot, pace: u64) -> String {
    let paused = if snapshot.engine.paused { "paused: " } else { "" };
    let text = match snapshot.phase {
        VerifyPhase::Starting => "starting".to_owned(),
        VerifyPhase::Counting => "counting files".to_owned(),
        VerifyPhase::Reading => {
            let mut parts = vec![rate(pace)];
            parts.extend(left(snapshot, pace));
            let problems: String = problems(snapshot).iter().map(|problem| format!("; {problem}")).collect();
            format!("{}; {:.1} %: {}{problems}", parts.join(", "), percent(snapshot), amounts(snapshot))
        }
        _ => "adding up".to_owned(),
    };
    format!("{paused}{text}")
}

fn frame(snapshot: &VerifySnapshot, pace: u64, elapsed: Duration, painter: &Painter, screen: Size) -> Vec<Row> {
    let state = match snapshot.phase {
        _ if snapshot.engine.paused => "paused",
        VerifyPhase::Starting => "starting",
        VerifyPhase::Counting => "counting files",
        VerifyPhase::Reading => "verifying",
        _ => "adding up",
    };
    let text = format!("{state} {}", duration(elapsed));
    if snapshot.phase != VerifyPhase::Reading {
        return vec![Row::plain(text)];
    }
    let shown = format!("{:5.1} %", percent(snapshot));
    let cells = screen.columns.saturating_sub(columns(&text) + shown.len() + 6).min(MAX_BAR);
    let bar = painter.bar((percent(snapshot) * 10.0) as u128, 1000, cells);
    let mut rows = vec![Row::plain(format!("{text}{INDENT}")).and(Tone::Bar, bar).and(Tone::Plain, shown)];
    let limit = snapshot.engine.limit_bytes_per_s().map(|limit| format!("limit {}", rate(limit)));
    let items = [Some(amounts(snapshot)), Some(rate(pace)), limit, left(snapshot, pace)];
    rows.extend(flow(INDENT, items.into_iter().flatten(), screen.columns));
    rows.extend(problems(snapshot).into_iter().map(|text| Row::new(Tone::Problem, format!("{INDENT}{text}"))));
    let room = screen.rows.saturating_sub(rows.len() + 2).min(MAX_FILES);
    let mut current: Vec<_> = snapshot.engine.current.iter().collect();
    current.sort_by_key(|file| std::cmp::Reverse(file.left_bytes()));
    rows.extend(current.iter().take(room).map(|file| {
        let amount = format!("{} of {}", size(file.position_bytes()), size(file.size_bytes));
        let width = screen.columns.saturating_sub(columns(&amount) + 6);
        Row::plain(format!("{INDENT}{amount}  {}", short_path(file.path.as_bytes(), width)))
    }));
    rows
}

fn status_json(snapshot: &VerifySnapshot, pace: u64) -> String {
    let totals =
        |totals: towpath::Totals| json!({ "files": totals.files, "bytes": towpath::json::number(totals.bytes) });
    let phase = match snapshot.phase {
        VerifyPhase::Starting => "starting",
        VerifyPhase::Counting => "counting",
        VerifyPhase::Reading => "reading",
        VerifyPhase::Summing => "summing",
        _ => "ended",
    };
    let classes: serde_json::Map<_, _> =
        snapshot.classes.iter().map(|(class, sum)| (class.name().to_owned(), totals(*sum))).collect();
    let fields = json!({
        "phase": phase,
        "paused": snapshot.engine.paused,
        "selected": totals(snapshot.selected),
        "checked": totals(snapshot.checked()),
        "classes": classes,
        "read_bytes": snapshot.read_bytes,
        "bytes_per_s": pace,
    });
    Value::Object(object("verify-status", fields)).to_string()
}
