//! The backlog: what is pending, page by page, and what became of it.

use rusqlite::params;
use rusqlite::types::Type;
use towpath_backend::{Attributes, FileId, Kind, Metadata, Owner, RelPath, Times, Timestamp};

use super::State;
use super::db::Db;
use super::listing::{FILE, LINK, bits, several_names};
use super::scan::number;
use super::value::{Name, bytes, optional_path, path, signed, unsigned};
use crate::audit::Line;
use crate::checksum::Checksum;
use crate::error::Result;
use crate::event::Side;

/// A file that is given up for this run is out of every pass's turn.
const NO_TURN: u32 = u32::MAX >> 1;
/// Nor has one that a directory is in the way of, until that is gone.
const BLOCKED: u32 = NO_TURN - 1;

/// The key of a file's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileKey {
    pub(super) dir: i64,
    pub(super) name: Vec<u8>,
}

impl FileKey {
    /// Before all rows.
    pub(crate) fn first() -> Self {
        Self { dir: -1, name: Vec::new() }
    }

    /// The number of the directory that it lies in.
    pub(crate) fn dir(&self) -> i64 {
        self.dir
    }
}

/// A row of the backlog.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    /// Where the source has it: elsewhere, if a link leads there.
    pub(crate) read_path: RelPath,
    pub(crate) metadata: Metadata,
    /// The checksum recorded for this very content, and its algorithm.
    pub(crate) recorded: Option<(String, String)>,
    /// The name in sync that it is to be another name of.
    pub(crate) name_of: Option<RelPath>,
    /// The scan saw something of another kind in its place at the sink.
    pub(crate) replaces_other_kind: bool,
}

/// What a pending row waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Its content is to be sent.
    Content,
    /// It is another name of a file that is sent once.
    Name,
    /// Content and times are there; permissions or owner are not.
    Attributes,
}

impl Work {
    pub(crate) const ALL: [Self; 3] = [Self::Content, Self::Name, Self::Attributes];

    fn number(self) -> i64 {
        match self {
            Self::Content => 0,
            Self::Name => 1,
            Self::Attributes => 2,
        }
    }
}

/// What became of a row of the backlog, and the lines of the log that say so.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) key: FileKey,
    pub(crate) verdict: Verdict,
    pub(crate) lines: Vec<Line>,
}

/// What became of a file.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// At the sink and durable, as these metadata say, with this checksum.
    Synced { metadata: Metadata, checksum: Option<Checksum> },
    /// The same, and its content was not touched: the recorded checksum stays.
    Settled,
    /// To be sent in the pass of this number, with its new metadata if they changed.
    Retry { turn: u32, metadata: Option<Metadata> },
    /// Not to be sent again in this run.
    Failed { side: Side, metadata: Option<Metadata> },
    /// A directory with content is in its place: once that is gone, it has another chance.
    Blocked,
    /// No longer in the source.
    Vanished,
}

/// A directory that the sink lacks, or whose times it is to get.
#[derive(Clone, Debug)]
pub(crate) struct PendingDir {
    pub(crate) id: i64,
    pub(crate) path: RelPath,
    /// Where the source has it: elsewhere, if a link leads there.
    pub(crate) read_path: RelPath,
    /// The source's; `None` if they are not known.
    pub(crate) times: Option<Times>,
    /// Permissions and owner, as the source has them.
    pub(crate) attributes: Attributes,
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

/// Files by size: the small ones wait for answers, the large ones for the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    All,
    Small,
    Large,
}

impl Sizes {
    /// From here on a file takes longer to be carried than to be asked for, at 100 Mbit/s.
    const LARGE_BYTES: i64 = 1 << 20;

    fn bounds(self) -> (i64, i64) {
        match self {
            Self::All => (0, i64::MAX),
            Self::Small => (0, Self::LARGE_BYTES - 1),
            Self::Large => (Self::LARGE_BYTES, i64::MAX),
        }
    }
}

impl State {
    /// Up to `limit` rows of pass `turn` that wait for `work`, of files of these `sizes`,
    /// in order, behind `after`.
    pub(crate) async fn pending_page(
        &self,
        work: Work,
        turn: u32,
        sizes: Sizes,
        after: FileKey,
        limit: usize,
    ) -> Result<Vec<Pending>> {
        self.call(move |db| match work {
            Work::Name => db.pending_names(turn, sizes, &after, limit),
            _ => db.pending_page(work, turn, sizes, &after, limit),
        })
        .await
    }

    /// Whether pass `turn` has any `work`.
    pub(crate) async fn has_turn(&self, work: Work, turn: u32) -> Result<bool> {
        Ok(!self.pending_page(work, turn, Sizes::All, FileKey::first(), 1).await?.is_empty())
    }

    /// Gives all names that still wait for their file their turn in pass `turn`.
    /// Where no name of a file is in sync nor waits for its content to be sent,
    /// its first name will, in the pass that follows.
    pub(crate) async fn begin_names(&self, turn: u32) -> Result<()> {
        self.call(move |db| {
            db.send_orphaned_names(turn + 1)?;
            db.execute("UPDATE file SET turn = ?1 WHERE status = 0 AND work = 1 AND turn < ?1", [turn]).map(drop)
        })
        .await
    }

    /// Takes up to `limit` names that still wait for their file out of this run.
    pub(crate) async fn give_up_names(&self, limit: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| db.give_up_names(limit)).await
    }

    /// What was blocked by a directory has another chance in pass `turn`; tells
    /// whether there is any.
    pub(crate) async fn unblock(&self, turn: u32) -> Result<bool> {
        self.call(move |db| {
            let unblocked = db.execute("UPDATE file SET turn = ?2 WHERE status = 0 AND turn = ?1", [BLOCKED, turn])?;
            Ok(unblocked > 0)
        })
        .await
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
                    "SELECT id, path, modified, accessed, real, permissions, user, grp FROM dir
                     WHERE {column} = 1 AND id > ?1 ORDER BY id LIMIT ?2"
                ),
                [after, signed(limit as u64)],
                |row| {
                    let modified = row.get::<_, Option<i64>>(2)?.map(Timestamp);
                    let accessed = row.get::<_, Option<i64>>(3)?.map(Timestamp);
                    let path = path(row, 1)?;
                    Ok(PendingDir {
                        id: row.get(0)?,
                        read_path: optional_path(row, 4)?.unwrap_or_else(|| path.clone()),
                        path,
                        times: modified.map(|modified| Times { modified, accessed }),
                        attributes: Attributes {
                            permissions: row.get(5)?,
                            owner: owner(row.get(6)?, row.get(7)?),
                            ..Attributes::default()
                        },
                    })
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

/// The columns of a pending row, with the metadata and the checksum of `of`.
fn columns(of: &str) -> String {
    format!(
        "file.dir, file.name, dir.path, file.kind, file.real, {of}.size, {of}.modified, {of}.accessed, {of}.changed, \
         {of}.created, {of}.permissions, {of}.user, {of}.grp, {of}.hash, {of}.algorithm, {of}.device, {of}.inode, \
         EXISTS (SELECT 1 FROM sink_entry AS there
             WHERE there.dir = file.dir AND there.name = file.name AND there.kind <> file.kind)"
    )
}

impl Db {
    fn pending_page(&self, work: Work, turn: u32, sizes: Sizes, after: &FileKey, limit: usize) -> Result<Vec<Pending>> {
        let (least, most) = sizes.bounds();
        self.rows(
            &format!(
                "SELECT {} FROM file JOIN dir ON dir.id = file.dir
                 WHERE status = 0 AND work = ?5 AND turn = ?1 AND (file.dir, file.name) > (?2, ?3)
                     AND size BETWEEN ?6 AND ?7
                 ORDER BY file.dir, file.name LIMIT ?4",
                columns("file")
            ),
            params![turn, after.dir, Name(&after.name), signed(limit as u64), work.number(), least, most],
            pending,
        )
    }

    /// Names whose file is in sync under another name. What is known of the file is known by that one.
    fn pending_names(&self, turn: u32, sizes: Sizes, after: &FileKey, limit: usize) -> Result<Vec<Pending>> {
        let (least, most) = sizes.bounds();
        self.rows(
            &format!(
                "SELECT {}, first.name, first_dir.path
                 FROM file JOIN dir ON dir.id = file.dir
                 JOIN file AS first ON (first.dir, first.name) = (
                     SELECT dir, name FROM file AS synced
                     WHERE synced.device = file.device AND synced.inode = file.inode AND synced.status = 1
                     ORDER BY dir, name LIMIT 1)
                 JOIN dir AS first_dir ON first_dir.id = first.dir
                 WHERE file.status = 0 AND file.work = ?5 AND file.turn = ?1
                     AND (file.dir, file.name) > (?2, ?3) AND file.size BETWEEN ?6 AND ?7
                 ORDER BY file.dir, file.name LIMIT ?4",
                columns("first")
            ),
            params![turn, after.dir, Name(&after.name), signed(limit as u64), Work::Name.number(), least, most],
            |row| {
                let first = join(&path(row, 19)?, &bytes(row, 18)?)?;
                Ok(Pending { name_of: Some(first), ..pending(row)? })
            },
        )
    }

    pub(super) fn send_orphaned_names(&self, turn: u32) -> Result<()> {
        self.execute(
            "UPDATE file SET work = 0, turn = ?1
             WHERE status = 0 AND work = 1 AND turn < ?2 AND NOT EXISTS (
                 SELECT 1 FROM file AS other
                 WHERE other.device = file.device AND other.inode = file.inode
                     AND (other.status = 1 OR other.work = 0 OR (other.dir, other.name) < (file.dir, file.name)))",
            [turn, BLOCKED],
        )
        .map(drop)
    }

    fn give_up_names(&self, limit: usize) -> Result<Vec<RelPath>> {
        let names = self.rows(
            "SELECT file.dir, name, path FROM file JOIN dir ON dir.id = file.dir
             WHERE status = 0 AND work = 1 AND turn < ?1 LIMIT ?2",
            params![BLOCKED, signed(limit as u64)],
            |row| {
                let key = FileKey { dir: row.get(0)?, name: bytes(row, 1)? };
                let path = join(&path(row, 2)?, &key.name)?;
                Ok((key, path))
            },
        )?;
        for (key, _) in &names {
            self.set_turn(key, NO_TURN, None)?;
        }
        Ok(names.into_iter().map(|(_, path)| path).collect())
    }

    /// Rows and log go together: the lines are kept in the transaction until
    /// the log has them, so that a crash in between loses and doubles none.
    fn record(&mut self, outcomes: &[Outcome]) -> Result<()> {
        let mut lines = Vec::new();
        for outcome in outcomes {
            self.record_verdict(&outcome.key, &outcome.verdict)?;
            lines.extend(outcome.lines.iter().cloned());
        }
        self.write_lines(&lines)
    }

    /// Commits, and writes lines that belong to what was committed.
    pub(super) fn write_lines(&mut self, written: &[Line]) -> Result<()> {
        let mut lines = Vec::new();
        for line in written {
            line.write(&mut lines);
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
                    "UPDATE file SET status = 1, suspect = 0, work = 0, turn = 0, failed = NULL, hash = ?3, algorithm = ?4
                     WHERE dir = ?1 AND name = ?2",
                    params![key.dir, name, hash, algorithm],
                )?;
            }
            Verdict::Retry { turn, metadata } => self.set_turn(key, *turn, metadata.as_ref())?,
            Verdict::Failed { side, metadata } => {
                self.set_turn(key, NO_TURN, metadata.as_ref())?;
                let values = params![key.dir, name, number(*side)];
                self.execute("UPDATE file SET failed = ?3 WHERE dir = ?1 AND name = ?2", values)?;
            }
            Verdict::Blocked => self.set_turn(key, BLOCKED, None)?,
            Verdict::Settled => {
                let sql = "UPDATE file SET status = 1, work = 0, turn = 0, failed = NULL WHERE dir = ?1 AND name = ?2";
                self.execute(sql, params![key.dir, name])?;
            }
            Verdict::Vanished => {
                // What went during the run is no extra in the same run.
                let sql = "INSERT OR IGNORE INTO source_other VALUES (?1, ?2)";
                self.execute(sql, params![key.dir, name])?;
                self.execute("DELETE FROM file WHERE dir = ?1 AND name = ?2", params![key.dir, name])?;
            }
        }
        Ok(())
    }

    fn set_turn(&self, key: &FileKey, turn: u32, metadata: Option<&Metadata>) -> Result<()> {
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
                metadata.modified.0,
                metadata.accessed.map(|time| time.0),
                metadata.changed.map(|time| time.0),
                metadata.created.map(|time| time.0),
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

fn pending(row: &rusqlite::Row<'_>) -> rusqlite::Result<Pending> {
    let key = FileKey { dir: row.get(0)?, name: bytes(row, 1)? };
    let path = join(&path(row, 2)?, &key.name)?;
    let time = |index| row.get::<_, Option<i64>>(index).map(|ns| ns.map(Timestamp));
    let kind = if row.get::<_, i64>(3)? == LINK { Kind::Symlink } else { Kind::File };
    let id = row.get::<_, Option<i64>>(15)?.zip(row.get::<_, Option<i64>>(16)?);
    let id = id.map(|(device, inode)| FileId { device: device.cast_unsigned(), inode: inode.cast_unsigned() });
    let metadata = Metadata {
        accessed: time(7)?,
        changed: time(8)?,
        created: time(9)?,
        permissions: row.get(10)?,
        owner: owner(row.get(11)?, row.get(12)?),
        id,
        // Which file it is is kept of those with several names alone.
        names: if id.is_some() { 2 } else { 1 },
        ..Metadata::new(kind, unsigned(row.get(5)?), Timestamp(row.get(6)?))
    };
    let recorded = row.get::<_, Option<String>>(13)?.zip(row.get(14)?);
    let read_path = optional_path(row, 4)?.unwrap_or_else(|| path.clone());
    let replaces_other_kind = row.get(17)?;
    Ok(Pending { key, path, read_path, metadata, recorded, name_of: None, replaces_other_kind })
}

pub(super) fn join(dir: &RelPath, name: &[u8]) -> rusqlite::Result<RelPath> {
    dir.join(name).map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))
}

fn owner(user: Option<u32>, group: Option<u32>) -> Option<Owner> {
    user.zip(group).map(|(user, group)| Owner { user, group })
}
