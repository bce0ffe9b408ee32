//! The migration's own files, the database and the log, where they lie inside a tree.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use towpath_backend::{RelPath, Tree};

use crate::error::{Error, Result};

/// Where these files lie inside `tree`: where they are named, and where links lead from there.
pub(crate) fn inside(tree: &(impl Tree + ?Sized), files: &[PathBuf]) -> HashSet<RelPath> {
    let real = files.iter().filter_map(|file| real(file));
    files.iter().cloned().chain(real).filter_map(|file| tree.locate(&file)).collect()
}

/// Where links lead from `file`, which may be missing, its folder not.
fn real(file: &Path) -> Option<PathBuf> {
    file.canonicalize().ok().or_else(|| Some(file.parent()?.canonicalize().ok()?.join(file.file_name()?)))
}

/// A database, by its name and by where links lead from there, and what SQLite keeps beside it.
pub(crate) fn of_database(database: &Path) -> Vec<PathBuf> {
    let real = real(database).unwrap_or_else(|| database.to_owned());
    [with_companions(database), with_companions(&real)].concat()
}

/// A database, and what SQLite keeps beside it.
fn with_companions(database: &Path) -> Vec<PathBuf> {
    let named = |suffix: &str| {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    ["", "-wal", "-shm", "-journal"].map(named).to_vec()
}

/// Checks that the log is not also the database or one of its companions: each
/// would destroy the other.
///
/// # Errors
/// [`Error::AuditLog`], with what to do.
pub(crate) fn check_apart(database: &Path, audit_log: &Path) -> Result<()> {
    let place = |path: &Path| {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        absolute.canonicalize().unwrap_or_else(|_| {
            match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
                (Some(Ok(folder)), Some(name)) => folder.join(name),
                _ => absolute.clone(),
            }
        })
    };
    let file = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let log = (place(audit_log), file(audit_log));
    let clash = with_companions(database)
        .into_iter()
        .chain(with_companions(&place(database)))
        .any(|path| place(&path) == log.0 || (log.1.is_some() && file(&path) == log.1));
    if clash {
        let problem = "is the database, or one of the files that belong to it: give another --log-file".to_owned();
        return Err(Error::AuditLog { path: audit_log.to_owned(), problem });
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
