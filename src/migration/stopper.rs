//! Stops a migration for a reason that is recorded in the log.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Stops a migration; clones stop the same one.
///
/// ```
/// # async fn example(migration: towpath::Migration) -> towpath::Result<()> {
/// let stopper = migration.stopper();
/// tokio::spawn(async move {
///     if tokio::signal::ctrl_c().await.is_ok() {
///         stopper.stop("signal SIGINT");
///     }
/// });
/// let report = migration.run().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Stopper {
    token: CancellationToken,
    reason: Arc<OnceLock<String>>,
}

impl Stopper {
    pub(crate) fn new(token: CancellationToken, reason: Arc<OnceLock<String>>) -> Self {
        Self { token, reason }
    }

    /// Stops the migration: finished files are recorded, the others stay in the backlog. The first reason given, such
    /// as `signal SIGTERM`, is `stopped_by` in the log's last line of the run.
    pub fn stop(&self, reason: impl Into<String>) {
        self.give_reason(reason.into());
        self.token.cancel();
    }

    /// The reason that was given first.
    pub(crate) fn reason(&self) -> Option<&String> {
        self.reason.get()
    }

    /// Records why the migration will be stopped.
    pub(super) fn give_reason(&self, reason: String) {
        let _first_counts = self.reason.set(reason);
    }
}
