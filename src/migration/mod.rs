//! The façade: one run of a migration, from its first look at the trees to its report.

mod apart;
mod builder;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use towpath_backend::{Identity, RelPath, Sink, Source};

use crate::audit::AuditLog;
use crate::error::{Error, Result};
use crate::event::{Emitter, Event, EventStream, ScanReason, Side};
use crate::mirror;
use crate::options::{HardLinks, Options};
use crate::own_files;
use crate::pace::{self, Paces};
use crate::part::Parts;
use crate::pipeline::{self, Pool, Shared, Tally};
use crate::plan as dry_run;
use crate::progress::{Phase, Progress};
use crate::report::{Outcome, Report};
use crate::scan::Scan;
use crate::state::{self, Backlog, Compares, Plan, Roots, RunEnd, RunStart, ScanOptions, State};

pub use builder::Builder;

/// One run of a migration.
pub struct Migration {
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    database: PathBuf,
    audit_log: PathBuf,
    left_alone: Vec<PathBuf>,
    options: Options,
    cancellation: CancellationToken,
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
        state::check_file(database, &Roots { source: source_root.to_vec(), sink: sink_root.to_vec() })?;
        AuditLog::check(audit_log)
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
        let (state, thread) = State::open(self.database.clone(), &roots, log, self.cancellation.clone())?;
        let progress = self.progress.clone();
        let result = self.run_with(state).await;
        progress.set_phase(Phase::Ended);
        let closed = thread.join().await;
        let report = result?;
        closed?;
        Ok(Report { duration: started.elapsed(), ..report })
    }

    async fn run_with(self, state: State) -> Result<Report> {
        let identities = self.identities().await?;
        let rescan = self.options.rescan || self.options.accept_new_tree;
        let start = match state.begin_run(rescan, self.options.settings()).await {
            Err(Error::Interrupted) => return Ok(self.report_stopped()),
            start => start?,
        };
        let run = start.run;
        for message in state.take_warnings().await? {
            self.emitter.emit(Event::Warning { message }).await;
        }
        let result = match self.run_following(&state, start, identities).await {
            Err(Error::Interrupted) => Ok(self.report_stopped()),
            result => result,
        };
        let end = match &result {
            Ok(report) if report.outcome == Outcome::Finished => RunEnd::Finished,
            Ok(_) => RunEnd::Stopped,
            Err(_) => RunEnd::Failed,
        };
        let ended = state.end_run(run, end).await;
        let report = result?;
        ended?;
        Ok(report)
    }

    /// Runs it while the limit follows the others on the link, if that was asked for.
    async fn run_following(&self, state: &State, start: RunStart, identities: [Identity; 2]) -> Result<Report> {
        let stop = CancellationToken::new();
        let _at_the_end = stop.clone().drop_guard();
        let (source, sink) = (Arc::clone(&self.source), Arc::clone(&self.sink));
        tokio::spawn(pace::follow(Arc::clone(&self.paces), source, sink, self.progress.clone(), stop));
        self.run_plan(state, start, identities).await
    }

    async fn identities(&self) -> Result<[Identity; 2]> {
        let failed = |side: Side, error| Error::Backend(format!("the {side} cannot be looked at: {error}"));
        let source = self.source.identity().await.map_err(|error| failed(Side::Source, error))?;
        let sink = self.sink.identity().await.map_err(|error| failed(Side::Sink, error))?;
        Ok([source, sink])
    }

    async fn run_plan(&self, state: &State, start: RunStart, identities: [Identity; 2]) -> Result<Report> {
        if !self.options.accept_new_tree {
            self.check_same_trees(&start.identities, &identities)?;
        }
        if start.identities[Side::Sink.index()].as_deref().is_none_or(|then| then == identities[1].as_str()) {
            // Of another tree's emptiness nothing is to be concluded.
            mirror::log_cut_off(state, self.source.root(), &*self.sink).await?;
        }
        let (scanned, backlog) = match start.plan {
            Plan::Resume(backlog) => (false, Some(self.resume(state, backlog).await?)),
            Plan::Scan(reason) => (true, self.scan(state, start.run, reason, &identities).await?),
        };
        let Some(backlog) = backlog else {
            return Ok(self.report(Outcome::Stopped, scanned, &Backlog::default(), Tally::default()));
        };
        if self.options.dry_run {
            return self.plan(state, &backlog).await;
        }
        let tally = self.transfer(state, start.run, &backlog, identities).await?;
        let outcome = if self.cancellation.is_cancelled() { Outcome::Stopped } else { Outcome::Finished };
        Ok(self.report(outcome, scanned, &backlog, tally))
    }

    /// What is recorded is of the trees that were scanned, and of no others that
    /// happen to be mounted in their places: of an empty folder where the source
    /// was nothing is concluded, and into one where the sink was nothing is written.
    fn check_same_trees(&self, recorded: &[Option<String>; 2], identities: &[Identity; 2]) -> Result<()> {
        let sides = [(Side::Source, self.source.root()), (Side::Sink, self.sink.root())];
        for (((side, root), recorded), now) in sides.into_iter().zip(recorded).zip(identities) {
            if recorded.as_deref().is_some_and(|recorded| recorded != now.as_str()) {
                return Err(Error::Refused(format!(
                    "the {side} {} is not the tree that was scanned (then: {}; now: {now}): is it mounted? \
                     Nothing was done. Only if it was replaced by another one on purpose, run once with \
                     --accept-new-tree",
                    String::from_utf8_lossy(root),
                    recorded.as_deref().unwrap_or_default(),
                )));
            }
        }
        Ok(())
    }

    async fn resume(&self, state: &State, backlog: Backlog) -> Result<Backlog> {
        self.progress.set_counts(Side::Source, backlog.source);
        self.progress.set_counts(Side::Sink, backlog.sink);
        self.progress.set_pending(backlog.pending);
        self.emitter.emit(Event::Resuming { pending: backlog.pending }).await;
        self.report_unreadable(state).await?;
        Ok(backlog)
    }

    /// Reports again what the scan of this backlog could not read: nothing below is part of it.
    async fn report_unreadable(&self, state: &State) -> Result<()> {
        const PAGE: usize = 256;
        let mut after = None;
        loop {
            let page = state.unreadable_dirs(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            for (side, dir) in
                page.into_iter().filter(|(side, _)| *side == Side::Source || self.options.mirror.is_some())
            {
                let root = if side == Side::Source { self.source.root() } else { self.sink.root() };
                let error = "it could not be read when the trees were scanned; the next scan reads it again".to_owned();
                self.emitter.emit(Event::Unreadable { side, path: dir.under(root), error }).await;
            }
        }
    }

    async fn scan(
        &self,
        state: &State,
        run: i64,
        reason: ScanReason,
        identities: &[Identity; 2],
    ) -> Result<Option<Backlog>> {
        self.progress.set_phase(Phase::Scanning);
        self.emitter.emit(Event::ScanStarted { reason }).await;
        let keeps_hard_links = self.options.hard_links == HardLinks::Keep && self.sink.capabilities().hard_links;
        let compares = Compares {
            permissions: self.options.keep_permissions,
            owner: self.options.keep_owner,
            hard_links: keeps_hard_links,
        };
        let options = ScanOptions {
            tolerance_ns: self.tolerance_ns(),
            compares,
            accepts_new_tree: self.options.accept_new_tree,
            names: self.sink.capabilities().names,
            settings: self.options.settings(),
        };
        state.begin_scan(run, options).await?;
        let scan = Scan {
            source: Arc::clone(&self.source),
            sink: Arc::clone(&self.sink),
            identities: identities.clone(),
            own_files: self.own_files(),
            walkers: self.options.walkers,
            links: self.options.links,
            specials: self.options.specials,
            keeps_hard_links,
            parts: self.parts(),
            filter: self.options.filter.clone(),
            delete_excluded: self.options.delete_excluded,
            state: state.clone(),
            progress: self.progress.clone(),
            paces: Arc::clone(&self.paces),
            emitter: self.emitter.clone(),
            cancellation: self.cancellation.clone(),
        };
        scan.run().await
    }

    /// Tells what would be done.
    async fn plan(&self, state: &State, backlog: &Backlog) -> Result<Report> {
        let plan = dry_run::Plan {
            source: &*self.source,
            sink: &*self.sink,
            state,
            emitter: &self.emitter,
            cancellation: &self.cancellation,
            mirror: self.options.mirror,
            one_file_system: self.options.filter.one_file_system,
        };
        let (planned, refusal) = plan.tell().await?;
        let outcome = if self.cancellation.is_cancelled() { Outcome::Stopped } else { Outcome::Finished };
        let tally = Tally { pending: backlog.pending, refusal, ..Tally::default() };
        Ok(Report { planned: Some(planned), ..self.report(outcome, true, backlog, tally) })
    }

    async fn transfer(&self, state: &State, run: i64, backlog: &Backlog, identities: [Identity; 2]) -> Result<Tally> {
        self.progress.set_phase(Phase::Transferring);
        state.begin_transfer(run).await?;
        let sink_mounts = state.mount_points(Side::Sink, pipeline::MAX_SINK_MOUNTS).await?;
        let shared = Arc::new(Shared {
            source: Arc::clone(&self.source),
            sink: Arc::clone(&self.sink),
            options: self.options.clone(),
            lanes: self.options.lanes_between(self.source.capabilities(), self.sink.capabilities()),
            progress: self.progress.clone(),
            paces: Arc::clone(&self.paces),
            emitter: self.emitter.clone(),
            state: state.clone(),
            identities,
            sink_mounts,
            mtime_rounding_ns: self.mtime_rounding_ns(),
            parts: self.parts(),
            clearing: tokio::sync::Mutex::default(),
            stop: self.cancellation.child_token(),
            pool: Pool::new(self.options.queue_capacity, self.options.block_size_bytes, pipeline::SMALL_BYTES),
        });
        shared.check_identity(Side::Sink).await?;
        let (tally, result) = pipeline::run(shared, backlog.pending).await;
        match result {
            Ok(()) | Err(Error::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if backlog.pending.files > 0 {
            // A file that was written but not recorded (setting an attribute failed, say) looks complete,
            // too. Make it durable before `end_run` clears the mark.
            self.sink.flush().await.map_err(|error| {
                let root = String::from_utf8_lossy(self.sink.root());
                Error::Backend(format!("flush the destination {root}: {error}; run the same command again"))
            })?;
        }
        Ok(tally)
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

    /// Of a run that was stopped before it knew its backlog.
    fn report_stopped(&self) -> Report {
        self.report(Outcome::Stopped, false, &Backlog::default(), Tally::default())
    }

    fn report(&self, outcome: Outcome, scanned: bool, backlog: &Backlog, tally: Tally) -> Report {
        let done = self.progress.snapshot();
        Report {
            outcome,
            scanned,
            scanned_at: backlog.scanned_at,
            source: backlog.source,
            synced: tally.synced,
            pending: tally.pending,
            failed_files: tally.failed_files,
            vanished_files: tally.vanished_files,
            skipped_files: backlog.skipped,
            special_files: self.progress.special_files(),
            unreadable_dirs: backlog.unreadable
                + if self.options.mirror.is_some() { backlog.unreadable_at_sink } else { 0 },
            deleted_files: tally.deleted_files,
            deleted_dirs: tally.deleted_dirs,
            protected: tally.protected,
            refused_attributes: tally.refused_attributes,
            denied_attributes: tally.denied_attributes,
            planned: None,
            refusal: tally.refusal,
            read_bytes: done.read_bytes,
            written_bytes: done.written_bytes,
            kept_bytes: tally.kept_bytes,
            hole_bytes: tally.hole_bytes,
            duration: Duration::ZERO,
        }
    }
}
