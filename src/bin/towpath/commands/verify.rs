//! `towpath verify`: reads the destination again, and compares it with what was recorded.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::block_in_place;
use towpath::{
    AcceptedEntries, ErrorFilter, ErrorSummary, FailureCode, Overview, RunOutcome, Source, Verification,
    VerifyOverview, VerifyReport,
};
use towpath_backend::registry::Location;

use super::only_run::OnlyRun;
use super::run_database::{database_of, no_migration};
use super::trees::Trees;
use crate::args::bwlimit::local_zone;
use crate::args::run_address::RunName;
use crate::args::verify::VerifyArguments;
use crate::config::ConfigFile;
use crate::console::{self, VerifyConsole, output};
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC, USAGE_ERROR};
use crate::format;
use crate::signals::{self, Received};
use crate::steering::{self, Steering};

/// Files of `--list` that are read at a time.
const MAX_LISTED: usize = 1_000_000;

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: VerifyArguments) -> u8 {
    if let Err(error) = signals::survive() {
        output::error(&format!("cannot listen to signals: {error}"));
        return COULD_NOT_RUN;
    }
    match try_run(&arguments).await {
        Ok(status) => status,
        Err(error) => error.report(),
    }
}

async fn try_run(arguments: &VerifyArguments) -> Result<u8, ExitError> {
    let wrong_usage = |problem| ExitError(USAGE_ERROR, problem);
    let run = arguments.run.name().map_err(wrong_usage)?;
    let options = arguments.options().map_err(wrong_usage)?;
    let limit = arguments.limit().map_err(wrong_usage)?;
    let zone = if limit.only_rate().is_some() { TimeZone::UTC } else { local_zone().map_err(wrong_usage)? };
    let database = database_of(&run)?;
    if arguments.list {
        return list(arguments, &database);
    }
    let [source, sink] = locations(arguments, &run, &database)?;
    let _only_verification =
        OnlyRun::of_verification(&source, &sink).map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
    let read = ConfigFile::read(arguments.run.config());
    let trees = Trees::new(&read.map_err(wrong_usage)?)?;
    trees.check(&sink)?;
    let mut builder = Verification::builder().sink(trees.source_at(&sink, "destination").await?).database(&database);
    if !arguments.dest_only
        && let Some(source) = open_source(arguments, &trees, &source).await?
    {
        builder = builder.source(source);
    }
    let (verification, events) = builder.options(options).build()?;
    if arguments.prints_text() {
        let now = Timestamp::now().to_zoned_datetime(zone.clone());
        let next = limit.next_change(&now).filter(|_| limit.only_rate().is_none());
        output::line(&console::limit_line(limit.at(&now), next.as_ref()));
        output::line(&format!("database {}", shown(&database)));
    }
    let received = signals::listen(verification.stopper())
        .map_err(|error| ExitError(COULD_NOT_RUN, format!("cannot listen to signals: {error}")))?;
    let (jumps, _not_shown) = mpsc::channel(1);
    let steered = steering::start(Steering::new(limit, zone, verification.control()), jumps);
    let (stop, progress) = (verification.cancellation(), verification.progress());
    let console = VerifyConsole::new(arguments, progress, shown(&database));
    let runtime = tokio::runtime::Handle::current();
    let (stopping, showing) = (stop.clone(), events);
    let console = tokio::task::spawn_blocking(move || runtime.block_on(console.show(showing, stopping)));
    let result = verification.run().await;
    drop(steered);
    // After a signal, a pipe that nobody reads is not waited for.
    let can_print = tokio::select! {
        ended = console => ended.is_ok(),
        () = async { stop.cancelled().await; tokio::time::sleep(Duration::from_secs(1)).await } => false,
    };
    let report = result?;
    if can_print {
        if arguments.json || arguments.prints_json() {
            output::line(&console::verify_summary_json(&report, &database));
        } else if !arguments.quiet {
            output::line(&console::verify_summary(&report, &shown(&database)));
        }
    }
    let are_accepted = report.bad_files() > 0 && block_in_place(|| are_accepted(&report, &database))?;
    if are_accepted && can_print && !arguments.quiet && arguments.prints_text() {
        output::line("  accepted exceptions cover what does not match");
    }
    Ok(status_of(&report, are_accepted, &received))
}

/// Whether exceptions cover everything that does not match.
fn are_accepted(report: &VerifyReport, database: &Path) -> Result<bool, ExitError> {
    let filter = ErrorFilter::new(FailureCode::OF_COPIES.to_vec(), Vec::new());
    let summary = ErrorSummary::read(database, filter, 0)?;
    Ok(summary.open_entries() == 0 && summary.accepted_entries() >= report.bad_files())
}

fn status_of(report: &VerifyReport, are_accepted: bool, received: &Received) -> u8 {
    match report.outcome {
        RunOutcome::Stopped => received.status(),
        _ if report.bad_files() > 0 && !are_accepted => NOT_ALL_IN_SYNC,
        _ => ALL_IN_SYNC,
    }
}

/// The source; `None` if it cannot be opened, as it may be gone after the migration.
async fn open_source(
    arguments: &VerifyArguments,
    trees: &Trees,
    location: &Location,
) -> Result<Option<Box<dyn Source>>, ExitError> {
    match trees.source_at(location, "source").await {
        Ok(source) => Ok(Some(source)),
        Err(error) if arguments.hash_both => Err(error),
        Err(ExitError(_, problem)) => {
            let problem = format::escape(problem.as_bytes());
            output::note(&format!("note: {problem}; what has changed at the source since is not found"));
            Ok(None)
        }
    }
}

/// Where the trees are: as given, or as recorded.
fn locations(arguments: &VerifyArguments, run: &RunName, database: &Path) -> Result<[Location; 2], ExitError> {
    if let RunName::Trees(source, sink) = run {
        return Ok([source.clone(), sink.clone()]);
    }
    let of_job = arguments.run.job_trees().map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    if let Some(trees) = of_job {
        return Ok(trees);
    }
    let overview = block_in_place(|| Overview::read(database, 0))?.ok_or_else(|| no_migration(database))?;
    let location = |root: &[u8]| {
        Location::parse(OsStr::from_bytes(root)).map_err(|error| ExitError(COULD_NOT_RUN, error.to_string()))
    };
    Ok([location(&overview.source)?, location(&overview.sink)?])
}

/// Lists what did not match.
fn list(arguments: &VerifyArguments, database: &Path) -> Result<u8, ExitError> {
    let found = block_in_place(|| VerifyOverview::read(database, 0, MAX_LISTED))?;
    let found = found.ok_or_else(|| no_migration(database))?;
    for file in &found.not_matching {
        if arguments.json {
            let mut line = serde_json::Map::new();
            towpath::json::put_path("path", &file.path, |key, value| drop(line.insert(key.to_owned(), value)));
            line.insert("class".to_owned(), file.class.name().into());
            line.insert("error".to_owned(), json!(file.detail));
            line.insert("checked".to_owned(), towpath::json::time(file.checked).into());
            line.insert("size".to_owned(), file.size_bytes.into());
            output::line(&serde_json::Value::Object(line).to_string());
        } else {
            let detail = file.detail.as_ref().map_or_else(String::new, |detail| format!(": {detail}"));
            let text = format!("{} {}{detail}", file.class, String::from_utf8_lossy(&file.path));
            output::line(&format::escape(text.as_bytes()));
        }
    }
    if found.has_more {
        output::note(&format!("note: the first {MAX_LISTED} files are listed"));
    }
    let accepted = AcceptedEntries::read(database)?;
    let is_open = |path: &[u8]| accepted.covering(path).is_none();
    let is_bad = found.not_matching.iter().any(|file| file.class.is_bad() && is_open(&file.path));
    Ok(if is_bad { NOT_ALL_IN_SYNC } else { ALL_IN_SYNC })
}

fn shown(path: &Path) -> String {
    format::escape(PathBuf::from(path).as_os_str().as_bytes())
}
