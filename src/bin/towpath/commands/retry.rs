//! `towpath retry`: a run that sends selected failed entries, with the options of the last run.

use std::ffi::{OsStr, OsString};

use tokio::task::block_in_place;
use towpath::{ErrorFilter, ErrorSummary, FailureCode, canonical_path};
use towpath_backend::registry::Location;

use super::errors::{Migration, filter};
use super::run_database::database_of;
use super::sync;
use crate::args::retry::RetryArguments;
use crate::args::{Command, SyncArguments};
use crate::config::setting::Setting;
use crate::console::output;
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, NOT_ALL_IN_SYNC, USAGE_ERROR};
use crate::format::number;
use crate::layers::{Failure, recorded};

/// Runs the command and returns the exit status.
pub(crate) async fn run(arguments: &RetryArguments) -> u8 {
    match try_run(arguments).await {
        Ok(status) => status,
        Err(error) => error.report(),
    }
}

async fn try_run(arguments: &RetryArguments) -> Result<u8, ExitError> {
    let name = arguments.run.name().map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    let mut migration = Migration::read(&database_of(&name)?, arguments.run.words())?;
    migration.database = canonical_path(&migration.database);
    if let Some(process) = migration.overview.process {
        let problem = format!(
            "a run of this migration is active (process {process}): it tries failed files up to three times itself, and \
             the next run tries them again. Wait for its end, or stop it with `towpath ctl stop`"
        );
        return Err(ExitError(COULD_NOT_RUN, problem));
    }
    let filter = filter(&arguments.selection, &migration.overview)?;
    let before = block_in_place(|| ErrorSummary::read(&migration.database, filter.clone(), 0))?;
    let Selected { retried, needs_scan } = Selected::of(&before);
    if retried == 0 {
        note_scan(&migration, needs_scan);
        output::line("nothing to retry: no failed entry that is selected can be sent without a scan");
        return Ok(if needs_scan == 0 { ALL_IN_SYNC } else { NOT_ALL_IN_SYNC });
    }
    let arguments = sync_arguments(&migration, arguments, &filter)?;
    let is_quiet = arguments.quiet;
    let status = sync::run(arguments).await;
    if status != ALL_IN_SYNC && status != NOT_ALL_IN_SYNC {
        return Ok(status);
    }
    let after = block_in_place(|| ErrorSummary::read(&migration.database, filter, 0))?;
    let left = Selected::of(&after).retried;
    if !is_quiet {
        let done = retried.saturating_sub(left);
        output::line(&format!(
            "retried {}: {} in sync now, {} failed again",
            number(retried),
            number(done),
            number(left)
        ));
        note_scan(&migration, needs_scan);
    }
    Ok(if after.open_entries() == 0 { ALL_IN_SYNC } else { NOT_ALL_IN_SYNC })
}

/// How many entries are selected.
#[derive(Clone, Copy)]
struct Selected {
    retried: u64,
    /// Those that only a scan finds again.
    needs_scan: u64,
}

impl Selected {
    fn of(summary: &ErrorSummary) -> Self {
        use FailureCode::{
            Differs, InvalidName, LostMount, LostWhileReplaced, MissingCopy, NameCollision, UnreadableCopy,
            UnreadableDirectory, UnreadableEntry,
        };
        let mut selected = Self { retried: 0, needs_scan: 0 };
        for group in summary.open.iter().chain(&summary.accepted) {
            let needs_scan = matches!(
                group.code,
                Differs
                    | MissingCopy
                    | UnreadableCopy
                    | InvalidName
                    | LostMount
                    | LostWhileReplaced
                    | NameCollision
                    | UnreadableDirectory
                    | UnreadableEntry
            );
            *if needs_scan { &mut selected.needs_scan } else { &mut selected.retried } += group.totals.files;
        }
        selected
    }
}

fn note_scan(migration: &Migration, entries: u64) {
    if entries > 0 {
        let (count, address) = (number(entries), migration.sync_address());
        output::note(&format!("note: {count} of the errors need a scan: towpath sync {address} --rescan"));
    }
}

/// The arguments of the last run, for this one.
fn sync_arguments(
    migration: &Migration,
    retry: &RetryArguments,
    filter: &ErrorFilter,
) -> Result<SyncArguments, ExitError> {
    let could_not = |problem: String| ExitError(COULD_NOT_RUN, problem);
    let unknown = || {
        let address = migration.sync_address();
        could_not(format!(
            "the options of the last run are not recorded: run `towpath sync {address} --no-scan` with them, which tries all \
             failed files again"
        ))
    };
    // A retry itself is recorded without its selection.
    let run = migration.overview.runs.first().ok_or_else(unknown)?;
    let command = run.command.as_deref().ok_or_else(unknown)?;
    let (folder, mut settings) = sync::recorded_command(command).ok_or_else(unknown)?;
    std::env::set_current_dir(&folder).map_err(|error| could_not(format!("cannot enter {folder}: {error}")))?;
    let overview = &migration.overview;
    for (name, root) in [("source", &overview.source), ("dest", &overview.sink)] {
        for setting in settings.iter_mut().filter(|setting| setting.option == name) {
            // A path is recorded as it was given; the root is canonical.
            if let Ok(Location::Path(_)) = Location::parse(&setting.value) {
                setting.value = os_string(root);
            }
        }
    }
    let mut set = |option: &str, value: &OsStr| {
        settings.retain(|setting| setting.option != option);
        settings.push(Setting::given(option, value));
    };
    set("database", migration.database.as_os_str());
    if let Some(log) = &run.log {
        set("log-file", log.as_os_str());
    }
    if let Some(limit) = &retry.bwlimit {
        set("bwlimit", OsStr::new(limit));
    }
    let parsed = recorded(settings).map_err(|failure| match failure {
        Failure::Clap(error) => ExitError(USAGE_ERROR, error.to_string()),
        Failure::File(problem) => ExitError(USAGE_ERROR, problem),
    })?;
    let Command::Sync(mut arguments) = parsed.command else { return Err(unknown()) };
    (arguments.rescan, arguments.then_scan, arguments.accept_new_tree) = (false, false, false);
    (arguments.no_scan, arguments.dry_run, arguments.deletion.delete_extras) = (true, false, false);
    (arguments.quiet, arguments.verbose, arguments.progress) = (retry.quiet, retry.verbose.into(), None);
    arguments.retry = Some(filter.clone());
    Ok(*arguments)
}

fn os_string(bytes: &[u8]) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes.to_vec())
}
