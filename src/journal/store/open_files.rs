//! Detects that the files of the open database were deleted, moved or replaced.
//!
//! SQLite writes into unlinked files without an error: everything that a run
//! records there is lost when it ends.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{DatabaseError, FileChange, Result};
use crate::journal::store::failure;
use crate::own_files;

const SMALLEST_PAGE_BYTES: u64 = 512;

/// The files of a database, as they were when it was opened.
#[derive(Debug)]
pub(in crate::journal) struct OpenFiles {
    /// The path that the user specified, for messages.
    database: PathBuf,
    /// Canonical paths, with device and inode.
    files: Vec<(PathBuf, (u64, u64))>,
    /// The minimum size of the database: it never shrinks.
    least_bytes: u64,
}

impl OpenFiles {
    /// The database at `path`, which is `real` with the metadata `opened`, and SQLite's files beside it.
    pub(in crate::journal) fn of(path: &Path, real: &Path, opened: &Metadata) -> Self {
        let beside = ["-wal", "-shm"].map(|suffix| own_files::companion(real, suffix));
        // They do not exist where the file system supports no write-ahead log.
        let beside = beside.into_iter().filter_map(|file| {
            let metadata = std::fs::symlink_metadata(&file).ok()?;
            Some((file, identity(&metadata)))
        });
        let files = std::iter::once((real.to_owned(), identity(opened))).chain(beside).collect();
        // The first page is written before the first commit.
        Self { database: path.to_owned(), files, least_bytes: opened.len().max(SMALLEST_PAGE_BYTES) }
    }

    /// Checks that each path still leads to the file that is open.
    ///
    /// # Errors
    /// [`crate::error::Error::Database`], with what happened and what to do.
    pub(in crate::journal) fn check(&self) -> Result<()> {
        self.files.iter().try_for_each(|(file, opened)| {
            let change = match std::fs::symlink_metadata(file) {
                Ok(now) if identity(&now) == *opened && !self.is_truncated(file, &now) => return Ok(()),
                Ok(now) if identity(&now) == *opened => FileChange::Truncated,
                Ok(_) => FileChange::Replaced,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => FileChange::Missing,
                Err(error) => FileChange::Unchecked(Arc::new(error)),
            };
            let companion = Some(file).filter(|file| !self.is_database(file)).cloned();
            Err(failure::at(&self.database, DatabaseError::Lost { companion, change }))
        })
    }

    fn is_truncated(&self, file: &Path, now: &Metadata) -> bool {
        self.is_database(file) && now.len() < self.least_bytes
    }

    fn is_database(&self, file: &Path) -> bool {
        self.files.first().is_some_and(|(database, _)| database == file)
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_or_overwritten_database_is_detected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, [1; 4096]).unwrap();
        let files = OpenFiles::of(&path, &path, &std::fs::metadata(&path).unwrap());
        assert!(files.check().is_ok());
        for content in ["", "garbage"] {
            std::fs::write(&path, content).unwrap();
            let error = files.check().unwrap_err().to_string();
            assert!(error.contains("was overwritten or truncated"), "{error}");
        }
    }

    #[test]
    fn a_moved_or_replaced_file_is_detected() {
        for name in ["db", "db-wal", "db-shm"] {
            for replaced in [false, true] {
                let folder = tempfile::tempdir().unwrap();
                let at = |name: &str| folder.path().join(name);
                for name in ["db", "db-wal", "db-shm"] {
                    std::fs::write(at(name), [0; 512]).unwrap();
                }
                let files = OpenFiles::of(&at("db"), &at("db"), &std::fs::metadata(at("db")).unwrap());
                assert!(files.check().is_ok());
                std::fs::rename(at(name), at("elsewhere")).unwrap();
                if replaced {
                    std::fs::write(at(name), "").unwrap();
                }
                let error = files.check().unwrap_err().to_string();
                let what = if replaced { "was replaced" } else { "was deleted or moved" };
                assert!(error.contains(what) && error.contains(name), "{error}");
                std::fs::rename(at("elsewhere"), at(name)).unwrap();
                assert!(files.check().is_ok(), "after moving it back");
            }
        }
    }

    #[test]
    fn a_database_without_a_write_ahead_log_has_one_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db");
        std::fs::write(&path, [0; 512]).unwrap();
        assert!(OpenFiles::of(&path, &path, &std::fs::metadata(&path).unwrap()).check().is_ok());
    }
}
