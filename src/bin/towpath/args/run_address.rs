//! Which run is meant: the pair of trees, the database, or the job.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use towpath_backend::registry::Location;

use super::location::{LocationArgument, parse_location};
use crate::config::{self, ConfigFile};
use crate::format::{escape, quoted};

const ONE_ADDRESS: &str = "give either SOURCE and DEST, or --database, or --job";

/// The address of a run.
#[derive(Args, Clone, Debug)]
pub(crate) struct RunAddress {
    /// Tree that the run reads, as given to `towpath sync`
    #[arg(value_parser = parse_location(), requires = "dest", required_unless_present_any = ["database", "job"], conflicts_with = "job")]
    source: Option<LocationArgument>,

    /// Tree that the run writes
    #[arg(value_parser = parse_location())]
    dest: Option<LocationArgument>,

    /// Database of the migration, instead of SOURCE and DEST
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    database: Option<PathBuf>,

    #[command(flatten)]
    job: JobArguments,
}

// No doc comment: it would replace that of the command.
#[derive(Args, Clone, Debug)]
pub(crate) struct JobArguments {
    /// Job of the configuration file, instead of SOURCE and DEST
    #[arg(long, value_name = "NAME", conflicts_with = "database")]
    job: Option<String>,

    /// Configuration file with the job [default: as for `towpath sync`]
    #[arg(long, value_name = "FILE", requires = "job")]
    config: Option<PathBuf>,
}

impl JobArguments {
    /// The run of the job, if one is given: its database, or its trees.
    ///
    /// # Errors
    /// One line: there is no such job, or it lacks a tree.
    pub(crate) fn run(&self) -> Result<Option<RunName>, String> {
        let Some(name) = &self.job else { return Ok(None) };
        let file = ConfigFile::read(self.config.as_deref())?;
        let (job, path) = file.job(name)?;
        let database = || job.value("database").map(PathBuf::from);
        if let Some(database) = config::variable("TOWPATH_DATABASE").or_else(database) {
            return Ok(Some(RunName::Database(database)));
        }
        let tree = |side: &str| {
            let wrong = |problem| format!("{problem} ({side} of [job.{name}] in {})", path.display());
            let value = job.value(side).ok_or_else(|| wrong("there is no tree".to_owned()))?;
            Location::parse(value.as_ref()).map_err(|error| wrong(error.to_string()))
        };
        Ok(Some(RunName::Trees(tree("source")?, tree("dest")?)))
    }
}

/// A run, named by its trees or by its database.
#[derive(Clone, Debug)]
pub(crate) enum RunName {
    Trees(Location, Location),
    Database(PathBuf),
}

impl RunAddress {
    /// The configuration file, if one is given.
    pub(crate) fn config(&self) -> Option<&Path> {
        self.job.config.as_deref()
    }

    /// The trees of the job, if one is given that has both.
    ///
    /// # Errors
    /// One line: there is no such job.
    pub(crate) fn job_trees(&self) -> Result<Option<[Location; 2]>, String> {
        let Some(name) = &self.job.job else { return Ok(None) };
        let file = ConfigFile::read(self.job.config.as_deref())?;
        let (job, _) = file.job(name)?;
        let (Some(source), Some(dest)) = (job.value("source"), job.value("dest")) else { return Ok(None) };
        let location = |text: &str| Location::parse(text.as_ref()).map_err(|error| error.to_string());
        Ok(Some([location(source)?, location(dest)?]))
    }

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
            _ => self.job.run()?.ok_or_else(|| ONE_ADDRESS.to_owned()),
        }
    }
}

impl RunAddress {
    /// The words by which the run was addressed, for a shell.
    pub(crate) fn words(&self) -> String {
        let shown = |path: &PathBuf| quoted(&escape(path.as_os_str().as_encoded_bytes()));
        let tree = |tree: &Option<LocationArgument>| {
            let location = tree.as_ref().and_then(|tree| tree.location().ok());
            location.map(|location| quoted(&escape(location.to_string().as_bytes())))
        };
        let config = self.job.config.as_ref().map(|config| format!(" --config {}", shown(config)));
        match (tree(&self.source), tree(&self.dest), &self.database, &self.job.job) {
            (Some(source), Some(dest), ..) => format!("{source} {dest}"),
            (_, _, Some(database), _) => format!("--database {}", shown(database)),
            (.., job) => format!("--job {}{}", quoted(job.as_deref().unwrap_or("")), config.unwrap_or_default()),
        }
    }
}

/// The run that is meant by the arguments that follow others.
///
/// # Errors
/// As [`RunAddress::name`].
pub(crate) fn name_of(trees: &[OsString], database: Option<&PathBuf>, job: &JobArguments) -> Result<RunName, String> {
    let location = |text: &OsString| Location::parse(text).map_err(|error| error.to_string());
    match (trees, database) {
        ([], None) => job.run()?.ok_or_else(|| ONE_ADDRESS.to_owned()),
        _ if job.job.is_some() => Err(ONE_ADDRESS.to_owned()),
        ([source, dest], None) => Ok(RunName::Trees(location(source)?, location(dest)?)),
        ([], Some(database)) => Ok(RunName::Database(database.clone())),
        _ => Err(ONE_ADDRESS.to_owned()),
    }
}
