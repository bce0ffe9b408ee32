//! What a terminal shows of a run.

use std::time::Duration;

use jiff::{Timestamp, ZonedDateTime};

use super::amounts::{arrived, percent, scan_items};
use super::holes::hashed;
use super::painter::Painter;
use super::row::{Row, Tone, flow};
use super::screen::Size;
use super::text::{files, plural};
use crate::format::ends::after;
use crate::format::width::{columns, cut_begin};
use crate::format::{duration, escape, number, rate, size};
use crate::limited_by::sentence;
use crate::status::live::View;
use crate::status::model::{CurrentFile, State, Status};
use crate::status::text::{limit_in_words, stalled_in_words};
use towpath::{Estimate, Phase};

/// Files in flight that are shown.
const MAX_FILES: usize = 8;
/// Kinds of errors that are shown.
const MAX_ERRORS: usize = 3;
/// The widest bar of all bytes.
const MAX_BAR: usize = 60;
const INDENT: &str = "  ";

/// The rows of the frame, the most important first, at most so many that lines above it remain visible.
pub(super) fn rows(view: &View, now: &ZonedDateTime, painter: &Painter, size: Size) -> Vec<Row> {
    let mut rows = vec![headline(view, now, painter, size.columns)];
    match view.snapshot.phase {
        // A row for each side.
        Phase::Scanning => {
            rows.extend(scan_items(view).into_iter().flat_map(|item| flow(INDENT, [item], size.columns)));
        }
        Phase::Transferring => {
            rows.extend(flow(INDENT, amounts(view), size.columns));
            rows.extend(flow(INDENT, pace(view), size.columns));
            rows.extend(ends(&view.estimate, now).map(|ends| flow(INDENT, ends, size.columns)).unwrap_or_default());
        }
        _ => {}
    }
    rows.extend(errors(&view.status).map(|text| Row::new(Tone::Problem, format!("{INDENT}{text}"))));
    rows.extend(view.status.stalled.as_ref().map(|stalled| {
        let since = duration(elapsed(stalled.since, now.timestamp()));
        Row::new(Tone::Warning, format!("{INDENT}stalled for {since}: {}", stalled_in_words(stalled)))
    }));
    if view.snapshot.phase == Phase::Transferring {
        let holes = hashed(&view.snapshot, &view.estimate, size.columns.saturating_sub(70));
        let room = size.rows.saturating_sub(rows.len() + usize::from(holes.is_some()) + 2);
        rows.extend(current(view, now.timestamp(), painter, size.columns, room.min(MAX_FILES)));
        rows.extend(holes.map(|text| Row::plain(format!("{INDENT}{text}"))));
    }
    rows
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// What it does, for how long, and how far it is.
fn headline(view: &View, now: &ZonedDateTime, painter: &Painter, width: usize) -> Row {
    let status = &view.status;
    let state = if view.snapshot.phase == Phase::Starting { "starting" } else { status.state.name() };
    let reason = status.reason.as_deref().filter(|_| status.state == State::Paused);
    let reason = reason.map_or_else(String::new, |reason| format!(" {}", escape(reason.as_bytes())));
    let time = duration(status.started.map_or(Duration::ZERO, |started| elapsed(started, now.timestamp())));
    let text = format!("{state}{reason} {time}");
    let Some((done, all)) = progress(view) else { return Row::plain(text) };
    let percent = format!("{:5.1} %", percent(done, all));
    let cells = width.saturating_sub(columns(&text) + percent.len() + 6).min(MAX_BAR);
    Row::plain(format!("{text}{INDENT}")).and(Tone::Bar, painter.bar(done, all, cells)).and(Tone::Plain, percent)
}

/// What is done of what: bytes, files if all are empty, or entries of a scan.
fn progress(view: &View) -> Option<(u128, u128)> {
    match view.snapshot.phase {
        Phase::Transferring => {
            let (done, all) = (arrived(&view.snapshot), view.snapshot.source);
            Some(if all.bytes > 0 { (done.in_all, all.bytes) } else { (done.files.into(), all.files.into()) })
        }
        Phase::Scanning => {
            let percent = view.status.scan.and_then(|scan| scan.percent)?;
            Some(((percent * 10.0).round() as u128, 1000))
        }
        _ => None,
    }
}

fn amounts(view: &View) -> Vec<String> {
    let (snapshot, arrived) = (&view.snapshot, arrived(&view.snapshot));
    let mut items = vec![
        format!("{} of {}", size(arrived.in_all), size(snapshot.source.bytes)),
        format!("{} of {}", number(arrived.files), files(snapshot.source.files)),
        format!("this run {} in {}", size(arrived.by_this_run), files(snapshot.synced.files)),
    ];
    if snapshot.failed_files > 0 {
        items.push(format!("{} failed", files(snapshot.failed_files)));
    }
    items
}

/// The rates, and what they are limited by.
fn pace(view: &View) -> Vec<String> {
    let estimate = &view.estimate;
    let mut items = vec![format!("{} now", rate(estimate.progress_bytes_per_s()))];
    items.extend(view.mean_bytes_per_s.map(|mean| format!("{} mean", rate(mean))));
    if estimate.holes_bytes_per_s > 0 {
        let (written, holes) = (rate(estimate.bandwidth_bytes_per_s), rate(estimate.holes_bytes_per_s));
        items.push(format!("{written} written, {holes} holes"));
    }
    items.push(format!("limit {}", limit_in_words(&view.status)));
    items.extend(sentence(&view.limited_by));
    items
}

/// The end as a duration and as a time.
fn ends(estimate: &Estimate, now: &ZonedDateTime) -> Option<Vec<String>> {
    let (p50, p90) = (estimate.p50?, estimate.p90?);
    if p50 >= Estimate::YEAR {
        return Some(vec!["done in >1 year".to_owned()]);
    }
    let range = |early: String, late: String| if early == late { early } else { format!("{early}..{late}") };
    let times = after(p50, now).map(|early| range(early, after(p90, now).unwrap_or_else(|| ">1 year".to_owned())));
    let mut items = vec![format!("done in {}", range(short(p50), short(p90)))];
    items.extend(times.map(|times| format!("at {times}")));
    Some(items)
}

/// A duration in its two largest units.
fn short(time: Duration) -> String {
    let (seconds, minutes) = (time.as_secs(), time.as_secs() / 60);
    match minutes {
        0 => format!("{seconds}s"),
        1..60 => format!("{minutes}m{:02}s", seconds % 60),
        60..1440 => format!("{}h{:02}m", minutes / 60, minutes % 60),
        _ if time >= Estimate::YEAR => ">1 year".to_owned(),
        _ => format!("{}d{:02}h", minutes / 1440, minutes / 60 % 24),
    }
}

fn errors(status: &Status) -> Option<String> {
    let all: u64 = status.errors.iter().map(|errors| errors.count).sum();
    let kinds = status.errors.iter().take(MAX_ERRORS).map(|errors| {
        let side = errors.side.map_or_else(String::new, |side| format!(" ({})", side.name()));
        format!("{} {}{side}", number(errors.count), errors.kind)
    });
    let kinds: Vec<_> = kinds.collect();
    let more = if status.errors.len() > MAX_ERRORS { ", …" } else { "" };
    (all > 0).then(|| format!("{}: {}{more}", plural(all, "error", "errors"), kinds.join(", ")))
}

/// The files in flight, and how many there are beyond `room` rows.
fn current(view: &View, now: Timestamp, painter: &Painter, width: usize, room: usize) -> Vec<Row> {
    let (files, all) = (&view.status.current, view.status.current.len() + view.status.more_current);
    // The last row is for the others.
    let shown = if all > room { room.saturating_sub(1) } else { room };
    let mut rows: Vec<_> = files.iter().take(shown).map(|file| current_file(file, now, painter, width)).collect();
    let others = all - rows.len();
    if others > 0 {
        rows.push(Row::plain(format!("{INDENT}{} more in flight", number(others as u64))));
    }
    rows
}

fn current_file(file: &CurrentFile, now: Timestamp, painter: &Painter, width: usize) -> Row {
    let (done, all) = (u128::from(file.written), u128::from(file.size));
    let percent = file.percent();
    let cells = match width {
        0..70 => 0,
        70..120 => 10,
        _ => 20,
    };
    let pace = file.rate_bytes_per_s.map_or_else(String::new, rate);
    let left = file.eta.map_or_else(String::new, |eta| duration(elapsed(now, eta)));
    let bar = painter.bar(done, all, cells);
    let figures = match width {
        0..40 => String::new(),
        40..90 => format!("{pace:>12} {left:>8}"),
        _ => format!(" {:>10} {pace:>12} {left:>11}", size(file.size)),
    };
    let row = Row::plain(format!("{INDENT}{percent:3} % ")).and(Tone::Bar, bar).and(Tone::Plain, figures);
    let name = escape(&path_of(file));
    let used = columns(INDENT) + 6 + cells + columns_of_figures(width) + 2;
    row.and(Tone::Plain, format!("{INDENT}{}", cut_begin(&name, width.saturating_sub(used))))
}

fn columns_of_figures(width: usize) -> usize {
    match width {
        0..40 => 0,
        40..90 => 21,
        _ => 36,
    }
}

/// The bytes of its path.
fn path_of(file: &CurrentFile) -> Vec<u8> {
    let bytes = file.path_bytes.as_deref().and_then(|bytes| hex::decode(bytes).ok());
    bytes.unwrap_or_else(|| file.path.clone().into_bytes())
}

#[cfg(test)]
mod tests;
