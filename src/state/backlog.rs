//! The backlog: what is pending, page by page, and what became of it.

use rusqlite::params;
use towpath_backend::{Kind, Metadata, RelPath, Times, Timestamp};

use super::State;
use super::db::Db;
use super::scan::LINK;
use super::value::{Name, bytes, path, signed, unsigned};
use crate::audit::Line;
use crate::checksum::Checksum;
use crate::error::Result;

/// A file that is given up for this run is out of every pass's turn.
const NO_TURN: u32 = u32::MAX >> 1;

/// The key of a file's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileKey {
    dir: i64,
    name: Vec<u8>,
}

impl FileKey {
    /// Before all rows.
    pub(crate) fn first() -> Self {
        Self { dir: -1, name: Vec::new() }
    }
}

/// A row of the backlog.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    pub(crate) metadata: Metadata,
    /// The checksum recorded for this very content, and its algorithm.
    pub(crate) recorded: Option<(String, String)>,
}

/// What became of a row of the backlog, and the line of the log that says so.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) key: FileKey,
    pub(crate) verdict: Verdict,
    pub(crate) line: Option<Line>,
}

/// What became of a file.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// At the sink and durable, as these metadata say, with this checksum.
    Synced { metadata: Metadata, checksum: Option<Checksum> },
    /// To be sent in the pass of this number, with its new metadata if they changed.
    Retry { turn: u32, metadata: Option<Metadata> },
    /// Not to be sent again in this run.
    Failed { metadata: Option<Metadata> },
    /// No longer in the source.
    Vanished,
}

/// A directory that the sink lacks, or whose times it is to get.
#[derive(Clone, Debug)]
pub(crate) struct PendingDir {
    pub(crate) id: i64,
    pub(crate) path: RelPath,
    /// The source's; `None` if they are not known.
    pub(crate) times: Option<Times>,
}

/// What a directory waits for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DirWork {
    /// To be made.
    Make,
    /// To get its times, once its content is there.
    Settle,
}

impl DirWork {
    fn column(self) -> &'static str {
        match self {
            Self::Make => "missing",
            Self::Settle => "settle",
        }
    }
}

impl State {
    /// Up to `limit` files of pass `turn`, in order, behind `after`.
    pub(crate) async fn pending_page(&self, turn: u32, after: FileKey, limit: usize) -> Result<Vec<Pending>> {
        self.call(move |db| db.pending_page(turn, &after, limit)).await
    }

    /// Whether pass `turn` has anything to send.
    pub(crate) async fn has_turn(&self, turn: u32) -> Result<bool> {
        Ok(!self.pending_page(turn, FileKey::first(), 1).await?.is_empty())
    }

    /// Records outcomes and their lines: all of them, or none. What is
    /// `Synced` must be durable at the sink.
    pub(crate) async fn record(&self, outcomes: Vec<Outcome>) -> Result<()> {
        self.call(move |db| db.record(&outcomes)).await
    }

    /// Writes lines that belong to no row into the log.
    pub(crate) async fn log(&self, lines: Vec<Line>) -> Result<()> {
        self.call(move |db| {
            let mut text = Vec::new();
            for line in &lines {
                line.write(&mut text);
            }
            db.log.append(&text)
        })
        .await
    }

    /// Up to `limit` directories that wait for `work`, behind the one with id `after`.
    pub(crate) async fn pending_dirs(&self, work: DirWork, after: i64, limit: usize) -> Result<Vec<PendingDir>> {
        let column = work.column();
        self.call(move |db| {
            db.rows(
                &format!(
                    "SELECT id, path, modified, accessed FROM dir WHERE {column} = 1 AND id > ?1 ORDER BY id LIMIT ?2"
                ),
                [after, signed(limit as u64)],
                |row| {
                    let modified = row.get::<_, Option<i64>>(2)?.map(Timestamp);
                    let accessed = row.get::<_, Option<i64>>(3)?.map(Timestamp);
                    let times = modified.map(|modified| Times { modified, accessed });
                    Ok(PendingDir { id: row.get(0)?, path: path(row, 1)?, times })
                },
            )
        })
        .await
    }

    /// Records directories for which `work` is done, and those for which it failed.
    pub(crate) async fn dirs_done(&self, work: DirWork, done: Vec<i64>, failed: Vec<i64>) -> Result<()> {
        let sql = format!("UPDATE dir SET {} = ?2 WHERE id = ?1", work.column());
        self.commit(move |db| {
            for (ids, state) in [(&done, 0), (&failed, 2)] {
                for id in ids {
                    db.execute(&sql, [*id, state])?;
                }
            }
            Ok(())
        })
        .await
    }
}

impl Db {
    fn pending_page(&self, turn: u32, after: &FileKey, limit: usize) -> Result<Vec<Pending>> {
        self.rows(
            "SELECT file.dir, file.name, dir.path, size, file.modified, file.accessed, changed, created, permissions,
                 hash, algorithm, kind
             FROM file JOIN dir ON dir.id = file.dir
             WHERE status = 0 AND turn = ?1 AND (file.dir, file.name) > (?2, ?3)
             ORDER BY file.dir, file.name LIMIT ?4",
            params![turn, after.dir, Name(&after.name), signed(limit as u64)],
            |row| {
                let key = FileKey { dir: row.get(0)?, name: bytes(row, 1)? };
                let path = path(row, 2)?.join(&key.name).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Text, Box::new(error))
                })?;
                let time = |index| row.get::<_, Option<i64>>(index).map(|ns| ns.map(Timestamp));
                let kind = if row.get::<_, i64>(11)? == LINK { Kind::Symlink } else { Kind::File };
                let metadata = Metadata {
                    accessed: time(5)?,
                    changed: time(6)?,
                    created: time(7)?,
                    permissions: row.get(8)?,
                    ..Metadata::new(kind, unsigned(row.get(3)?), Timestamp(row.get(4)?))
                };
                let recorded = row.get::<_, Option<String>>(9)?.zip(row.get(10)?);
                Ok(Pending { key, path, metadata, recorded })
            },
        )
    }

    /// Rows and log go together: the lines are kept in the transaction until
    /// the log has them, so that a crash in between loses and doubles none.
    fn record(&mut self, outcomes: &[Outcome]) -> Result<()> {
        let mut lines = Vec::new();
        for outcome in outcomes {
            self.record_verdict(&outcome.key, &outcome.verdict)?;
            if let Some(line) = &outcome.line {
                line.write(&mut lines);
            }
        }
        let log_length = signed(self.log.length()?);
        self.execute("INSERT OR REPLACE INTO outbox VALUES (1, ?1, ?2)", params![log_length, lines])?;
        self.commit()?;
        self.log.append(&lines)
    }

    fn record_verdict(&self, key: &FileKey, verdict: &Verdict) -> Result<()> {
        let name = Name(&key.name);
        match verdict {
            Verdict::Synced { metadata, checksum } => {
                let hash = checksum.as_ref().map(|checksum| checksum.hash.as_str());
                let algorithm = checksum.as_ref().map(|checksum| checksum.algorithm.name());
                self.set_metadata(key, metadata)?;
                self.execute(
                    "UPDATE file SET status = 1, suspect = 0, turn = 0, hash = ?3, algorithm = ?4
                     WHERE dir = ?1 AND name = ?2",
                    params![key.dir, name, hash, algorithm],
                )?;
            }
            Verdict::Retry { turn, metadata } => self.set_turn(key, *turn, metadata.as_ref())?,
            Verdict::Failed { metadata } => self.set_turn(key, NO_TURN, metadata.as_ref())?,
            Verdict::Vanished => {
                self.execute("DELETE FROM file WHERE dir = ?1 AND name = ?2", params![key.dir, name])?;
            }
        }
        Ok(())
    }

    fn set_turn(&self, key: &FileKey, turn: u32, metadata: Option<&Metadata>) -> Result<()> {
        if let Some(metadata) = metadata {
            self.set_metadata(key, metadata)?;
            // Other metadata are other content: the recorded checksum is not its own.
            let forget = "UPDATE file SET hash = NULL, algorithm = NULL WHERE dir = ?1 AND name = ?2";
            self.execute(forget, params![key.dir, Name(&key.name)])?;
        }
        self.execute(
            "UPDATE file SET turn = ?3 WHERE dir = ?1 AND name = ?2",
            params![key.dir, Name(&key.name), turn],
        )?;
        Ok(())
    }

    fn set_metadata(&self, key: &FileKey, metadata: &Metadata) -> Result<()> {
        self.execute(
            "UPDATE file SET size = ?3, modified = ?4, accessed = ?5, changed = ?6, created = ?7, permissions = ?8
             WHERE dir = ?1 AND name = ?2",
            params![
                key.dir,
                Name(&key.name),
                signed(metadata.size_bytes),
                metadata.modified.0,
                metadata.accessed.map(|time| time.0),
                metadata.changed.map(|time| time.0),
                metadata.created.map(|time| time.0),
                metadata.permissions,
            ],
        )
        .map(drop)
    }

    /// Completes the log, if the last run was cut off while it wrote there.
    pub(super) fn complete_log(&mut self) -> Result<()> {
        let outbox = self.row("SELECT log_length, lines FROM outbox WHERE id = 1", [], |row| {
            Ok((unsigned(row.get(0)?), row.get::<_, Vec<u8>>(1)?))
        })?;
        if let Some((length, lines)) = outbox {
            self.log.complete(length, &lines)?;
            self.execute("DELETE FROM outbox", [])?;
        }
        Ok(())
    }
}
