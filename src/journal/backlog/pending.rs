//! Pages of the backlog: the pending files.

use rusqlite::{Row, ToSql, named_params};
use towpath_backend::{FileId, Metadata, RelPath};

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::row::file::{Attempt, EntryKind, FileKey, StoredWork, Work};
use crate::journal::row::kept::Kept;
use crate::journal::store::db::Db;
use crate::journal::store::value::{
    Name, bytes, limit, number, optional_number, optional_path, optional_time, owner, path_in, time,
};

/// The rows from which a page is read.
#[derive(Clone, Debug)]
pub(crate) enum RowRange {
    /// All rows after the directory with this id.
    AfterDir(i64),
    /// The rows after this one in its directory.
    RestOfDir(FileKey),
}

impl RowRange {
    /// The whole backlog.
    pub(crate) fn all() -> Self {
        Self::AfterDir(FileKey::first().dir)
    }
}

/// A row of the backlog.
#[derive(Clone, Debug)]
pub(crate) struct Pending {
    pub(crate) key: FileKey,
    pub(crate) path: RelPath,
    /// Where it is read: another path of the source if it is reached through a symlink.
    pub(crate) read_path: RelPath,
    pub(crate) metadata: Metadata,
    /// The checksum recorded for exactly this content, and its algorithm.
    pub(crate) recorded: Option<(String, String)>,
    /// The name in sync that it becomes another name of.
    pub(crate) name_of: Option<RelPath>,
    /// What the scan found under its name at the sink.
    pub(crate) replaces: Replaced,
    /// The size of the content that was sent, if the source states another size.
    pub(crate) kept_size_bytes: Option<u64>,
    /// The attributes that the sink did not keep.
    pub(crate) kept: Kept,
}

/// What a file or symlink replaces at the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replaced {
    Nothing,
    /// A file replaces a file, or a symlink a symlink.
    SameKind {
        permissions: Option<u32>,
        /// It has other names (hard links), which stay.
        has_other_names: bool,
    },
    OtherKind,
}

/// Classes of file sizes: latency limits the small files, bandwidth the large ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    All,
    Small,
    Large,
}

impl Sizes {
    /// From this size on, sending the content takes longer than the requests, at 100 Mbit/s.
    const LARGE_BYTES: i64 = 1 << 20;

    /// The smallest and largest size of the class.
    fn bounds(self) -> (i64, i64) {
        match self {
            Self::All => (0, i64::MAX),
            Self::Small => (0, Self::LARGE_BYTES - 1),
            Self::Large => (Self::LARGE_BYTES, i64::MAX),
        }
    }
}

/// The row that the metadata and the checksum of a pending row are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum MetadataOf {
    /// Its own row.
    Row,
    /// The row of a name of the same file that is in sync.
    SyncedName,
}

/// The start of a query of pending rows that [`pending`] reads.
pub(in crate::journal) fn select(metadata_of: MetadataOf) -> String {
    let (of, synced_name, first) = match metadata_of {
        MetadataOf::Row => ("file", "", "NULL AS first_name, NULL AS first_dir"),
        MetadataOf::SyncedName => (
            "first",
            "JOIN file AS first ON (first.dir, first.name) = (
                 SELECT dir, name FROM file AS synced
                 WHERE synced.device = file.device AND synced.inode = file.inode AND synced.status = 1
                 ORDER BY work, turn, dir, name LIMIT 1)
             JOIN dir AS first_dir ON first_dir.id = first.dir",
            "first.name AS first_name, first_dir.path AS first_dir",
        ),
    };
    format!(
        "SELECT file.dir AS dir, file.name AS name, dir.path AS dir_path, file.kind AS kind, file.real AS real,
             {of}.size AS size, {of}.modified AS modified, {of}.accessed AS accessed, {of}.changed AS changed,
             {of}.created AS created, {of}.permissions AS permissions, {of}.user AS user, {of}.grp AS grp,
             {of}.hash AS hash, {of}.algorithm AS algorithm, {of}.device AS device, {of}.inode AS inode,
             {of}.kept_size AS kept_size, {of}.kept_modified AS kept_modified,
             {of}.kept_permissions AS kept_permissions, {of}.kept_user AS kept_user, {of}.kept_grp AS kept_grp,
             {of}.kept_xattrs AS kept_xattrs, {of}.kept_target AS kept_target,
             there.kind AS sink_kind, there.permissions AS sink_permissions,
             there.device IS NOT NULL AS sink_has_other_names, {first}
         FROM file JOIN dir ON dir.id = file.dir {synced_name}
         LEFT JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name"
    )
}

/// Reads a row of [`select`].
pub(in crate::journal) fn pending(row: &Row<'_>) -> rusqlite::Result<Pending> {
    let path = path_in(row, "dir_path", "name")?;
    let kind: EntryKind = row.get("kind")?;
    let id = row.get::<_, Option<i64>>("device")?.zip(row.get::<_, Option<i64>>("inode")?);
    let id = id.map(|(device, inode)| FileId { device: device.cast_unsigned(), inode: inode.cast_unsigned() });
    let metadata = Metadata {
        accessed: optional_time(row, "accessed")?,
        changed: optional_time(row, "changed")?,
        created: optional_time(row, "created")?,
        permissions: row.get("permissions")?,
        owner: owner(row, "user", "grp")?,
        id,
        // The identity is recorded only of files with several names.
        names: if id.is_some() { 2 } else { 1 },
        ..Metadata::new(kind.into(), number(row, "size")?, time(row, "modified")?)
    };
    let replaces = match row.get::<_, Option<EntryKind>>("sink_kind")? {
        None => Replaced::Nothing,
        Some(there) if there == kind => Replaced::SameKind {
            permissions: row.get("sink_permissions")?,
            has_other_names: row.get("sink_has_other_names")?,
        },
        Some(_) => Replaced::OtherKind,
    };
    let has_first = row.get_ref("first_name")? != rusqlite::types::ValueRef::Null;
    Ok(Pending {
        key: FileKey { dir: row.get("dir")?, name: bytes(row, "name")? },
        read_path: optional_path(row, "real")?.unwrap_or_else(|| path.clone()),
        path,
        metadata,
        recorded: row.get::<_, Option<String>>("hash")?.zip(row.get("algorithm")?),
        name_of: has_first.then(|| path_in(row, "first_dir", "first_name")).transpose()?,
        replaces,
        kept_size_bytes: optional_number(row, "kept_size")?,
        kept: Kept::from_row(row)?,
    })
}

impl Journal {
    /// Up to `rows` rows of an attempt with pending `work`, of files of these `sizes`, in order, from
    /// this `range`. Of [`Work::Name`], only names whose file is in sync under another name; their metadata
    /// are those of that name.
    pub(crate) async fn pending_page(
        &self,
        work: Work,
        attempt: u32,
        sizes: Sizes,
        range: RowRange,
        rows: usize,
    ) -> Result<Vec<Pending>> {
        self.call_long(move |db| db.pending_page(work, attempt, sizes, &range, rows)).await
    }

    /// Whether the last scan saw a directory at this path in the sink.
    pub(crate) async fn has_sink_dir(&self, path: RelPath) -> Result<bool> {
        self.call(move |db| {
            let sql = "SELECT 1 FROM dir WHERE path = ?1 AND sink_scan = (SELECT max(id) FROM scan)";
            db.exists(sql, [Name::of(&path)])
        })
        .await
    }

    /// Whether an attempt has any pending `work`.
    pub(crate) async fn has_work(&self, work: Work, attempt: u32) -> Result<bool> {
        Ok(!self.pending_page(work, attempt, Sizes::All, RowRange::all(), 1).await?.is_empty())
    }
}

impl Db {
    pub(in crate::journal) fn pending_page(
        &self,
        work: Work,
        attempt: u32,
        sizes: Sizes,
        range: &RowRange,
        rows: usize,
    ) -> Result<Vec<Pending>> {
        let metadata_of = if work == Work::Name { MetadataOf::SyncedName } else { MetadataOf::Row };
        let (least, most) = sizes.bounds();
        let (work, attempt, rows) = (StoredWork::from(work), Attempt::Number(attempt), limit(rows));
        let common = named_params! {
            ":work": work, ":attempt": attempt, ":least": least, ":most": most, ":limit": rows,
        };
        let page = |condition: &str, values: &[(&str, &dyn ToSql)]| {
            let sql = format!(
                "{} WHERE file.status = 0 AND file.work = :work AND file.turn = :attempt AND {condition}
                     AND file.size BETWEEN :least AND :most
                 ORDER BY file.dir, file.name LIMIT :limit",
                select(metadata_of)
            );
            self.rows(&sql, &[common, values].concat()[..], pending)
        };
        // Both are ranges of the index of pending files.
        match range {
            RowRange::AfterDir(dir) => page("file.dir > :dir", &[(":dir", dir)]),
            RowRange::RestOfDir(key) => page(
                "file.dir = :dir AND file.name > :name",
                named_params! { ":dir": key.dir, ":name": Name(&key.name) },
            ),
        }
    }
}
