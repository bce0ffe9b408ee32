//! Events as text, each on one line.

use std::error::Error as _;

use super::limit::limit_of;
use super::text::{counts, files, noun, plural, totals};
use crate::format::{escape, size};
use towpath::{BacklogOrigin, Event, ScanReason, SteerAction};

/// An event as text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Shown {
    /// One line, with names and errors of the system escaped.
    pub(super) text: String,
    /// Shown on standard error.
    pub(super) is_problem: bool,
    /// Shown even with --quiet.
    pub(super) is_failure: bool,
    /// Shown once instead of further events of this kind, if there are too many.
    pub(super) rest: Option<&'static str>,
}

impl Shown {
    fn note(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_problem: false, is_failure: false, rest: None }
    }

    fn problem(rest: &'static str, text: String) -> Self {
        Self { text, is_problem: true, is_failure: false, rest: Some(rest) }
    }

    fn failure(rest: &'static str, text: String) -> Self {
        Self { is_failure: true, ..Self::problem(rest, text) }
    }
}

/// An event as text; `None` if it is not shown.
pub(super) fn shown(event: &Event, each_file: bool) -> Option<Shown> {
    let mut shown = match event {
        Event::ScanStarted { reason } => Shown::note(scan_started(*reason)),
        Event::ScanFinished { source, sink, pending } => Shown::note(format!(
            "scanned: source {}; destination {}; pending {}",
            counts(source),
            counts(sink),
            totals(*pending)
        )),
        Event::WholeSecondsAtSink { files: count } => Shown::note(format!(
            "note: the mtimes of {} differ only by a fraction of a second: a tool that keeps whole seconds \
             copied them. They are sent again, unless --modify-window 1s counts them as in sync",
            files(*count)
        )),
        Event::HardLinksCopied { names } => Shown {
            is_problem: true,
            ..Shown::note(format!(
                "note: {}, which takes {} more",
                plural(
                    names.files,
                    "hard link is copied as a separate file",
                    "hard links are copied as separate files"
                ),
                size(names.bytes)
            ))
        },
        Event::PatternUnmatched { pattern, origin } => {
            Shown::problem("note: … more patterns matched nothing", unmatched(pattern, origin))
        }
        Event::EmptyDirsNotKept { dirs, error } => Shown {
            is_problem: true,
            ..Shown::note(format!(
                "note: the destination does not keep empty directories, {} not created: {}; \
                 ?directories=false in its URL skips them",
                plural(*dirs, "was", "were"),
                error.source().map_or_else(|| error.to_string(), ToString::to_string)
            ))
        },
        Event::Resuming { pending, origin: BacklogOrigin::Failed, .. } if pending.files == 0 => {
            Shown::note("nothing is pending from the last run; no scan")
        }
        // The plain number, for programs that parse this line.
        Event::Resuming { pending, origin, then_scan } => Shown::note(format!(
            "{}: {} {}, {} pending; {}",
            match origin {
                BacklogOrigin::Failed => "retrying what failed in the last run",
                BacklogOrigin::Assessed => "sending what the assessment found",
                _ => "resuming",
            },
            pending.files,
            noun(pending.files, "file", "files"),
            size(pending.bytes),
            if *then_scan { "then a scan" } else { "no scan" }
        )),
        Event::AttemptStarted { attempt: 2.., pending } => {
            Shown::note(format!("retrying what changed or failed: {}", totals(*pending)))
        }
        Event::Synced { paths, hard_link_to: Some(file), .. } if each_file => {
            Shown::note(format!("= {} {}", escape(file), escape(&paths.dest)))
        }
        Event::Synced { paths, size_bytes, checksum, .. } if each_file => {
            let digits = checksum.as_ref().map_or("-", |checksum| checksum.hash.as_str());
            Shown::note(format!("{digits} {size_bytes} {}", escape(&paths.dest)))
        }
        Event::AttributesApplied { paths } if each_file => Shown::note(format!("attributes {}", escape(&paths.dest))),
        Event::Renamed { paths, from } if each_file => {
            Shown::note(format!("renamed {} to {}", escape(from), escape(&paths.dest)))
        }
        Event::LongHoles { paths } if each_file => {
            Shown::note(format!("{} has long holes: it is sent separately from the other files", escape(&paths.source)))
        }
        Event::Skipped { accepted: true, .. } if each_file => logged(event)?,
        Event::Deleted { paths, .. } if each_file => Shown::note(format!("deleted {}", escape(&paths.dest))),
        // Planned steps are printed elsewhere.
        Event::AttemptStarted { .. }
        | Event::Synced { .. }
        | Event::AttributesApplied { .. }
        | Event::Deleted { .. }
        | Event::Renamed { .. }
        | Event::LongHoles { .. }
        | Event::Skipped { accepted: true, .. }
        | Event::Planned { .. } => return None,
        Event::Steered { action, by } => Shown::note(steered(*action, by)?),
        Event::WillRetry { .. } | Event::Warning(_) | Event::Protected { .. } => passing(event)?,
        Event::Failed { .. }
        | Event::Incomplete { .. }
        | Event::Vanished { .. }
        | Event::Skipped { .. }
        | Event::Unreadable { .. }
        | Event::AttributeNotAccepted { .. } => logged(event)?,
        // The library may have events that this program does not know.
        _ => return None,
    };
    // Reasons and errors contain names, too.
    shown.text = escape(shown.text.as_bytes());
    Some(shown)
}

fn unmatched(pattern: &[u8], origin: &str) -> String {
    let origin = if origin.is_empty() { String::new() } else { format!("{origin}: ") };
    let shown = escape(pattern);
    // As in a .gitignore; in rsync it would match in every directory.
    let begins_at_root = pattern.strip_suffix(b"/").unwrap_or(pattern).contains(&b'/');
    let is_written_so = pattern.starts_with(b"/") || pattern.starts_with(b"**");
    let hint = if begins_at_root && !is_written_so {
        format!("; it matches at the root of the tree only, `**/{shown}` matches in every directory")
    } else if pattern.ends_with(b"/") {
        "; with its `/` it matches directories only".to_owned()
    } else {
        String::new()
    };
    format!("note: {origin}pattern `{shown}` matched nothing (below excluded directories nothing is scanned){hint}")
}

fn scan_started(reason: ScanReason) -> &'static str {
    match reason {
        ScanReason::BacklogEmpty => "scanning both trees: nothing is pending from the last run",
        ScanReason::BacklogOld => "scanning both trees: the backlog of the interrupted run is too old",
        ScanReason::Interrupted => "scanning both trees: the last scan was interrupted",
        ScanReason::Incomplete => "scanning both trees: the last scan could not read some directories",
        ScanReason::AfterBacklog => "scanning both trees, after the backlog",
        ScanReason::AfterFailed => "scanning both trees, after retrying what failed in the last run",
        ScanReason::OtherSettings => {
            "scanning both trees: filters or options have changed since the backlog was written"
        }
        ScanReason::Requested => "scanning both trees, as requested",
        // The first run, and what a later version of the library may add.
        _ => "scanning both trees",
    }
}

fn steered(action: SteerAction, by: &str) -> Option<String> {
    Some(match action {
        SteerAction::Paused => format!("paused by {by}"),
        SteerAction::Resumed => format!("resumed by {by}"),
        SteerAction::Bandwidth(bandwidth) => format!("limit: {}, set by {by}", limit_of(bandwidth.into())),
        SteerAction::Stop { after_current: true } => format!("stopping after the files in flight, requested by {by}"),
        SteerAction::Stop { after_current: false } => format!("stopping, requested by {by}"),
        // The library may have actions that this program does not know.
        _ => return None,
    })
}

/// Problems that have no line in the log.
fn passing(event: &Event) -> Option<Shown> {
    Some(match event {
        Event::WillRetry { paths, error } => Shown::problem(
            "will retry: … more are not shown",
            format!("will retry: {}: {error}", escape(&paths.source)),
        ),
        Event::Warning(warning) => Shown::problem("warning: … more are not shown", format!("warning: {warning}")),
        Event::Protected { paths, reason } => Shown::failure(
            "not deleted: … more are not shown",
            format!("not deleted: {}: {reason}", escape(&paths.dest)),
        ),
        _ => return None,
    })
}

/// Problems that have a line in the log, too.
fn logged(event: &Event) -> Option<Shown> {
    Some(match event {
        Event::Failed { paths, error } => {
            Shown::failure("failed: … more in the log", format!("failed: {}: {error}", escape(&paths.source)))
        }
        Event::Incomplete { paths, error } => {
            Shown::failure("incomplete: … more in the log", format!("incomplete: {}: {error}", escape(&paths.dest)))
        }
        Event::Unreadable { path, error, .. } => {
            Shown::failure("cannot read … more in the log", format!("cannot read {}: {error}", escape(path)))
        }
        Event::Vanished { paths } => {
            Shown::problem("vanished: … more in the log", format!("vanished: {}", escape(&paths.source)))
        }
        Event::AttributeNotAccepted { paths, error } => {
            Shown::problem("not accepted: … more in the log", format!("not accepted: {}: {error}", escape(&paths.dest)))
        }
        Event::Skipped { paths, reason, accepted } => {
            let text = format!("skipped: {}: {reason}", escape(&paths.source));
            let show = if *accepted { Shown::problem } else { Shown::failure };
            show("skipped: … more in the log", text)
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use towpath::{FileError, FilePaths, ProtectedReason, Side, SkipReason, Totals, UnreadableError, Warning};
    use towpath_backend::{Error as BackendError, ErrorKind, RelPath};

    fn paths(name: &[u8]) -> FilePaths {
        FilePaths::new([b"/old/", name].concat(), [b"/new/", name].concat())
    }

    fn tree_failed(cause: &'static str) -> FileError {
        FileError::Tree { side: Side::Sink, error: backend_error(cause) }
    }

    fn backend_error(cause: &'static str) -> Arc<BackendError> {
        Arc::new(BackendError::new(ErrorKind::Other, "open", &RelPath::root(), cause))
    }

    #[test]
    fn failures_are_shown_even_when_quiet() {
        let failed = shown(&Event::Failed { paths: paths(b"a"), error: FileError::Changed }, false).unwrap();
        assert!(failed.text.starts_with("failed: /old/a: it changed") && failed.is_failure && failed.is_problem);
        let vanished = shown(&Event::Vanished { paths: paths(b"a") }, false).unwrap();
        assert!(vanished.is_problem && !vanished.is_failure);
        // They cause exit status 3: a quiet run must report them.
        let skipped = |accepted| Event::Skipped { paths: paths(b"a"), reason: SkipReason::LinkNotSupported, accepted };
        assert!(shown(&skipped(false), false).unwrap().is_failure);
        let protected = Event::Protected { paths: paths(b"a"), reason: ProtectedReason::Changed };
        assert!(shown(&protected, false).unwrap().is_failure);
        assert_eq!(shown(&skipped(true), false), None);
        assert!(!shown(&skipped(true), true).unwrap().is_failure);
    }

    #[test]
    fn names_and_reasons_cannot_send_control_characters_to_the_terminal() {
        const CAUSE: &str = "a\n\x1b]0;title\x07: no";
        let (paths, error) = (paths(b"a\xff\x1b[2J"), tree_failed(CAUSE));
        for event in [
            Event::Synced { paths: paths.clone(), size_bytes: 1, checksum: None, hard_link_to: None },
            Event::WillRetry { paths: paths.clone(), error: error.clone() },
            Event::Failed { paths: paths.clone(), error: error.clone() },
            Event::Incomplete { paths: paths.clone(), error },
            Event::Vanished { paths: paths.clone() },
            Event::Skipped {
                paths: paths.clone(),
                reason: SkipReason::LinkUnresolved(backend_error(CAUSE)),
                accepted: false,
            },
            Event::AttributeNotAccepted { paths: paths.clone(), error: backend_error(CAUSE) },
            Event::Protected { paths: paths.clone(), reason: ProtectedReason::Unchecked(backend_error(CAUSE)) },
            Event::Deleted { paths: paths.clone(), size_bytes: None },
            Event::Renamed { paths: paths.clone(), from: paths.dest.clone() },
            Event::AttributesApplied { paths: paths.clone() },
            Event::Synced {
                paths: paths.clone(),
                size_bytes: 1,
                checksum: None,
                hard_link_to: Some(paths.dest.clone()),
            },
            Event::Unreadable {
                side: Side::Source,
                path: paths.source.clone(),
                error: UnreadableError::Tree(backend_error(CAUSE)),
            },
            Event::Warning(Warning::MtimesNotKept { sink_root: CAUSE.as_bytes().to_vec() }),
        ] {
            let shown = shown(&event, true).unwrap();
            assert!(!shown.text.contains(char::is_control), "{shown:?}");
        }
    }

    #[test]
    fn a_pattern_that_matched_nothing_is_reported_with_its_place_and_its_meaning() {
        let text = |pattern: &[u8], origin: &str| {
            let event = Event::PatternUnmatched { pattern: pattern.to_vec(), origin: origin.to_owned() };
            let shown = shown(&event, false).unwrap();
            assert!(shown.is_problem && !shown.is_failure);
            shown.text
        };
        let plain = "note: --exclude-from list: line 3: pattern `*.tmp` matched nothing (below excluded directories \
                     nothing is scanned)";
        assert_eq!(text(b"*.tmp", "--exclude-from list: line 3"), plain);
        assert!(text(b"a/b", "").contains("`**/a/b` matches"));
        assert!(text(b"cache/", "").ends_with("directories only"));
        for pattern in [&b"/a/b"[..], b"**/a/b", b"a"] {
            assert!(text(pattern, "").ends_with("is scanned)"), "{}", pattern.escape_ascii());
        }
    }

    #[test]
    fn the_line_of_a_resumed_run_is_stable() {
        let pending = Totals::new(1_234_567, 3 << 30);
        for (origin, then_scan, text) in [
            (BacklogOrigin::Interrupted, false, "resuming: 1234567 files, 3.0 GiB pending; no scan"),
            (BacklogOrigin::Interrupted, true, "resuming: 1234567 files, 3.0 GiB pending; then a scan"),
            (
                BacklogOrigin::Failed,
                true,
                "retrying what failed in the last run: 1234567 files, 3.0 GiB pending; then a scan",
            ),
        ] {
            let resuming = shown(&Event::Resuming { pending, origin, then_scan }, false).unwrap();
            assert_eq!(resuming.text, text);
        }
    }

    #[test]
    fn notes_count_in_the_singular_and_in_the_plural() {
        let text = |files| {
            let names = Totals::new(files, 1 << 20);
            shown(&Event::HardLinksCopied { names }, false).unwrap().text
        };
        assert_eq!(text(1), "note: 1 hard link is copied as a separate file, which takes 1.0 MiB more");
        assert_eq!(text(2_000), "note: 2,000 hard links are copied as separate files, which takes 1.0 MiB more");
    }

    #[test]
    fn sent_files_are_shown_with_verbose() {
        let synced = Event::Synced { paths: paths(b"a b"), size_bytes: 17, checksum: None, hard_link_to: None };
        assert_eq!(shown(&synced, false), None);
        let shown = shown(&synced, true).unwrap();
        assert_eq!((shown.text.as_str(), shown.is_problem, shown.rest), ("- 17 /new/a b", false, None));
    }
}
