//! Runs a migration together with its signal handlers and console.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;
use tokio::task::block_in_place;

use crate::args::SyncArguments;
use crate::args::bwlimit::local_zone;
use crate::console::{self, Console, output};
use crate::exit::{ALL_IN_SYNC, COULD_NOT_RUN, ExitError, GUARD_REFUSAL, NOT_ALL_IN_SYNC};
use crate::hooks::Hooks;
use crate::listener::{Inputs, Listener, Observer};
use crate::metrics::{self, Ended, Metrics, MetricsFile, MetricsPath};
use crate::run_api::RunApi;
use crate::server::{self, ServerHandle, ServerOptions, Starting};
use crate::signals::{self, Received, StatusRequests};
use crate::status::live::{About, Live};
use crate::status::model::{State, Status};
use crate::status::recorded::{RUNS, runs};
use crate::steering::{self, Steering};
use crate::systemd::ServiceManager;
use towpath::{EventStream, Migration, Overview, Report, RunOutcome, canonical_path};

/// A migration that has ended.
pub(crate) struct Watched {
    pub(crate) report: Report,
    pub(crate) received: Received,
    /// Whether the console can still print.
    pub(crate) can_print: bool,
    /// The last status.
    pub(crate) status: Status,
}

/// The most jumps of the clock that wait for the console.
const JUMPS: usize = 16;
/// The most notes that wait for it.
const NOTES: usize = 4;

/// What a run has around it. A dry run has nothing of it.
#[derive(Default)]
pub(crate) struct Around<'a> {
    /// Steers it meanwhile.
    pub(crate) steering: Option<Steering>,
    /// Clients wait for the run until this is dropped.
    pub(crate) starting: Option<Starting>,
    pub(crate) metrics_file: Option<MetricsPath>,
    /// Learns what happens.
    pub(crate) hooks: Option<&'a Hooks>,
    pub(crate) observer: Option<Box<dyn Observer>>,
}

/// Runs it, and shows its progress.
pub(crate) async fn watch(
    arguments: &SyncArguments,
    migration: Migration,
    events: EventStream,
    database: &Path,
    about: About,
    around: Around<'_>,
) -> Result<Watched, ExitError> {
    let Around { steering, starting, metrics_file, hooks, observer } = around;
    let failed = |error| ExitError(COULD_NOT_RUN, format!("cannot listen to signals: {error}"));
    let received = signals::listen(migration.stopper()).map_err(failed)?;
    let requests = StatusRequests::new().map_err(failed)?;
    let estimator = steering::estimator(&migration.progress(), steering.clone());
    let about_metrics = metrics::About::new(arguments, &about.source, &about.dest, about.database.clone());
    let live = Live::new(migration.progress(), estimator, about);
    if let Some(deadline) = arguments.deadline {
        live.set_deadline(deadline, local_zone().unwrap_or(TimeZone::UTC));
    }
    let metrics = Metrics::new(about_metrics, live.clone());
    // A dry run, which nobody steers, has no server.
    let api =
        steering.clone().map(|steering| RunApi::new(&migration.progress(), metrics.clone(), live.clone(), steering));
    let server = api.as_ref().map(|api| serve(arguments, database, api)).transpose()?;
    drop(starting);
    let ended = api.clone();
    let manager = ServiceManager::start(live.clone(), migration.progress(), migration.cancellation());
    let manager = manager.unwrap_or_else(|problem| {
        output::note(&format!("note: {problem}"));
        ServiceManager::default()
    });
    let mut observers: Vec<Box<dyn Observer>> = vec![Box::new(metrics.clone())];
    observers.extend(api.iter().map(|api| Box::new(api.observer()) as _));
    observers.extend(observer);
    observers.extend(hooks.and_then(|hooks| hooks.observer(&live)));
    let (console, feed) = Console::new(arguments);
    let ((jumps, jumps_received), (notes, notes_received)) = (mpsc::channel(JUMPS), mpsc::channel(NOTES));
    let (stop, stopped, tick) = (migration.cancellation(), migration.cancellation(), console.tick());
    let last = live.clone();
    let warnings = hooks.and_then(Hooks::warnings);
    let inputs = Inputs { events, requests, jumps: jumps_received, notes: notes_received, warnings, stop, tick };
    let listener = tokio::spawn(Listener::new(live, observers, feed).listen(inputs));
    let runtime = tokio::runtime::Handle::current();
    // A separate thread: a pipe or terminal that accepts no more text must block nothing else.
    let console = tokio::task::spawn_blocking(move || runtime.block_on(console.show()));
    // A note for which there is no room is not worth waiting for.
    let metrics_file =
        metrics_file.map(|path| MetricsFile::start(path, metrics, move |note| drop(notes.try_send(note))));
    let steered = steering.map(|steering| steering::start(steering, jumps));
    let result = migration.run().await.map_err(ExitError::from);
    let how = match &result {
        Ok(report) => console::headline(report),
        Err(ExitError(_, error)) => error.clone(),
    };
    manager.end(&how, result.is_ok()).await;
    drop(steered);
    let feed = listener.await;
    if let Some(server) = server {
        block_in_place(|| ended.iter().for_each(|api| api.end(database)));
        server.end().await;
    }
    if let Some(file) = metrics_file {
        file.end(end_of(&result, &received)).await;
    }
    let shown = async {
        if let Ok(feed) = feed {
            feed.end().await;
        }
        console.await.is_ok()
    };
    tokio::pin!(shown);
    let can_print = tokio::select! {
        is_shown = &mut shown => is_shown,
        // After a signal, also one that comes now, do not wait longer than a moment for a pipe that nobody reads.
        () = stopped.cancelled() => {
            tokio::time::timeout(Duration::from_secs(1), shown).await.is_ok_and(|is_shown| is_shown)
        }
    };
    Ok(Watched { report: result?, received, can_print, status: last.status() })
}

/// How the run ended, for its metrics.
fn end_of(result: &Result<Report, ExitError>, received: &Received) -> Ended {
    let (state, exit_status) = match result {
        Ok(report) if report.outcome == RunOutcome::Stopped => (State::Stopped, status_of(report, received)),
        Ok(report) => (State::Finished, status_of(report, received)),
        Err(ExitError(status, _)) => (State::Failed, *status),
    };
    Ended { state, exit_status, at: Timestamp::now() }
}

/// The exit status of a run that ended with this report.
pub(crate) fn status_of(report: &Report, received: &Received) -> u8 {
    match report.outcome {
        RunOutcome::Stopped => received.status(),
        _ if report.refusal.is_some() => GUARD_REFUSAL,
        _ if report.all_in_sync_or_accepted() => ALL_IN_SYNC,
        _ => NOT_ALL_IN_SYNC,
    }
}

/// Starts the control server of the run.
fn serve(arguments: &SyncArguments, database: &Path, api: &RunApi) -> Result<ServerHandle, ExitError> {
    let options = ServerOptions {
        database: database.to_owned(),
        listen: arguments.listen.listen,
        token_file: arguments.listen.listen_token_file.clone(),
    };
    let server = server::start(&options, Arc::new(api.clone())).map_err(|problem| ExitError(COULD_NOT_RUN, problem))?;
    if let Some(address) = server.tcp().filter(|_| arguments.prints_text()) {
        output::line(&format!("control  http://{address}"));
    }
    if !arguments.quiet {
        server.notes().iter().for_each(|note| output::note(&format!("note: {note}")));
    }
    Ok(server)
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
        last_scan: recorded.as_ref().and_then(|overview| overview.last_scan),
        runs: recorded.as_ref().map_or_else(Vec::new, runs),
    }
}
