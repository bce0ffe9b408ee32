//! Columns of `dir`.

use towpath_backend::{Metadata, RelPath};

use crate::error::{Error, Result};
use crate::journal::store::db::Db;
use crate::journal::store::value::{bits, path, stored_as_integer};

/// The columns `dir.missing` and `dir.settle`: whether a directory waits to be created or finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum DirState {
    Done,
    Pending,
    /// It failed in this run; the next one tries again.
    Failed,
}

stored_as_integer!(DirState {
    DirState::Done = 0,
    DirState::Pending = 1,
    DirState::Failed = 2,
});

/// The columns `dir.foreign_device` and `dir.sink_foreign_device`: the number of the mount of something that lies on another one than its tree's root, or of its
/// device where mounts are not numbered; 0: it lies on that one.
pub(in crate::journal) fn foreign_device(metadata: &Metadata, root: Option<&Metadata>) -> Option<i64> {
    let id = metadata.id?;
    let is_foreign = root.is_none_or(|root| metadata.is_mounted_elsewhere_than(root));
    // A mount inside a mount may lie on the same device. None of them has the number 0.
    Some(if is_foreign { bits(metadata.mount.unwrap_or(id.device).max(1)) } else { 0 })
}

impl Db {
    /// The path of an entry of the directory of this number.
    ///
    /// # Errors
    /// [`Error::Internal`] if there is no such directory, or the name is none.
    pub(in crate::journal) fn entry_path(&self, dir: i64, name: &[u8]) -> Result<RelPath> {
        let path = self.row("SELECT path FROM dir WHERE id = ?1", [dir], |row| path(row, "path"))?;
        path.and_then(|path| path.join(name).ok()).ok_or_else(|| {
            Error::Internal(format!("{} is no name in directory {dir} of the database", name.escape_ascii()))
        })
    }
}
