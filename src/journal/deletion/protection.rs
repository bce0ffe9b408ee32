//! Directories below which nothing is deleted at the sink.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Side;
use crate::journal::handle::Journal;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, stored_as_integer};

/// Why nothing may be deleted below a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protection {
    /// The source could not be read there, or another file system is mounted there.
    Precaution,
    /// An option excludes it. This is not reported.
    ByOption,
}

stored_as_integer!(Protection {
    Protection::Precaution = 0,
    Protection::ByOption = 1,
});

impl Journal {
    /// Begins a search for extras. Everything below a directory of the source that
    /// could not be read, or that has a file that could not be read, is protected. So are other
    /// file systems if the scan did not enter them (`one_file_system`), and those mounted in the
    /// sink unless extras are also deleted from `other_file_systems`.
    pub(crate) async fn begin_extras(&self, one_file_system: bool, other_file_systems: bool) -> Result<()> {
        self.commit_long(move |db| {
            db.execute("DELETE FROM protected", [])?;
            db.execute(
                "INSERT OR IGNORE INTO protected SELECT path, 1 FROM dir
                 WHERE ?1 AND foreign_device <> 0 AND source_scan = (SELECT max(id) FROM scan)",
                [one_file_system],
            )?;
            db.execute(
                "INSERT OR IGNORE INTO protected SELECT path, ?1 FROM dir
                 WHERE (?1 OR NOT ?2) AND sink_foreign_device <> 0 AND sink_scan = (SELECT max(id) FROM scan)",
                [one_file_system, other_file_systems],
            )?;
            db.execute(
                "INSERT OR IGNORE INTO protected SELECT path, 0 FROM unreadable WHERE side IN (?1, ?2, ?3)",
                [Unknown::UnreadableSource, Unknown::AmbiguousName, Unknown::LostSourceMount],
            )?;
            db.execute(
                "INSERT OR IGNORE INTO protected SELECT path, 0 FROM dir
                 WHERE id IN (SELECT dir FROM file WHERE failed = ?1)",
                [Side::Source],
            )
            .map(drop)
        })
        .await
    }

    /// Protects everything below `dir` from now on.
    pub(crate) async fn protect(&self, dir: RelPath) -> Result<()> {
        self.call(move |db| {
            db.execute(
                "INSERT OR IGNORE INTO protected(path, asked) VALUES (?1, ?2)",
                params![Name::of(&dir), Protection::Precaution],
            )
            .map(drop)
        })
        .await
    }

    /// Whether nothing below `dir` may be deleted, and why.
    pub(crate) async fn protection(&self, dir: RelPath) -> Result<Option<Protection>> {
        self.call(move |db| db.protection(&dir)).await
    }
}

impl Db {
    /// Whether `dir` or a directory above it is protected.
    pub(in crate::journal) fn protection(&self, dir: &RelPath) -> Result<Option<Protection>> {
        let mut at = Some(dir.clone());
        while let Some(dir) = at {
            let protection =
                self.row("SELECT asked FROM protected WHERE path = ?1", [Name::of(&dir)], |row| row.get("asked"))?;
            if protection.is_some() {
                return Ok(protection);
            }
            at = dir.parent();
        }
        Ok(None)
    }
}
