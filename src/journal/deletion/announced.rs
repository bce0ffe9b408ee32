//! Deletions: each is announced before it happens, so that none is missing from the log.

use rusqlite::params;
use towpath_backend::{RelPath, Timestamp};

use crate::audit::Line;
use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, limit, optional_number, path, signed, time};

/// An entry of the sink that is about to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) path: RelPath,
    /// `None`: a directory.
    pub(crate) size_bytes: Option<u64>,
    pub(crate) modified: Timestamp,
}

/// The results of announced deletions.
#[derive(Debug, Default)]
pub(crate) struct EndedDeletions {
    /// All paths that were announced.
    pub(crate) announced: Vec<RelPath>,
    /// The paths that the sink no longer has.
    pub(crate) gone: Vec<RelPath>,
    /// The log lines of the deleted entries.
    pub(crate) lines: Vec<Line>,
}

impl Journal {
    /// Announces deletions. When it returns, the announcements survive a crash and a power cut.
    pub(crate) async fn begin_deletions(&self, deletions: Vec<Deletion>) -> Result<()> {
        self.commit_durably(move |db| {
            for Deletion { path, size_bytes, modified } in &deletions {
                db.execute(
                    "INSERT OR REPLACE INTO deletion(path, size, modified) VALUES (?1, ?2, ?3)",
                    params![Name::of(path), size_bytes.map(signed), Time(*modified)],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Records the results of announced deletions and
    /// their lines. This need not be durable: if a power cut undoes it, the
    /// next run finds the announcements and checks the sink.
    pub(crate) async fn end_deletions(&self, ended: EndedDeletions) -> Result<()> {
        self.call(move |db| {
            for path in &ended.announced {
                db.execute("DELETE FROM deletion WHERE path = ?1", [Name::of(path)])?;
            }
            for path in &ended.gone {
                db.forget_at_sink(path)?;
            }
            db.add_lines(&ended.lines);
            Ok(())
        })
        .await
    }

    /// Up to `deletions` deletions that an interrupted run announced, after the path `after`.
    pub(crate) async fn open_deletions(&self, after: RelPath, deletions: usize) -> Result<Vec<Deletion>> {
        self.call(move |db| {
            let sql = "SELECT path, size, modified FROM deletion WHERE path > ?1 ORDER BY path LIMIT ?2";
            db.rows(sql, params![Name::of(&after), limit(deletions)], |row| {
                Ok(Deletion {
                    path: path(row, "path")?,
                    size_bytes: optional_number(row, "size")?,
                    modified: time(row, "modified")?,
                })
            })
        })
        .await
    }
}

impl Db {
    /// Removes the record of `path`, which the sink no longer has, and makes its parent directory pending to be
    /// finalized.
    fn forget_at_sink(&self, path: &RelPath) -> Result<()> {
        let (parent, name) = Name::split(path);
        self.execute(
            "DELETE FROM sink_entry WHERE dir = (SELECT id FROM dir WHERE path = ?1) AND name = ?2",
            params![parent, name],
        )?;
        self.execute("UPDATE dir SET sink_scan = NULL WHERE path = ?1", [Name::of(path)])?;
        self.finalize_again(parent)
    }
}
