//! Limits the bytes per second that are read and written.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::{Instant, sleep_until};

use super::hook::{Hook, Outcome};
use super::hooked::Hooked;
use super::operation::{Call, Operation};
use crate::Result;

/// A tree that transfers no more than this many bytes of content per second.
///
/// A call waits until the bytes transferred before it are paid for. A large call runs at once, and the next one waits,
/// so that any period of time exceeds the limit by no more than the calls in flight. Metadata and names are not
/// counted, and hints to read ahead are forwarded. This keeps a simple tool from taking the whole link; the engine's
/// own limit is exact.
pub type Rate<T> = Hooked<T, Limiter>;

impl<T> Rate<T> {
    /// Limits `inner`.
    pub fn new(inner: T, bytes_per_second: NonZeroU64) -> Self {
        Self::shared(inner, Arc::new(Limiter::new(bytes_per_second)))
    }

    /// Limits `inner` together with other trees.
    pub fn shared(inner: T, limiter: Arc<Limiter>) -> Self {
        Self::around(inner, limiter)
    }
}

/// The hook of [`Rate`].
#[derive(Debug)]
pub struct Limiter {
    bytes_per_second: NonZeroU64,
    /// When all transferred bytes are paid for; `None` before the first call.
    free_at: Mutex<Option<Instant>>,
}

impl Limiter {
    /// A limit that several trees can share.
    pub fn new(bytes_per_second: NonZeroU64) -> Self {
        Self { bytes_per_second, free_at: Mutex::new(None) }
    }

    fn free_at(&self) -> MutexGuard<'_, Option<Instant>> {
        self.free_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a call transfers content.
fn transfers_content(operation: Operation) -> bool {
    use Operation::{ReadAt, ReadWhole, WriteAt, WriteWhole};
    matches!(operation, ReadAt | ReadWhole | WriteAt | WriteWhole)
}

#[async_trait]
impl Hook for Limiter {
    fn reject(&self, _: &Call<'_>) -> Result<()> {
        Ok(())
    }

    async fn wait(&self, call: &Call<'_>) {
        if !transfers_content(call.operation) {
            return;
        }
        // Other calls may have transferred something in the meantime.
        loop {
            let free_at = *self.free_at();
            match free_at {
                Some(free_at) if free_at > Instant::now() => sleep_until(free_at).await,
                _ => return,
            }
        }
    }

    fn done(&self, _: &Call<'_>, outcome: &Outcome<'_>) {
        if outcome.bytes == 0 {
            return;
        }
        let costs = Duration::from_secs_f64(outcome.bytes as f64 / self.bytes_per_second.get() as f64);
        let (mut free_at, now) = (self.free_at(), Instant::now());
        *free_at = Some(free_at.map_or(now, |free_at| free_at.max(now)) + costs);
    }
}
