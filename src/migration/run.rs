//! The order of a run: the backlog of an earlier run, a scan, and the transfer of what it found.

use std::sync::Arc;

use crate::error::{Error, GuardRefusal, Result, UnreadableError};
use crate::event::{BacklogOrigin, Event, ScanReason, Side};
use crate::journal::{Backlog, Compares, Decision, DirWork, RunStart, ScanOptions};
use crate::options::{Extent, Mirror};
use crate::per_side::PerSide;
use crate::phase::transfer::{self, HoleLane, LAST_ATTEMPT, Transfer};
use crate::phase::{directories, dry_run, mirror, recovery, respell, scan, unsent};
use crate::progress::Phase;
use crate::session::Session;

use super::done::Done;

/// One run of a migration.
pub(super) struct Run<'a> {
    pub(super) session: &'a Arc<Session>,
    /// The number of the run in the database.
    pub(super) number: i64,
    /// The results so far, whether or not the run succeeds.
    pub(super) done: &'a mut Done,
}

impl Run<'_> {
    /// Runs according to the resume-or-scan decision.
    pub(super) async fn run(&mut self, start: RunStart) -> Result<()> {
        if !self.session.options.accept_new_tree {
            self.check_same_trees(&start.identities)?;
        }
        if self.is_recorded(Side::Sink, &start.identities) {
            // On another tree, all deletions would appear to have taken place.
            recovery::log_deletions(self.session).await?;
        }
        let reason = match start.decision {
            Decision::Scan(reason) => reason,
            // A real run retries failed files before its scan; a dry run plans them with the scan.
            Decision::Resume { then: Some(reason), .. } if self.session.options.dry_run => {
                self.session.journal.begin_attempts().await?;
                reason
            }
            Decision::Resume { backlog, origin, then } => {
                self.resume(&backlog, origin, then.is_some()).await?;
                self.done.origin = Some(origin);
                self.send_or_plan(backlog, then.is_some()).await?;
                match then {
                    Some(reason) if !self.session.is_stopped() => {
                        self.session.journal.begin_attempts().await?;
                        reason
                    }
                    _ => return Ok(()),
                }
            }
        };
        self.done.begin_scan();
        let Some(backlog) = self.scan(reason).await? else { return Ok(()) };
        self.report_whole_seconds().await?;
        if self.session.options.extent != Extent::Migration {
            self.done.begin_stage(backlog);
            return unsent::foresee_impossible(self.session).await;
        }
        self.send_or_plan(backlog, false).await
    }

    /// Whether a tree is the one that was scanned, or no tree was scanned yet.
    fn is_recorded(&self, side: Side, recorded: &PerSide<Option<String>>) -> bool {
        recorded[side].as_deref().is_none_or(|then| self.session.identities[side].is_recorded_as(then))
    }

    /// Checks that the trees are those that were scanned, and not an empty folder or another tree mounted in their
    /// place.
    fn check_same_trees(&self, recorded: &PerSide<Option<String>>) -> Result<()> {
        for (side, now) in self.session.identities.iter() {
            if let Some(then) = recorded[side].as_deref().filter(|then| !now.is_recorded_as(then)) {
                let (root, difference) = (self.session.tree(side).root().to_vec(), now.difference_from(then));
                return Err(GuardRefusal::OtherTree { side, root, difference }.into());
            }
        }
        Ok(())
    }

    /// Begins to resume the backlog of an earlier run.
    async fn resume(&self, backlog: &Backlog, origin: BacklogOrigin, then_scan: bool) -> Result<()> {
        let session = self.session;
        // An earlier version may have recorded the identities in another form.
        session.journal.record_identities(session.identities.clone()).await?;
        session.progress.set_counts(Side::Source, backlog.source);
        session.progress.set_counts(Side::Sink, backlog.sink);
        session.progress.set_pending(backlog.pending);
        session.reporter.notify(Event::Resuming { pending: backlog.pending, origin, then_scan }).await;
        // The scan that follows reads these directories again, and a retry is about others.
        if then_scan || session.options.retry.is_some() { Ok(()) } else { self.report_unreadable().await }
    }

    /// Reports again the directories that the scan of this backlog could not read: it has nothing below them.
    async fn report_unreadable(&self) -> Result<()> {
        const PAGE: usize = 256;
        let session = self.session;
        let mut after = None;
        loop {
            let page = session.journal.unreadable_dirs(after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.clone());
            let concerns_run = |side| side == Side::Source || session.options.mirror.is_some();
            for (side, dir) in page.into_iter().filter(|(side, _)| concerns_run(*side)) {
                let path = dir.under(session.tree(side).root());
                let error = UnreadableError::InEarlierScan;
                session.reporter.notify(Event::Unreadable { side, path, error }).await;
            }
        }
    }

    /// Scans both trees; `None` if the run was stopped before the end.
    async fn scan(&self, reason: ScanReason) -> Result<Option<Backlog>> {
        let (session, options) = (self.session, &self.session.options);
        session.progress.set_scanned_at(None);
        session.progress.set_phase(Phase::Scanning);
        session.reporter.notify(Event::ScanStarted { reason }).await;
        let compares = Compares {
            permissions: options.keep_permissions,
            owner: options.keep_owner,
            xattrs: options.keep_xattrs,
            hard_links: session.keeps_hard_links(),
        };
        let scan_options = ScanOptions {
            tolerance_ns: session.mtime_tolerance_ns(),
            compares,
            accepts_new_tree: options.accept_new_tree,
            names: session.sink.capabilities().names,
            settings: options.settings(),
        };
        session.journal.begin_scan(self.number, scan_options).await?;
        scan::run(session).await
    }

    /// Reports that a tool that keeps whole seconds filled the sink, before all files are sent again.
    async fn report_whole_seconds(&self) -> Result<()> {
        const SECOND_NS: u64 = 1_000_000_000;
        let session = self.session;
        if session.mtime_tolerance_ns().is_some_and(|tolerance_ns| tolerance_ns < SECOND_NS) {
            let files = session.journal.files_with_whole_seconds().await?;
            if files > 0 {
                session.reporter.notify(Event::WholeSecondsAtSink { files }).await;
            }
        }
        Ok(())
    }

    /// Sends a backlog, or, in a dry run, reports what would be done.
    async fn send_or_plan(&mut self, backlog: Backlog, scan_follows: bool) -> Result<()> {
        let pending = backlog.pending;
        self.session.progress.set_scanned_at(backlog.scanned_at);
        self.done.begin_stage(backlog);
        if self.session.options.dry_run {
            let (planned, refusal) = dry_run::run(self.session).await?;
            self.done.planned = Some(planned);
            self.done.tally.refusal = refusal;
            return Ok(());
        }
        self.session.progress.set_phase(Phase::Transferring);
        self.session.journal.begin_transfer(self.number, pending).await?;
        self.session.load_sink_mounts().await?;
        self.session.check_tree(Side::Sink).await?;
        match self.send(scan_follows).await {
            Ok(()) | Err(Error::Interrupted) => {}
            Err(error) => return Err(error),
        }
        if pending.files > 0 {
            // A file that was written but not recorded, for example because an attribute could not be set, looks
            // complete, too. It must be durable before `end_run` clears the mark: a scan counts it as in sync.
            self.session.flush_sink().await?;
        }
        Ok(())
    }

    /// Sends a backlog. If a scan follows, each file has one attempt, and everything else is left to the stage after
    /// the scan: only the scan finds extras, vanished files and changed directories.
    async fn send(&mut self, scan_follows: bool) -> Result<()> {
        let (session, tally) = (self.session, &mut self.done.tally);
        let is_retry = session.options.retry.is_some();
        if !is_retry {
            recovery::remove_leftovers(session).await?;
            respell::run(session).await?;
        }
        let transfer = Transfer::new(session, scan_follows);
        transfer::run_attempts(&transfer, HoleLane::BesideOthers, tally).await?;
        if scan_follows || session.is_stopped() {
            return Ok(());
        }
        if session.journal.has_long_holes().await? {
            session.journal.restart_names().await?;
            transfer::run_attempts(&transfer, HoleLane::All, tally).await?;
        }
        if let Some(mirror) = session.options.mirror.filter(|_| !session.is_stopped()) {
            self.mirror(mirror, &transfer).await?;
        }
        if session.is_stopped() {
            return Ok(());
        }
        unsent::report(session, is_retry, &mut self.done.tally).await?;
        session.progress.set_phase(Phase::Finalizing);
        // Creating a directory changes the mtime of its parent: times are set last.
        for work in [DirWork::Create, DirWork::Finalize] {
            directories::run(session, work, &mut self.done.tally).await?;
        }
        Ok(())
    }

    /// Deletes extras, then sends the files that a deleted directory blocked.
    async fn mirror(&mut self, mirror: Mirror, transfer: &Arc<Transfer>) -> Result<()> {
        let (session, tally) = (self.session, &mut self.done.tally);
        session.progress.set_phase(Phase::Mirroring);
        match mirror::run(session, mirror, tally).await {
            // After a guard refusal, the sent files still count.
            Err(Error::Refused(reason)) => tally.refusal = Some(reason),
            result => result?,
        }
        let attempt = LAST_ATTEMPT + 1;
        if session.journal.unblock(attempt).await? && !session.is_stopped() {
            session.journal.begin_names(attempt).await?;
            session.progress.set_phase(Phase::Transferring);
            transfer::run_attempt(transfer, attempt, HoleLane::All, tally).await?;
        }
        Ok(())
    }
}
