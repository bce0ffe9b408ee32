//! Deletions: announced before they happen, so that none is missing in the log.

use rusqlite::params;
use towpath_backend::{RelPath, Timestamp};

use crate::audit::Line;
use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, Time, limit, optional_number, path, signed, time};

/// Something at the sink that is about to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub(crate) path: RelPath,
    /// `None`: a directory.
    pub(crate) size_bytes: Option<u64>,
    pub(crate) modified: Timestamp,
}

/// What became of announced deletions.
#[derive(Debug, Default)]
pub(crate) struct EndedDeletions {
    /// All of them.
    pub(crate) announced: Vec<RelPath>,
    /// Those that are not at the sink any more.
    pub(crate) gone: Vec<RelPath>,
    /// Lines of those that were deleted.
    pub(crate) lines: Vec<Line>,
}

impl Journal {
    /// Announces deletions. Once it returns, neither a crash nor a power cut loses any of them.
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

    /// Records what became of announced deletions: which of them are gone, and the
    /// lines of those that were deleted. This need not be durable: if a power cut undoes it, the
    /// next run finds the announcement and checks the sink.
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

    /// Up to `deletions` deletions that were announced by a run that was cut off, behind the path `after`.
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
    /// The sink does not have `path` any more: it is no candidate again, and the directory that it was in
    /// is finalized again.
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
