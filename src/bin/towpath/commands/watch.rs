//! Runs a migration together with its signal handlers and console.

use std::time::Duration;

use tokio::sync::mpsc;

use crate::args::SyncArguments;
use crate::console::Console;
use crate::exit::{COULD_NOT_RUN, ExitError};
use crate::signals::{self, ProgressRequests, Received};
use crate::steering::{self, Steering};
use towpath::{EventStream, Migration, Report};

/// A migration that has ended.
pub(crate) struct Watched {
    pub(crate) report: Report,
    pub(crate) received: Received,
    /// Whether the console can still print.
    pub(crate) can_print: bool,
}

/// The most notes that wait for the console.
const NOTES: usize = 16;

/// Runs it, and shows its progress; `steering` steers it meanwhile.
pub(crate) async fn watch(
    arguments: &SyncArguments,
    migration: Migration,
    events: EventStream,
    steering: Option<Steering>,
) -> Result<Watched, ExitError> {
    let failed = |error| ExitError(COULD_NOT_RUN, format!("cannot listen to signals: {error}"));
    let received = signals::listen(migration.stopper()).map_err(failed)?;
    let requests = ProgressRequests::new().map_err(failed)?;
    let console = Console::new(arguments, migration.progress(), steering.clone());
    let stop = migration.cancellation();
    let runtime = tokio::runtime::Handle::current();
    // A separate thread: a pipe or terminal that accepts no more text must not block the engine.
    let (notes, notes_received) = mpsc::channel(NOTES);
    let console =
        tokio::task::spawn_blocking(move || runtime.block_on(console.listen(events, requests, notes_received, stop)));
    let steered = steering.map(|steering| steering::start(steering, notes));
    let result = migration.run().await;
    drop(steered);
    // After a signal, do not wait longer than a moment for a pipe that nobody reads.
    let can_print = if received.any() {
        tokio::time::timeout(Duration::from_secs(1), console).await.is_ok()
    } else {
        console.await.is_ok()
    };
    Ok(Watched { report: result?, received, can_print })
}
