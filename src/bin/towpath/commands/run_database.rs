//! The database of the run that a command is about.

use std::path::PathBuf;

use tokio::task::block_in_place;

use crate::args::run_address::RunName;
use crate::config::state_files::default_database;
use crate::exit::{COULD_NOT_RUN, ExitError};

/// The database that is named, or the default one of the trees.
pub(super) fn database_of(run: &RunName) -> Result<PathBuf, ExitError> {
    match run {
        RunName::Database(database) => Ok(database.clone()),
        RunName::Trees(source, dest) => {
            block_in_place(|| default_database(source, dest)).map_err(|problem| ExitError(COULD_NOT_RUN, problem))
        }
    }
}
