//! The migration whose errors are shown, and the commands that help it.

use std::path::{Path, PathBuf};

use tokio::task::block_in_place;
use towpath::{ErrorGroup, Overview, RecordedOutcome, Remedy, Side};

use crate::commands::run_database::no_migration;
use crate::exit::ExitError;
use crate::format::{escape, quoted};

/// A migration, as its database records it.
pub(in crate::commands) struct Migration {
    pub(in crate::commands) database: PathBuf,
    pub(in crate::commands) overview: Overview,
    /// The words by which it was addressed, for a shell.
    pub(in crate::commands) address: String,
}

impl Migration {
    /// The words by which `towpath sync` takes it.
    pub(in crate::commands) fn sync_address(&self) -> String {
        if !self.address.starts_with("--database") {
            return self.address.clone();
        }
        let [source, dest] = [&self.overview.source, &self.overview.sink].map(|root| quoted(&escape(root)));
        format!("{source} {dest} {}", self.address)
    }
}

impl Migration {
    pub(in crate::commands) fn read(database: &Path, address: String) -> Result<Self, ExitError> {
        let overview = block_in_place(|| Overview::read(database, 1))?;
        let overview = overview.ok_or_else(|| no_migration(database))?;
        Ok(Self { database: database.to_owned(), overview, address })
    }

    /// Why the last run could not go on.
    pub(super) fn failure(&self) -> Option<&str> {
        let run = self.overview.runs.first().filter(|run| run.outcome == Some(RecordedOutcome::Failed))?;
        run.error.as_deref()
    }
}

/// The command that helps once the cause is removed.
pub(super) fn command(group: &ErrorGroup, migration: &Migration) -> String {
    let address = &migration.address;
    match group.code.remedy() {
        Remedy::Scan => format!("towpath sync {} --rescan", migration.sync_address()),
        Remedy::Accept => format!("towpath errors {address} --code {} --list", group.code.name()),
        _ => format!("towpath retry {address} --code {}", group.code.name()),
    }
}

/// The full path of an entry on the side that failed, else in the source.
pub(super) fn full_path(overview: &Overview, side: Option<Side>, path: &[u8]) -> Vec<u8> {
    let root = if side == Some(Side::Sink) { &overview.sink } else { &overview.source };
    match (path.is_empty(), root.ends_with(b"/")) {
        (true, _) => root.clone(),
        (false, true) => [root, path].concat(),
        (false, false) => [root, &b"/"[..], path].concat(),
    }
}
