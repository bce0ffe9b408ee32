//! Explains errors of SQLite and what the user can do: SQLite's text never stands alone.

/// The remedy where a file system cannot do what a database needs.
pub(in crate::journal) const USE_LOCAL_DISK: &str =
    "on a network share or a FUSE file system that is usual: put it on a local disk with --database";

/// The damage that SQLite found, and the remedy.
pub(in crate::journal) fn damaged(detail: &str) -> String {
    let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("is damaged ({detail}); it was left as it is: restore it, or move it away to start with a new scan")
}

/// An error of the operating system, with the remedy where the file system is the cause.
pub(in crate::journal) fn failed_io(what: &str, error: &std::io::Error) -> String {
    use rustix::io::Errno;
    let number = error.raw_os_error();
    let is_file_system =
        [Errno::IO, Errno::STALE, Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOSYS, Errno::NOTCONN, Errno::NODEV]
            .iter()
            .any(|errno| number == Some(errno.raw_os_error()));
    if is_file_system { format!("{what}: {error}; {USE_LOCAL_DISK}") } else { format!("{what}: {error}") }
}

/// What an error of SQLite means and what to do, to follow the path of the database in a message.
pub(in crate::journal) fn describe(error: &rusqlite::Error) -> String {
    use rusqlite::ErrorCode as Code;
    match error.sqlite_error_code() {
        Some(Code::DatabaseCorrupt | Code::NotADatabase) => damaged(&error.to_string()),
        Some(Code::DiskFull) => format!("its disk is full ({error}); make room and run the same command again"),
        Some(Code::DatabaseBusy | Code::DatabaseLocked) => {
            format!("is locked by another program ({error}); close it and run the same command again")
        }
        Some(Code::SystemIoFailure) => {
            format!("cannot be read or written ({error}); {USE_LOCAL_DISK}. On a local disk, check the disk")
        }
        Some(Code::FileLockingProtocolFailed | Code::NoLargeFileSupport) => {
            format!("cannot be locked or mapped into memory ({error}); {USE_LOCAL_DISK}")
        }
        Some(Code::CannotOpen) => {
            format!("cannot be opened, or the files beside it cannot be created ({error}); its folder must be writable")
        }
        Some(Code::ReadOnly | Code::PermissionDenied) => {
            format!("cannot be written ({error}); it and its folder must be writable")
        }
        Some(Code::OutOfMemory) => format!("needs more memory than there is ({error})"),
        _ => format!("cannot be used ({error}); if this happens again, move it away to start with a new scan"),
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
            let error = rusqlite::Error::SqliteFailure(ffi::Error::new(code), None);
            let problem = describe(&error);
            assert!(problem.contains("local disk with --database"), "{code}: {problem}");
        }
    }

    #[test]
    fn file_system_errors_name_the_remedy_and_missing_permissions_do_not() {
        let problem = |number| failed_io("cannot be locked", &std::io::Error::from_raw_os_error(number));
        let (input_output, permission) = (problem(5), problem(13));
        assert!(input_output.starts_with("cannot be locked: Input/output error"), "{input_output}");
        assert!(input_output.ends_with("--database") && !permission.contains("--database"), "{permission}");
    }

    #[test]
    fn every_error_names_a_remedy() {
        let failure = |code| rusqlite::Error::SqliteFailure(ffi::Error::new(code), Some("said".to_owned()));
        for code in
            [ffi::SQLITE_BUSY, ffi::SQLITE_FULL, ffi::SQLITE_CORRUPT, ffi::SQLITE_CANTOPEN, ffi::SQLITE_READONLY]
        {
            let problem = describe(&failure(code));
            assert!(problem.contains("said") && problem.contains("; "), "{code}: {problem}");
        }
        assert!(describe(&rusqlite::Error::InvalidColumnIndex(7)).contains("move it away"));
    }
}
