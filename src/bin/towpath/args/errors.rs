//! The arguments of `towpath errors`.

use std::ffi::OsString;

use clap::Args;
use towpath::FailureCode;

use super::run_address::RunAddress;

/// Show what is not in sync and why, grouped by code, side and directory, with what to do about it.
///
/// The database is read, and no file is changed; a run may go on meanwhile.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath errors /mnt/old /mnt/new
  towpath errors /mnt/old /mnt/new --code EACCES --list
  towpath errors --database migration.db --below home/alice --json

EXIT STATUS
  0 there are no errors, or exceptions cover all of them; 1 the database cannot be read; 2 usage
  error; 3 there are errors.")]
pub(crate) struct ErrorsArguments {
    #[command(flatten)]
    pub(crate) run: RunAddress,

    #[command(flatten)]
    pub(crate) selection: SelectionArguments,

    /// Print each entry with its error
    #[arg(long)]
    pub(crate) list: bool,

    /// Print one JSON object; with --list one per entry and line
    #[arg(long)]
    pub(crate) json: bool,
}

// No doc comment: it would replace that of the command.
#[derive(Args, Clone, Debug)]
pub(crate) struct SelectionArguments {
    /// Only errors with this code, such as EACCES, ENOSPC, changed or name-collision; may be given
    /// several times
    #[arg(long = "code", value_name = "CODE")]
    pub(crate) codes: Vec<FailureCode>,

    /// Only what is at or below this path: relative to the roots, or a full path in SOURCE or DEST; may
    /// be given several times
    #[arg(long = "below", value_name = "PATH")]
    pub(crate) below: Vec<OsString>,
}
