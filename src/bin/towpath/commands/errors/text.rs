//! Errors as text.

use std::fmt::Write as _;

use towpath::{AcceptedEntries, ErrorGroup, ErrorSummary, FailedKind, Overview, RecordedError, Side, Totals};

use super::migration::{Migration, command, full_path};
use crate::format::{escape, local_time, number, size};

/// The exceptions that are shown.
const EXCEPTIONS: usize = 20;

/// All groups, and the exceptions. `is_all`: nothing was selected.
pub(super) fn summary(
    migration: &Migration,
    summary: &ErrorSummary,
    exceptions: &AcceptedEntries,
    is_all: bool,
) -> String {
    let overview = &migration.overview;
    let mut text = format!("{} → {}", escape(&overview.source), escape(&overview.sink));
    if let Some(process) = overview.process {
        let _ = write!(text, "\n  a run is active (process {process}): this is what it has recorded so far");
    }
    if let Some(failure) = migration.failure() {
        let _ = write!(text, "\n  the last run failed: {}", escape(failure.as_bytes()));
    }
    let (open, which) = (summary.open_entries(), if is_all { "" } else { " that were selected" });
    let _ = match open {
        0 => write!(text, "\n  no errors{which}"),
        1 => write!(text, "\n  1 entry{which} is not in sync"),
        _ => write!(text, "\n  {} entries{which} are not in sync", number(open)),
    };
    for group in &summary.open {
        let _ = write!(text, "\n\n{}", self::group(migration, group));
    }
    if !exceptions.is_empty() {
        let _ = write!(text, "\n\n{}", accepted(overview, summary, exceptions));
    }
    text
}

/// A group with its directories and what to do.
fn group(migration: &Migration, group: &ErrorGroup) -> String {
    let overview = &migration.overview;
    let cause = group.cause.filter(|cause| *cause != group.code);
    let cause = cause.map_or_else(String::new, |cause| format!(" ({}: {})", cause.name(), cause.meaning()));
    let mut text = format!(
        "{}{}: {}{}{cause}",
        group.code.name(),
        side(group.side),
        counted(group.totals),
        format_args!(", {}", group.code.meaning()),
    );
    let width = group.dirs.first().map_or(0, |(_, totals)| number(totals.files).len());
    for (dir, totals) in &group.dirs {
        let path = full_path(overview, group.side, dir);
        let _ = write!(text, "\n  {:>width$}  {}", number(totals.files), escape(&path));
    }
    let _ = match group.more_dirs {
        0 => Ok(()),
        1 => write!(text, "\n  {:>width$}  in 1 other directory", ""),
        more => write!(text, "\n  {:>width$}  in {} other directories", "", number(more)),
    };
    let advice = group.cause.unwrap_or(group.code).advice();
    let _ = write!(text, "\n  → {advice}; then\n    {}", command(group, migration));
    text
}

fn side(side: Option<Side>) -> String {
    side.map_or_else(String::new, |side| format!(" at the {side}"))
}

fn counted(totals: Totals) -> String {
    let entries = if totals.files == 1 { "1 entry".to_owned() } else { format!("{} entries", number(totals.files)) };
    if totals.bytes == 0 { entries } else { format!("{entries}, {}", size(totals.bytes)) }
}

/// The exceptions, and how many entries they cover.
fn accepted(overview: &Overview, summary: &ErrorSummary, exceptions: &AcceptedEntries) -> String {
    let covered = summary.accepted_entries();
    let mut text = match exceptions.len() {
        1 => "1 accepted exception".to_owned(),
        count => format!("{} accepted exceptions", number(count as u64)),
    };
    let _ = write!(
        text,
        ", for {} that {} not in sync",
        if covered == 1 { "1 entry".to_owned() } else { format!("{} entries", number(covered)) },
        if covered == 1 { "is" } else { "are" }
    );
    for exception in exceptions.iter().take(EXCEPTIONS) {
        let code = exception.code.map_or_else(String::new, |code| format!("{}, ", code.name()));
        let _ = write!(
            text,
            "\n  {}: {} ({code}{}, {})",
            escape(&full_path(overview, None, &exception.path)),
            escape(exception.reason.as_bytes()),
            escape(exception.user.as_bytes()),
            local_time(exception.accepted_at),
        );
    }
    if exceptions.len() > EXCEPTIONS {
        let _ = write!(text, "\n  and {} more: towpath accept --list", number((exceptions.len() - EXCEPTIONS) as u64));
    }
    text
}

/// One entry on one line.
pub(super) fn entry(overview: &Overview, error: &RecordedError) -> String {
    let cause = error.cause.filter(|cause| *cause != error.code);
    let cause = cause.map_or_else(String::new, |cause| format!(" ({})", cause.name()));
    let slash = if error.kind == FailedKind::Directory { "/" } else { "" };
    let accepted = error.accepted.as_ref().map(|reason| format!(" [accepted: {}]", escape(reason.as_bytes())));
    format!(
        "{}{cause} {}{slash}: {}{}",
        error.code.name(),
        escape(&full_path(overview, error.side, &error.path)),
        escape(error.text.as_bytes()),
        accepted.unwrap_or_default()
    )
}
