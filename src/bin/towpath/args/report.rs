//! The arguments of `towpath report`.

use std::path::PathBuf;

use clap::Args;

use super::run_address::RunAddress;

/// Write a report of a migration for its acceptance: totals that reconcile to zero, exceptions,
/// runs, throughput, deletions, and room for signatures.
///
/// The HTML is one file without scripts that needs nothing else, and prints. The database is read,
/// and no file is changed; a run may go on meanwhile.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath report /mnt/old /mnt/new --html report.html --json report.json
  towpath report --job nightly --html report.html --manifest new.sha256 --public-key minisign.pub

EXIT STATUS
  0 the totals reconcile: each name of the source is in one class; 1 the report could not be written;
  2 usage error; 3 they do not, or no scan is complete: the report says why.")]
pub(crate) struct ReportArguments {
    #[command(flatten)]
    pub(crate) run: RunAddress,

    /// Write the report as HTML to this file; - is standard output
    #[arg(long, value_name = "OUT", required_unless_present = "json")]
    pub(crate) html: Option<PathBuf>,

    /// Write the same as JSON to this file; - is standard output
    #[arg(long, value_name = "OUT")]
    pub(crate) json: Option<PathBuf>,

    /// Manifest of this migration: its digest is in the report, and the signature beside it, with the
    /// extension .minisig
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,

    /// Public key of minisign, or a file with it, that the signature of the manifest is checked with
    #[arg(long, value_name = "KEY", requires = "manifest")]
    pub(crate) public_key: Option<String>,

    /// List at most this many exceptions of each sort, and deletions; the rest is counted
    #[arg(long, value_name = "NUMBER", default_value_t = 1000)]
    pub(crate) max_listed: usize,
}
