//! The exceptions: entries that an administrator accepted as they are.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, Row};
use towpath_backend::Timestamp;

use super::connection;
use crate::error::{FailureCode, Result};
use crate::journal::store::value::bytes;

/// The first version of the schema with exceptions.
const WITH_EXCEPTIONS: i32 = 7;

/// An entry that is accepted as it is, although it is not in sync. It covers everything below a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedEntry {
    /// The path below the roots of both trees, as raw bytes; empty: the root.
    pub path: Vec<u8>,
    /// Why it is accepted.
    pub reason: String,
    /// When that was recorded.
    pub accepted_at: Timestamp,
    /// Who recorded it.
    pub user: String,
    /// Why the entry was not in sync then.
    pub code: Option<FailureCode>,
    /// When it ended, and why; `None`: it is in force.
    pub ended: Option<(Timestamp, AcceptedEnd)>,
}

/// Why an exception ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcceptedEnd {
    /// The entry is in sync, or no longer in the source.
    Settled,
    /// Somebody removed the exception.
    Removed,
}

impl AcceptedEnd {
    /// Its name in the column `accepted.end_reason`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Settled => "settled",
            Self::Removed => "removed",
        }
    }
}

/// The exceptions of a migration that are in force.
///
/// ```no_run
/// # fn example() -> towpath::Result<()> {
/// let exceptions = towpath::AcceptedEntries::read("backlog.db")?;
/// if let Some(exception) = exceptions.covering(b"home/old/lock") {
///     println!("accepted by {}: {}", exception.user, exception.reason);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct AcceptedEntries(BTreeMap<Vec<u8>, AcceptedEntry>);

impl AcceptedEntries {
    /// Reads the exceptions that are in force from a database, as [`crate::Overview::read`] does: none, if there is no
    /// database or if it is of an earlier version.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn read(database: impl AsRef<Path>) -> Result<Self> {
        let read = connection::read(database.as_ref(), in_force)?;
        Ok(read.map(|(exceptions, _)| exceptions).unwrap_or_default())
    }

    /// Reads all exceptions that ever were, the oldest first.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn history(database: impl AsRef<Path>) -> Result<Vec<AcceptedEntry>> {
        let read = connection::read(database.as_ref(), history)?;
        Ok(read.map(|(exceptions, _)| exceptions).unwrap_or_default())
    }

    /// The exception that covers a path relative to the roots: its own, or that of the nearest directory above it.
    pub fn covering(&self, path: &[u8]) -> Option<&AcceptedEntry> {
        let mut at = path;
        while !self.0.is_empty() {
            if let Some(exception) = self.0.get(at) {
                return Some(exception);
            }
            if at.is_empty() {
                break;
            }
            at = &at[..at.iter().rposition(|&byte| byte == b'/').unwrap_or(0)];
        }
        None
    }

    /// All of them, by path.
    pub fn iter(&self) -> impl Iterator<Item = &AcceptedEntry> {
        self.0.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The exceptions that are in force.
pub(in crate::journal) fn in_force(connection: &Connection) -> rusqlite::Result<AcceptedEntries> {
    let all = select(connection, "WHERE ended IS NULL")?;
    Ok(AcceptedEntries(all.into_iter().map(|exception| (exception.path.clone(), exception)).collect()))
}

/// All exceptions that ever were, the oldest first.
pub(in crate::journal) fn history(connection: &Connection) -> rusqlite::Result<Vec<AcceptedEntry>> {
    select(connection, "ORDER BY id")
}

fn select(connection: &Connection, which: &str) -> rusqlite::Result<Vec<AcceptedEntry>> {
    let schema: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if schema < WITH_EXCEPTIONS {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT path, reason, accepted_at, user, code, ended, end_reason FROM accepted {which}");
    connection.prepare(&sql)?.query_map([], exception)?.collect()
}

fn exception(row: &Row<'_>) -> rusqlite::Result<AcceptedEntry> {
    let removed = AcceptedEnd::Removed.name();
    let ended = row.get::<_, Option<i64>>("ended")?.map(Timestamp::from_ns);
    let end = match row.get::<_, Option<String>>("end_reason")?.as_deref() {
        Some(reason) if reason == removed => AcceptedEnd::Removed,
        _ => AcceptedEnd::Settled,
    };
    Ok(AcceptedEntry {
        path: bytes(row, "path")?,
        reason: row.get("reason")?,
        accepted_at: Timestamp::from_ns(row.get("accepted_at")?),
        user: row.get("user")?,
        code: row.get::<_, Option<String>>("code")?.map(|code| code.parse().unwrap_or(FailureCode::Unknown)),
        ended: ended.map(|at| (at, end)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(paths: &[&str]) -> AcceptedEntries {
        let exception = |path: &&str| AcceptedEntry {
            path: path.as_bytes().to_vec(),
            reason: "known".to_owned(),
            accepted_at: Timestamp::default(),
            user: "root".to_owned(),
            code: None,
            ended: None,
        };
        AcceptedEntries(paths.iter().map(|path| (path.as_bytes().to_vec(), exception(path))).collect())
    }

    #[test]
    fn an_exception_covers_its_entry_and_what_is_below() {
        let exceptions = of(&["a/b", "file"]);
        for (path, covered) in [
            ("a/b", true),
            ("a/b/c/d", true),
            ("a/bc", false),
            ("a", false),
            ("file", true),
            ("files", false),
            ("", false),
        ] {
            assert_eq!(exceptions.covering(path.as_bytes()).is_some(), covered, "{path:?}");
        }
        assert!(of(&[""]).covering(b"x/y").is_some() && of(&[]).covering(b"x").is_none());
    }
}
