//! The database of the run that a command is about.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use tokio::task::block_in_place;

use crate::args::run_address::RunName;
use crate::config::state_files::default_database;
use crate::exit::{COULD_NOT_RUN, ExitError};

/// The error for a database that no run has used, or that does not exist.
pub(super) fn no_migration(database: &Path) -> ExitError {
    let problem = format!(
        "there is no migration with the database {}: `towpath sync` begins one, `towpath status` lists those of this user",
        database.display()
    );
    ExitError(COULD_NOT_RUN, problem)
}

/// The database that is named, or the default one of the trees.
pub(super) fn database_of(run: &RunName) -> Result<PathBuf, ExitError> {
    match run {
        RunName::Database(database) => Ok(database.clone()),
        RunName::Trees(source, dest) => {
            block_in_place(|| default_database(source, dest)).map_err(|problem| ExitError(COULD_NOT_RUN, problem))
        }
    }
}

/// The databases in the state folder, by name.
pub(super) fn default_databases(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension() == Some(OsStr::new("db")));
    paths.sort();
    paths
}
