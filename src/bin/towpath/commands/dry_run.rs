//! `towpath sync --dry-run`: scans both trees and lists what would be done, sorted by path.

use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use towpath_backend::Tree as _;
use towpath_backend::registry::Location;
use towpath_local::LocalSink;

use super::missing_destination::MissingDestination;
use super::trees::Trees;
use super::watch::{Watched, watch};
use crate::args::{Format, SyncArguments};
use crate::config::state_files::{StateFiles, canonical_of};
use crate::console;
use crate::console::output;
use crate::exit::{COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC, REFUSED};
use towpath::{Migration, Options, Planned, RecordedSink, Report, RunOutcome, Sink, Source};
use towpath::{canonical_path, database_files};

/// Runs it on a copy of the database, beside that one and removed afterwards: it decides with what the real run
/// would know, and an unfinished migration's backlog stays as it is.
pub(crate) async fn run(
    arguments: &SyncArguments,
    places: [&Location; 2],
    mut options: Options,
    source: Box<dyn Source>,
    trees: &Trees,
    files: &StateFiles,
) -> Result<u8, ExitError> {
    let scratch = tempfile::Builder::new()
        .prefix("towpath-dry-run-")
        // The copy holds the names of all files.
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(scratch_folder(places, &files.database))
        .map_err(|error| ExitError(COULD_NOT_RUN, format!("the dry run's database cannot be created: {error}")))?;
    options.dry_run = true;
    let database = scratch.path().join("backlog.db");
    let sink_root = canonical_of(places[1]);
    let known = Migration::copy_database(&files.database, &database, source.root(), sink_root.as_os_str().as_bytes())?;
    let sink = match places[1] {
        Location::Path(dest) => local_sink(dest, arguments, &*source, known.unwrap_or_default()).await?,
        url => trees.inspect(url).await?,
    };
    let (migration, events) = Migration::builder()
        .source(source)
        .sink(sink)
        .database(database)
        .audit_log(scratch.path().join("audit.jsonl"))
        .excluded_paths(database_files(&files.database))
        .excluded_paths([&files.log])
        .options(options)
        .build()?;
    let Watched { report, received, can_print } = watch(arguments, migration, events).await?;
    if can_print {
        if let Some(planned) = &report.planned {
            print_totals(arguments, planned, &report);
        }
        if let Some(refusal) = &report.refusal {
            output::error(&refusal.to_string());
        }
    }
    Ok(match report.outcome {
        RunOutcome::Stopped => received.status(),
        _ => status_of(&report),
    })
}

/// The local destination as it is; an empty one where it is not there yet.
async fn local_sink(
    dest: &Path,
    arguments: &SyncArguments,
    source: &dyn Source,
    known: RecordedSink,
) -> Result<Box<dyn Sink>, ExitError> {
    let failed = |error: &towpath_local::OpenError| ExitError(COULD_NOT_RUN, format!("destination {error}"));
    let Some(mut sink) = LocalSink::inspect(dest).map_err(|error| failed(&error))? else {
        let root = canonical_path(dest);
        let above = root.parent().map(LocalSink::inspect).transpose().map_err(|error| failed(&error))?.flatten();
        let root = root.as_os_str().as_bytes().to_vec();
        return Ok(Box::new(match above {
            Some(above) => MissingDestination::new(root, &above),
            None => MissingDestination::new(root, source),
        }));
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
        sink = sink.with_trash(trash).map_err(|error| ExitError(COULD_NOT_RUN, format!("trash {error}")))?;
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

/// The exit status that the real run would have, as far as it is known.
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

fn print_totals(arguments: &SyncArguments, planned: &Planned, report: &Report) {
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
                "attributes": planned.attribute_files,
                "fail": planned.failing_files,
                "mkdir": planned.created_dirs,
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
        output::line(&console::sums(planned, special_files, seconds, scanned_at));
    }
}
