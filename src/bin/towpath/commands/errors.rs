//! `towpath errors`: what is not in sync, and what to do about it.

mod json;
mod migration;
mod text;

use towpath::{AcceptedEntries, ErrorFilter, ErrorSummary, Overview, RecordedErrors};

use super::entry_path;
use super::run_database::database_of;
use crate::args::errors::{ErrorsArguments, SelectionArguments};
use crate::console::output;
use crate::exit::{ALL_IN_SYNC, ExitError, NOT_ALL_IN_SYNC, USAGE_ERROR};

/// An exception as JSON.
pub(super) use json::exception as exception_json;
pub(super) use migration::Migration;

/// The directories of a group that are shown, in text and in JSON.
const DIRS: usize = 5;
const JSON_DIRS: usize = 100;

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &ErrorsArguments) -> u8 {
    match try_run(arguments) {
        Ok(status) => status,
        Err(error) => error.report(),
    }
}

fn try_run(arguments: &ErrorsArguments) -> Result<u8, ExitError> {
    let name = arguments.run.name().map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    let migration = Migration::read(&database_of(&name)?, arguments.run.words())?;
    let filter = filter(&arguments.selection, &migration.overview)?;
    let open = if arguments.list {
        list(&migration, filter, arguments.json)?
    } else {
        let dirs = if arguments.json { JSON_DIRS } else { DIRS };
        let is_all = filter == ErrorFilter::default();
        let summary = ErrorSummary::read(&migration.database, filter, dirs)?;
        let exceptions = AcceptedEntries::read(&migration.database)?;
        output::line(&match arguments.json {
            true => json::summary(&migration, &summary, &exceptions).to_string(),
            false => text::summary(&migration, &summary, &exceptions, is_all),
        });
        summary.open_entries()
    };
    Ok(if open == 0 { ALL_IN_SYNC } else { NOT_ALL_IN_SYNC })
}

/// The errors that are selected.
pub(super) fn filter(selection: &SelectionArguments, overview: &Overview) -> Result<ErrorFilter, ExitError> {
    let roots = [&overview.source[..], &overview.sink];
    let below = selection.below.iter().map(|path| entry_path::relative(path, roots));
    let below = below.collect::<Result<_, _>>().map_err(|problem| ExitError(USAGE_ERROR, problem))?;
    Ok(ErrorFilter::new(selection.codes.clone(), below))
}

/// Prints each entry; returns how many no exception covers.
fn list(migration: &Migration, filter: ErrorFilter, as_json: bool) -> Result<u64, ExitError> {
    let mut errors = RecordedErrors::of(&migration.database).matching(filter).with_texts();
    let mut open = 0;
    while let Some(page) = errors.next_page()? {
        for error in &page {
            open += u64::from(error.accepted.is_none());
            output::line(&match as_json {
                true => json::entry(&migration.overview, error).to_string(),
                false => text::entry(&migration.overview, error),
            });
        }
    }
    Ok(open)
}
