//! Why the migration's own files, the database and the audit log, cannot be used.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;
use thiserror::Error;

/// The remedy if the file system does not support what a database needs.
const USE_LOCAL_DISK: &str =
    "network shares and FUSE file systems often cause this: put it on a local disk with --database";

/// An error of SQLite.
pub type SqliteError = Arc<dyn StdError + Send + Sync>;

/// Why the database cannot be used. The text follows its path and names the remedy.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The file is not a database of Towpath, or its start is damaged.
    #[error(
        "is not a database of towpath, or is damaged at its start; it was left as it is: move it away, or give another \
         --database"
    )]
    NotADatabase,
    /// Its content is damaged.
    #[error("is damaged ({found}); it was left as it is: restore it, or move it away to start with a new scan")]
    Damaged {
        /// The damage that SQLite found.
        found: String,
    },
    /// A newer version of Towpath created it.
    #[error(
        "was created by a newer version of towpath (schema {schema}; this version supports {known}); use that \
         version, or another --database"
    )]
    NewerVersion {
        /// The version of its schema.
        schema: i32,
        /// The newest version that this program can use.
        known: i32,
    },
    /// It does not exist, or no run has used it.
    #[error("is the database of no migration: `towpath status` lists them")]
    NoMigration,
    /// Another process of Towpath uses it.
    #[error("is in use by another towpath process; wait for it to end, or stop it")]
    InUse,
    /// It is on a network share.
    #[error(
        "is on {file_system}, where unreliable locks or a power cut can damage it; give a path on a local disk with \
         --database"
    )]
    OnShare {
        /// The kind of file system.
        file_system: &'static str,
    },
    /// It was replaced by another file while it was opened.
    #[error("was replaced by another file while it was opened")]
    ReplacedAtOpen,
    /// It, or a file that belongs to it, was changed by someone else while a run used it.
    #[error(
        "{}{change} while the run used it, so the run was stopped; what it did since its last commit is not recorded. \
         If the database was moved or replaced, move it back; then run the same command again. Without its database \
         it scans both trees, and sends what is missing or differs",
        companion.as_ref().map(|file| format!("its file {} ", file.display())).unwrap_or_default()
    )]
    Lost {
        /// The file of SQLite beside the database that it happened to; `None`: the database itself.
        companion: Option<PathBuf>,
        /// What happened.
        change: FileChange,
    },
    /// An operation on its file failed.
    #[error("{problem}: {error}{}", remedy(error))]
    Io {
        /// The failed operation: "cannot be opened".
        problem: &'static str,
        /// The error of the system.
        #[source]
        error: Arc<io::Error>,
    },
    /// Its disk is full.
    #[error("its disk is full ({0}); free some space and run the same command again")]
    Full(#[source] SqliteError),
    /// Another program holds a lock on it.
    #[error("is locked by another program ({0}); close it and run the same command again")]
    Locked(#[source] SqliteError),
    /// SQLite cannot read or write it.
    #[error("cannot be read or written ({0}); {USE_LOCAL_DISK}. On a local disk, check the disk")]
    DiskIo(#[source] SqliteError),
    /// Its file system lacks locks or shared memory.
    #[error("cannot be locked or mapped into memory ({0}); {USE_LOCAL_DISK}")]
    NoLocks(#[source] SqliteError),
    /// SQLite cannot open it, or cannot create the files beside it.
    #[error("cannot be opened, or the files beside it cannot be created ({0}); its folder must be writable")]
    CannotOpen(#[source] SqliteError),
    /// It, or its folder, is read-only.
    #[error("cannot be written ({0}); it and its folder must be writable")]
    ReadOnly(#[source] SqliteError),
    /// It cannot be read without changing the files beside it.
    #[error(
        "cannot be read before the next run recovers its write-ahead log ({0}): run the same command again, or copy \
         the database with its -wal file and open the copy with SQLite"
    )]
    NeedsRecovery(#[source] SqliteError),
    /// There is not enough memory.
    #[error("needs more memory than there is ({0})")]
    OutOfMemory(#[source] SqliteError),
    /// Another error of SQLite.
    #[error("cannot be used ({0}); if this happens again, move it away to start with a new scan")]
    Other(#[source] SqliteError),
    /// The copy for a dry run cannot be written.
    #[error("cannot be copied to {} for the dry run: {error}", copy.display())]
    NotCopied {
        /// The path of the copy.
        copy: PathBuf,
        /// The error of SQLite.
        #[source]
        error: SqliteError,
    },
}

/// What someone else did to a file that is in use.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum FileChange {
    /// It was overwritten or truncated.
    #[error("was overwritten or truncated")]
    Truncated,
    /// Another file has its path.
    #[error("was replaced by another file")]
    Replaced,
    /// Nothing is at its path.
    #[error("was deleted or moved")]
    Missing,
    /// Its path could not be checked.
    #[error("cannot be checked ({0})")]
    Unchecked(#[source] Arc<io::Error>),
}

/// Why the audit log cannot be used. The text follows its path.
#[derive(Clone, Debug, Error)]
#[non_exhaustive]
pub enum AuditLogError {
    /// Its path is that of the database, or of a file that belongs to it.
    #[error("is the database, or one of the files that belong to it: give another --log-file")]
    IsDatabase,
    /// It cannot be opened.
    #[error("cannot be opened: {0}")]
    CannotOpen(#[source] Arc<io::Error>),
    /// It cannot be written.
    #[error("cannot be written: {0}")]
    CannotWrite(#[source] Arc<io::Error>),
    /// It cannot get a number and be followed by a new one.
    #[error("cannot be rotated: {0}; or run without --log-rotate")]
    CannotRotate(String),
}

/// Why there is no backlog for a run without a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum NoBacklog {
    /// There was no scan.
    #[error("these trees have not been scanned yet")]
    NotScanned,
    /// The last scan was interrupted.
    #[error("the last scan was interrupted")]
    ScanInterrupted,
    /// The last scan used other settings.
    #[error("filters or options have changed since the last scan")]
    OtherSettings,
}

/// What to do about an error of the system, if the file system is the cause.
fn remedy(error: &io::Error) -> String {
    let of_file_systems =
        [Errno::IO, Errno::STALE, Errno::NOLCK, Errno::OPNOTSUPP, Errno::NOSYS, Errno::NOTCONN, Errno::NODEV];
    let is_file_system = of_file_systems.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()));
    if is_file_system { format!("; {USE_LOCAL_DISK}") } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_file_system_name_the_remedy_and_missing_permissions_do_not() {
        let text = |number| {
            let error = Arc::new(io::Error::from_raw_os_error(number));
            DatabaseError::Io { problem: "cannot be locked", error }.to_string()
        };
        let (input_output, permission) = (text(5), text(13));
        assert!(input_output.starts_with("cannot be locked: Input/output error"), "{input_output}");
        assert!(input_output.ends_with("--database") && !permission.contains("--database"), "{permission}");
    }
}
