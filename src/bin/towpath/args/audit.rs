//! The arguments of `towpath audit`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Check the audit log of a migration.
#[derive(Args, Clone, Debug)]
pub(crate) struct AuditArguments {
    #[command(subcommand)]
    pub(crate) action: AuditAction,
}

fn parse_hash(text: &str) -> Result<String, String> {
    let is_hash = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { Ok(text.to_ascii_lowercase()) } else { Err("a SHA-256 has 64 hexadecimal digits".to_owned()) }
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
  towpath audit check migration.log-20261101 migration.log-20261108 migration.log

EXIT STATUS
  0 the chain is whole; 1 a log or the database cannot be read; 2 usage error; 3 the chain is broken,
  or a log is missing or was renamed.")]
pub(crate) struct AuditCheckArguments {
    /// The log of a migration, with all that were rotated before and after it in the same folder; or
    /// several logs, the oldest first, which are checked alone
    #[arg(required = true, value_name = "LOG")]
    pub(crate) logs: Vec<PathBuf>,

    /// Database of the migration, which has the hash of the last line: without it, lines that were
    /// removed from the end are not noticed
    #[arg(long, value_name = "FILE")]
    pub(crate) database: Option<PathBuf>,

    /// Hash of a line that was kept elsewhere: the log must still have that line
    #[arg(long, value_name = "HASH", value_parser = parse_hash)]
    pub(crate) hash: Option<String>,
}
