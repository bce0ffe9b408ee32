//! The base of layers that only observe, delay or reject calls.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::operation::Call;
use crate::{Error, Result};

/// Runs around each call to the inner tree.
#[async_trait]
pub trait Hook: Send + Sync + 'static {
    /// Runs before the call. An error is returned to the caller instead of making the call.
    ///
    /// # Errors
    /// If the call is rejected.
    fn reject(&self, call: &Call<'_>) -> Result<()> {
        let _ = call;
        Ok(())
    }

    /// Waits before the call. Does not run before the pages of a listing, nor before hints.
    async fn wait(&self, call: &Call<'_>) {
        let _ = call;
    }

    /// Runs after the call, unless it was rejected or cancelled.
    fn done(&self, call: &Call<'_>, outcome: &Outcome<'_>) {
        let _ = (call, outcome);
    }
}

/// How a call ended.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Outcome<'a> {
    /// Bytes of content that were read or written.
    pub bytes: u64,
    /// Entries of a listing.
    pub entries: u64,
    /// The error, if it failed.
    pub error: Option<&'a Error>,
    /// How long it took.
    pub took: Duration,
}

/// Makes one call with a hook around it; `bytes` returns how much content it transferred.
pub(super) async fn around<R, H: Hook>(
    hook: &H,
    call: Call<'_>,
    run: impl Future<Output = Result<R>> + Send,
    bytes: impl FnOnce(&R) -> u64 + Send,
) -> Result<R> {
    hook.reject(&call)?;
    hook.wait(&call).await;
    let start = Instant::now();
    let result = run.await;
    let took = start.elapsed();
    let outcome = match &result {
        Ok(value) => Outcome { bytes: bytes(value), took, ..Outcome::default() },
        Err(error) => Outcome { error: Some(error), took, ..Outcome::default() },
    };
    hook.done(&call, &outcome);
    result
}

/// For calls that transfer no content.
pub(super) fn none<R>(_: &R) -> u64 {
    0
}
