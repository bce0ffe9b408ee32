//! Retries of selected entries: all others stay pending.

use rusqlite::params;

use crate::error::{ErrorFilter, Result};
use crate::journal::overview::errors::{Position, for_each};
use crate::journal::row::file::{Attempt, StoredWork};
use crate::journal::store::db::Db;
use crate::journal::store::value::Name;

impl Db {
    /// Leaves only the failed entries that match to be sent in this run.
    pub(in crate::journal) fn select_for_retry(&self, filter: &ErrorFilter) -> Result<()> {
        self.execute("UPDATE file SET turn = ?1 WHERE status = 0", [Attempt::GivenUp])?;
        let execute =
            |sql: &str, values: &[&dyn rusqlite::ToSql]| self.connection.prepare_cached(sql)?.execute(values).map(drop);
        // Each page is complete before its entries are passed on, and its index does not have these columns.
        for_each(&self.connection, |position, error| {
            if !error.matches(filter) {
                return Ok(());
            }
            match position {
                Position::File { key, .. } => execute(
                    "UPDATE file SET turn = 0 WHERE dir = ?1 AND name = ?2 AND work <> ?3",
                    params![key.dir, Name(&key.name), StoredWork::Impossible],
                ),
                Position::Dir(id) => execute(
                    "UPDATE dir SET missing = min(missing, 1), settle = min(settle, 1) WHERE id = ?1",
                    params![id],
                ),
                // Only a scan reads them again.
                Position::Unreadable { .. } | Position::Incomplete(_) | Position::Copy(_) => Ok(()),
            }
        })
        .map_err(|error| self.error(error))
    }
}
