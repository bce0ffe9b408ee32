//! The arguments of `towpath passes`.

use clap::Args;

use super::bwlimit::parse_bwlimit;
use super::run_address::RunAddress;
use super::size::parse_count;
use crate::timetable::Timetable;

/// Show what each run of a migration found, sent and deleted, and how long a cut-over would take
/// now.
///
/// The database is read, and no file is changed; a run may go on meanwhile. A forecast needs two
/// complete scans.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath passes /mnt/old /mnt/new
  towpath passes --job projects --bwlimit off --json

EXIT STATUS
  0 there is a migration; 1 there is none, or its database cannot be read; 2 usage error.")]
pub(crate) struct PassesArguments {
    #[command(flatten)]
    pub(crate) run: RunAddress,

    /// Limit of the cut-over, as for `towpath sync` [default: the last limit in force]
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true, value_parser = parse_bwlimit)]
    pub(crate) bwlimit: Option<Timetable>,

    /// Runs to show, the latest
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value = "20", value_parser = parse_count)]
    pub(crate) last: usize,

    /// Print one JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
