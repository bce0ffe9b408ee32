//! Detects that the files of the open database were deleted, moved or replaced.
//!
//! SQLite writes into unlinked files without an error: everything that a run
//! records there is lost when it ends.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::own_files;

const SMALLEST_PAGE_BYTES: u64 = 512;

/// The files of a database, as they were when it was opened.
#[derive(Debug)]
pub(in crate::journal) struct OpenFiles {
    /// The path that the user specified, for messages.
    database: PathBuf,
    /// Canonical paths, with device and inode.
    files: Vec<(PathBuf, (u64, u64))>,
    /// The least size of the database: it never shrinks.
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
    /// [`Error::Database`], with what happened and what to do.
    pub(in crate::journal) fn check(&self) -> Result<()> {
        self.files.iter().try_for_each(|(file, opened)| {
            let what = match std::fs::symlink_metadata(file) {
                Ok(now) if identity(&now) == *opened && !self.is_truncated(file, &now) => return Ok(()),
                Ok(now) if identity(&now) == *opened => "was overwritten or truncated".to_owned(),
                Ok(_) => "was replaced by another file".to_owned(),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => "was deleted or moved".to_owned(),
                Err(error) => format!("cannot be checked ({error})"),
            };
            Err(Error::Database { path: self.database.clone(), problem: self.problem(file, &what) })
        })
    }

    fn is_truncated(&self, file: &Path, now: &Metadata) -> bool {
        self.files.first().is_some_and(|(database, _)| database == file) && now.len() < self.least_bytes
    }

    fn problem(&self, file: &Path, what: &str) -> String {
        let which = match self.files.first() {
            Some((database, _)) if database == file => String::new(),
            _ => format!("its file {} ", file.display()),
        };
        format!(
            "{which}{what} while the run used it, so the run was stopped; what it did since its last commit is not \
             recorded. If the database was moved or replaced, move it back; then run the same command again. Without \
             its database it scans both trees, and sends what is missing or differs"
        )
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
