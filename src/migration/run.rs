//! The course of a run: the backlog of an earlier one, a scan, and the transfer of what it found.

use std::sync::Arc;

use towpath_backend::Identity;

use super::Migration;
use super::done::Done;
use crate::error::{Error, Result};
use crate::event::{BacklogOrigin, Event, ScanReason, Side};
use crate::journal::{Backlog, Compares, Decision, Journal, RunStart, ScanOptions};
use crate::options::HardLinks;
use crate::per_side::PerSide;
use crate::phase::dry_run;
use crate::phase::recovery;
use crate::phase::scan::Scan;
use crate::phase::transfer::{self, Pool};
use crate::progress::Phase;
use crate::session::{MAX_SINK_MOUNTS, Shared};

impl Migration {
    /// Does what the plan says, and keeps in `done` what came of it, whether or not it succeeds.
    pub(super) async fn run_plan(
        &self,
        journal: &Journal,
        start: RunStart,
        identities: PerSide<Identity>,
        done: &mut Done,
    ) -> Result<()> {
        if !self.options.accept_new_tree {
            self.check_same_trees(&start.identities, &identities)?;
        }
        if start.identities[Side::Sink].as_deref().is_none_or(|then| identities.sink.is_recorded_as(then)) {
            // Of another tree's emptiness nothing is to be concluded.
            recovery::log_cut_off(journal, self.source.root(), &*self.sink).await?;
        }
        let run = start.run;
        let reason = match start.decision {
            Decision::Scan(reason) => reason,
            // What failed is tried first, and what is left of it is found again: the scan plans both.
            Decision::Resume { then: Some(reason), .. } if self.options.dry_run => {
                journal.begin_attempts().await?;
                reason
            }
            Decision::Resume { backlog, origin, then } => {
                // An earlier version may have recorded them in another form.
                journal.record_identities(identities.clone()).await?;
                self.resume(journal, &backlog, origin, then.is_some()).await?;
                done.origin = Some(origin);
                done.begin_stage(backlog);
                if self.options.dry_run {
                    return self.plan(journal, done).await;
                }
                self.transfer(journal, run, &identities, then.is_some(), done).await?;
                match then {
                    Some(reason) if !self.cancellation.is_cancelled() => {
                        journal.begin_attempts().await?;
                        reason
                    }
                    _ => return Ok(()),
                }
            }
        };
        done.begin_scan();
        let Some(backlog) = self.scan(journal, run, reason, &identities).await? else { return Ok(()) };
        self.report_whole_seconds(journal).await?;
        done.begin_stage(backlog);
        if self.options.dry_run {
            return self.plan(journal, done).await;
        }
        self.transfer(journal, run, &identities, false, done).await
    }

    /// What is recorded is of the trees that were scanned, and of no others that
    /// happen to be mounted in their places: of an empty folder where the source
    /// was nothing is concluded, and into one where the sink was nothing is written.
    fn check_same_trees(&self, recorded: &PerSide<Option<String>>, identities: &PerSide<Identity>) -> Result<()> {
        for (side, now) in identities.iter() {
            let root = if side == Side::Source { self.source.root() } else { self.sink.root() };
            if let Some(then) = recorded[side].as_deref().filter(|then| !now.is_recorded_as(then)) {
                return Err(Error::Refused(format!(
                    "the {side} {} is not the tree that was scanned: {}. Is it mounted? Nothing was done. Only if it \
                     was replaced by another one on purpose, run once with --accept-new-tree",
                    String::from_utf8_lossy(root),
                    now.difference_from(then),
                )));
            }
        }
        Ok(())
    }

    async fn resume(&self, journal: &Journal, backlog: &Backlog, origin: BacklogOrigin, then_scan: bool) -> Result<()> {
        self.progress.set_counts(Side::Source, backlog.source);
        self.progress.set_counts(Side::Sink, backlog.sink);
        self.progress.set_pending(backlog.pending);
        self.emitter.emit(Event::Resuming { pending: backlog.pending, origin, then_scan }).await;
        // The scan that follows reads these directories again.
        if then_scan { Ok(()) } else { self.report_unreadable(journal).await }
    }

    /// Reports again what the scan of this backlog could not read: nothing below is part of it.
    async fn report_unreadable(&self, journal: &Journal) -> Result<()> {
        const PAGE: usize = 256;
        let mut after = None;
        loop {
            let page = journal.unreadable_dirs(after, PAGE).await?;
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
        journal: &Journal,
        run: i64,
        reason: ScanReason,
        identities: &PerSide<Identity>,
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
        journal.begin_scan(run, options).await?;
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
            filter: self.options.filter.clone().unmatched_again(),
            delete_excluded: self.options.delete_excluded,
            journal: journal.clone(),
            progress: self.progress.clone(),
            paces: Arc::clone(&self.paces),
            emitter: self.emitter.clone(),
            cancellation: self.cancellation.clone(),
        };
        scan.run().await
    }

    /// Reports that the sink was filled by a tool that keeps whole seconds, before all is sent again.
    async fn report_whole_seconds(&self, journal: &Journal) -> Result<()> {
        const SECOND_NS: u64 = 1_000_000_000;
        if self.tolerance_ns().is_some_and(|tolerance_ns| tolerance_ns < SECOND_NS) {
            let files = journal.files_with_whole_seconds().await?;
            if files > 0 {
                self.emitter.emit(Event::WholeSecondsAtSink { files }).await;
            }
        }
        Ok(())
    }

    /// Tells what would be done.
    async fn plan(&self, journal: &Journal, done: &mut Done) -> Result<()> {
        let plan = dry_run::Plan {
            source: &*self.source,
            sink: &*self.sink,
            journal,
            emitter: &self.emitter,
            cancellation: &self.cancellation,
            mirror: self.options.mirror,
            one_file_system: self.options.filter.one_file_system,
            tolerance_ns: self.tolerance_ns(),
        };
        let (planned, refusal) = plan.tell().await?;
        done.planned = Some(planned);
        done.tally.refusal = refusal;
        Ok(())
    }

    async fn transfer(
        &self,
        journal: &Journal,
        run: i64,
        identities: &PerSide<Identity>,
        scan_follows: bool,
        done: &mut Done,
    ) -> Result<()> {
        self.progress.set_phase(Phase::Transferring);
        journal.begin_transfer(run).await?;
        let sink_mounts = journal.mount_points(Side::Sink, MAX_SINK_MOUNTS).await?;
        let shared = Arc::new(Shared {
            source: Arc::clone(&self.source),
            sink: Arc::clone(&self.sink),
            options: self.options.clone(),
            lanes: self.options.lanes_between(self.source.hints(), self.sink.hints()),
            progress: self.progress.clone(),
            paces: Arc::clone(&self.paces),
            emitter: self.emitter.clone(),
            journal: journal.clone(),
            identities: identities.clone(),
            sink_mounts,
            mtime_rounding_ns: self.mtime_rounding_ns(),
            parts: self.parts(),
            clearing: tokio::sync::Mutex::default(),
            stop: self.cancellation.child_token(),
            set_aside: tokio::sync::Notify::new(),
            scan_follows,
            pool: Pool::new(self.options.queue_capacity, self.options.block_size_bytes, transfer::SMALL_BYTES),
        });
        shared.check_identity(Side::Sink).await?;
        match transfer::run(&shared, &mut done.tally).await {
            Ok(()) | Err(Error::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if done.backlog.pending.files > 0 {
            // A file that was written but not recorded (setting an attribute failed, say) looks complete,
            // too. Make it durable before `end_run` clears the mark, or a scan takes it for in sync.
            self.sink.flush().await.map_err(|error| {
                let root = String::from_utf8_lossy(self.sink.root());
                Error::Backend(format!("flush the destination {root}: {error}; run the same command again"))
            })?;
        }
        Ok(())
    }
}
