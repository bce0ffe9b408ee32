//! What the sink has instead of the source's times, permissions and owner, where it did not keep these.
//!
//! Later scans compare the sink with what it kept, so that nothing is sent or applied again that
//! it does not keep. A change at the source makes it void.

use rusqlite::{Row, params};
use towpath_backend::{Owner, Timestamp};

use crate::error::Result;
use crate::journal::backlog::pending::{FileKey, owner};
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, optional_time};

/// What the sink has instead of what it was given. `None`: it has what it was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) modified: Option<Timestamp>,
    pub(crate) permissions: Option<u32>,
    pub(crate) owner: Option<Owner>,
}

impl Kept {
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// From four columns, `first` and those that follow: mtime, permissions, user, group.
    pub(in crate::journal) fn from_row(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        Ok(Self {
            modified: optional_time(row, first)?,
            permissions: row.get(first + 1)?,
            owner: owner(row.get(first + 2)?, row.get(first + 3)?),
        })
    }
}

impl Db {
    /// Records what the sink has of a file whose attributes alone were applied.
    pub(in crate::journal) fn set_kept_attributes(&self, key: &FileKey, kept: Kept) -> Result<()> {
        self.execute(
            "UPDATE file SET kept_permissions = ?3, kept_user = ?4, kept_grp = ?5 WHERE dir = ?1 AND name = ?2",
            params![
                key.dir,
                Name(&key.name),
                kept.permissions,
                kept.owner.map(|owner| owner.user),
                kept.owner.map(|owner| owner.group),
            ],
        )
        .map(drop)
    }

    /// Records what the sink has of a directory.
    pub(in crate::journal) fn set_kept_of_dir(&self, id: i64, kept: Kept) -> Result<()> {
        self.execute(
            "UPDATE dir SET kept_modified = ?2, kept_permissions = ?3, kept_user = ?4, kept_grp = ?5 WHERE id = ?1",
            params![
                id,
                kept.modified.map(Time),
                kept.permissions,
                kept.owner.map(|owner| owner.user),
                kept.owner.map(|owner| owner.group),
            ],
        )
        .map(drop)
    }

    /// Another user may be allowed what the last one was not: what was kept instead counts no more.
    pub(in crate::journal) fn forget_kept_attributes(&self) -> Result<()> {
        for table in ["file", "dir"] {
            self.execute(
                &format!(
                    "UPDATE {table} SET kept_permissions = NULL, kept_user = NULL, kept_grp = NULL
                     WHERE coalesce(kept_permissions, kept_user, kept_grp) IS NOT NULL"
                ),
                [],
            )?;
        }
        Ok(())
    }
}
