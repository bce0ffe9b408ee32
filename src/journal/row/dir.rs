//! Columns of `dir`.

use towpath_backend::{Metadata, RelPath};

use crate::error::{Error, Result};
use crate::journal::store::db::Db;
use crate::journal::store::value::{bits, path, stored_as_integer};

/// The columns `dir.missing` and `dir.settle`: whether a directory is to be created or finalized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum DirState {
    Done,
    Pending,
    /// It failed in this run; the next run retries it.
    Failed,
}

stored_as_integer!(DirState {
    DirState::Done = 0,
    DirState::Pending = 1,
    DirState::Failed = 2,
});

/// The columns `dir.foreign_device` and `dir.sink_foreign_device`: 0 if a directory is on the mount of its
/// tree's root; otherwise the number of its mount, or of its device where mounts have no numbers.
pub(in crate::journal) fn foreign_device(metadata: &Metadata, root: Option<&Metadata>) -> Option<i64> {
    let id = metadata.id?;
    let is_foreign = root.is_none_or(|root| metadata.is_mounted_elsewhere_than(root));
    // A mount inside a mount may have the same device. No mount has the number 0.
    Some(if is_foreign { bits(metadata.mount.unwrap_or(id.device).max(1)) } else { 0 })
}

impl Db {
    /// The path of an entry of the directory with the id `dir`.
    ///
    /// # Errors
    /// [`Error::Internal`] if the directory does not exist or `name` is not a valid name.
    pub(in crate::journal) fn entry_path(&self, dir: i64, name: &[u8]) -> Result<RelPath> {
        let path = self.row("SELECT path FROM dir WHERE id = ?1", [dir], |row| path(row, "path"))?;
        path.and_then(|path| path.join(name).ok()).ok_or_else(|| {
            Error::Internal(format!("{} is not a valid name in directory {dir} of the database", name.escape_ascii()))
        })
    }
}
