//! The arguments of `towpath accept`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use super::run_address::JobArguments;

/// Accept that entries are not in sync: record an exception for each, with the reason.
///
/// An exception covers everything below a directory. It is listed apart and no longer makes the exit status
/// 3. What is sent or deleted does not change; an entry that is in sync later loses its exception.
///
/// Paths are full paths in SOURCE or DEST, or relative to their roots. Without an address, the migration
/// of this user whose trees contain the paths is meant. A run may go on meanwhile.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath accept /mnt/old/db/lock --reason \"recreated by the database, ticket 4711\"
  towpath errors /mnt/old /mnt/new --code EACCES --list
  towpath accept --database migration.db --list
  towpath accept --remove /mnt/old/db/lock

EXIT STATUS
  0 done; 1 the database or the log cannot be used; 2 usage error; 3 some of the paths are not
  among the errors, or with --remove have no exception.")]
pub(crate) struct AcceptArguments {
    /// Entries to accept
    #[arg(value_name = "PATH", required_unless_present_any = ["list", "from0"])]
    pub(crate) paths: Vec<OsString>,

    /// Why they are accepted
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["list", "remove"], value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,

    /// Read further paths from this file, `-` for standard input, each of which ends with NUL
    #[arg(long, value_name = "FILE")]
    pub(crate) from0: Option<PathBuf>,

    /// Print the exceptions that are in force
    #[arg(long, conflicts_with_all = ["paths", "reason", "from0", "remove"])]
    pub(crate) list: bool,

    /// Remove the exceptions for these paths
    #[arg(long, conflicts_with = "reason")]
    pub(crate) remove: bool,

    /// With --list: print one JSON object per exception and line
    #[arg(long, requires = "list")]
    pub(crate) json: bool,

    /// Database of the migration
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) job: JobArguments,
}
