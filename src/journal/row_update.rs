//! What became of the files of the backlog, recorded together with the log's lines.

use rusqlite::params;
use towpath_backend::{Kind, Metadata, RelPath};

use crate::audit::Line;
use crate::checksum::Checksum;
use crate::error::Result;
use crate::event::Side;
use crate::journal::backlog::long_holes::SET_ASIDE;
use crate::journal::backlog::pending::{BLOCKED, FileKey, NO_TURN};
use crate::journal::handle::Journal;
use crate::journal::row::kept::Kept;
use crate::journal::scan::finish::number;
use crate::journal::scan::listing::{FILE, LINK, bits, several_names};
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, signed, unsigned};

/// What became of a row of the backlog, and the lines of the log that say so.
#[derive(Debug)]
pub(crate) struct RowUpdate {
    pub(crate) key: FileKey,
    pub(crate) state: RowState,
    pub(crate) lines: Vec<Line>,
}

/// What became of a file.
#[derive(Debug)]
pub(crate) enum RowState {
    /// At the sink and durable, as these metadata say, with this checksum, and with
    /// `kept_size_bytes` of content if the source states another size.
    Synced { metadata: Metadata, kept_size_bytes: Option<u64>, kept: Kept, checksum: Option<Checksum> },
    /// The same, and its content was not touched: the recorded checksum stays.
    AttributesApplied { kept: Kept },
    /// To be sent in the pass of this number, with its new metadata if they changed.
    Retry { attempt: u32, metadata: Option<Metadata> },
    /// It is not another name of the file `of` any more: to be looked for among other names in this pass.
    OtherFile { of: RelPath, attempt: u32 },
    /// Not to be sent again in this run.
    Failed { side: Side, metadata: Option<Metadata> },
    /// It has long holes: the lane for such files takes it.
    LongHoles,
    /// A directory with content is in its place: once that is gone, it has another chance.
    Blocked,
    /// No longer in the source. A copy of it stays incomplete at the sink, if there is one.
    Vanished { incomplete: Option<(RelPath, Metadata)> },
}

impl Journal {
    /// Records updates and their lines: all of them, or none. What is
    /// `Synced` must be durable at the sink.
    pub(crate) async fn record(&self, updates: Vec<RowUpdate>) -> Result<()> {
        self.commit(move |db| db.record(&updates)).await
    }

    /// Adds lines that belong to no row to the open transaction.
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
        for update in updates {
            let failed_before = self.failed_before(update)?;
            self.record_state(&update.key, &update.state)?;
            if matches!(update.state, RowState::Failed { .. }) {
                let error = update.lines.last().and_then(|line| line.error.as_deref());
                self.set_error(&update.key, error)?;
            }
            match (failed_before, update.lines.split_last()) {
                (Some(error), Some((last, others))) => {
                    self.add_lines(others);
                    self.add_lines([&Line { failed_before: Some(error), ..last.clone() }]);
                }
                _ => self.add_lines(&update.lines),
            }
        }
        Ok(())
    }

    /// Why a file that is in sync now was given up before.
    fn failed_before(&self, update: &RowUpdate) -> Result<Option<String>> {
        if !matches!(update.state, RowState::Synced { .. } | RowState::AttributesApplied { .. }) {
            return Ok(None);
        }
        let key = params![update.key.dir, Name(&update.key.name)];
        let error = self.row("SELECT error FROM file WHERE dir = ?1 AND name = ?2", key, |row| row.get(0))?;
        Ok(error.flatten())
    }

    fn record_state(&self, key: &FileKey, state: &RowState) -> Result<()> {
        let name = Name(&key.name);
        self.may_orphan(key)?;
        match state {
            RowState::Synced { metadata, kept_size_bytes, kept, checksum } => {
                let hash = checksum.as_ref().map(|checksum| checksum.hash.as_str());
                let algorithm = checksum.as_ref().map(|checksum| checksum.algorithm.name());
                self.set_metadata(key, metadata)?;
                self.execute(
                    "UPDATE file SET status = 1, suspect = 0, work = 0, turn = 0, failed = NULL, error = NULL, begun = 0,
                         hash = ?3, algorithm = ?4, kept_size = ?5, kept_modified = ?6, kept_permissions = ?7,
                         kept_user = ?8, kept_grp = ?9
                     WHERE dir = ?1 AND name = ?2",
                    params![
                        key.dir,
                        name,
                        hash,
                        algorithm,
                        kept_size_bytes.map(signed),
                        kept.modified.map(Time),
                        kept.permissions,
                        kept.owner.map(|owner| owner.user),
                        kept.owner.map(|owner| owner.group),
                    ],
                )?;
            }
            RowState::Retry { attempt, metadata } => self.set_turn(key, *attempt, metadata.as_ref())?,
            RowState::Failed { side, metadata } => {
                self.set_turn(key, NO_TURN, metadata.as_ref())?;
                let values = params![key.dir, name, number(*side)];
                self.execute("UPDATE file SET failed = ?3 WHERE dir = ?1 AND name = ?2", values)?;
            }
            RowState::OtherFile { of, attempt } => {
                let (parent, file) = (of.parent().unwrap_or_else(RelPath::root), of.name().unwrap_or_default());
                self.execute(
                    "UPDATE file SET device = NULL, inode = NULL
                     WHERE dir = (SELECT id FROM dir WHERE path = ?1) AND name = ?2",
                    params![Name(parent.as_bytes()), Name(file)],
                )?;
                self.set_turn(key, *attempt, None)?;
            }
            RowState::LongHoles => self.set_turn(key, SET_ASIDE, None)?,
            RowState::Blocked => self.set_turn(key, BLOCKED, None)?,
            RowState::AttributesApplied { kept } => {
                self.set_kept_attributes(key, *kept)?;
                let sql = "UPDATE file SET status = 1, work = 0, turn = 0, failed = NULL, error = NULL
                     WHERE dir = ?1 AND name = ?2";
                self.execute(sql, params![key.dir, name])?;
            }
            RowState::Vanished { incomplete } => {
                if let Some((path, now)) = incomplete {
                    self.insert_incomplete(path, Some(signed(now.size_bytes)), Some(now.modified))?;
                }
                // What went during the run is no extra in the same run.
                let sql = "INSERT OR IGNORE INTO source_other VALUES (?1, ?2)";
                self.execute(sql, params![key.dir, name])?;
                self.execute("DELETE FROM file WHERE dir = ?1 AND name = ?2", params![key.dir, name])?;
            }
        }
        Ok(())
    }

    /// Keeps the reason why a file was given up, for those who read the view `files`.
    pub(in crate::journal) fn set_error(&self, key: &FileKey, error: Option<&str>) -> Result<()> {
        let sql = "UPDATE file SET error = ?3 WHERE dir = ?1 AND name = ?2";
        self.execute(sql, params![key.dir, Name(&key.name), error]).map(drop)
    }

    pub(in crate::journal) fn set_turn(&self, key: &FileKey, turn: u32, metadata: Option<&Metadata>) -> Result<()> {
        if let Some(metadata) = metadata {
            self.set_metadata(key, metadata)?;
            // Other metadata are other content: the recorded checksum is not its own.
            let forget = "UPDATE file SET hash = NULL, algorithm = NULL, work = 0 WHERE dir = ?1 AND name = ?2";
            self.execute(forget, params![key.dir, Name(&key.name)])?;
        }
        self.execute(
            "UPDATE file SET turn = ?3 WHERE dir = ?1 AND name = ?2",
            params![key.dir, Name(&key.name), turn],
        )?;
        Ok(())
    }

    fn set_metadata(&self, key: &FileKey, metadata: &Metadata) -> Result<()> {
        let id = several_names(metadata);
        self.execute(
            "UPDATE file SET size = ?3, modified = ?4, accessed = ?5, changed = ?6, created = ?7, permissions = ?8,
                 user = ?9, grp = ?10, device = ?11, inode = ?12, kind = ?13
             WHERE dir = ?1 AND name = ?2",
            params![
                key.dir,
                Name(&key.name),
                signed(metadata.size_bytes),
                Time(metadata.modified),
                metadata.accessed.map(Time),
                metadata.changed.map(Time),
                metadata.created.map(Time),
                metadata.permissions,
                metadata.owner.map(|owner| owner.user),
                metadata.owner.map(|owner| owner.group),
                id.map(|id| bits(id.device)),
                id.map(|id| bits(id.inode)),
                if metadata.kind == Kind::Symlink { LINK } else { FILE },
            ],
        )
        .map(drop)
    }

    /// Completes the log if the last run was interrupted while it appended; then clears the outbox.
    pub(in crate::journal) fn complete_log(&mut self) -> Result<()> {
        let outbox = self.row("SELECT log_length, lines FROM outbox WHERE id = 1", [], |row| {
            Ok((unsigned(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
        })?;
        if let Some((length, lines)) = outbox {
            self.log.complete(length, &lines)?;
        }
        self.log.end_line()?;
        self.log.complete_and_sync()?;
        self.execute("DELETE FROM outbox", []).map(drop)
    }
}
