//! The times, permissions and owner that the sink has where it did not keep the source's.
//!
//! Later scans compare the sink with these values, so that attributes that it does not keep are not sent or
//! applied again. A change in the source invalidates them.

use rusqlite::{Row, ToSql};
use towpath_backend::{Owner, Timestamp};

use crate::error::Result;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Time, optional_time, owner};

/// The values that the sink has instead of the applied ones. `None`: it kept the applied one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) modified: Option<Timestamp>,
    pub(crate) permissions: Option<u32>,
    pub(crate) owner: Option<Owner>,
}

/// The assignments of permissions and owner in an UPDATE of `file` or `dir`.
pub(in crate::journal) const SET_KEPT_ATTRIBUTES: &str =
    "kept_permissions = :kept_permissions, kept_user = :kept_user, kept_grp = :kept_grp";

impl Kept {
    pub(crate) fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Reads the columns `kept_*` of `file` or `dir`.
    pub(in crate::journal) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            modified: optional_time(row, "kept_modified")?,
            permissions: row.get("kept_permissions")?,
            owner: owner(row, "kept_user", "kept_grp")?,
        })
    }
}

/// A [`Kept`] as statement parameters.
pub(in crate::journal) struct KeptColumns {
    modified: Option<Time>,
    permissions: Option<u32>,
    user: Option<u32>,
    group: Option<u32>,
}

impl KeptColumns {
    pub(in crate::journal) fn of(kept: Kept) -> Self {
        Self {
            modified: kept.modified.map(Time),
            permissions: kept.permissions,
            user: kept.owner.map(|owner| owner.user),
            group: kept.owner.map(|owner| owner.group),
        }
    }

    /// The parameters of [`SET_KEPT_ATTRIBUTES`].
    pub(in crate::journal) fn attributes(&self) -> [(&'static str, &dyn ToSql); 3] {
        [(":kept_permissions", &self.permissions), (":kept_user", &self.user), (":kept_grp", &self.group)]
    }

    /// The parameter `:kept_modified`.
    pub(in crate::journal) fn modified(&self) -> (&'static str, &dyn ToSql) {
        (":kept_modified", &self.modified)
    }
}

impl Db {
    /// Forgets all kept permissions and owners: another user may be allowed to set what the last one was not.
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
