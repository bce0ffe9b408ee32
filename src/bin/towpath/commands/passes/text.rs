//! The passes as a table, and the forecast as a sentence.

use towpath::{PassForecast, Passes, RecordedOutcome, RecordedPass, Totals};

use crate::format::{columns, duration, escape, moment, number, rate, size};
use crate::status::text::Clock;
use crate::timetable::{Rate, Timetable};

const HEAD: [&str; 9] = ["RUN", "BEGAN", "SCAN", "FOUND", "SENT", "DELETED", "FAILED", "TOOK", "LIMIT"];

pub(super) fn passes(passes: &Passes, next: Option<&PassForecast>, limit: &Timetable, clock: &Clock) -> String {
    let head = HEAD.map(str::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(passes.passes.iter().map(|pass| row(pass, clock))).collect();
    let title = format!("{} -> {}", escape(&passes.source), escape(&passes.sink));
    format!("{title}\n\n{}\n\n{}", columns(&rows), forecast(next, limit))
}

fn row(pass: &RecordedPass, clock: &Clock) -> [String; 9] {
    let none = || "-".to_owned();
    let run = &pass.run;
    let deleted = match (run.deleted_files, run.deleted_dirs) {
        (Some(files), Some(dirs)) => number(files + dirs),
        _ => none(),
    };
    let scan = pass.scan.map(|scan| scan.duration().map_or_else(|| "interrupted".to_owned(), duration));
    let limit = pass.limits_bytes_per_s.as_ref().map(|limits| match (*limits.start(), *limits.end()) {
        (lowest, highest) if lowest == highest => rate(highest),
        (lowest, highest) => format!("{} to {}", rate(lowest), rate(highest)),
    });
    let took = pass.duration().map(|took| match run.outcome {
        Some(RecordedOutcome::Finished) => duration(took),
        Some(RecordedOutcome::Assessed) => format!("{}, assessed", duration(took)),
        Some(RecordedOutcome::Stopped) => format!("{}, stopped", duration(took)),
        _ => format!("{}, failed", duration(took)),
    });
    [
        run.number.to_string(),
        moment(run.started).map_or_else(none, |time| clock.time(time)),
        scan.unwrap_or_else(none),
        pass.scan.and_then(|scan| scan.found).map_or_else(none, amount),
        run.sent.map_or_else(none, amount),
        deleted,
        run.failed.map_or_else(none, |failed| number(failed.files)),
        took.unwrap_or_else(|| "not ended".to_owned()),
        limit.unwrap_or_else(none),
    ]
}

fn amount(totals: Totals) -> String {
    match totals.files {
        0 => "0".to_owned(),
        files => format!("{} in {}", size(totals.bytes), number(files)),
    }
}

fn forecast(next: Option<&PassForecast>, limit: &Timetable) -> String {
    let Some(next) = next else {
        return "no forecast: it needs two complete scans, and time in which files may be sent".to_owned();
    };
    let share = 100.0 * next.scan.as_secs_f64() / next.p50.as_secs_f64().max(f64::MIN_POSITIVE);
    let under = match limit.only_rate() {
        Some(Rate::Fixed(limit)) => format!(" at {}", rate(limit)),
        Some(_) => String::new(),
        None => " under the timetable".to_owned(),
    };
    format!(
        "A cut-over now would need {} (p90 {}); the scan is {share:.0} % of it, then {} to send{under}.",
        duration(next.p50),
        duration(next.p90),
        match next.work.files {
            0 => "nothing".to_owned(),
            1 => format!("1 file with {}", size(next.work.bytes)),
            files => format!("{} files with {}", number(files), size(next.work.bytes)),
        }
    )
}
