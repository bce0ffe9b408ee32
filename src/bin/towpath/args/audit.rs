//! The arguments of `towpath audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Check the audit log of a migration.
#[derive(Args, Clone, Debug)]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum AuditAction {
    Check(AuditCheckArguments),
}

/// Check that no line of a log written with --audit-chain was changed, removed, added or moved.
#[derive(Args, Clone, Debug)]
#[command(after_help = "\
EXAMPLES
  towpath audit check migration.log --database migration.db
  towpath audit check migration.log.2 migration.log.1 migration.log

EXIT STATUS
  0 the chain is whole; 1 a log or the database cannot be read; 2 usage error; 3 the chain is broken.")]
pub(crate) struct AuditCheckArguments {
    /// Logs of one migration, the oldest first
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,

    /// Database of the migration, which has the hash of the last line: without it, lines that were
    /// removed from the end are not noticed
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,
}
