//! The façade: one run of a migration, from its first access to the trees to its report.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use towpath_backend::{Identity, Sink, Source, Tree};

use super::control::{Control, Steered};
use super::done::Done;
use super::run::Run;
use super::stopper::Stopper;
use super::{run_lines, same_tree, sampling, steering};
use crate::audit::AuditLog;
use crate::blocking::blocking;
use crate::dir_locks::DirLocks;
use crate::error::{Error, Result, TreeFailure};
use crate::event::{Side, Warning};
use crate::event_stream::Emitter;
use crate::journal::{
    self, ClosedLogs, EndedRun, Journal, JournalThread, RecordedSink, Roots, RunEnd, RunRequest, RunStart,
};
use crate::observer::ScanObserver;
use crate::options::{Extent, Options};
use crate::own_files::{self, ReservedPaths};
use crate::pace::{self, Paces};
use crate::partial::PartialNames;
use crate::per_side::PerSide;
use crate::progress::{Phase, Progress, RateSample};
use crate::report::{Report, RunOutcome};
use crate::reporter::Reporter;
use crate::session::Session;
use crate::waits;

/// One run of a migration.
///
/// ```
/// use towpath::Migration;
/// use towpath_local::{LocalSink, LocalSource};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// std::fs::create_dir(folder.path().join("old"))?;
/// std::fs::write(folder.path().join("old/file"), "content")?;
///
/// let (migration, events) = Migration::builder()
///     .source(LocalSource::open(&folder.path().join("old"))?)
///     .sink(LocalSink::open(&folder.path().join("new"))?)
///     .database(folder.path().join("backlog.db"))
///     .audit_log(folder.path().join("audit.jsonl"))
///     .build()?;
/// // This program does not read the events.
/// drop(events);
/// let report = migration.run().await?;
/// assert!(report.all_in_sync());
/// assert_eq!(std::fs::read(folder.path().join("new/file"))?, b"content");
/// # Ok(())
/// # }
/// ```
pub struct Migration {
    pub(super) source: Arc<dyn Source>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) database: PathBuf,
    pub(super) audit_log: PathBuf,
    pub(super) excluded_paths: Vec<PathBuf>,
    pub(super) observer: Option<Arc<dyn ScanObserver>>,
    pub(super) options: Options,
    pub(super) command: Option<String>,
    pub(super) cancellation: CancellationToken,
    pub(super) stopper: Stopper,
    pub(super) finish: CancellationToken,
    pub(super) control: Control,
    pub(super) steered: mpsc::Receiver<Steered>,
    pub(super) emitter: Emitter,
    pub(super) progress: Progress,
    pub(super) paces: Arc<Paces>,
}

impl Migration {
    /// Checks that database and log can be used for a migration between trees with these roots
    /// ([`towpath_backend::Tree::root`]). Call it before anything else is changed.
    ///
    /// Creates missing folders and the log; leaves an existing database as it is.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::AuditLog`], with what to do;
    /// [`Error::Refused`] if the database belongs to other trees.
    pub async fn check_files(database: &Path, audit_log: &Path, source_root: &[u8], sink_root: &[u8]) -> Result<()> {
        let (database, audit_log) = (database.to_owned(), audit_log.to_owned());
        let roots = Roots { source: source_root.to_vec(), sink: sink_root.to_vec() };
        blocking(move || {
            own_files::check_apart(&database, &audit_log)?;
            journal::check_file(&database, &roots)?;
            AuditLog::check(&audit_log)
        })
        .await?
    }

    /// Copies the database of a migration between trees with these roots to the new file `copy`, for a dry run
    /// ([`Options::dry_run`]) that uses the same records as the real run. Another run may be writing to the database
    /// meanwhile. Returns what the database records of the sink; `None` if there is no database yet.
    ///
    /// # Errors
    /// [`Error::Database`], with what to do; [`Error::Refused`] if it belongs to other trees.
    pub async fn copy_database(
        database: &Path,
        copy: &Path,
        source_root: &[u8],
        sink_root: &[u8],
    ) -> Result<Option<RecordedSink>> {
        let (database, copy) = (database.to_owned(), copy.to_owned());
        let roots = Roots { source: source_root.to_vec(), sink: sink_root.to_vec() };
        blocking(move || journal::copy(&database, &copy, &roots)).await?
    }

    /// The rate samples of the database at `database`, for a forecast without a run ([`crate::Estimator`]). It is only
    /// read, even while a run of another process uses it. A database that does not exist, or of an earlier version, has
    /// none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn rate_samples(database: &Path) -> Result<Vec<RateSample>> {
        let database = database.to_owned();
        blocking(move || journal::read_samples(&database)).await?
    }

    /// A handle on the counters, to be read while the migration runs.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A token that stops the migration when cancelled: finished files are recorded, the others stay in the backlog.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    /// Stops the migration as [`Self::cancellation`] does, and records the reason in the audit log.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// A handle that pauses the migration, changes its limit, and stops it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Runs the migration to its end, or until it is cancelled.
    ///
    /// Needs a multi-thread tokio runtime with time enabled.
    ///
    /// # Errors
    /// [`Error::Usage`] if a file created in the sink appears in the source. Any other error if the run cannot start or
    /// continue. Failures of single files are in the report and in the events.
    pub async fn run(self) -> Result<Report> {
        let started = Instant::now();
        let _reporting_waits = waits::report(self.trees(), &self.emitter, &self.cancellation);
        let probe = match self.options.dry_run || self.options.extent == Extent::Listing {
            true => None,
            false => same_tree::check(&*self.source, &*self.sink).await?,
        };
        let progress = self.progress.clone();
        // A far storage and the disk of the database are waited for at the same time.
        let ((), opened) = tokio::join!(same_tree::remove(&*self.sink, probe), self.open_files());
        let (journal, thread) = opened?;
        let result = self.run_with(journal, started).await;
        progress.set_phase(Phase::Ended);
        let closing = progress.operations().in_database("close the database");
        let closed = thread.join().await;
        drop(closing);
        let report = match result {
            // Before the run began.
            Err(Error::Interrupted) => Report { outcome: RunOutcome::Stopped, ..Report::default() },
            result => result?,
        };
        closed?;
        Ok(Report { duration: started.elapsed(), ..report })
    }

    fn trees(&self) -> [(Side, Arc<dyn Tree>); 2] {
        [(Side::Source, Arc::clone(&self.source) as _), (Side::Sink, Arc::clone(&self.sink) as _)]
    }

    /// Opens the database and the log on a blocking thread: a disk may be slow, and the database is checked.
    async fn open_files(&self) -> Result<(Journal, JournalThread)> {
        let (database, audit_log, stop) = (self.database.clone(), self.audit_log.clone(), self.cancellation.clone());
        let roots = Roots { source: self.source.root().to_vec(), sink: self.sink.root().to_vec() };
        let (progress, rotates) = (self.progress.clone(), self.options.max_log_bytes.is_some());
        let _opening = self.progress.operations().in_database("open the database");
        blocking(move || {
            let log = AuditLog::open(&audit_log)?;
            if rotates {
                log.check_rotation()?;
            }
            Journal::open(database, &roots, log, stop, progress)
        })
        .await?
    }

    async fn run_with(mut self, journal: Journal, started: Instant) -> Result<Report> {
        let stopper = self.stopper.clone();
        let steered = std::mem::replace(&mut self.steered, mpsc::channel(1).1);
        let command = self.command.take();
        let session = &Arc::new(self.into_session(journal).await?);
        let mut done = Done::default();
        let request = RunRequest {
            rescan: session.options.rescan || session.options.accept_new_tree,
            after_backlog: session.options.after_backlog,
            rescan_after: session.options.rescan_after,
            only_scans: session.options.extent != Extent::Migration,
            settings: session.options.settings(),
            audit_chain: session.options.audit_chain,
            retry: session.options.retry.clone(),
            command,
            max_log_bytes: session.options.max_log_bytes,
            line: run_lines::start_line(session),
            progress: session.progress.clone(),
        };
        let start = match session.journal.begin_run(request).await {
            Err(Error::Interrupted) => return Ok(done.report(session, RunOutcome::Stopped)),
            start => start?,
        };
        let number = start.run;
        let result = follow(session, steered, start, &mut done).await;
        let outcome = match &result {
            Err(Error::Interrupted) => RunOutcome::Stopped,
            _ if session.is_stopped() => RunOutcome::Stopped,
            _ => RunOutcome::Finished,
        };
        let result = match result {
            Err(Error::Interrupted) => Ok(()),
            result => result,
        };
        let end = match (&result, outcome) {
            (Err(_), _) => RunEnd::Failed,
            (Ok(()), RunOutcome::Stopped) => RunEnd::Stopped,
            (Ok(()), RunOutcome::Finished) if session.options.retry.is_some() => RunEnd::Retried,
            (Ok(()), RunOutcome::Finished) if session.options.extent != Extent::Migration => RunEnd::Assessed,
            (Ok(()), RunOutcome::Finished) => RunEnd::Finished,
        };
        let mut report = Report { duration: started.elapsed(), ..done.report(session, outcome) };
        if matches!(end, RunEnd::Finished | RunEnd::Retried) && !report.all_in_sync() && !session.options.dry_run {
            let errors = session.journal.open_errors(session.options.mirror.is_some()).await?;
            report.accepted = errors.map_or(0, |errors| errors.accepted);
            report.not_accepted = errors.map(|errors| errors.open);
        }
        let stop_reason = stopper.reason().filter(|_| end == RunEnd::Stopped);
        let line = run_lines::end_line(session, stop_reason, &report, &result);
        let ended = EndedRun {
            end,
            stopped_by: stop_reason.cloned(),
            error: line.error.clone(),
            pending: report.scanned_at.map(|_| report.pending),
            line,
        };
        let ended = session.journal.end_run(number, ended).await;
        result?;
        ended?;
        Ok(Report { audit_chain_end: session.journal.audit_chain_end().await?, ..report })
    }

    /// The session that the phases of this run share.
    async fn into_session(self, journal: Journal) -> Result<Session> {
        let identities = self.identities().await?;
        let reserved_paths = self.reserved_paths(journal.closed_logs().await?).await?;
        let Self { source, sink, observer, options, cancellation: stop, finish, emitter, progress, paces, .. } = self;
        Ok(Session {
            lanes: options.lanes_between(source.hints(), sink.hints()),
            partial_names: PartialNames::of(source.root(), sink.root()),
            reporter: Reporter::new(journal.clone(), emitter),
            conflict_locks: DirLocks::default(),
            sink_mounts: Mutex::default(),
            source,
            sink,
            identities,
            observer,
            options,
            journal,
            progress,
            paces,
            reserved_paths,
            stop,
            finish,
            is_sending: AtomicBool::new(false),
        })
    }

    /// The identities of both trees. One that is away is waited for.
    async fn identities(&self) -> Result<PerSide<Identity>> {
        let source = self.identity(Side::Source, &*self.source);
        let (source, sink) = tokio::try_join!(source, self.identity(Side::Sink, &*self.sink))?;
        Ok(PerSide { source, sink })
    }

    async fn identity(&self, side: Side, tree: &dyn Tree) -> Result<Identity> {
        let _operation = self.progress.operations().in_tree(side, "identify", None);
        waits::identity(tree, side, TreeFailure::Unreadable, &self.emitter, &self.cancellation).await
    }

    /// Paths inside the trees that are not part of them. Found on a blocking thread, because links may lead to a mount
    /// that hangs.
    async fn reserved_paths(&self, closed: ClosedLogs) -> Result<PerSide<ReservedPaths>> {
        let (source, sink) = (Arc::clone(&self.source), Arc::clone(&self.sink));
        let (database, audit_log, others) =
            (self.database.clone(), self.audit_log.clone(), self.excluded_paths.clone());
        let in_sink = self.options.reserved_paths.clone();
        blocking(move || {
            let mut files = own_files::of_database(&database);
            files.push(audit_log);
            files.extend(others);
            files.extend(closed.paths);
            let later = (&*closed.log, closed.next_number);
            let sink = ReservedPaths::inside(&*sink, &files, later).and(in_sink);
            PerSide { source: ReservedPaths::inside(&*source, &files, later), sink }
        })
        .await
    }
}

/// Runs what has begun in the database, with what is beside it. Whatever fails here is the end of the run there.
async fn follow(
    session: &Arc<Session>,
    steered: mpsc::Receiver<Steered>,
    start: RunStart,
    done: &mut Done,
) -> Result<()> {
    if !session.options.dry_run {
        session.journal.record_capabilities(session.sink.capabilities()).await?;
    }
    for warning in session.journal.take_warnings().await? {
        session.reporter.warn(warning).await;
    }
    warn_of_lost_times(session).await;
    let adapting = adapt_limit(session);
    let sampling = sampling::begin(session).await?;
    let steering = steering::begin(session, steered);
    let result = Run { session, number: start.run, done }.run(start).await;
    drop(adapting);
    let recorded = steering.end().await.and(sampling.end().await);
    for warning in session.journal.take_warnings().await.unwrap_or_default() {
        session.reporter.warn(warning).await;
    }
    match result {
        // What it did is recorded, too.
        Err(Error::Interrupted) => recorded.and(Err(Error::Interrupted)),
        result => result.and(recorded),
    }
}

/// Warns if the sink keeps no mtimes: a storage may accept times and keep its own without an error.
async fn warn_of_lost_times(session: &Session) {
    if !session.sink.capabilities().sets_mtime {
        session.reporter.warn(Warning::MtimesNotKept { sink_root: session.sink.root().to_vec() }).await;
    }
}

/// Adapts the limit to the other traffic on the link, if the options say so, and times requests, until the guard is
/// dropped.
fn adapt_limit(session: &Session) -> DropGuard {
    let stop = CancellationToken::new();
    let trees = || (Arc::clone(&session.source), Arc::clone(&session.sink));
    let (source, sink) = trees();
    let (paces, progress) = (Arc::clone(&session.paces), session.progress.clone());
    tokio::spawn(pace::time_requests(paces, source, sink, progress, stop.clone()));
    let (source, sink) = trees();
    tokio::spawn(pace::adapt(Arc::clone(&session.paces), source, sink, session.progress.clone(), stop.clone()));
    stop.drop_guard()
}
