//! Work that blocks.

use crate::error::{Error, Result};

/// Runs blocking work on a thread for blocking work.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let panicked = |_| Error::Internal("a blocking task panicked".to_owned());
    tokio::task::spawn_blocking(work).await.map_err(panicked)
}
