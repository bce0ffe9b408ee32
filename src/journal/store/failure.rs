//! Converts errors of SQLite and of the system into those of the database.

use std::path::Path;
use std::sync::Arc;

use crate::error::{DatabaseError, Error};

/// An error of the database at `path`.
pub(in crate::journal) fn at(path: &Path, error: DatabaseError) -> Error {
    Error::Database { path: path.to_owned(), error }
}

/// A failed operation on a file of the database, as in "cannot be opened".
pub(in crate::journal) fn failed_io(problem: &'static str, error: std::io::Error) -> DatabaseError {
    DatabaseError::Io { problem, error: Arc::new(error) }
}

/// The damage that SQLite found.
pub(in crate::journal) fn damaged(found: &str) -> DatabaseError {
    DatabaseError::Damaged { found: found.split_whitespace().collect::<Vec<_>>().join(" ") }
}

/// An error of SQLite by what it means for the user.
pub(in crate::journal) fn of_sqlite(error: rusqlite::Error) -> DatabaseError {
    use rusqlite::ErrorCode as Code;
    let code = error.sqlite_error_code();
    if let Some(Code::DatabaseCorrupt | Code::NotADatabase) = code {
        return damaged(&error.to_string());
    }
    let error = Arc::new(error);
    match code {
        Some(Code::DiskFull) => DatabaseError::Full(error),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => DatabaseError::Locked(error),
        Some(Code::SystemIoFailure) => DatabaseError::DiskIo(error),
        Some(Code::FileLockingProtocolFailed | Code::NoLargeFileSupport) => DatabaseError::NoLocks(error),
        Some(Code::CannotOpen) => DatabaseError::CannotOpen(error),
        Some(Code::ReadOnly | Code::PermissionDenied) => DatabaseError::ReadOnly(error),
        Some(Code::OutOfMemory) => DatabaseError::OutOfMemory(error),
        _ => DatabaseError::Other(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::ffi;

    #[test]
    fn errors_typical_of_shares_and_fuse_name_the_remedy() {
        for code in [
            ffi::SQLITE_IOERR,
            ffi::SQLITE_IOERR_SHMMAP,
            ffi::SQLITE_IOERR_LOCK,
            ffi::SQLITE_PROTOCOL,
            ffi::SQLITE_NOLFS,
        ] {
            let error = of_sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(code), None));
            assert!(error.to_string().contains("local disk with --database"), "{code}: {error}");
        }
    }

    #[test]
    fn every_error_names_a_remedy() {
        let failure = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("said".to_owned()));
        for code in
            [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_CORRUPT, ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY]
        {
            let text = of_sqlite(failure(code)).to_string();
            assert!(text.contains("said") && text.contains("; "), "{code}: {text}");
        }
        assert!(of_sqlite(rusqlite::Error::InvalidColumnIndex(7)).to_string().contains("move it away"));
    }
}
