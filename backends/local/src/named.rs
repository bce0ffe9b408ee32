//! Errors of the system with what was done, and to what: `Input/output error` alone helps nobody.

use std::io;
use std::path::Path;

/// Adds operation and path to an error's text. Its kind stays, its number does not.
pub(crate) trait Named<T> {
    fn named(self, operation: &str, path: impl AsRef<Path>) -> io::Result<T>;
}

impl<T, E: Into<io::Error>> Named<T> for Result<T, E> {
    fn named(self, operation: &str, path: impl AsRef<Path>) -> io::Result<T> {
        self.map_err(|error| {
            let error = error.into();
            io::Error::new(error.kind(), format!("{operation} {}: {error}", path.as_ref().display()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn an_error_has_its_operation_and_path_and_keeps_its_kind() {
        let error = Err::<(), _>(Errno::ACCESS).named("open", "/a/b").unwrap_err();
        assert_eq!(error.to_string(), "open /a/b: Permission denied (os error 13)");
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        let stale = Err::<(), _>(Errno::STALE).named("open", "x").unwrap_err();
        assert_eq!(stale.kind(), io::ErrorKind::StaleNetworkFileHandle);
    }
}
