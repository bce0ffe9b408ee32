//! Runs a migration together with its signal handlers and console.

use std::time::Duration;

use crate::args::SyncArguments;
use crate::console::Console;
use crate::exit::{COULD_NOT_RUN, ExitError};
use crate::signals::{self, ProgressRequests, Received};
use towpath::{EventStream, Migration, Report};

/// A migration that has ended.
pub(crate) struct Watched {
    pub(crate) report: Report,
    pub(crate) received: Received,
    /// Whether the console can still print.
    pub(crate) can_print: bool,
}

/// Runs it, and shows its progress.
pub(crate) async fn watch(
    arguments: &SyncArguments,
    migration: Migration,
    events: EventStream,
) -> Result<Watched, ExitError> {
    let failed = |error| ExitError(COULD_NOT_RUN, format!("cannot listen to signals: {error}"));
    let received = signals::listen(migration.stopper()).map_err(failed)?;
    let requests = ProgressRequests::new().map_err(failed)?;
    let console = Console::new(arguments, migration.progress());
    let stop = migration.cancellation();
    let runtime = tokio::runtime::Handle::current();
    // A separate thread: a pipe or terminal that accepts no more text must not block the engine.
    let console = tokio::task::spawn_blocking(move || runtime.block_on(console.listen(events, requests, stop)));
    let result = migration.run().await;
    // After a signal, do not wait longer than a moment for a pipe that nobody reads.
    let can_print = if received.any() {
        tokio::time::timeout(Duration::from_secs(1), console).await.is_ok()
    } else {
        console.await.is_ok()
    };
    Ok(Watched { report: result?, received, can_print })
}
