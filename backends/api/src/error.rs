//! Errors of backends: kind, operation, path, and whether a retry can help.

use std::fmt;
use std::io;

use crate::path::RelPath;

/// The result of a backend's operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, as far as the engine acts on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// There is no such file or directory. Never used for "could not check".
    NotFound,
    /// Permission was denied.
    PermissionDenied,
    /// The name already exists.
    AlreadyExists,
    /// A component of the path is not a directory.
    NotADirectory,
    /// A directory is where a file was expected.
    IsADirectory,
    /// A directory that should be removed is not empty.
    NotEmpty,
    /// The storage or the quota is full.
    NoSpace,
    /// The storage is read-only.
    ReadOnly,
    /// The storage cannot hold such a name.
    InvalidName,
    /// The file is larger than the storage allows.
    TooLarge,
    /// The path leads through a symbolic link or out of the tree, and was not followed.
    Escapes,
    /// The backend cannot do this.
    Unsupported,
    /// The storage went away: unmounted, stale handle, connection lost.
    Unavailable,
    /// The storage does not take the credentials: they have expired, were revoked, or are not known.
    Credentials,
    /// Anything else.
    Other,
}

/// An error of a backend.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    operation: &'static str,
    path: RelPath,
    temporary: bool,
    cause: Box<dyn std::error::Error + Send + Sync>,
}

impl Error {
    /// An error of `operation` ("open", "read", …) on `path`.
    ///
    /// Permanent unless [`Self::with_temporary`] changes that; only [`ErrorKind::Unavailable`] is temporary by default.
    pub fn new(
        kind: ErrorKind,
        operation: &'static str,
        path: &RelPath,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        let temporary = kind == ErrorKind::Unavailable;
        Self { kind, operation, path: path.clone(), temporary, cause: cause.into() }
    }

    /// An error of the operating system, classified by its number.
    pub fn from_io(operation: &'static str, path: &RelPath, error: io::Error) -> Self {
        let (kind, temporary) = classify(&error);
        Self { kind, operation, path: path.clone(), temporary, cause: Box::new(error) }
    }

    /// The same error, marked as temporary or permanent.
    #[must_use]
    pub fn with_temporary(mut self, temporary: bool) -> Self {
        self.temporary = temporary;
        self
    }

    /// The same error with another path, for callers that know the file under another name.
    #[must_use]
    pub fn with_path(mut self, path: &RelPath) -> Self {
        self.path = path.clone();
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The operation that failed: a verb such as `open`.
    pub fn operation(&self) -> &'static str {
        self.operation
    }

    /// The path on which it failed.
    pub fn path(&self) -> &RelPath {
        &self.path
    }

    /// Whether a later retry can help.
    pub fn is_temporary(&self) -> bool {
        self.temporary
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.operation, self.path, self.cause)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

/// The kind of an operating system's error, and whether it is temporary.
fn classify(error: &io::Error) -> (ErrorKind, bool) {
    use io::ErrorKind as Io;
    // Numbers of Linux that std has no stable kind for.
    const EIO: i32 = 5;
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;
    const ELOOP: i32 = 40;
    const EXDEV: i32 = 18;
    const EILSEQ: i32 = 84;
    const ENOTCONN: i32 = 107;
    const ENAMETOOLONG: i32 = 36;
    const EREMOTEIO: i32 = 121;
    match error.raw_os_error() {
        Some(ELOOP | EXDEV) => return (ErrorKind::Escapes, false),
        Some(EILSEQ | ENAMETOOLONG) => return (ErrorKind::InvalidName, false),
        Some(ENXIO | ENODEV | ENOTCONN) => return (ErrorKind::Unavailable, true),
        // A network mount reports EIO for a server that recovers later.
        Some(EIO | EREMOTEIO) => return (ErrorKind::Other, true),
        _ => {}
    }
    match error.kind() {
        Io::NotFound => (ErrorKind::NotFound, false),
        Io::PermissionDenied => (ErrorKind::PermissionDenied, false),
        Io::AlreadyExists => (ErrorKind::AlreadyExists, false),
        Io::NotADirectory => (ErrorKind::NotADirectory, false),
        Io::IsADirectory => (ErrorKind::IsADirectory, false),
        Io::DirectoryNotEmpty => (ErrorKind::NotEmpty, false),
        Io::StorageFull | Io::QuotaExceeded => (ErrorKind::NoSpace, false),
        Io::ReadOnlyFilesystem => (ErrorKind::ReadOnly, false),
        Io::FileTooLarge => (ErrorKind::TooLarge, false),
        Io::InvalidFilename => (ErrorKind::InvalidName, false),
        Io::Unsupported => (ErrorKind::Unsupported, false),
        Io::StaleNetworkFileHandle
        | Io::NotConnected
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::ConnectionRefused
        | Io::BrokenPipe => (ErrorKind::Unavailable, true),
        Io::TimedOut | Io::Interrupted | Io::WouldBlock | Io::ResourceBusy | Io::OutOfMemory => {
            (ErrorKind::Other, true)
        }
        _ => (ErrorKind::Other, false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(errno: i32) -> Error {
        Error::from_io("open", &RelPath::root(), io::Error::from_raw_os_error(errno))
    }

    #[test]
    fn only_enoent_is_not_found() {
        assert_eq!(of(2).kind(), ErrorKind::NotFound);
        // EIO, EACCES, ENOTDIR, ENOTCONN, ETIMEDOUT, ESTALE: could not check.
        for errno in [5, 13, 20, 107, 110, 116] {
            assert_ne!(of(errno).kind(), ErrorKind::NotFound, "errno {errno}");
        }
    }

    #[test]
    fn full_disks_and_full_quotas_are_no_space() {
        assert_eq!(of(28).kind(), ErrorKind::NoSpace);
        assert_eq!(of(122).kind(), ErrorKind::NoSpace);
    }

    #[test]
    fn errors_that_a_server_recovers_from_are_temporary() {
        for errno in [4, 5, 11, 107, 110, 116] {
            assert!(of(errno).is_temporary(), "errno {errno}");
        }
        for errno in [2, 13, 20, 28, 36, 40] {
            assert!(!of(errno).is_temporary(), "errno {errno}");
        }
    }

    #[test]
    fn the_text_names_operation_and_path() {
        let path = RelPath::new("a/b").ok();
        let error = path.map(|path| Error::from_io("open", &path, io::Error::from_raw_os_error(13)).to_string());
        assert_eq!(error.as_deref(), Some("open a/b: Permission denied (os error 13)"));
    }
}
