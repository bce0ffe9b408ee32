//! The arguments of `towpath retry`.

use clap::Args;

use super::errors::SelectionArguments;
use super::run_address::RunAddress;

/// Try failed entries again now, and nothing else: without a scan, with the options of the last run.
///
/// All other entries stay as they are: failed ones stay failed, pending ones pending. What only a scan finds
/// again, such as a directory that could not be read, is left to `towpath sync`.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath retry /mnt/old /mnt/new
  towpath retry /mnt/old /mnt/new --code EACCES --below home/alice

EXIT STATUS
  0 all that was selected is in sync now, or exceptions cover the rest; 1 could not run, for example
  because a run is active; 2 usage error; 3 some still fail, or need a scan; 4 guard refusal;
  129, 130, 143 stopped by a signal.")]
pub(crate) struct RetryArguments {
    #[command(flatten)]
    pub(crate) run: RunAddress,

    #[command(flatten)]
    pub(crate) selection: SelectionArguments,

    /// Limit of this run, instead of that of the last one
    #[arg(long, value_name = "LIMIT", allow_hyphen_values = true)]
    pub(crate) bwlimit: Option<String>,

    /// Print only errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,

    /// Print each file that was sent
    #[arg(short, long)]
    pub(crate) verbose: bool,
}
