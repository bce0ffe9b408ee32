//! The arguments of `towpath assess`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use towpath::Options;

use super::bwlimit::parse_bwlimit;
use super::copied::CopiedArguments;
use super::deletion::DeletionArguments;
use super::filters::FilterArguments;
use super::location::{LocationArgument, parse_location};
use super::size::{parse_count, parse_duration, parse_rate};
use super::sync::SyncArguments;
use crate::timetable::Timetable;

/// Read SOURCE once, and say what it consists of, what will be difficult to migrate, and how long it
/// will take.
///
/// With DEST the scan serves the migration: it is recorded as `towpath sync` would have done it, and
/// `towpath sync` with the same options begins to send without another scan. DEST is opened as for a
/// migration: created if only its last component is missing, and probed. Without DEST nothing is
/// recorded.
#[derive(Args, Debug)]
#[command(
    override_usage = "\
towpath assess [OPTIONS] <SOURCE> [DEST]
       towpath assess [OPTIONS] --job <NAME>",
    after_help = "\
EXAMPLES
  towpath assess /mnt/old
  towpath assess /mnt/old /mnt/new --bwlimit 20M --exclude '*.tmp'
  towpath assess /mnt/old --json

EXIT STATUS
  0 everything can be migrated; 1 could not run; 2 usage error; 3 something cannot be migrated as it
  is; 4 guard refusal; 129, 130, 143 stopped by a signal."
)]
pub(crate) struct AssessArguments {
    /// Tree to read: a mounted directory, or a URL
    #[arg(value_parser = parse_location(), required_unless_present = "job")]
    pub(crate) source: Option<LocationArgument>,

    /// Tree that will be written to
    #[arg(value_parser = parse_location())]
    pub(crate) dest: Option<LocationArgument>,

    /// Job of the configuration file: SOURCE, DEST and options
    #[arg(long, value_name = "NAME")]
    job: Option<String>,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,

    /// Files and directories of which more is asked for than the listing shows: whether they can be
    /// opened, extended attributes and ACLs, whether they are changing; 0 for none
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = parse_samples)]
    pub(crate) samples: usize,

    /// Limit for the scan, and for which the time is estimated, as for `towpath sync`
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true, value_parser = parse_bwlimit)]
    bwlimit: Option<Timetable>,

    /// With --bwlimit auto: the highest limit
    #[arg(long, value_name = "RATE", allow_hyphen_values = true, requires = "bwlimit", value_parser = parse_rate)]
    bwlimit_max: Option<u64>,

    /// Database of the migration [default: as for `towpath sync`]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,

    /// Audit log [default: as for `towpath sync`]
    #[arg(long, value_name = "FILE")]
    log_file: Option<PathBuf>,

    /// Configuration file [default: as for `towpath sync`]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Treat mtimes that differ by no more than this as equal (for example 2s)
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_duration)]
    modify_window: Option<Duration>,

    /// Directories to read at the same time, on each side
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value_t = Options::default().walkers, value_parser = parse_count)]
    walkers: usize,

    #[command(flatten)]
    copied: CopiedArguments,

    #[command(flatten)]
    deletion: DeletionArguments,

    #[command(flatten)]
    filters: FilterArguments,

    /// The arguments of the migration. Without DEST they have SOURCE in its place.
    #[arg(skip)]
    pub(crate) sync: Option<Box<SyncArguments>>,
}

/// The most entries of a sample: they are kept in memory.
const MAX_SAMPLES: usize = 1_000_000;

fn parse_samples(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(samples @ 0..=MAX_SAMPLES) => Ok(samples),
        _ => Err(format!("`{text}` is not a number from 0 to {MAX_SAMPLES}")),
    }
}
