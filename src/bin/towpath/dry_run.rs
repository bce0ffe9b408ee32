//! `towpath sync --dry-run`: scans both trees and lists what would be done, sorted by path.

use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use towpath_backend::registry::Location;
use towpath_backend::{Timestamp, Tree as _};
use towpath_local::LocalSink;

use super::absent::Absent;
use super::args::{Format, SyncArguments};
use super::format::{duration, escape, local_time, size};
use super::output;
use super::paths::{StateFiles, canonical_of};
use super::sync::{COULD_NOT_RUN, NOT_ALL_IN_SYNC, REFUSED, Refusal};
use super::trees::Trees;
use super::watch::{Watched, watch};
use towpath::{Event, FilePaths, KnownSink, Migration, Options, Outcome, Planned, Report, Sink, Source};
use towpath::{canonical_path, database_files};

/// Runs it on a copy of the database, beside that one and removed afterwards: it decides with what the real run
/// would know, and an unfinished migration's backlog stays as it is.
pub(super) async fn run(
    arguments: &SyncArguments,
    places: [&Location; 2],
    mut options: Options,
    source: Box<dyn Source>,
    trees: &Trees,
    files: &StateFiles,
) -> Result<u8, Refusal> {
    let scratch = tempfile::Builder::new()
        .prefix("towpath-dry-run-")
        // The copy holds the names of all files.
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(scratch_folder(places, &files.database))
        .map_err(|error| Refusal(COULD_NOT_RUN, format!("the dry run's database cannot be created: {error}")))?;
    options.dry_run = true;
    let database = scratch.path().join("backlog.db");
    let sink_root = canonical_of(places[1]);
    let known = Migration::copy_database(&files.database, &database, source.root(), sink_root.as_os_str().as_bytes())?;
    let sink = match places[1] {
        Location::Path(dest) => local_sink(dest, arguments, &mut options, &*source, known.unwrap_or_default()).await?,
        url => trees.inspect(url).await?,
    };
    let migration = Migration::builder()
        .source(source)
        .boxed_sink(sink)
        .database(database)
        .audit_log(scratch.path().join("audit.jsonl"))
        .leave_alone(database_files(&files.database))
        .leave_alone([&files.log])
        .options(options)
        .build()?;
    let Watched { report, received, can_tell } = watch(arguments, migration).await?;
    if can_tell {
        if let Some(planned) = &report.planned {
            tell_sums(arguments, planned, &report);
        }
        if let Some(refusal) = &report.refusal {
            output::error(refusal);
        }
    }
    Ok(match report.outcome {
        Outcome::Stopped => received.status(),
        Outcome::Finished => status_of(&report),
    })
}

/// The local destination as it is; an empty one where it is not there yet.
async fn local_sink(
    dest: &Path,
    arguments: &SyncArguments,
    options: &mut Options,
    source: &dyn Source,
    known: KnownSink,
) -> Result<Box<dyn Sink>, Refusal> {
    let failed = |error: &towpath_local::OpenError| Refusal(COULD_NOT_RUN, format!("destination {error}"));
    let Some(mut sink) = LocalSink::inspect(dest).map_err(|error| failed(&error))? else {
        let root = canonical_path(dest);
        let above = root.parent().map(LocalSink::inspect).transpose().map_err(|error| failed(&error))?.flatten();
        let capabilities = above.map_or(source.capabilities(), |above| above.capabilities());
        return Ok(Box::new(Absent::new(root.as_os_str().as_bytes().to_vec(), capabilities)));
    };
    let now = sink.identity().await.ok();
    let is_known = known.identity.zip(now).is_some_and(|(then, now)| now.is_recorded_as(then.as_str()));
    match known.capabilities.filter(|_| is_known) {
        Some(capabilities) => sink = sink.with_capabilities(capabilities),
        None if arguments.quiet => {}
        None => output::note(
            "note: which names and times the destination keeps is assumed from its file system type; \
             only a run that writes to it finds out",
        ),
    }
    if let Some(trash) = &arguments.trash {
        sink = sink.with_trash(trash).map_err(|error| Refusal(COULD_NOT_RUN, format!("trash {error}")))?;
        options.sink_apart.extend(sink.trash_inside());
    }
    Ok(Box::new(sink))
}

/// Where the dry run's database goes: beside the real one, unless that lies in a
/// tree, which is not to be touched.
fn scratch_folder(places: [&Location; 2], database: &Path) -> PathBuf {
    let folder = canonical_path(database).parent().map_or_else(std::env::temp_dir, Path::to_owned);
    let in_a_tree = places.iter().any(|root| folder.starts_with(canonical_of(root)));
    if in_a_tree { std::env::temp_dir() } else { folder }
}

/// As the real run would end, as far as that can be told.
fn status_of(report: &Report) -> u8 {
    let failing = report.planned.is_some_and(|planned| planned.failing_files > 0);
    if report.refusal.is_some() {
        REFUSED
    } else if failing || report.skipped_files > 0 || report.unreadable_dirs > 0 {
        NOT_ALL_IN_SYNC
    } else {
        0
    }
}

fn tell_sums(arguments: &SyncArguments, planned: &Planned, report: &Report) {
    let special_files = report.special_files;
    // Of a backlog that is to be resumed.
    let scanned_at = report.scanned_at.filter(|_| !report.scanned);
    let seconds = |limit: u64| u64::try_from(planned.sent.bytes.div_ceil(limit.max(1).into())).unwrap_or(u64::MAX);
    let seconds = arguments.fixed_limit_bytes_per_s().map(seconds);
    if arguments.format == Format::Json {
        output::line(
            &json!({
                "action": "total",
                "send": planned.sent.files,
                "bytes": towpath::json::number(planned.sent.bytes),
                "link": planned.linked_files,
                "rename": planned.renamed,
                "attributes": planned.settled_files,
                "fail": planned.failing_files,
                "mkdir": planned.made_dirs,
                "delete": planned.deleted_files,
                "rmdir": planned.deleted_dirs,
                "protected": planned.protected,
                "special": special_files,
                "seconds_at_bwlimit": seconds,
                "scanned_at": scanned_at.map(towpath::json::time),
            })
            .to_string(),
        );
    } else {
        output::line(&sums(planned, special_files, seconds, scanned_at));
    }
}

fn sums(planned: &Planned, special_files: u64, seconds: Option<u64>, scanned_at: Option<Timestamp>) -> String {
    let mut text = format!("would send {} files, {}", planned.sent.files, size(planned.sent.bytes));
    if let Some(seconds) = seconds {
        text += &format!(", in {} at the given limit", duration(std::time::Duration::from_secs(seconds)));
    }
    if let Some(scanned_at) = scanned_at {
        text += &format!(
            "\n  as of the scan of {}, whose backlog is resumed; with --rescan it is scanned first",
            local_time(scanned_at)
        );
    }
    for (count, what) in [
        (planned.linked_files, "more names of files (hard links)"),
        (planned.renamed, "names to be spelled as in the source"),
        (planned.settled_files, "files to get permissions or an owner alone"),
        (planned.made_dirs, "directories to make that no file makes"),
        (planned.deleted_files, "files to delete"),
        (planned.deleted_dirs, "directories to remove"),
        (planned.protected, "extra files to leave, to be safe"),
        (planned.failing_files, "files that would fail"),
        (special_files, "special files (FIFOs, sockets, devices) to skip"),
    ] {
        if count > 0 {
            text += &format!("\n  {count} {what}");
        }
    }
    text + "\nnothing was changed"
}

/// A planned step on one line; `None` for other events.
pub(super) fn planned_line(event: &Event, format: Format) -> Option<String> {
    let Event::Planned { action, paths, size_bytes, reason } = event else { return None };
    if format == Format::Text {
        let size = size_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        return Some(format!(
            "{:<10} {size:>12}  {}  ({})",
            action.name(),
            escape(&paths.dest),
            escape(reason.as_bytes())
        ));
    }
    let mut line = serde_json::Map::new();
    line.insert("action".to_owned(), action.name().into());
    put_paths(&mut line, paths);
    line.insert("size".to_owned(), (*size_bytes).into());
    line.insert("reason".to_owned(), reason.as_str().into());
    Some(Value::Object(line).to_string())
}

fn put_paths(line: &mut serde_json::Map<String, Value>, paths: &FilePaths) {
    for (key, path) in [("source", &paths.source), ("dest", &paths.dest)] {
        towpath::json::put_path(key, path, |key, value| drop(line.insert(key.to_owned(), value)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath::{Action, Totals};

    fn planned(name: &[u8]) -> Event {
        let paths = FilePaths { source: [b"/old/", name].concat(), dest: [b"/new/", name].concat() };
        Event::Planned { action: Action::Send, paths, size_bytes: Some(17), reason: "size differs".to_owned() }
    }

    #[test]
    fn a_step_is_one_line_whatever_its_name() {
        let line = planned_line(&planned(b"a\n\x1b"), Format::Text).unwrap();
        assert_eq!(line, "send                 17  /new/a\\n\\u{1b}  (size differs)");
        let line = planned_line(&planned(b"\xff"), Format::Json).unwrap();
        insta::assert_snapshot!(line, @r#"{"action":"send","source":"/old/�","source_bytes":"2f6f6c642fff","dest":"/new/�","dest_bytes":"2f6e65772fff","size":17,"reason":"size differs"}"#);
    }

    #[test]
    fn the_sums_say_how_long_it_would_take() {
        let planned = Planned {
            sent: Totals { files: 3, bytes: 7200 << 20 },
            deleted_files: 2,
            failing_files: 1,
            ..Planned::default()
        };
        insta::assert_snapshot!(sums(&planned, 4, Some(3600), None), @"
        would send 3 files, 7.0 GiB, in 1:00:00 at the given limit
          2 files to delete
          1 files that would fail
          4 special files (FIFOs, sockets, devices) to skip
        nothing was changed
        ");
    }
}
