//! The results of pending files, recorded together with the log's lines.

use rusqlite::{named_params, params};
use towpath_backend::{Metadata, RelPath};

use crate::audit::Line;
use crate::checksum::Checksum;
use crate::error::{Error, FailureCode, Result};
use crate::event::{Side, Totals};
use crate::journal::handle::Journal;
use crate::journal::row::cause::Cause;
use crate::journal::row::detail::Sent;
use crate::journal::row::file::{Attempt, FileKey};
use crate::journal::row::kept::{Kept, KeptColumns, SET_KEPT_ATTRIBUTES};
use crate::journal::row::not_copied::NotCopied;
use crate::journal::store::db::Db;
use crate::journal::store::slowest::SlowFile;
use crate::journal::store::value::{Name, signed};

/// The new state of a row of the backlog, with its lines for the log.
#[derive(Debug)]
pub(crate) struct RowUpdate {
    pub(crate) key: FileKey,
    pub(crate) state: RowState,
    pub(crate) lines: Vec<Line>,
    /// Of content that was sent: how long it took.
    pub(crate) sent: Option<SlowFile>,
}

/// The new state of a file.
#[derive(Debug)]
pub(crate) enum RowState {
    /// At the sink and durable, with these metadata and this checksum, and with
    /// `kept_size_bytes` of content if the source states another size.
    Synced { metadata: Metadata, kept_size_bytes: Option<u64>, sent: Sent, kept: Kept, checksum: Option<Checksum> },
    /// Its attributes were applied; its content was not touched, so the recorded checksum stays.
    AttributesApplied { sent: Sent, kept: Kept },
    /// It is sent again in this attempt, with its new metadata if they changed.
    Retry { attempt: u32, metadata: Option<Metadata> },
    /// It is no longer another name of the file `of`; it is sent as a separate file in this attempt.
    OtherFile { of: RelPath, attempt: u32 },
    /// It failed, and is not sent again in this run.
    Failed { side: Side, code: FailureCode, metadata: Option<Metadata> },
    /// It has long holes: the lane for such files sends it.
    LongHoles,
    /// It conflicts with a directory that has content: it is retried once that is removed.
    Blocked,
    /// No longer in the source. `incomplete`: the sink keeps an incomplete copy of it.
    Vanished { incomplete: Option<(RelPath, Metadata)> },
}

impl RowState {
    fn is_in_sync(&self) -> bool {
        matches!(self, Self::Synced { .. } | Self::AttributesApplied { .. })
    }
}

impl Journal {
    /// Records each update and its lines atomically, and that all leave this number of pending files. Files that
    /// are `Synced` must be durable at the sink.
    pub(crate) async fn record(&self, updates: Vec<RowUpdate>, pending: Totals) -> Result<()> {
        self.commit(move |db| {
            db.record(&updates)?;
            db.set_run_pending(pending);
            Ok(())
        })
        .await
    }

    /// Records why a file that stays pending was not sent, as the run ends because of it.
    pub(crate) async fn note_cause(&self, key: FileKey, cause: Cause) -> Result<()> {
        self.call(move |db| db.set_cause(&key, &cause)).await
    }

    /// Adds lines without a row to the open transaction.
    pub(crate) async fn log(&self, lines: Vec<Line>) -> Result<()> {
        self.call(move |db| {
            db.add_lines(&lines);
            Ok(())
        })
        .await
    }
}

impl Db {
    pub(in crate::journal) fn record(&mut self, updates: &[RowUpdate]) -> Result<()> {
        let has_accepted = self.has_accepted()?;
        for update in updates {
            if let Some(sent) = &update.sent {
                self.add_sent(sent);
            }
            if has_accepted
                && (update.state.is_in_sync() || matches!(update.state, RowState::Vanished { .. }))
                && let Some(line) = update.lines.last()
            {
                self.settle_accepted_file(&update.key, line.paths.clone())?;
            }
            let failed_before = if update.state.is_in_sync() { self.last_error(&update.key)? } else { None };
            self.mark_orphans(&update.key)?;
            self.record_state(&update.key, &update.state)?;
            if let RowState::Failed { side, code, .. } = update.state {
                let text = update.lines.last().and_then(|line| line.error.clone()).unwrap_or_default();
                self.set_cause(&update.key, &Cause { code, side: Some(side), text })?;
            }
            match (failed_before, update.lines.split_last()) {
                (Some(error), Some((last, others))) => {
                    self.add_lines(others);
                    self.add_lines([&Line { failed_before: Some(error), ..last.clone() }]);
                }
                _ => self.add_lines(&update.lines),
            }
            if self.has_many_lines()? {
                self.commit_and_begin()?;
            }
        }
        Ok(())
    }

    /// Why the file failed in an earlier run.
    fn last_error(&self, key: &FileKey) -> Result<Option<String>> {
        let sql = "SELECT error FROM file WHERE dir = ?1 AND name = ?2";
        self.row(sql, params![key.dir, Name(&key.name)], |row| row.get("error")).map(Option::flatten)
    }

    fn record_state(&self, key: &FileKey, state: &RowState) -> Result<()> {
        match state {
            RowState::Synced { metadata, kept_size_bytes, sent, kept, checksum } => {
                self.set_metadata(key, metadata)?;
                self.set_sent(key, sent)?;
                self.set_synced(key, *kept_size_bytes, kept, checksum.as_ref())
            }
            RowState::AttributesApplied { sent, kept } => {
                self.set_sent(key, sent)?;
                self.set_attributes_applied(key, kept)
            }
            RowState::Retry { attempt, metadata } => {
                self.set_attempt(key, Attempt::Number(*attempt), metadata.as_ref())
            }
            RowState::OtherFile { of, attempt } => {
                let (dir, name) = Name::split(of);
                self.execute(
                    "UPDATE file SET device = NULL, inode = NULL
                     WHERE dir = (SELECT id FROM dir WHERE path = ?1) AND name = ?2",
                    params![dir, name],
                )?;
                self.set_attempt(key, Attempt::Number(*attempt), None)
            }
            RowState::Failed { side, metadata, .. } => {
                self.set_attempt(key, Attempt::GivenUp, metadata.as_ref())?;
                let sql = "UPDATE file SET failed = ?3 WHERE dir = ?1 AND name = ?2";
                self.execute(sql, params![key.dir, Name(&key.name), side]).map(drop)
            }
            RowState::LongHoles => self.set_attempt(key, Attempt::SetAside, None),
            RowState::Blocked => self.set_attempt(key, Attempt::Blocked, None),
            RowState::Vanished { incomplete } => {
                if let Some((path, now)) = incomplete {
                    self.insert_incomplete(path, Some(signed(now.size_bytes)), Some(now.modified))?;
                }
                self.remove_vanished(key)
            }
        }
    }

    /// Records what was sent beside content and metadata; what was not sent stays as it is.
    fn set_sent(&self, key: &FileKey, sent: &Sent) -> Result<()> {
        if *sent == Sent::default() {
            return Ok(());
        }
        self.execute(
            "UPDATE file SET target = coalesce(:target, target), xattrs = coalesce(:xattrs, xattrs)
             WHERE dir = :dir AND name = :name",
            named_params! {
                ":dir": key.dir, ":name": Name(&key.name), ":target": sent.target.as_deref().map(Name),
                ":xattrs": sent.xattrs,
            },
        )
        .map(drop)
    }

    fn set_synced(
        &self,
        key: &FileKey,
        kept_size_bytes: Option<u64>,
        kept: &Kept,
        checksum: Option<&Checksum>,
    ) -> Result<()> {
        let kept = KeptColumns::of(kept);
        let (kept_size, hash) = (kept_size_bytes.map(signed), checksum.map(|checksum| checksum.hash.as_str()));
        let own = named_params! {
            ":dir": key.dir, ":name": Name(&key.name), ":kept_size": kept_size, ":hash": hash,
            ":algorithm": checksum.map(|checksum| checksum.algorithm.name()), ":run": self.run(),
        };
        let updated = self.execute(
            &format!(
                "UPDATE file SET status = 1, suspect = 0, work = 0, turn = 0, failed = NULL, error = NULL, error_code = NULL,
                     error_side = NULL, begun = 0,
                     hash = :hash, algorithm = :algorithm, kept_size = :kept_size, kept_modified = :kept_modified,
                     kept_target = :kept_target,
                     synced_run = :run, verify_class = NULL,
                     {SET_KEPT_ATTRIBUTES}
                 WHERE dir = :dir AND name = :name"
            ),
            &[own, &kept.attributes(), &[kept.modified(), kept.target()]].concat()[..],
        )?;
        require_row(key, updated)
    }

    fn set_attributes_applied(&self, key: &FileKey, kept: &Kept) -> Result<()> {
        let kept = KeptColumns::of(kept);
        let own = named_params! { ":dir": key.dir, ":name": Name(&key.name) };
        let updated = self.execute(
            &format!(
                "UPDATE file SET status = 1, work = 0, turn = 0, failed = NULL, error = NULL, error_code = NULL,
                     error_side = NULL, {SET_KEPT_ATTRIBUTES}
                 WHERE dir = :dir AND name = :name"
            ),
            &[own, &kept.attributes()].concat()[..],
        )?;
        require_row(key, updated)
    }

    /// A file that vanished during the run does not count as an extra in the same run.
    fn remove_vanished(&self, key: &FileKey) -> Result<()> {
        self.execute(
            "INSERT OR IGNORE INTO source_other(dir, name, kind, size, reason)
             SELECT dir, name, coalesce(listed_kind, kind), coalesce(listed_size, size), ?3 FROM file
             WHERE dir = ?1 AND name = ?2",
            params![key.dir, Name(&key.name), NotCopied::Vanished],
        )?;
        let values = params![key.dir, Name(&key.name)];
        self.execute("DELETE FROM file WHERE dir = ?1 AND name = ?2", values).map(drop)
    }
}

/// Every file that is sent comes from a row, so its row must exist.
fn require_row(key: &FileKey, updated: usize) -> Result<()> {
    if updated == 1 {
        return Ok(());
    }
    let name = String::from_utf8_lossy(&key.name);
    Err(Error::Internal(format!("the database has no row for {name} in its directory {}, which was sent", key.dir)))
}
