//! Unfinished copies: files at the sink that are being written in place.
//!
//! A file that is written in place has neither its old nor its new content until it is
//! complete. If it vanishes from the source meanwhile, no later run completes it. So the row records
//! that writing begins, and an incomplete copy stays recorded until the sink's file is replaced or removed.

use rusqlite::{Row, named_params, params};
use towpath_backend::{Kind, Metadata, RelPath, Timestamp};

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::row::file::{CopyMark, EntryKind, FileKey};
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, limit, optional_number, optional_time, path};

/// What a copy is written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// A new file.
    New,
    /// A file that existed, or may have existed, before.
    Over,
}

/// What was at the sink before a copy was begun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Begun {
    /// Nothing: this run created the file.
    New,
    /// A file, as the scan saw it; `None` if the scan did not see it or an earlier run began the copy.
    Over(Option<Metadata>),
}

/// A file of the sink from the columns `size` and `modified`; `None` if they are NULL.
fn seen(row: &Row<'_>) -> rusqlite::Result<Option<Metadata>> {
    let columns = optional_number(row, "size")?.zip(optional_time(row, "modified")?);
    Ok(columns.map(|(size_bytes, modified)| Metadata::new(Kind::File, size_bytes, modified)))
}

impl Journal {
    /// Records that the content of a file is about to be written in place; returns `false` if that was
    /// recorded before.
    pub(crate) async fn begin_writing(&self, key: FileKey, begin: Begin) -> Result<bool> {
        let mark = if begin == Begin::New { CopyMark::New } else { CopyMark::Over };
        self.call(move |db| {
            let sql = "UPDATE file SET begun = ?3 WHERE dir = ?1 AND name = ?2 AND begun = 0";
            Ok(db.execute(sql, params![key.dir, Name(&key.name), mark])? > 0)
        })
        .await
    }

    /// What the sink had before a copy of this file was begun; `None` if none was begun. After an unclean
    /// shutdown any row counts as begun: a power cut may have undone its mark.
    pub(crate) async fn begun(&self, key: FileKey) -> Result<Option<Begun>> {
        self.call(move |db| {
            db.row(
                "SELECT begun, there.size AS size, there.modified AS modified FROM file
                 LEFT JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name AND there.kind = ?3
                     AND begun <> ?4
                 WHERE file.dir = ?1 AND file.name = ?2 AND (begun <> 0 OR (SELECT value FROM distrust))",
                params![key.dir, Name(&key.name), EntryKind::File, CopyMark::BeforeScan],
                |row| {
                    Ok(match row.get("begun")? {
                        CopyMark::New => Begun::New,
                        CopyMark::None | CopyMark::Over | CopyMark::BeforeScan => Begun::Over(seen(row)?),
                    })
                },
            )
        })
        .await
    }

    /// Records that the sink has no unfinished copy: it was removed, or nothing was written.
    pub(crate) async fn forget_begun(&self, key: FileKey) -> Result<()> {
        self.call(move |db| {
            let sql = "UPDATE file SET begun = ?3 WHERE dir = ?1 AND name = ?2";
            db.execute(sql, params![key.dir, Name(&key.name), CopyMark::None]).map(drop)
        })
        .await
    }

    /// Up to `rows` incomplete files after `after`, with their metadata at the sink. Files that
    /// the source has again are not among them, since they are sent.
    /// Metadata are `None` if the scan did not see the file because a filter excludes it.
    pub(crate) async fn incomplete(&self, after: RelPath, rows: usize) -> Result<Vec<(RelPath, Option<Metadata>)>> {
        self.call(move |db| {
            db.rows(
                "SELECT path, size, modified FROM incomplete WHERE path > ?1 ORDER BY path LIMIT ?2",
                params![Name::of(&after), limit(rows)],
                |row| Ok((path(row, "path")?, seen(row)?)),
            )
        })
        .await
    }

    /// Forgets incomplete files that were replaced or removed at the sink.
    pub(crate) async fn forget_incomplete(&self, paths: Vec<RelPath>) -> Result<()> {
        self.call(move |db| {
            for path in &paths {
                db.execute("DELETE FROM incomplete WHERE path = ?1", [Name::of(path)])?;
            }
            Ok(())
        })
        .await
    }
}

impl Db {
    /// Marks copies that an earlier run created as older files: somebody may have changed them since, so they are not
    /// removed.
    pub(in crate::journal) fn disown_unfinished(&self) -> Result<()> {
        self.execute("UPDATE file SET begun = ?1 WHERE begun = ?2", [CopyMark::Over, CopyMark::New]).map(drop)
    }

    /// Records an incomplete file of the sink, with its size and mtime there if they are known.
    pub(in crate::journal) fn insert_incomplete(
        &self,
        path: &RelPath,
        size: Option<i64>,
        modified: Option<Timestamp>,
    ) -> Result<()> {
        self.execute(
            "INSERT OR REPLACE INTO incomplete(path, size, modified) VALUES (:path, :size, :modified)",
            named_params! { ":path": Name::of(path), ":size": size, ":modified": modified.map(Time) },
        )
        .map(drop)
    }
}
