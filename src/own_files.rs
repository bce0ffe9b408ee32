//! The migration's own files, the database and the log, where they lie inside a tree.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use towpath_backend::{RelPath, Tree};

use crate::error::{AuditLogError, Error, Result};

/// Where these files lie inside `tree`: where they are named, and where links lead from there.
pub(crate) fn inside(tree: &(impl Tree + ?Sized), files: &[PathBuf]) -> HashSet<RelPath> {
    let real = files.iter().map(|file| canonical(file));
    files.iter().cloned().chain(real).filter_map(|file| tree.locate(&file)).collect()
}

/// The canonical path of what may be missing, its folder not; the absolute path where that is missing too.
pub fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
            (Some(Ok(folder)), Some(name)) => folder.join(name),
            _ => absolute,
        }
    })
}

/// A database, by its name and by where links lead from there, and what SQLite keeps beside it.
pub fn of_database(database: &Path) -> Vec<PathBuf> {
    [with_companions(database), with_companions(&canonical(database))].concat()
}

/// A database, and what SQLite keeps beside it.
fn with_companions(database: &Path) -> Vec<PathBuf> {
    let companions = COMPANIONS.into_iter().map(|suffix| companion(database, suffix));
    std::iter::once(database.to_owned()).chain(companions).collect()
}

/// What SQLite adds to a database's name for the files beside it.
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
    fn the_log_is_never_the_database_by_whatever_name() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("db"), "").unwrap();
        std::os::unix::fs::symlink("db", at("link")).unwrap();
        std::fs::hard_link(at("db"), at("hard")).unwrap();
        for log in ["db", "./db", "link", "hard", "db-wal", "db-shm", "db-journal"] {
            assert!(check_apart(&at("db"), &at(log)).is_err(), "{log}");
        }
        assert!(check_apart(&at("link"), &at("db-wal")).is_err(), "beside what the link leads to");
        for log in ["log", "db-walrus", "missing/db"] {
            assert!(check_apart(&at("db"), &at(log)).is_ok(), "{log}");
        }
    }
}
