//! Which run is meant: the pair of trees, or the database.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use towpath_backend::registry::Location;

use super::location::{LocationArgument, parse_location};

/// The address of a run.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunAddress {
    /// Tree that the run reads, as given to `towpath sync`
    #[arg(value_parser = parse_location(), requires = "dest", required_unless_present = "database")]
    source: Option<LocationArgument>,

    /// Tree that the run writes
    #[arg(value_parser = parse_location())]
    dest: Option<LocationArgument>,

    /// Database of the migration, instead of SOURCE and DEST
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    database: Option<PathBuf>,
}

/// A run, named by its trees or by its database.
#[derive(Clone, Debug)]
pub(crate) enum RunName {
    Trees(Location, Location),
    Database(PathBuf),
}

impl RunAddress {
    /// The run that is meant.
    ///
    /// # Errors
    /// One line: a location is invalid.
    pub(crate) fn name(&self) -> Result<RunName, String> {
        match (&self.source, &self.dest, &self.database) {
            (Some(source), Some(dest), None) => {
                Ok(RunName::Trees(source.location()?.clone(), dest.location()?.clone()))
            }
            (None, None, Some(database)) => Ok(RunName::Database(database.clone())),
            _ => Err("give either SOURCE and DEST, or --database".to_owned()),
        }
    }
}

/// The run that is meant by the arguments that follow others.
///
/// # Errors
/// As [`RunAddress::name`].
pub(crate) fn name_of(trees: &[OsString], database: Option<&PathBuf>) -> Result<RunName, String> {
    let location = |text: &OsString| Location::parse(text).map_err(|error| error.to_string());
    match (trees, database) {
        ([source, dest], None) => Ok(RunName::Trees(location(source)?, location(dest)?)),
        ([], Some(database)) => Ok(RunName::Database(database.clone())),
        _ => Err("give either SOURCE and DEST, or --database".to_owned()),
    }
}
