//! Errors with paths relative to a directory.

use crate::{Error, RelPath};

/// The same error, with its path relative to `dir`.
pub(super) fn from_below(dir: &RelPath, error: Error) -> Error {
    match error.path().below(dir) {
        Some(path) => error.with_path(&path),
        None => error,
    }
}
