//! Runs a migration with signals and the console beside it.

use std::time::Duration;

use super::args::SyncArguments;
use super::console::Console;
use super::signals::{self, ProgressRequests, Received};
use super::sync::{COULD_NOT_RUN, Refusal};
use towpath::{Migration, Report};

/// A migration that has ended.
pub(super) struct Watched {
    pub(super) report: Report,
    pub(super) received: Received,
    /// Whether anything more can be shown.
    pub(super) can_tell: bool,
}

/// Runs it, and shows how it gets on.
pub(super) async fn watch(arguments: &SyncArguments, mut migration: Migration) -> Result<Watched, Refusal> {
    let failed = |error| Refusal(COULD_NOT_RUN, format!("cannot listen to signals: {error}"));
    let received = signals::listen(migration.stopper()).map_err(failed)?;
    let requests = ProgressRequests::new().map_err(failed)?;
    let console = Console::new(arguments, migration.progress());
    let (events, stop) = (migration.events(), migration.cancellation());
    let runtime = tokio::runtime::Handle::current();
    // A thread of its own: a pipe or a terminal that takes no more text holds up none of the engine's.
    let console = tokio::task::spawn_blocking(move || runtime.block_on(console.listen(events, requests, stop)));
    let result = migration.run().await;
    // After a signal nobody waits longer than a moment for a pipe that nobody reads.
    let can_tell = if received.any() {
        tokio::time::timeout(Duration::from_secs(1), console).await.is_ok()
    } else {
        console.await.is_ok()
    };
    Ok(Watched { report: result?, received, can_tell })
}
