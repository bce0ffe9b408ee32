//! Blocking work on the runtime's blocking threads.

use std::io;

use towpath_backend::{Error, RelPath, Result};

/// Runs blocking work on a blocking thread; its errors become errors of `operation` on `path`.
pub(crate) async fn blocking<T: Send + 'static>(
    operation: &'static str,
    path: &RelPath,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| Error::from_io(operation, path, error)),
        Err(error) => Err(Error::from_io(operation, path, io::Error::other(error))),
    }
}
