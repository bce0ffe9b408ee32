//! `--on-event`: a command that is run for what an administrator wants to know of a run: that it has ended, is paused,
//! stalls, has another limit, or may miss its deadline.
//!
//! Commands run one at a time, from a bounded queue, and each has a time limit: none can hold up the run.

mod payload;
mod process;

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, error::TrySendError};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use towpath::{Event, Overview};
use towpath_backend::registry::Location;

use crate::console::output;
use crate::listener::Observer;
use crate::lock::locked;
use crate::status::live::Live;
use crate::status::model::{Side, Status, path_text};
use crate::status::notice::Notice;
use crate::status::recorded::{RUNS, of_database};
use payload::{Call, Happened, Place, of_end, of_event, of_notice};

/// How long a command may run; at the end of the run, also how long all that wait may take together.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most events that wait for a command.
const QUEUE: usize = 16;
/// The most warnings that wait for the console.
const WARNINGS: usize = 16;
/// How long reading the database at the end may take.
const READING: Duration = Duration::from_secs(10);

/// The command of `--on-event`, if there is one.
#[derive(Default)]
pub(crate) struct Hooks(Option<Running>);

struct Running {
    shared: Arc<Shared>,
    worker: AbortOnDropHandle<()>,
    /// Taken by the console.
    warned: Mutex<Option<mpsc::Receiver<String>>>,
    place: Mutex<(Place, Option<PathBuf>)>,
}

struct Shared {
    command: String,
    calls: mpsc::Sender<Call>,
    warnings: mpsc::Sender<String>,
    /// Events that wait.
    waiting: AtomicU64,
    /// Events that found the queue full, since the last warning.
    lost: AtomicU64,
    /// No further event comes but the last.
    is_ending: CancellationToken,
}

impl Hooks {
    /// Gets ready to run this command.
    pub(crate) fn start(command: Option<&str>) -> Self {
        let Some(command) = command else { return Self::default() };
        let ((calls, called), (warnings, warned)) = (mpsc::channel(QUEUE), mpsc::channel(WARNINGS));
        let shared = Arc::new(Shared {
            command: command.to_owned(),
            calls,
            warnings,
            waiting: AtomicU64::new(0),
            lost: AtomicU64::new(0),
            is_ending: CancellationToken::new(),
        });
        let worker = AbortOnDropHandle::new(tokio::spawn(work(Arc::clone(&shared), called)));
        Self(Some(Running { shared, worker, warned: Mutex::new(Some(warned)), place: Mutex::default() }))
    }

    /// Which trees the run is about.
    pub(crate) fn set_trees(&self, source: &Location, dest: &Location) {
        let Some(running) = &self.0 else { return };
        let shown = |location: &Location| match location {
            Location::Path(path) => path_text(path.as_os_str().as_bytes()),
            Location::Url(url) => (url.to_string(), None),
        };
        let (place, _) = &mut *locked(&running.place);
        (place.source, place.dest) = (Some(shown(source)), Some(shown(dest)));
    }

    /// Which database the run uses.
    pub(crate) fn set_database(&self, database: &Path) {
        let Some(running) = &self.0 else { return };
        let (place, path) = &mut *locked(&running.place);
        place.database = Some(path_text(database.as_os_str().as_bytes()).0);
        *path = Some(database.to_owned());
    }

    /// Passes on what happens in a run with this status.
    pub(crate) fn observer(&self, live: &Live) -> Option<Box<dyn Observer>> {
        let running = self.0.as_ref()?;
        Some(Box::new(Watcher { shared: Arc::clone(&running.shared), live: live.clone(), expired: Vec::new() }))
    }

    /// What is wrong with the command, line by line, for the console. Before and after it, warnings are printed at once.
    pub(crate) fn warnings(&self) -> Option<mpsc::Receiver<String>> {
        locked(&self.0.as_ref()?.warned).take()
    }

    /// Passes on that the run has ended, after what waits, and waits for the command: for twice [`PATIENCE`] at most.
    pub(crate) async fn end(self, exit_status: u8, error: Option<&str>) {
        let Some(Running { shared, mut worker, warned, place }) = self.0 else { return };
        shared.is_ending.cancel();
        if timeout(PATIENCE, &mut worker).await.is_err() {
            // The command that runs is killed.
            drop(worker);
            shared.lost.fetch_add(shared.waiting.swap(0, Relaxed), Relaxed);
        }
        shared.warn_of_lost();
        let (place, database) = place.into_inner().unwrap_or_else(PoisonError::into_inner);
        let status = match database {
            Some(database) => recorded(database).await,
            None => None,
        };
        shared.run(&of_end(exit_status, error).call(&place, status.as_ref())).await;
        // Nobody has printed them: the run could not begin.
        let warned = warned.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(mut warned) = warned {
            while let Ok(text) = warned.try_recv() {
                output::note(&text);
            }
        }
    }
}

/// The status of a migration after its run.
async fn recorded(database: PathBuf) -> Option<Status> {
    let read = move || {
        let overview = Overview::read(&database, RUNS).ok().flatten()?;
        Some(of_database(&database, &overview))
    };
    timeout(READING, tokio::task::spawn_blocking(read)).await.ok()?.ok()?
}

/// Runs the command for each event, until the run ends and nothing waits.
async fn work(shared: Arc<Shared>, mut called: mpsc::Receiver<Call>) {
    loop {
        let call = tokio::select! {
            biased;
            Some(call) = called.recv() => call,
            () = shared.is_ending.cancelled() => return,
        };
        shared.waiting.fetch_sub(1, Relaxed);
        shared.run(&call).await;
        shared.warn_of_lost();
    }
}

impl Shared {
    async fn run(&self, call: &Call) {
        if let Err(problem) = process::run(&self.command, call.event, &call.input, PATIENCE).await {
            self.warn(format!("warning: --on-event for `{}`: {problem}", call.event));
        }
    }

    /// Does not wait.
    fn pass_on(&self, call: Call) {
        self.waiting.fetch_add(1, Relaxed);
        if self.calls.try_send(call).is_err() {
            self.waiting.fetch_sub(1, Relaxed);
            self.lost.fetch_add(1, Relaxed);
        }
    }

    fn warn_of_lost(&self) {
        match self.lost.swap(0, Relaxed) {
            0 => {}
            lost => self
                .warn(format!("warning: --on-event: {lost} events were not passed on, as the command takes too long")),
        }
    }

    fn warn(&self, text: String) {
        match self.warnings.try_send(text) {
            // The console has ended. One that takes no more text is not waited for.
            Err(TrySendError::Closed(text)) => output::note(&text),
            Ok(()) | Err(TrySendError::Full(_)) => {}
        }
    }
}

/// Passes on what happens in a run.
struct Watcher {
    shared: Arc<Shared>,
    live: Live,
    /// The sides whose credentials have expired.
    expired: Vec<Side>,
}

impl Watcher {
    fn pass_on(&self, happened: Option<Happened>) {
        if let Some(happened) = happened {
            self.shared.pass_on(happened.call(&Place::default(), Some(&self.live.status())));
        }
    }
}

impl Observer for Watcher {
    fn event(&mut self, event: &Event) {
        let happened = of_event(event, &mut self.expired);
        self.pass_on(happened);
    }

    fn notice(&mut self, notice: &Notice) {
        self.pass_on(of_notice(notice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn events_beyond_the_queue_are_counted_and_the_end_comes_last() {
        let folder = tempfile::tempdir().unwrap();
        let (told, go) = (folder.path().join("told"), folder.path().join("go"));
        let command = format!("cat >> '{}'; until [ -e '{}' ]; do sleep 0.01; done", told.display(), go.display());
        let hooks = Hooks::start(Some(&command));
        let shared = Arc::clone(&hooks.0.as_ref().unwrap().shared);
        let mut warnings = hooks.warnings().unwrap();
        let call = |event| Call { event, input: format!("{event}\n").into_bytes() };
        shared.pass_on(call("first"));
        while !told.exists() {
            tokio::task::yield_now().await;
        }
        (0..QUEUE + 3).for_each(|_| shared.pass_on(call("more")));
        std::fs::write(go, "").unwrap();
        hooks.end(0, None).await;
        let told = std::fs::read_to_string(told).unwrap();
        let lines: Vec<_> = told.lines().collect();
        assert_eq!((lines[0], lines.len()), ("first", QUEUE + 2), "{told}");
        assert!(lines[1..=QUEUE].iter().all(|line| *line == "more"), "{told}");
        assert!(lines[QUEUE + 1].starts_with("{\"event\":\"finished\""), "{told}");
        let warning = "warning: --on-event: 3 events were not passed on, as the command takes too long";
        assert_eq!((warnings.try_recv().as_deref(), warnings.try_recv().ok()), (Ok(warning), None));
    }

    #[tokio::test]
    async fn without_a_command_nothing_happens() {
        let hooks = Hooks::start(None);
        assert!(hooks.warnings().is_none());
        hooks.end(1, Some("no")).await;
    }
}
