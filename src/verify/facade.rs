//! The façade: one verification, from its first access to the trees to its report.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use towpath_backend::{RelPath, Source, Tree};

use super::guards;
use super::lines;
use super::options::VerifyOptions;
use super::pass;
use super::progress::{VerifyPhase, VerifyProgress};
use super::report::VerifyReport;
use super::session::VerifySession;
use crate::blocking::blocking;
use crate::blocks::{Pool, SMALL_BYTES};
use crate::error::{Error, Result};
use crate::event::Side;
use crate::event_stream::Emitter;
use crate::journal::{Beside, Journal, Pass, Roots, WindowSums};
use crate::migration::{Control, Stopper};
use crate::pace::{self, Paces};
use crate::report::RunOutcome;
use crate::reporter::Reporter;
use crate::selection::Selection;
use crate::waits;

/// One verification of what a migration has sent. It may run beside a run of the migration.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use towpath::{Verification, VerifyClass};
/// use towpath_local::LocalSource;
///
/// let (verification, events) = Verification::builder()
///     .source(LocalSource::open("/mnt/old".as_ref())?)
///     .sink(LocalSource::open("/mnt/new".as_ref())?)
///     .database("backlog.db")
///     .build()?;
/// // This program does not read the events.
/// drop(events);
/// let report = verification.run().await?;
/// println!("{} files match, {} do not", report.of(VerifyClass::Matches).files, report.bad_files());
/// # Ok(())
/// # }
/// ```
pub struct Verification {
    pub(super) source: Option<Arc<dyn Source>>,
    pub(super) sink: Arc<dyn Source>,
    pub(super) database: PathBuf,
    pub(super) options: VerifyOptions,
    pub(super) cancellation: CancellationToken,
    pub(super) stopper: Stopper,
    pub(super) control: Control,
    pub(super) emitter: Emitter,
    pub(super) progress: VerifyProgress,
    pub(super) paces: Arc<Paces>,
}

impl Verification {
    /// A handle on the counters, to be read while the verification runs.
    pub fn progress(&self) -> VerifyProgress {
        self.progress.clone()
    }

    /// A token that stops the verification when cancelled. What is checked is recorded; the next one goes on with the
    /// rest.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    /// Stops the verification as [`Self::cancellation`] does, and records the reason in the audit log.
    pub fn stopper(&self) -> Stopper {
        self.stopper.clone()
    }

    /// A handle that pauses the verification, changes its limit, and stops it.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Runs the verification to its end, or until it is cancelled.
    ///
    /// Needs a multi-thread tokio runtime with time enabled.
    ///
    /// # Errors
    /// [`Error::Refused`] if the sink is not the tree that was recorded. Any other error if it cannot start or continue.
    /// What is wrong with single files is in the report and in the events.
    pub async fn run(self) -> Result<VerifyReport> {
        let started = Instant::now();
        let trees = self.source.iter().map(|source| (Side::Source, Arc::clone(source) as Arc<dyn Tree>));
        let trees = trees.chain([(Side::Sink, Arc::clone(&self.sink) as _)]);
        let _reporting_waits = waits::report(trees, &self.emitter, &self.cancellation);
        let (database, stop, engine) =
            (self.database.clone(), self.cancellation.clone(), self.progress.engine().clone());
        let opened = blocking(move || Journal::open_beside_runs(database, stop, engine)).await?;
        let Beside { journal, thread, roots, log } = opened?;
        let progress = self.progress.clone();
        let result = self.run_with(journal, roots, started).await;
        progress.set_phase(VerifyPhase::Ended);
        let closed = thread.join().await;
        let report = match result {
            // Before the pass began.
            Err(Error::Interrupted) => VerifyReport { outcome: RunOutcome::Stopped, ..VerifyReport::default() },
            result => result?,
        };
        closed?;
        Ok(VerifyReport { duration: started.elapsed(), log, ..report })
    }

    async fn run_with(self, journal: Journal, roots: Roots, started: Instant) -> Result<VerifyReport> {
        let stopper = self.stopper.clone();
        let session = &Arc::new(self.into_session(journal, roots).await?);
        let options = session.options.clone();
        let (roots, lanes) = (session.paths(&RelPath::root()), session.lanes);
        let line = move |pass: &Pass| lines::start_line(roots, &options, lanes, pass);
        let (selection, hash_both) = (session.options.selection, session.options.hash_both);
        let mut pass = session.journal.begin_pass(selection, hash_both, line).await?;
        let adapting = CancellationToken::new();
        let other: Arc<dyn Tree> = match &session.source {
            Some(source) => Arc::clone(source) as _,
            None => Arc::clone(&session.sink) as _,
        };
        let engine = session.progress.engine().clone();
        let (paces, sink) = (Arc::clone(&session.paces), Arc::clone(&session.sink));
        tokio::spawn(pace::adapt(paces, other, sink, engine, adapting.clone()));
        let _adapting = adapting.drop_guard();
        let result = match pass::run(session, &mut pass).await {
            Err(Error::Interrupted) => Ok(()),
            result => result,
        };
        session.progress.set_phase(VerifyPhase::Summing);
        let sums = match &result {
            Ok(()) if !session.is_stopped() => pass::sums(session, &pass).await.ok(),
            _ => None,
        };
        let outcome = match sums {
            None if session.is_stopped() => RunOutcome::Stopped,
            _ => RunOutcome::Finished,
        };
        let report = report(session, &pass, outcome, sums.as_ref(), started);
        let stop_reason = stopper.reason().filter(|_| outcome == RunOutcome::Stopped);
        let line = lines::end_line(session, stop_reason, &report, &result);
        let is_finished = sums.is_some();
        let ended = session.journal.end_pass(pass.number, is_finished, sums, line).await;
        result?;
        ended?;
        Ok(report)
    }

    /// Checks the trees, and what the tasks of the verification share.
    async fn into_session(self, journal: Journal, roots: Roots) -> Result<VerifySession> {
        let Self { source, sink, options, cancellation: stop, emitter, progress, paces, .. } = self;
        guards::check_roots(&self.database, source.as_ref(), &sink, &roots)?;
        let recorded = journal.recorded_trees().await?;
        let identity = guards::check_sink(&sink, recorded.identities.sink.as_deref(), &emitter, &stop).await?;
        let recorded_source = recorded.identities.source.as_deref();
        let source = guards::usable_source(source, recorded_source, options.hash_both, &emitter).await?;
        guards::probe(&journal, &sink).await?;
        for warning in journal.take_warnings().await? {
            emitter.warn(warning).await;
        }
        let keeps = recorded.sink.unwrap_or_else(|| sink.capabilities());
        let source_precision_ns = source.as_ref().map_or(1, |source| source.capabilities().mtime_precision_ns);
        let rounding_ns = keeps.mtime_precision_ns.max(source_precision_ns).saturating_sub(1);
        let window_ns = options.modify_window.map(|window| u64::try_from(window.as_nanos()).unwrap_or(u64::MAX));
        let pool = Pool::new(options.queue_capacity, options.block_size_bytes, SMALL_BYTES);
        Ok(VerifySession {
            mounts: VerifySession::mounts(&journal).await?,
            lanes: options.as_migration().lanes_between(sink.hints(), sink.hints()),
            tolerance_ns: keeps.sets_mtime.then(|| window_ns.unwrap_or(rounding_ns)),
            reporter: Reporter::new(journal.clone(), emitter.clone()),
            source,
            sink,
            roots,
            identity,
            options,
            journal,
            emitter,
            progress,
            paces,
            pool,
            read_bytes: AtomicU64::new(0),
            stop,
        })
    }
}

/// What the pass has found so far, or, with its sums, in all.
fn report(
    session: &VerifySession,
    pass: &Pass,
    outcome: RunOutcome,
    sums: Option<&WindowSums>,
    started: Instant,
) -> VerifyReport {
    let selection = session.options.selection;
    let snapshot = session.progress.snapshot();
    let mut report = VerifyReport {
        outcome,
        pass: pass.number,
        resumed_from: pass.is_resumed.then_some(pass.started),
        selection,
        sample_seed: matches!(selection, Selection::Sample(_)).then(|| pass.seed.clone()),
        classes: snapshot.classes,
        cached_files: pass.cached_files + snapshot.cached_files,
        cached_reason: snapshot.cached_reason,
        read_bytes: snapshot.engine.written_bytes,
        duration: started.elapsed(),
        ..VerifyReport::default()
    };
    if let Some(sums) = sums {
        report.classes = sums.of_pass.clone();
        report.coverage = sums.coverage.clone();
        (report.synced, report.pending, report.left) = (sums.synced, sums.pending, sums.left);
    } else {
        report.left.files = snapshot.selected.files.saturating_sub(report.checked().files);
        report.left.bytes = snapshot.selected.bytes.saturating_sub(report.checked().bytes);
    }
    report
}
