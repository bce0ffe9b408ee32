//! The façade: one run of a migration, from its first look at the trees to its report.

mod apart;
mod builder;
mod done;
mod record;
mod run;
mod stopper;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use tokio_util::sync::CancellationToken;
use towpath_backend::{Identity, RelPath, Sink, Source};

use crate::audit::AuditLog;
use crate::error::{Error, Result};
use crate::event::{Emitter, Event, EventStream, Side};
use crate::journal::{self, Journal, KnownSink, Roots, RunEnd, RunRequest, RunStart};
use crate::options::Options;
use crate::own_files;
use crate::pace::{self, Paces};
use crate::partial::Parts;
use crate::per_side::PerSide;
use crate::progress::{Phase, Progress};
use crate::report::{Outcome, Report};
use done::Done;

pub use builder::Builder;
pub use stopper::Stopper;

/// One run of a migration.
pub struct Migration {
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    database: PathBuf,
    audit_log: PathBuf,
    left_alone: Vec<PathBuf>,
    options: Options,
    cancellation: CancellationToken,
    stop_reason: Arc<OnceLock<String>>,
    emitter: Emitter,
    progress: Progress,
    paces: Arc<Paces>,
}

impl Migration {
    /// Starts to describe a migration.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Checks that database and log can be used for a migration between trees with
    /// these roots ([`towpath_backend::Tree::root`]), before anything else is done.
    ///
    /// Makes missing folders and the log; leaves an existing database as it is.
    ///
    /// # Errors
    /// [`Error::Database`] or [`Error::AuditLog`], with what to do;
    /// [`Error::Refused`] if the database belongs to other trees.
    pub fn check_files(database: &Path, audit_log: &Path, source_root: &[u8], sink_root: &[u8]) -> Result<()> {
        own_files::check_apart(database, audit_log)?;
        journal::check_file(database, &Roots { source: source_root.to_vec(), sink: sink_root.to_vec() })?;
        AuditLog::check(audit_log)
    }

    /// Copies the database of a migration between trees with these roots to the new file `copy`, for a dry run
    /// ([`Options::dry_run`]) that decides with what the real one would know. A run may be writing to it.
    /// Returns what it knows of the sink; `None`: there is no database yet.
    ///
    /// # Errors
    /// [`Error::Database`], with what to do; [`Error::Refused`] if it belongs to other trees.
    pub fn copy_database(
        database: &Path,
        copy: &Path,
        source_root: &[u8],
        sink_root: &[u8],
    ) -> Result<Option<KnownSink>> {
        journal::copy(database, copy, &Roots { source: source_root.to_vec(), sink: sink_root.to_vec() })
    }

    /// The events of this migration, in order. To be called once, before
    /// [`Self::run`], and read while it runs: the engine waits for a reader that lags.
    pub fn events(&mut self) -> EventStream {
        let (emitter, stream) = Emitter::with_stream(self.cancellation.clone());
        self.emitter = emitter;
        stream
    }

    /// A handle on the counters, to be looked at while the migration runs.
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// A token that stops the migration when cancelled: what is finished is
    /// recorded, what is not stays in the backlog.
    pub fn cancellation(&self) -> CancellationToken {
        self.cancellation.clone()
    }

    /// Stops the migration as [`Self::cancellation`] does, and tells the log why.
    pub fn stopper(&self) -> Stopper {
        Stopper::new(self.cancellation.clone(), Arc::clone(&self.stop_reason))
    }

    /// Runs the migration to its end, or until it is cancelled.
    ///
    /// Needs a multi-thread tokio runtime with time enabled.
    ///
    /// # Errors
    /// [`Error::Config`] if the source shows what is written to the sink. Else
    /// if it cannot start or go on; failures of single files are in the report
    /// and in the events.
    pub async fn run(self) -> Result<Report> {
        let started = Instant::now();
        if !self.options.dry_run {
            apart::check(&*self.source, &*self.sink).await?;
        }
        let log = AuditLog::open(&self.audit_log)?;
        let roots = Roots { source: self.source.root().to_vec(), sink: self.sink.root().to_vec() };
        let (journal, thread) = Journal::open(self.database.clone(), &roots, log, self.cancellation.clone())?;
        let progress = self.progress.clone();
        let result = self.run_with(journal, started).await;
        progress.set_phase(Phase::Ended);
        let closed = thread.join().await;
        let report = result?;
        closed?;
        Ok(Report { duration: started.elapsed(), ..report })
    }

    async fn run_with(self, journal: Journal, started: Instant) -> Result<Report> {
        let identities = self.identities().await?;
        let request = RunRequest {
            rescan: self.options.rescan || self.options.accept_new_tree,
            after_backlog: self.options.after_backlog,
            settings: self.options.settings(),
            line: self.start_line(),
        };
        let mut done = Done::default();
        let start = match journal.begin_run(request).await {
            Err(Error::Interrupted) => return Ok(self.report(Outcome::Stopped, done)),
            start => start?,
        };
        let run = start.run;
        if !self.options.dry_run {
            journal.record_capabilities(self.sink.capabilities()).await?;
        }
        for message in journal.take_warnings().await? {
            self.emitter.emit(Event::Warning { message }).await;
        }
        self.warn_of_lost_times().await;
        let result = self.run_following(&journal, start, identities, &mut done).await;
        let outcome = match &result {
            Err(Error::Interrupted) => Outcome::Stopped,
            _ if self.cancellation.is_cancelled() => Outcome::Stopped,
            _ => Outcome::Finished,
        };
        let result = match result {
            Err(Error::Interrupted) => Ok(()),
            result => result,
        };
        let end = match (&result, outcome) {
            (Err(_), _) => RunEnd::Failed,
            (Ok(()), Outcome::Stopped) => RunEnd::Stopped,
            (Ok(()), Outcome::Finished) => RunEnd::Finished,
        };
        let report = Report { duration: started.elapsed(), ..self.report(outcome, done) };
        let ended = journal.end_run(run, end, self.end_line(&report, &result)).await;
        result?;
        ended?;
        Ok(report)
    }

    /// A storage may accept times and keep its own, without an error.
    async fn warn_of_lost_times(&self) {
        if !self.sink.capabilities().sets_mtime {
            let root = String::from_utf8_lossy(self.sink.root());
            let message = format!(
                "the destination {root} does not keep mtimes: what arrives has the time of its arrival, and only sizes are \
                 compared, so that a file that changed and kept its size is not sent again"
            );
            self.emitter.emit(Event::Warning { message }).await;
        }
    }

    /// Runs it while the limit follows the others on the link, if that was asked for.
    async fn run_following(
        &self,
        journal: &Journal,
        start: RunStart,
        identities: PerSide<Identity>,
        done: &mut Done,
    ) -> Result<()> {
        let stop = CancellationToken::new();
        let _at_the_end = stop.clone().drop_guard();
        let (source, sink) = (Arc::clone(&self.source), Arc::clone(&self.sink));
        tokio::spawn(pace::follow(Arc::clone(&self.paces), source, sink, self.progress.clone(), stop));
        self.run_plan(journal, start, identities, done).await
    }

    async fn identities(&self) -> Result<PerSide<Identity>> {
        let failed = |side, root, error| Error::of_side(side, root, &error);
        let source = self.source.identity().await;
        let source = source.map_err(|error| failed(Side::Source, self.source.root(), error))?;
        let sink = self.sink.identity().await.map_err(|error| failed(Side::Sink, self.sink.root(), error))?;
        Ok(PerSide { source, sink })
    }

    /// What is left alone inside the source, and inside the sink.
    fn own_files(&self) -> [HashSet<RelPath>; 2] {
        let mut files = own_files::of_database(&self.database);
        files.push(self.audit_log.clone());
        files.extend(self.left_alone.iter().cloned());
        let source = own_files::inside(&*self.source, &files);
        let mut sink = own_files::inside(&*self.sink, &files);
        sink.extend(self.options.sink_apart.iter().cloned());
        [source, sink]
    }

    fn parts(&self) -> Parts {
        Parts::of(self.source.root(), self.sink.root())
    }

    /// mtimes that differ by no more count as equal. `None`: the sink keeps none.
    fn tolerance_ns(&self) -> Option<u64> {
        let window_ns = self.options.modify_window.map(|window| u64::try_from(window.as_nanos()).unwrap_or(u64::MAX));
        self.mtime_rounding_ns().map(|rounding_ns| window_ns.unwrap_or(rounding_ns))
    }

    /// How far a time is moved on its way: by less than the coarser side can tell apart. `None`: the
    /// sink keeps none.
    fn mtime_rounding_ns(&self) -> Option<u64> {
        let (source, sink) = (self.source.capabilities(), self.sink.capabilities());
        let precision_ns = source.mtime_precision_ns.max(sink.mtime_precision_ns);
        sink.sets_mtime.then(|| precision_ns.saturating_sub(1))
    }
}
