//! The results of a run over all its stages, and its report.

use std::time::Duration;

use crate::event::{BacklogOrigin, Totals};
use crate::journal::Backlog;
use crate::report::{Planned, Report, RunOutcome};
use crate::session::Session;
use crate::tally::Tally;

/// The results of a run so far.
#[derive(Debug, Default)]
pub(super) struct Done {
    /// Whether this run has begun to scan.
    scanned: bool,
    /// How the earlier run ended whose backlog this run resumed.
    pub(super) origin: Option<BacklogOrigin>,
    /// The result of the last complete scan; empty while another scan runs.
    pub(super) backlog: Backlog,
    /// The sums over all stages; `pending` is that of the last one.
    pub(super) tally: Tally,
    /// Files that vanished before that scan, which did not count them.
    vanished_before: u64,
    pub(super) planned: Option<Planned>,
}

impl Done {
    /// Begins a scan: the results of an earlier scan no longer count.
    pub(super) fn begin_scan(&mut self) {
        self.scanned = true;
        self.backlog = Backlog::default();
        self.tally.pending = Totals::default();
    }

    /// Begins to send this backlog.
    pub(super) fn begin_stage(&mut self, backlog: Backlog) {
        self.tally.pending = backlog.pending;
        self.vanished_before = self.tally.vanished_files;
        self.backlog = backlog;
    }

    /// The report of the run.
    pub(super) fn report(self, session: &Session, outcome: RunOutcome) -> Report {
        let Self { scanned, origin, backlog, tally, vanished_before, planned } = self;
        let counters = session.progress.snapshot();
        let missing_files = tally.pending.files + tally.vanished_files.saturating_sub(vanished_before);
        Report {
            audit_chain_end: None,
            outcome,
            scanned,
            backlog: origin,
            scanned_at: backlog.scanned_at,
            source: backlog.source,
            in_sync_files: backlog.source.files.saturating_sub(missing_files),
            synced: tally.synced,
            pending: tally.pending,
            failed_files: tally.failed_files,
            vanished_files: tally.vanished_files,
            skipped_files: backlog.skipped,
            special_files: session.progress.special_files(),
            unreadable_dirs: backlog.unreadable
                + if session.options.mirror.is_some() { backlog.unreadable_at_sink } else { 0 },
            deleted_files: tally.deleted_files,
            deleted_dirs: tally.deleted_dirs,
            protected: tally.protected,
            attributes_not_accepted: tally.attributes_not_accepted,
            denied_attributes: tally.denied_attributes,
            planned,
            refusal: tally.refusal,
            read_bytes: counters.read_bytes,
            written_bytes: counters.written_bytes,
            kept_bytes: tally.kept_bytes,
            hole_bytes: tally.hole_bytes,
            accepted: 0,
            not_accepted: None,
            duration: Duration::ZERO,
        }
    }
}
