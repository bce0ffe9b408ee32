//! How a run ended.

use std::time::Duration;

use towpath_backend::Timestamp;

use crate::error::GuardRefusal;
use crate::event::{BacklogOrigin, Counts, Totals};

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RunOutcome {
    /// It ran to completion.
    #[default]
    Finished,
    /// It was stopped; what was finished is recorded.
    Stopped,
}

/// What a dry run would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Planned {
    /// Files and links to be sent.
    pub sent: Totals,
    /// Hard links to be created to files that are at the sink, or are sent under another name.
    pub linked_files: u64,
    /// Entries of the sink to be renamed to the source's spelling.
    pub renamed: u64,
    /// Files whose permissions, owner or extended attributes are to be applied, and nothing else.
    pub attribute_files: u64,
    /// Files that the sink cannot hold.
    pub failing_files: u64,
    /// Directories to be created.
    pub created_dirs: u64,
    /// Files and links to be deleted from the sink.
    pub deleted_files: u64,
    /// Directories to be removed from the sink.
    pub deleted_dirs: u64,
    /// Extra files that would be left for safety.
    pub protected: u64,
}

/// What a run did, and what is left.
///
/// ```
/// # fn example(report: &towpath::Report) {
/// use towpath::RunOutcome;
///
/// match report.outcome {
///     _ if report.all_in_sync() => println!("everything is in sync"),
///     RunOutcome::Finished => println!("{} files failed", report.failed_files),
///     _ => println!("stopped with {} files pending", report.pending.files),
/// }
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Whether it ran to completion.
    pub outcome: RunOutcome,
    /// Whether it scanned the trees. `false`: it only worked on the backlog of an earlier run.
    pub scanned: bool,
    /// The backlog of an earlier run that this run began with, by how that run ended.
    pub backlog: Option<BacklogOrigin>,
    /// When the scan that created the backlog began: what was created or changed since then may be
    /// unknown to this run. `None`: no scan was completed.
    pub scanned_at: Option<Timestamp>,
    /// What the source contains, by the scan that created the backlog.
    pub source: Counts,
    /// Files of `source` that are in sync.
    pub in_sync_files: u64,
    /// Files sent and made durable by this run.
    pub synced: Totals,
    /// Files still to be sent, failed ones among them.
    pub pending: Totals,
    /// Files that failed in this run.
    pub failed_files: u64,
    /// Files that no longer exist in the source, dropped from the backlog.
    pub vanished_files: u64,
    /// Names in the source that are not copied: links that the sink cannot hold, unfinished files of
    /// other migrations, special files with [`crate::Specials::Fail`].
    pub skipped_files: u64,
    /// Special files in the source (FIFOs, sockets, devices) with [`crate::Specials::Skip`]. Counted by
    /// the scan: 0 in a run that resumed a backlog.
    pub special_files: u64,
    /// Paths that could not be read, directories and single entries: what is at and below them is unknown.
    pub unreadable_dirs: u64,
    /// Files and links deleted from the sink, or moved to the trash.
    pub deleted_files: u64,
    /// Emptied directories removed from the sink.
    pub deleted_dirs: u64,
    /// Extras that were left for safety.
    pub protected: u64,
    /// Times, permissions, owners and extended attributes that the sink did not accept or keep.
    pub attributes_not_accepted: u64,
    /// Those of them that the system did not let this user set, such as the owner of a file.
    pub denied_attributes: u64,
    /// What a run would do, if this was a dry run.
    pub planned: Option<Planned>,
    /// Why a guard stopped all deletion, or any further deletion.
    pub refusal: Option<GuardRefusal>,
    /// The hash of the last line of the audit log, if its lines are linked ([`crate::Options::audit_chain`]). Whoever
    /// keeps it elsewhere finds later whether the log still has that line, and all before it.
    pub audit_chain_end: Option<String>,
    /// Bytes read from the source by this run.
    pub read_bytes: u64,
    /// Bytes written to the sink by this run.
    pub written_bytes: u64,
    /// Of these, the bytes of finished files. The others belong to files that failed, changed or were
    /// stopped; those are sent again from their first byte.
    pub kept_bytes: u64,
    /// Holes of finished files, which are not written.
    pub hole_bytes: u128,
    /// Entries that are not in sync and that exceptions cover ([`crate::AcceptedEntries`]).
    pub accepted: u64,
    /// Entries that are not in sync and that no exception covers. `None`: there are no exceptions, or the run did not
    /// finish.
    pub not_accepted: Option<u64>,
    /// How long the run took.
    pub duration: Duration,
}

impl Report {
    /// Whether every file of the source, apart from special files, is at the sink with the requested attributes, as far
    /// as the sink can keep them; for a mirror also whether nothing else is there. A run that did not scan knows the
    /// trees as they were at [`Self::scanned_at`].
    pub fn all_in_sync(&self) -> bool {
        self.outcome == RunOutcome::Finished
            && self.pending.files == 0
            && self.failed_files == 0
            && self.skipped_files == 0
            && self.unreadable_dirs == 0
            && self.protected == 0
            && self.denied_attributes == 0
            && self.refusal.is_none()
    }

    /// Whether exceptions cover everything that keeps [`Self::all_in_sync`] from being true.
    pub fn all_in_sync_or_accepted(&self) -> bool {
        let only_accepted = self.outcome == RunOutcome::Finished
            && self.not_accepted == Some(0)
            && self.skipped_files == 0
            && self.protected == 0
            && self.denied_attributes == 0
            && self.refusal.is_none();
        self.all_in_sync() || only_accepted
    }
}
