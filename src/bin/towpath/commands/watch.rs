//! Runs a migration together with its signal handlers and console.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::block_in_place;
use tokio::time::MissedTickBehavior;
use tokio_util::task::AbortOnDropHandle;

use crate::args::SyncArguments;
use crate::console::{Console, output};
use crate::exit::{COULD_NOT_RUN, ExitError};
use crate::run_api::RunApi;
use crate::server::{self, ServerHandle, ServerOptions};
use crate::signals::{self, Received, StatusRequests};
use crate::status::live::{About, Live};
use crate::status::recorded::{RUNS, runs};
use crate::status::text::{Clock, block};
use crate::steering::{self, Steering};
use towpath::{EventStream, Migration, Overview, Report, canonical_path};

/// How often the status is updated.
const TICK: Duration = Duration::from_secs(1);

/// A migration that has ended.
pub(crate) struct Watched {
    pub(crate) report: Report,
    pub(crate) received: Received,
    /// Whether the console can still print.
    pub(crate) can_print: bool,
}

/// The most jumps of the clock that wait for the console.
const JUMPS: usize = 16;

/// Runs it, and shows its progress; `steering` steers it meanwhile.
pub(crate) async fn watch(
    arguments: &SyncArguments,
    migration: Migration,
    events: EventStream,
    database: &Path,
    about: About,
    steering: Option<Steering>,
) -> Result<Watched, ExitError> {
    let failed = |error| ExitError(COULD_NOT_RUN, format!("cannot listen to signals: {error}"));
    let received = signals::listen(migration.stopper()).map_err(failed)?;
    let requests = StatusRequests::new().map_err(failed)?;
    let estimator = steering::estimator(&migration.progress(), steering.clone());
    let live = Live::new(migration.progress(), estimator, about);
    // A dry run, which nobody steers, has no server.
    let api = steering.clone().map(|steering| RunApi::new(migration.progress(), live.clone(), steering));
    let server = api.as_ref().map(|api| serve(arguments, database, api)).transpose()?;
    let (ticking, observer, shown) = ((api.clone(), live.clone()), (api, live.clone()), live);
    let _ticking = keep_ticking(move || match &ticking {
        (Some(api), _) => api.tick(),
        (None, live) => live.tick(),
    });
    let console = Console::new(
        arguments,
        migration.progress(),
        steering::estimator(&migration.progress(), steering.clone()),
        move |event| match &observer {
            (Some(api), _) => api.observe(event),
            (None, live) => live.observe(event),
        },
        move || block(&shown.status(), &Clock::of_system()),
    );
    let stop = migration.cancellation();
    let runtime = tokio::runtime::Handle::current();
    // A separate thread: a pipe or terminal that accepts no more text must not block the engine.
    let (jumps, jumps_received) = mpsc::channel(JUMPS);
    let console =
        tokio::task::spawn_blocking(move || runtime.block_on(console.listen(events, requests, jumps_received, stop)));
    let steered = steering.map(|steering| steering::start(steering, jumps));
    let result = migration.run().await;
    drop(steered);
    if let Some(server) = server {
        server.end().await;
    }
    // After a signal, do not wait longer than a moment for a pipe that nobody reads.
    let can_print = if received.any() {
        tokio::time::timeout(Duration::from_secs(1), console).await.is_ok()
    } else {
        console.await.is_ok()
    };
    Ok(Watched { report: result?, received, can_print })
}

/// Starts the control server of the run.
fn serve(arguments: &SyncArguments, database: &Path, api: &RunApi) -> Result<ServerHandle, ExitError> {
    let options = ServerOptions {
        database: database.to_owned(),
        listen: arguments.listen.listen,
        token_file: arguments.listen.listen_token_file.clone(),
    };
    let server = server::start(&options, Arc::new(api.clone())).map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
    if !arguments.quiet {
        if let Some(address) = server.tcp() {
            output::line(&format!("control  http://{address}"));
        }
        server.notes().iter().for_each(|note| output::note(&format!("note: {note}")));
    }
    Ok(server)
}

/// Updates the status each second until the handle is dropped.
fn keep_ticking(tick: impl Fn() + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            tick();
        }
    }))
}

/// What the status of a run says of it besides its progress. Reads the history of the database, which no run of this
/// process may use yet.
pub(crate) fn about(database: &Path, log: &Path, source: &[u8], dest: &[u8]) -> About {
    // Without a history, if the database cannot be read: the run itself reports that.
    let recorded = block_in_place(|| Overview::read(database, RUNS)).ok().flatten();
    About {
        source: source.to_vec(),
        dest: dest.to_vec(),
        database: canonical_path(database),
        log: canonical_path(log),
        runs: recorded.map_or_else(Vec::new, |overview| runs(&overview)),
    }
}
