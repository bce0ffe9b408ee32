//! The backlog: what is pending, page by page, and what became of it.

use rusqlite::params;
use rusqlite::types::Type;
use towpath_backend::{FileId, Kind, Metadata, Owner, RelPath, Timestamp};

use super::State;
use super::db::Db;
use super::listing::LINK;
use super::value::{Name, bytes, optional_path, path, signed, unsigned};
use crate::error::Result;

/// A file that is given up for this run is out of every pass's turn.
pub(super) const NO_TURN: u32 = u32::MAX >> 1;
/// Nor has one that a directory is in the way of, until that is gone.
pub(super) const BLOCKED: u32 = NO_TURN - 1;

/// The key of a file's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileKey {
    /// The number of the directory that it lies in.
    pub(crate) dir: i64,
    pub(crate) name: Vec<u8>,
}

impl FileKey {
    /// Before all rows.
    pub(crate) fn first() -> Self {
        Self { dir: -1, name: Vec::new() }
    }
}

/// Where a page of the backlog is looked for.
#[derive(Clone, Debug)]
pub(crate) enum Stretch {
    /// Everything behind the directory of this number.
    BehindDir(i64),
    /// The rest of this row's directory.
    RestOfDir(FileKey),
}

impl Stretch {
    /// All of the backlog.
    pub(crate) fn all() -> Self {
        Self::BehindDir(FileKey::first().dir)
    }

    /// The condition on the rows, of the parameters ?2 and ?3, and what these are.
    /// Each is a range of the index of what is pending.
    fn condition(&self) -> (&'static str, i64, &[u8]) {
        match self {
            Self::BehindDir(dir) => ("file.dir > ?2", *dir, &[]),
            Self::RestOfDir(key) => ("file.dir = ?2 AND file.name > ?3", key.dir, &key.name),
        }
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
    /// What the scan saw in its place at the sink.
    pub(crate) replaces: Replaced,
    /// How much content was sent, if the source states another size.
    pub(crate) kept_size_bytes: Option<u64>,
}

/// What a file or link takes the place of at the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    Nothing,
    /// Another file, or another link.
    SameKind {
        permissions: Option<u32>,
        /// It has other names (hard links), which keep it.
        has_other_names: bool,
    },
    OtherKind,
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
    /// in order, of this `stretch`.
    pub(crate) async fn pending_page(
        &self,
        work: Work,
        turn: u32,
        sizes: Sizes,
        stretch: Stretch,
        limit: usize,
    ) -> Result<Vec<Pending>> {
        self.call(move |db| match work {
            Work::Name => db.pending_names(turn, sizes, &stretch, limit),
            _ => db.pending_page(work, turn, sizes, &stretch, limit),
        })
        .await
    }

    /// Whether pass `turn` has any `work`.
    pub(crate) async fn has_turn(&self, work: Work, turn: u32) -> Result<bool> {
        Ok(!self.pending_page(work, turn, Sizes::All, Stretch::all(), 1).await?.is_empty())
    }

    /// Gives all names that still wait for their file their turn in pass `turn`. Where no name of a
    /// file is in sync nor waits for its content to be sent, one of them does from now on.
    pub(crate) async fn begin_names(&self, turn: u32) -> Result<()> {
        self.call(move |db| {
            db.send_orphaned_names(turn)?;
            db.execute("UPDATE file SET turn = ?1 WHERE status = 0 AND work = 1 AND turn < ?1", [turn]).map(drop)
        })
        .await
    }

    /// Where the name that was to carry a file's content failed in pass `turn`, another one takes
    /// over in the same pass; tells whether there is any.
    pub(crate) async fn take_over_names(&self, turn: u32) -> Result<bool> {
        self.call(move |db| Ok(db.send_orphaned_names(turn)? > 0)).await
    }

    /// Takes up to `limit` names that still wait for their file out of this run.
    pub(crate) async fn give_up_names(&self, limit: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| db.give_up_names(limit)).await
    }

    /// What was blocked by a directory has another chance in pass `turn`; tells
    /// whether there is any.
    pub(crate) async fn unblock(&self, turn: u32) -> Result<bool> {
        self.call(move |db| {
            db.name_what_is_there()?;
            let unblocked = db.execute("UPDATE file SET turn = ?2 WHERE status = 0 AND turn = ?1", [BLOCKED, turn])?;
            Ok(unblocked > 0)
        })
        .await
    }
}

/// The columns of a pending row, with the metadata and the checksum of `of`.
fn columns(of: &str) -> String {
    format!(
        "file.dir, file.name, dir.path, file.kind, file.real, {of}.size, {of}.modified, {of}.accessed, {of}.changed, \
         {of}.created, {of}.permissions, {of}.user, {of}.grp, {of}.hash, {of}.algorithm, {of}.device, {of}.inode, \
         (SELECT there.kind <> file.kind FROM sink_entry AS there
             WHERE there.dir = file.dir AND there.name = file.name), \
         (SELECT permissions FROM sink_entry AS there WHERE there.dir = file.dir AND there.name = file.name), \
         EXISTS (SELECT 1 FROM sink_entry AS there
             WHERE there.dir = file.dir AND there.name = file.name AND there.device IS NOT NULL), {of}.kept_size"
    )
}

impl Db {
    fn pending_page(
        &self,
        work: Work,
        turn: u32,
        sizes: Sizes,
        stretch: &Stretch,
        limit: usize,
    ) -> Result<Vec<Pending>> {
        let (least, most) = sizes.bounds();
        let (condition, dir, name) = stretch.condition();
        self.rows(
            &format!(
                "SELECT {} FROM file JOIN dir ON dir.id = file.dir
                 WHERE status = 0 AND work = ?5 AND turn = ?1 AND {condition}
                     AND size BETWEEN ?6 AND ?7
                 ORDER BY file.dir, file.name LIMIT ?4",
                columns("file")
            ),
            params![turn, dir, Name(name), signed(limit as u64), work.number(), least, most],
            pending,
        )
    }

    /// Names whose file is in sync under another name. What is known of the file is known by that one.
    fn pending_names(&self, turn: u32, sizes: Sizes, stretch: &Stretch, limit: usize) -> Result<Vec<Pending>> {
        let (least, most) = sizes.bounds();
        let (condition, dir, name) = stretch.condition();
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
                     AND {condition} AND file.size BETWEEN ?6 AND ?7
                 ORDER BY file.dir, file.name LIMIT ?4",
                columns("first")
            ),
            params![turn, dir, Name(name), signed(limit as u64), Work::Name.number(), least, most],
            |row| {
                let first = join(&path(row, 22)?, &bytes(row, 21)?)?;
                Ok(Pending { name_of: Some(first), ..pending(row)? })
            },
        )
    }

    /// Of each file whose names all wait for one another, lets the first that can still be had
    /// carry the content, in pass `turn`. Tells how many there were.
    ///
    /// A name that failed in this run, or that the sink cannot hold, carries nothing.
    pub(super) fn send_orphaned_names(&self, turn: u32) -> Result<usize> {
        if self.row("SELECT 1 FROM file WHERE status = 0 AND work = 1 LIMIT 1", [], |_| Ok(()))?.is_none() {
            return Ok(0);
        }
        self.execute(
            "UPDATE file SET work = 0, turn = ?1 WHERE (dir, name) IN (
                 SELECT dir, name FROM (
                     SELECT dir, name,
                         row_number() OVER (PARTITION BY device, inode ORDER BY dir, name) AS place,
                         max(status = 1 OR work = 0) OVER (PARTITION BY device, inode) AS is_carried
                     FROM file
                     WHERE device IS NOT NULL AND (status = 1 OR (work IN (0, 1) AND turn < ?2)))
                 WHERE place = 1 AND NOT is_carried)",
            [turn, BLOCKED],
        )
    }

    /// A name that was to carry a file's content becomes another name of it where one is in sync by
    /// now. One whose metadata changed since is another file.
    pub(super) fn name_what_is_there(&self) -> Result<()> {
        self.execute(
            "UPDATE file SET work = 1
             WHERE status = 0 AND work = 0 AND device IS NOT NULL AND EXISTS (
                 SELECT 1 FROM file AS other
                 WHERE other.device = file.device AND other.inode = file.inode AND other.status = 1
                     AND (other.size, other.modified) = (file.size, file.modified))",
            [],
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
    let replaces = match row.get(17)? {
        None => Replaced::Nothing,
        Some(false) => Replaced::SameKind { permissions: row.get(18)?, has_other_names: row.get(19)? },
        Some(true) => Replaced::OtherKind,
    };
    let kept_size_bytes = row.get::<_, Option<i64>>(20)?.map(unsigned);
    Ok(Pending { key, path, read_path, metadata, recorded, name_of: None, replaces, kept_size_bytes })
}

pub(super) fn join(dir: &RelPath, name: &[u8]) -> rusqlite::Result<RelPath> {
    dir.join(name).map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))
}

pub(super) fn owner(user: Option<u32>, group: Option<u32>) -> Option<Owner> {
    user.zip(group).map(|(user, group)| Owner { user, group })
}
