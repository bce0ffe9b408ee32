//! Copies at the sink that were begun in place and not finished.
//!
//! Written in place, a file at the sink has neither its old nor its new content until it is
//! complete. If the source loses the file meanwhile, no later run completes it. So the row says
//! when writing begins, and what then stays incomplete is kept until the sink's file is another one.

use rusqlite::params;
use towpath_backend::{Kind, Metadata, RelPath, Timestamp};

use crate::error::Result;
use crate::journal::backlog::pending::{FileKey, join};
use crate::journal::handle::Journal;
use crate::journal::scan::listing::FILE;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, bytes, optional_time, path, signed, unsigned};

/// What a copy is begun on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begin {
    /// A file that was made just now.
    New,
    /// One that was there, or may have been.
    Over,
}

/// What was at the sink before a copy was begun.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Begun {
    /// No file: this run made it.
    New,
    /// A file, as the scan saw it, if it did; or an earlier run began the copy.
    Over(Option<Metadata>),
}

/// How `file.begun` is recorded.
const NEW: i64 = 1;
const OVER: i64 = 2;
/// Begun before the last scan: what that saw may be half itself.
pub(in crate::journal) const BEFORE_SCAN: i64 = 3;

impl Journal {
    /// Records that the content of a file is about to be written in place; tells whether it was not
    /// recorded before.
    pub(crate) async fn begin_writing(&self, key: FileKey, begin: Begin) -> Result<bool> {
        let begun = if begin == Begin::New { NEW } else { OVER };
        self.call(move |db| {
            let sql = "UPDATE file SET begun = ?3 WHERE dir = ?1 AND name = ?2 AND begun = 0";
            Ok(db.execute(sql, params![key.dir, Name(&key.name), begun])? > 0)
        })
        .await
    }

    /// What was there before a copy of this file was begun; `None` if none was. After a run that was
    /// cut off any row may have been begun: a power cut may have taken its mark back.
    pub(crate) async fn begun(&self, key: FileKey) -> Result<Option<Begun>> {
        self.call(move |db| {
            let begun = db.row(
                "SELECT begun, there.size, there.modified FROM file
                 LEFT JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name AND there.kind = ?3
                     AND begun <> ?4
                 WHERE file.dir = ?1 AND file.name = ?2 AND (begun <> 0 OR (SELECT value FROM distrust))",
                params![key.dir, Name(&key.name), FILE, BEFORE_SCAN],
                |row| {
                    let before = row.get::<_, Option<i64>>(1)?.zip(optional_time(row, 2)?);
                    let before = before.map(|(size, time)| Metadata::new(Kind::File, unsigned(size), time));
                    Ok(if row.get::<_, i64>(0)? == NEW { Begun::New } else { Begun::Over(before) })
                },
            )?;
            Ok(begun)
        })
        .await
    }

    /// Records that no unfinished copy is at the sink: it was removed, or nothing was written.
    pub(crate) async fn forget_begun(&self, key: FileKey) -> Result<()> {
        self.call(move |db| {
            let sql = "UPDATE file SET begun = 0 WHERE dir = ?1 AND name = ?2";
            db.execute(sql, params![key.dir, Name(&key.name)]).map(drop)
        })
        .await
    }

    /// Up to `limit` files that stay incomplete, behind `after`, as the sink had them. Those that
    /// the source has again are none: they are sent.
    /// `None`: the scan did not see it, as a filter leaves it out.
    pub(crate) async fn incomplete(&self, after: RelPath, limit: usize) -> Result<Vec<(RelPath, Option<Metadata>)>> {
        self.call(move |db| {
            db.rows(
                "SELECT path, size, modified FROM incomplete WHERE path > ?1 ORDER BY path LIMIT ?2",
                params![Name(after.as_bytes()), signed(limit as u64)],
                |row| {
                    let size = row.get::<_, Option<i64>>(1)?.zip(optional_time(row, 2)?);
                    let seen = size.map(|(size, time)| Metadata::new(Kind::File, unsigned(size), time));
                    Ok((path(row, 0)?, seen))
                },
            )
        })
        .await
    }

    /// Forgets incomplete files: the sink has others in their places, or none.
    pub(crate) async fn forget_incomplete(&self, paths: Vec<RelPath>) -> Result<()> {
        self.call(move |db| {
            for path in &paths {
                db.execute("DELETE FROM incomplete WHERE path = ?1", [Name(path.as_bytes())])?;
            }
            Ok(())
        })
        .await
    }
}

impl Db {
    /// Whatever an earlier run made may be somebody's work by now.
    pub(in crate::journal) fn disown_unfinished(&self) -> Result<()> {
        self.execute("UPDATE file SET begun = ?1 WHERE begun = ?2", [OVER, NEW]).map(drop)
    }

    /// Keeps the unfinished copies of rows in these directories that this scan did not see: no
    /// run will complete them. Of rows that were pending when a run was cut off these are the ones
    /// that the sink has changed since that run began.
    pub(in crate::journal) fn keep_incomplete(&self, from: i64, to: i64) -> Result<()> {
        let scan = self.scan;
        let rows = self.rows(
            "SELECT dir.path, file.name, there.size, there.modified FROM file
             JOIN dir ON dir.id = file.dir
             LEFT JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name AND there.kind = ?4
             WHERE file.dir BETWEEN ?2 AND ?3 AND file.scan <> ?1 AND file.status = 0 AND (begun <> 0
                 OR (file.scan = ?5 AND there.modified + 0 >= ?6))",
            params![scan.id, from, to, FILE, scan.distrusted_scan, scan.cut_off_since],
            |row| Ok((join(&path(row, 0)?, &bytes(row, 1)?)?, row.get(2)?, optional_time(row, 3)?)),
        )?;
        for (path, size, modified) in rows {
            self.insert_incomplete(&path, size, modified)?;
        }
        self.keep_unverified(from, to)
    }

    /// Keeps which rows in these directories, that this scan did not see, a later one must not take for in sync by
    /// size and mtime: what was in flight when a run was cut off may not have reached the disk, and a sink without
    /// mtimes does not show that a file changed.
    fn keep_unverified(&self, from: i64, to: i64) -> Result<()> {
        let scan = self.scan;
        self.execute(
            "INSERT OR IGNORE INTO unverified
             SELECT dir.path, file.name FROM file JOIN dir ON dir.id = file.dir
             WHERE file.dir BETWEEN ?2 AND ?3 AND file.scan <> ?1 AND (
                 suspect <> 0 OR begun <> 0 OR (file.status = 0 AND file.scan = ?4) OR (file.status = 1 AND ?5))",
            params![scan.id, from, to, scan.distrusted_scan, scan.sink_keeps_no_mtime()],
        )
        .map(drop)
    }

    /// Sends again what the source has again and what was unverified when it was last seen.
    pub(in crate::journal) fn send_unverified(&self) -> Result<()> {
        let seen = "FROM unverified JOIN dir ON dir.path = unverified.dir
             WHERE file.dir = dir.id AND file.name = unverified.name AND file.scan = ?1";
        self.execute(
            &format!("UPDATE file SET status = 0, suspect = 1, work = CASE work WHEN 2 THEN 0 ELSE work END {seen}"),
            [self.scan.id],
        )?;
        self.execute(
            "DELETE FROM unverified WHERE EXISTS (
                 SELECT 1 FROM file JOIN dir ON dir.id = file.dir
                 WHERE dir.path = unverified.dir AND file.name = unverified.name AND file.scan = ?1)",
            [self.scan.id],
        )
        .map(drop)
    }

    pub(in crate::journal) fn insert_incomplete(
        &self,
        path: &RelPath,
        size: Option<i64>,
        modified: Option<Timestamp>,
    ) -> Result<()> {
        let values = params![Name(path.as_bytes()), size, modified.map(Time)];
        self.execute("INSERT OR REPLACE INTO incomplete VALUES (?1, ?2, ?3)", values).map(drop)
    }

    /// Forgets what the source has again: its row says what becomes of it.
    pub(in crate::journal) fn forget_reappeared(&self) -> Result<()> {
        let all = self.rows("SELECT path FROM incomplete", [], |row| path(row, 0))?;
        for path in all {
            let parent = path.parent().unwrap_or_else(RelPath::root);
            let name = path.name().unwrap_or_default();
            self.execute(
                "DELETE FROM incomplete WHERE path = ?1 AND EXISTS (
                     SELECT 1 FROM file WHERE dir = (SELECT id FROM dir WHERE path = ?2) AND name = ?3)",
                params![Name(path.as_bytes()), Name(parent.as_bytes()), Name(name)],
            )?;
        }
        Ok(())
    }
}
