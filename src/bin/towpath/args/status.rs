//! The arguments of `towpath status`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::location::{LocationArgument, parse_location};
use super::run_address::JobArguments;
use super::size::parse_interval;

/// Show what a migration is doing, or how its last run ended: progress, rates, limit, remaining
/// time, errors and earlier runs.
///
/// A run answers itself. Without a run, the database is read, and no file is changed. Without
/// arguments, all migrations of this user with a default database are listed.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath status
  towpath status /mnt/old /mnt/new --watch
  towpath status --database migration.db --json

EXIT STATUS
  0 there is a migration, whatever its state; 1 there is none, or its database cannot be read;
  2 usage error.")]
pub(crate) struct StatusArguments {
    /// Tree that is read, as given to `towpath sync`
    #[arg(value_parser = parse_location(), requires = "dest", conflicts_with = "job")]
    pub(crate) source: Option<LocationArgument>,

    /// Tree that is written to, as given to `towpath sync`
    #[arg(value_parser = parse_location())]
    pub(crate) dest: Option<LocationArgument>,

    /// Database of the migration, in place of SOURCE and DEST
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    pub(crate) database: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) job: JobArguments,

    /// Print one JSON object per migration and line
    #[arg(long)]
    pub(crate) json: bool,

    /// Show it again each second on a terminal, or else at each interval, until the run ends
    #[arg(long)]
    pub(crate) watch: bool,

    /// Interval of --watch when the output is not a terminal
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "30s", requires = "watch", value_parser = parse_interval)]
    pub(crate) interval: Duration,
}
