//! Whether a call is attempted again, and when.

use tokio::time::sleep;

use super::policy::RetryPolicy;
use crate::layer::random::Random;
use crate::{Error, Result};

/// Decides whether a call is attempted again, and waits before it is.
#[derive(Debug)]
pub(super) struct Backoff {
    policy: RetryPolicy,
    random: Random,
}

impl Backoff {
    pub(super) fn new(policy: RetryPolicy) -> Self {
        Self { policy, random: Random::unseeded() }
    }

    /// Waits after failed attempt `number`; returns the error if it was the last one.
    pub(super) async fn wait(&self, number: u32, error: Error) -> Result<()> {
        match self.policy.delay(number, self.random.next()) {
            Some(delay) if error.is_temporary() => {
                sleep(delay).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Repeats `attempt` until it succeeds or fails permanently.
    pub(super) async fn retry<R, F>(&self, mut attempt: impl FnMut() -> F + Send) -> Result<R>
    where
        F: Future<Output = Result<R>> + Send,
    {
        let mut number = 1;
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => self.wait(number, error).await?,
            }
            number += 1;
        }
    }
}
