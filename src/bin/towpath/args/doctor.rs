//! The arguments of `towpath doctor`.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::bwlimit::parse_bwlimit;
use super::size::parse_interval;
use crate::config::setting::{Origin, Setting};

/// Examine a planned migration before it starts: mounts, permissions, room, what DEST keeps, the
/// limits of this machine. Each finding has a severity, the reason, and what to do.
///
/// SOURCE is only read. A DEST that exists gets hidden probe files, which are removed again; one that
/// does not exist is not created. Options that are not given come from the environment and the job, as
/// for `towpath sync`.
#[derive(Args, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath doctor /mnt/old /mnt/new
  towpath doctor --job projects --json

EXIT STATUS
  0 no problem, perhaps warnings; 1 could not run; 2 usage error; 3 there is a problem.")]
pub(crate) struct DoctorArguments {
    // Not parsed here: what is given joins the other settings of `towpath sync`.
    /// Tree to read, as for `towpath sync`
    #[arg(requires = "dest", required_unless_present = "job")]
    source: Option<OsString>,

    /// Tree to write, as for `towpath sync`
    dest: Option<OsString>,

    /// Job of the configuration file: SOURCE, DEST and options
    #[arg(long, value_name = "NAME")]
    job: Option<OsString>,

    /// Configuration file [default: as for `towpath sync`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Database of the migration [default: as for `towpath sync`]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,

    /// Limit that the run is to have, as for `towpath sync`
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true, value_parser = |text: &str| parse_bwlimit(text).map(|_| text.to_owned()))]
    bwlimit: Option<String>,

    /// How long to wait for each answer of a tree
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "20s", value_parser = parse_interval)]
    pub(crate) timeout: Duration,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

impl DoctorArguments {
    /// What is given, as settings of `towpath sync`.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let path = |path: &PathBuf| path.clone().into_os_string();
        let given = [
            ("source", self.source.clone()),
            ("dest", self.dest.clone()),
            ("job", self.job.clone()),
            ("config", self.config.as_ref().map(path)),
            ("database", self.database.as_ref().map(path)),
            ("bwlimit", self.bwlimit.as_ref().map(OsString::from)),
        ];
        let setting = |(option, value): (&str, Option<OsString>)| {
            let value = value.filter(|value| !value.as_bytes().is_empty())?;
            Some(Setting { option: option.to_owned(), value, origin: Origin::CommandLine })
        };
        given.into_iter().filter_map(setting).collect()
    }
}
