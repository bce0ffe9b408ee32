//! The times, attributes and link targets that the sink has where it did not keep the source's.
//!
//! Later scans compare the sink with these values, so that attributes that it does not keep are not sent or
//! applied again. A change in the source invalidates them.

use rusqlite::{Row, ToSql};
use towpath_backend::{Owner, Timestamp};

use crate::error::Result;
use crate::journal::row::detail::optional_bytes;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, optional_time, owner};
use crate::xattrs::XattrDigest;

/// The values that the sink has instead of the applied ones. `None`: it kept the applied one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) modified: Option<Timestamp>,
    pub(crate) permissions: Option<u32>,
    pub(crate) owner: Option<Owner>,
    pub(crate) xattrs: Option<XattrDigest>,
    /// The target of a symlink.
    pub(crate) target: Option<Vec<u8>>,
}

/// The assignments of permissions, owner and extended attributes in an UPDATE of `file` or `dir`.
pub(in crate::journal) const SET_KEPT_ATTRIBUTES: &str =
    "kept_permissions = :kept_permissions, kept_user = :kept_user, kept_grp = :kept_grp, kept_xattrs = :kept_xattrs";

impl Kept {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Fills what is not set from `other`.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            modified: self.modified.or(other.modified),
            permissions: self.permissions.or(other.permissions),
            owner: self.owner.or(other.owner),
            xattrs: self.xattrs.or(other.xattrs),
            target: self.target.or(other.target),
        }
    }

    /// Reads the columns `kept_*` of `file`, or of `dir` with a `kept_target`.
    pub(in crate::journal) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            modified: optional_time(row, "kept_modified")?,
            permissions: row.get("kept_permissions")?,
            owner: owner(row, "kept_user", "kept_grp")?,
            xattrs: row.get("kept_xattrs")?,
            target: optional_bytes(row, "kept_target")?,
        })
    }
}

/// A [`Kept`] as statement parameters.
pub(in crate::journal) struct KeptColumns<'a> {
    modified: Option<Time>,
    permissions: Option<u32>,
    user: Option<u32>,
    group: Option<u32>,
    xattrs: Option<XattrDigest>,
    target: Option<Name<'a>>,
}

impl<'a> KeptColumns<'a> {
    pub(in crate::journal) fn of(kept: &'a Kept) -> Self {
        Self {
            modified: kept.modified.map(Time),
            permissions: kept.permissions,
            user: kept.owner.map(|owner| owner.user),
            group: kept.owner.map(|owner| owner.group),
            xattrs: kept.xattrs,
            target: kept.target.as_deref().map(Name),
        }
    }

    /// The parameters of [`SET_KEPT_ATTRIBUTES`].
    pub(in crate::journal) fn attributes(&self) -> [(&'static str, &dyn ToSql); 4] {
        [
            (":kept_permissions", &self.permissions),
            (":kept_user", &self.user),
            (":kept_grp", &self.group),
            (":kept_xattrs", &self.xattrs),
        ]
    }

    /// The parameter `:kept_modified`.
    pub(in crate::journal) fn modified(&self) -> (&'static str, &dyn ToSql) {
        (":kept_modified", &self.modified)
    }

    /// The parameter `:kept_target`.
    pub(in crate::journal) fn target(&self) -> (&'static str, &dyn ToSql) {
        (":kept_target", &self.target)
    }
}

impl Db {
    /// Forgets all kept permissions, owners and extended attributes: another user may be allowed to set what the last one was not.
    pub(in crate::journal) fn forget_kept_attributes(&self) -> Result<()> {
        for table in ["file", "dir"] {
            self.execute(
                &format!(
                    "UPDATE {table} SET kept_permissions = NULL, kept_user = NULL, kept_grp = NULL, kept_xattrs = NULL
                     WHERE coalesce(kept_permissions, kept_user, kept_grp, kept_xattrs) IS NOT NULL"
                ),
                [],
            )?;
        }
        Ok(())
    }
}
