//! System errors with operation and path: `Input/output error` alone is not helpful.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;

/// Adds operation and path to an error's text. Its kind stays, and [`raw_os_error`] finds its number.
pub(crate) trait Named<T> {
    fn named(self, operation: &str, path: impl AsRef<Path>) -> io::Result<T>;
}

impl<T, E: Into<io::Error>> Named<T> for Result<T, E> {
    fn named(self, operation: &str, path: impl AsRef<Path>) -> io::Result<T> {
        self.map_err(|error| {
            let error = error.into();
            let at = format!("{operation} {}", path.as_ref().display());
            io::Error::new(error.kind(), NamedError { at, cause: error })
        })
    }
}

/// The errno of an error, whether or not it was named.
pub(crate) fn raw_os_error(error: &io::Error) -> Option<i32> {
    let named = || error.get_ref()?.downcast_ref::<NamedError>();
    error.raw_os_error().or_else(|| raw_os_error(&named()?.cause))
}

#[derive(Debug)]
struct NamedError {
    at: String,
    cause: io::Error,
}

impl fmt::Display for NamedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.at, self.cause)
    }
}

// The text contains the cause already, so there is no source.
impl Error for NamedError {}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn an_error_has_its_operation_and_path_and_keeps_its_kind() {
        let error = Err::<(), _>(Errno::ACCESS).named("open", "/a/b").unwrap_err();
        assert_eq!(error.to_string(), "open /a/b: Permission denied (os error 13)");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let twice = Err::<(), _>(error).named("open", "/a").unwrap_err();
        assert_eq!(raw_os_error(&twice), Some(Errno::ACCESS.raw_os_error()));
        assert_eq!(raw_os_error(&io::Error::other("no number")), None);
        let stale = Err::<(), _>(Errno::STALE).named("open", "x").unwrap_err();
        assert_eq!(stale.kind(), io::ErrorKind::StaleNetworkFileHandle);
    }
}
