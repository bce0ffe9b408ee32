//! The columns of `file`, and updates that several jobs share.

use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{ToSql, params};
use towpath_backend::{FileId, Kind, Metadata};

use crate::error::Result;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, bits, signed, stored_as_integer};

/// The key of a file's row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FileKey {
    /// The id of its directory.
    pub(crate) dir: i64,
    pub(crate) name: Vec<u8>,
}

impl FileKey {
    /// A key before the first row.
    pub(crate) fn first() -> Self {
        Self { dir: -1, name: Vec::new() }
    }
}

/// The columns `file.kind` and `sink_entry.kind`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum EntryKind {
    File,
    Symlink,
    /// Only at the sink: a special file, or an entry of unknown kind.
    Other,
}

stored_as_integer!(EntryKind {
    EntryKind::File = 0,
    EntryKind::Symlink = 1,
    EntryKind::Other = 2,
});

impl From<EntryKind> for Kind {
    fn from(kind: EntryKind) -> Self {
        match kind {
            EntryKind::File => Self::File,
            EntryKind::Symlink => Self::Symlink,
            EntryKind::Other => Self::Other,
        }
    }
}

/// The work of a pending row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Its content is sent.
    Content,
    /// It is another name of a file that is sent once.
    Name,
    /// Content and times match; only permissions or owner are applied.
    Attributes,
}

impl Work {
    pub(crate) const ALL: [Self; 3] = [Self::Content, Self::Name, Self::Attributes];
}

/// The column `file.work` of a pending row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum StoredWork {
    Content,
    Name,
    Attributes,
    /// Nothing: the sink cannot hold the file.
    Impossible,
}

stored_as_integer!(StoredWork {
    StoredWork::Content = 0,
    StoredWork::Name = 1,
    StoredWork::Attributes = 2,
    StoredWork::Impossible = 3,
});

impl From<Work> for StoredWork {
    fn from(work: Work) -> Self {
        match work {
            Work::Content => Self::Content,
            Work::Name => Self::Name,
            Work::Attributes => Self::Attributes,
        }
    }
}

/// The column `file.turn` of a pending row: the attempt of this run that sends it. Only [`Self::Number`] is part
/// of an attempt. A row whose number is below [`Self::Blocked`] can still carry the content of its other names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum Attempt {
    /// In the attempt of this number, from 0.
    Number(u32),
    /// A file with long holes that the lane for such files is sending.
    Taken,
    /// A file with long holes that waits for that lane.
    SetAside,
    /// It conflicts with a directory, and waits until that is removed.
    Blocked,
    /// It is not sent again in this run.
    GivenUp,
}

impl Attempt {
    const LAST: i64 = i32::MAX as i64;

    fn number(self) -> i64 {
        match self {
            Self::Number(number) => number.into(),
            Self::Taken => Self::LAST - 3,
            Self::SetAside => Self::LAST - 2,
            Self::Blocked => Self::LAST - 1,
            Self::GivenUp => Self::LAST,
        }
    }
}

impl ToSql for Attempt {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Owned(Value::Integer(self.number())))
    }
}

/// The column `file.begun`: whether an unfinished copy may be at the sink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::journal) enum CopyMark {
    None,
    /// This run created it.
    New,
    /// It is written over an older file.
    Over,
    /// It was begun before the last scan, which may have seen it partly written.
    BeforeScan,
}

stored_as_integer!(CopyMark {
    CopyMark::None = 0,
    CopyMark::New = 1,
    CopyMark::Over = 2,
    CopyMark::BeforeScan = 3,
});

/// The identity of a file with several names; `None` for other files, whose identity is not needed.
pub(in crate::journal) fn several_names(metadata: &Metadata) -> Option<FileId> {
    metadata.id.filter(|_| metadata.kind == Kind::File && metadata.names > 1)
}

/// The metadata of a source file as statement parameters.
pub(in crate::journal) struct SourceColumns {
    kind: EntryKind,
    size: i64,
    modified: Time,
    accessed: Option<Time>,
    changed: Option<Time>,
    created: Option<Time>,
    permissions: Option<u32>,
    user: Option<u32>,
    group: Option<u32>,
    device: Option<i64>,
    inode: Option<i64>,
}

impl SourceColumns {
    pub(in crate::journal) fn of(metadata: &Metadata) -> Self {
        let id = several_names(metadata);
        Self {
            kind: if metadata.kind == Kind::Symlink { EntryKind::Symlink } else { EntryKind::File },
            size: signed(metadata.size_bytes),
            modified: Time(metadata.modified),
            accessed: metadata.accessed.map(Time),
            changed: metadata.changed.map(Time),
            created: metadata.created.map(Time),
            permissions: metadata.permissions,
            user: metadata.owner.map(|owner| owner.user),
            group: metadata.owner.map(|owner| owner.group),
            device: id.map(|id| bits(id.device)),
            inode: id.map(|id| bits(id.inode)),
        }
    }

    /// One parameter for each column, with the name of the column.
    pub(in crate::journal) fn named(&self) -> [(&'static str, &dyn ToSql); 11] {
        [
            (":kind", &self.kind),
            (":size", &self.size),
            (":modified", &self.modified),
            (":accessed", &self.accessed),
            (":changed", &self.changed),
            (":created", &self.created),
            (":permissions", &self.permissions),
            (":user", &self.user),
            (":grp", &self.group),
            (":device", &self.device),
            (":inode", &self.inode),
        ]
    }
}

impl Db {
    /// Moves a pending file to an attempt, with its new metadata if they changed.
    pub(in crate::journal) fn set_attempt(
        &self,
        key: &FileKey,
        attempt: Attempt,
        metadata: Option<&Metadata>,
    ) -> Result<()> {
        if let Some(metadata) = metadata {
            self.set_metadata(key, metadata)?;
            // Changed metadata mean changed content: the recorded checksum no longer applies.
            let forget =
                "UPDATE file SET hash = NULL, algorithm = NULL, target = NULL, xattrs = NULL, verify_class = NULL,
                     work = 0
                 WHERE dir = ?1 AND name = ?2";
            self.execute(forget, params![key.dir, Name(&key.name)])?;
        }
        let sql = "UPDATE file SET turn = ?3 WHERE dir = ?1 AND name = ?2";
        self.execute(sql, params![key.dir, Name(&key.name), attempt]).map(drop)
    }

    pub(in crate::journal) fn set_metadata(&self, key: &FileKey, metadata: &Metadata) -> Result<()> {
        let columns = SourceColumns::of(metadata);
        let name = Name(&key.name);
        let values = [&columns.named()[..], &[(":dir", &key.dir), (":name", &name)]].concat();
        self.execute(
            "UPDATE file SET size = :size, modified = :modified, accessed = :accessed, changed = :changed,
                 created = :created, permissions = :permissions, user = :user, grp = :grp, device = :device,
                 inode = :inode, kind = :kind,
                 listed_size = CASE WHEN listed_kind IS NULL AND (kind, size) <> (:kind, :size) THEN size
                     ELSE listed_size END,
                 listed_kind = CASE WHEN listed_kind IS NULL AND (kind, size) <> (:kind, :size) THEN kind
                     ELSE listed_kind END
             WHERE dir = :dir AND name = :name",
            &values[..],
        )
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_attempts_match_the_numbers_in_existing_databases() {
        for (attempt, number) in [
            (Attempt::Number(2), 2),
            (Attempt::Taken, 0x7fff_fffc),
            (Attempt::SetAside, 0x7fff_fffd),
            (Attempt::Blocked, 0x7fff_fffe),
            (Attempt::GivenUp, 0x7fff_ffff),
        ] {
            assert_eq!(attempt.number(), number, "{attempt:?}");
        }
    }
}
