//! A task beside a run, which ends with it.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};

/// A task beside a run.
pub(super) struct Beside {
    task: JoinHandle<Result<()>>,
    ended: CancellationToken,
    panicked: &'static str,
}

impl Beside {
    /// Starts `work`, which is to end once the token is cancelled. `panicked` is the error if it panics.
    pub(super) fn begin<F>(panicked: &'static str, work: impl FnOnce(CancellationToken) -> F) -> Self
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let ended = CancellationToken::new();
        Self { task: tokio::spawn(work(ended.clone())), ended, panicked }
    }

    /// Ends it.
    ///
    /// # Errors
    /// Its error.
    pub(super) async fn end(self) -> Result<()> {
        self.ended.cancel();
        self.task.await.unwrap_or_else(|_| Err(Error::Internal(self.panicked.to_owned())))
    }
}
