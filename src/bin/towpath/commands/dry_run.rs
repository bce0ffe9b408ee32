//! `towpath sync --dry-run`: scans both trees and lists what would be done, sorted by path.

use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;
use tokio::task::block_in_place;
use towpath_backend::Identity;
use towpath_backend::registry::Location;

use super::trees::Trees;
use super::watch::{Around, Watched, about, watch};
use crate::args::{Format, SyncArguments};
use crate::config::state_files::{StateFiles, canonical_of};
use crate::console;
use crate::console::output;
use crate::exit::{COULD_NOT_RUN, ExitError, GUARD_REFUSAL, NOT_ALL_IN_SYNC};
use crate::server::socket_files;
use towpath::{Migration, Options, Planned, Report, RunOutcome, Sink, Source};
use towpath::{canonical_path, database_files};

/// Runs it on a copy of the database, which is created beside the original and removed afterwards: it uses the same
/// records as the real run, and does not change the backlog of an unfinished migration.
pub(crate) async fn run(
    arguments: &SyncArguments,
    places: [&Location; 2],
    mut options: Options,
    source: Box<dyn Source>,
    trees: &Trees,
    files: &StateFiles,
) -> Result<u8, ExitError> {
    let scratch = block_in_place(|| create_scratch_folder(places, &files.database))?;
    options.dry_run = true;
    let database = scratch.path().join("backlog.db");
    let sink_root = block_in_place(|| canonical_of(places[1]));
    let roots = [source.root(), sink_root.as_os_str().as_bytes()];
    let known = Migration::copy_database(&files.database, &database, roots[0], roots[1]).await?;
    let recorded = known.and_then(|known| known.identity.zip(known.capabilities));
    let identity = recorded.as_ref().map(|(identity, _)| identity.clone());
    let sink = trees.inspect(places[1], recorded, arguments.deletion.trash.as_deref()).await?;
    if !arguments.quiet {
        note_assumptions(&*sink, identity.as_ref()).await;
    }
    let about = about(&files.database, &files.log, source.root(), sink.root());
    let (migration, events) = Migration::builder()
        .source(source)
        .sink(sink)
        .database(database)
        .audit_log(scratch.path().join("audit.jsonl"))
        .excluded_paths(database_files(&files.database))
        .excluded_paths(socket_files(&files.database))
        .excluded_paths([&files.log])
        .options(options)
        .build()?;
    let Watched { report, received, can_print, .. } =
        watch(arguments, migration, events, &files.database, about, Around::default()).await?;
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

/// Notes that the capabilities of a destination are assumed, unless they were recorded for this one.
async fn note_assumptions(sink: &dyn Sink, recorded: Option<&Identity>) {
    let is_recorded = match (recorded, sink.identity().await) {
        (Some(recorded), Ok(now)) => now.is_recorded_as(recorded.as_str()),
        _ => false,
    };
    if sink.capabilities().probes && !is_recorded {
        output::note(
            "note: which names and times the destination keeps is assumed from its file system type; \
             only a run that writes to it finds out",
        );
    }
}

/// Creates the folder for the dry run's database.
fn create_scratch_folder(places: [&Location; 2], database: &Path) -> Result<TempDir, ExitError> {
    let mut builder = tempfile::Builder::new();
    // The copy contains the names of all files.
    let builder = builder.prefix("towpath-dry-run-").permissions(Permissions::from_mode(0o700));
    builder
        .tempdir_in(scratch_folder(places, database))
        .map_err(|error| ExitError(COULD_NOT_RUN, format!("the dry run's database cannot be created: {error}")))
}

/// The folder for the dry run's database: that of the real one, unless that is inside a tree, which must not be
/// changed.
fn scratch_folder(places: [&Location; 2], database: &Path) -> PathBuf {
    let folder = canonical_path(database).parent().map_or_else(std::env::temp_dir, Path::to_owned);
    let in_a_tree = places.iter().any(|root| folder.starts_with(canonical_of(root)));
    if in_a_tree { std::env::temp_dir() } else { folder }
}

/// The exit status that the real run would have, as far as it can be predicted.
fn status_of(report: &Report) -> u8 {
    let failing = report.planned.is_some_and(|planned| planned.failing_files > 0);
    if report.refusal.is_some() {
        GUARD_REFUSAL
    } else if failing || report.skipped_files > 0 || report.unreadable_dirs > 0 {
        NOT_ALL_IN_SYNC
    } else {
        0
    }
}

fn print_totals(arguments: &SyncArguments, planned: &Planned, report: &Report) {
    let special_files = report.special_files;
    // Set if the backlog is resumed.
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
