//! The backlog: what is pending, page by page, and what became of it.

use rusqlite::params;
use rusqlite::types::Type;
use towpath_backend::{FileId, Kind, Metadata, Owner, RelPath};

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::row::kept::Kept;
use crate::journal::scan::listing::LINK;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, optional_path, optional_time, path, signed, time, unsigned};

/// A file that is given up for this run is out of every pass's turn.
pub(in crate::journal) const NO_TURN: u32 = u32::MAX >> 1;
/// Nor has one that a directory is in the way of, until that is gone.
pub(in crate::journal) const BLOCKED: u32 = NO_TURN - 1;

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
    pub(in crate::journal) fn condition(&self) -> (&'static str, i64, &[u8]) {
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
    /// What the sink has instead of what it was given.
    pub(crate) kept: Kept,
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

    pub(in crate::journal) fn number(self) -> i64 {
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

    pub(in crate::journal) fn bounds(self) -> (i64, i64) {
        match self {
            Self::All => (0, i64::MAX),
            Self::Small => (0, Self::LARGE_BYTES - 1),
            Self::Large => (Self::LARGE_BYTES, i64::MAX),
        }
    }
}

impl Journal {
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
        self.call_long(move |db| match work {
            Work::Name => db.pending_names(turn, sizes, &stretch, limit),
            _ => db.pending_page(work, turn, sizes, &stretch, limit),
        })
        .await
    }

    /// Whether pass `turn` has any `work`.
    pub(crate) async fn has_work(&self, work: Work, turn: u32) -> Result<bool> {
        Ok(!self.pending_page(work, turn, Sizes::All, Stretch::all(), 1).await?.is_empty())
    }
}

/// The columns of a pending row, with the metadata and the checksum of `of`.
pub(in crate::journal) fn columns(of: &str) -> String {
    format!(
        "file.dir, file.name, dir.path, file.kind, file.real, {of}.size, {of}.modified, {of}.accessed, {of}.changed, \
         {of}.created, {of}.permissions, {of}.user, {of}.grp, {of}.hash, {of}.algorithm, {of}.device, {of}.inode, \
         (SELECT there.kind <> file.kind FROM sink_entry AS there
             WHERE there.dir = file.dir AND there.name = file.name), \
         (SELECT permissions FROM sink_entry AS there WHERE there.dir = file.dir AND there.name = file.name), \
         EXISTS (SELECT 1 FROM sink_entry AS there
             WHERE there.dir = file.dir AND there.name = file.name AND there.device IS NOT NULL), {of}.kept_size, {of}.kept_modified, \
         {of}.kept_permissions, {of}.kept_user, {of}.kept_grp"
    )
}

impl Db {
    pub(in crate::journal) fn pending_page(
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
}

pub(in crate::journal) fn pending(row: &rusqlite::Row<'_>) -> rusqlite::Result<Pending> {
    let key = FileKey { dir: row.get(0)?, name: bytes(row, 1)? };
    let path = join(&path(row, 2)?, &key.name)?;
    let kind = if row.get::<_, i64>(3)? == LINK { Kind::Symlink } else { Kind::File };
    let id = row.get::<_, Option<i64>>(15)?.zip(row.get::<_, Option<i64>>(16)?);
    let id = id.map(|(device, inode)| FileId { device: device.cast_unsigned(), inode: inode.cast_unsigned() });
    let metadata = Metadata {
        accessed: optional_time(row, 7)?,
        changed: optional_time(row, 8)?,
        created: optional_time(row, 9)?,
        permissions: row.get(10)?,
        owner: owner(row.get(11)?, row.get(12)?),
        id,
        // Which file it is is kept of those with several names alone.
        names: if id.is_some() { 2 } else { 1 },
        ..Metadata::new(kind, unsigned(row.get(5)?), time(row, 6)?)
    };
    let recorded = row.get::<_, Option<String>>(13)?.zip(row.get(14)?);
    let read_path = optional_path(row, 4)?.unwrap_or_else(|| path.clone());
    let replaces = match row.get(17)? {
        None => Replaced::Nothing,
        Some(false) => Replaced::SameKind { permissions: row.get(18)?, has_other_names: row.get(19)? },
        Some(true) => Replaced::OtherKind,
    };
    let kept_size_bytes = row.get::<_, Option<i64>>(20)?.map(unsigned);
    let kept = Kept::from_row(row, 21)?;
    Ok(Pending { key, path, read_path, metadata, recorded, name_of: None, replaces, kept_size_bytes, kept })
}

pub(in crate::journal) fn join(dir: &RelPath, name: &[u8]) -> rusqlite::Result<RelPath> {
    dir.join(name).map_err(|error| rusqlite::Error::FromSqlConversionFailure(1, Type::Text, Box::new(error)))
}

pub(in crate::journal) fn owner(user: Option<u32>, group: Option<u32>) -> Option<Owner> {
    user.zip(group).map(|(user, group)| Owner { user, group })
}
