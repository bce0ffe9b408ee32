//! Files that the sink cannot hold.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::row::file::FileKey;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, limit, path_in};

/// A file that the sink cannot hold, and why.
#[derive(Debug)]
pub(crate) struct Impossible {
    pub(crate) path: RelPath,
    pub(crate) problem: String,
}

/// The position of a row in the index of pending files.
#[derive(Clone, Debug)]
pub(crate) struct ImpossibleKey {
    attempt: i64,
    file: FileKey,
}

impl ImpossibleKey {
    /// A position before the first row.
    pub(crate) fn first() -> Self {
        Self { attempt: -1, file: FileKey::first() }
    }
}

impl Journal {
    /// Up to `rows` files that the sink cannot hold, after the row `after`.
    pub(crate) async fn impossible(
        &self,
        after: ImpossibleKey,
        rows: usize,
    ) -> Result<Vec<(ImpossibleKey, Impossible)>> {
        self.call(move |db| db.impossible(&after, rows)).await
    }
}

impl Db {
    /// A page of [`Journal::impossible`], in the order of the index, so that SQLite need not sort all rows.
    pub(in crate::journal) fn impossible(
        &self,
        after: &ImpossibleKey,
        rows: usize,
    ) -> Result<Vec<(ImpossibleKey, Impossible)>> {
        self.rows(
            "SELECT turn, file.dir AS dir, name, path, file.problem AS problem FROM file JOIN dir ON dir.id = file.dir
             WHERE status = 0 AND work = 3 AND (turn, file.dir, name) > (?1, ?2, ?3)
             ORDER BY turn, file.dir, name LIMIT ?4",
            params![after.attempt, after.file.dir, Name(&after.file.name), limit(rows)],
            |row| {
                let file = FileKey { dir: row.get("dir")?, name: bytes(row, "name")? };
                let problem = row.get::<_, Option<String>>("problem")?.unwrap_or_default();
                let impossible = Impossible { path: path_in(row, "path", "name")?, problem };
                Ok((ImpossibleKey { attempt: row.get("turn")?, file }, impossible))
            },
        )
    }
}
