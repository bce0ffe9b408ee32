//! The migration's own files, the database and the log, inside a tree.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use towpath_backend::{RelPath, Tree};

use crate::audit::closed_log_number;
use crate::error::{AuditLogError, Error, Result};

/// The paths of these files inside `tree`: as they are given, and with links resolved.
fn inside(tree: &(impl Tree + ?Sized), files: &[PathBuf]) -> HashSet<RelPath> {
    let real = files.iter().map(|file| canonical(file));
    files.iter().cloned().chain(real).filter_map(|file| tree.locate(&file)).collect()
}

/// Paths inside a tree that are not part of it: the migration's own files, the trash.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReservedPaths {
    paths: HashSet<RelPath>,
    /// The log if it is inside the tree, and the lowest number that it may get when it is closed.
    closed_logs: Option<(RelPath, u64)>,
}

impl ReservedPaths {
    /// These `files` inside `tree`, and the log `log` once it is closed with the number `least` or a higher one.
    pub(crate) fn inside(tree: &(impl Tree + ?Sized), files: &[PathBuf], (log, least): (&Path, u64)) -> Self {
        Self { paths: inside(tree, files), closed_logs: tree.locate(log).map(|log| (log, least)) }
    }

    /// Adds paths.
    pub(crate) fn and(mut self, paths: impl IntoIterator<Item = RelPath>) -> Self {
        self.paths.extend(paths);
        self
    }

    pub(crate) fn contains(&self, path: &RelPath) -> bool {
        self.paths.contains(path)
            || self.closed_logs.as_ref().is_some_and(|(log, least)| {
                let suffix = path.as_bytes().strip_prefix(log.as_bytes());
                suffix.and_then(closed_log_number).is_some_and(|number| number >= *least)
            })
    }
}

/// The canonical path of a file that may be missing. If its folder is missing too, the absolute path.
pub fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
            (Some(Ok(folder)), Some(name)) => folder.join(name),
            _ => absolute,
        }
    })
}

/// A database, as it is given and with links resolved, and the files that SQLite keeps beside it.
pub fn of_database(database: &Path) -> Vec<PathBuf> {
    [with_companions(database), with_companions(&canonical(database))].concat()
}

/// A database, and the files that SQLite keeps beside it.
fn with_companions(database: &Path) -> Vec<PathBuf> {
    let companions = COMPANIONS.into_iter().map(|suffix| companion(database, suffix));
    std::iter::once(database.to_owned()).chain(companions).collect()
}

/// The suffixes of the files that SQLite keeps beside a database.
pub(crate) const COMPANIONS: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The path of a file that SQLite keeps beside a database.
pub(crate) fn companion(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    PathBuf::from(path)
}

/// Checks that the log is not also the database or one of its companions: each
/// would destroy the other.
///
/// # Errors
/// [`Error::AuditLog`], with what to do.
pub(crate) fn check_apart(database: &Path, audit_log: &Path) -> Result<()> {
    let file = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let log = (canonical(audit_log), file(audit_log));
    let clash =
        of_database(database).iter().any(|path| canonical(path) == log.0 || (log.1.is_some() && file(path) == log.1));
    if clash {
        return Err(Error::AuditLog { path: audit_log.to_owned(), error: AuditLogError::IsDatabase });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_cannot_be_the_database_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("db"), "").unwrap();
        std::os::unix::fs::symlink("db", at("link")).unwrap();
        std::fs::hard_link(at("db"), at("hard")).unwrap();
        for log in ["db", "./db", "link", "hard", "db-wal", "db-shm", "db-journal"] {
            assert!(check_apart(&at("db"), &at(log)).is_err(), "{log}");
        }
        assert!(check_apart(&at("link"), &at("db-wal")).is_err(), "beside the target of the link");
        for log in ["log", "db-walrus", "missing/db"] {
            assert!(check_apart(&at("db"), &at(log)).is_ok(), "{log}");
        }
    }
}
