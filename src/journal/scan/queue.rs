//! Directories that wait for a walker, and directories that a walker could not read.

use rusqlite::{named_params, params};
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Side;
use crate::journal::handle::Journal;
use crate::journal::row::unknown::{Unknown, UnreadableCause};
use crate::journal::store::cause_columns::Code;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, limit, optional_path, path};

impl Journal {
    /// Stores directories that exceed the walkers' memory, each with the path where it is read if that differs.
    pub(crate) async fn push_walk_queue(&self, side: Side, dirs: Vec<(RelPath, Option<RelPath>)>) -> Result<()> {
        self.call(move |db| {
            for (dir, real) in &dirs {
                let values = params![side, Name::of(dir), real.as_ref().map(Name::of)];
                db.execute("INSERT INTO walk_queue(side, path, real) VALUES (?1, ?2, ?3)", values)?;
            }
            Ok(())
        })
        .await
    }

    /// Takes up to `dirs` of them back, the latest first.
    pub(crate) async fn pop_walk_queue(&self, side: Side, dirs: usize) -> Result<Vec<(RelPath, Option<RelPath>)>> {
        self.call(move |db| db.pop_walk_queue(side, dirs)).await
    }

    /// Records that a directory could not be read: its content is unknown.
    pub(crate) async fn add_unreadable(&self, side: Side, dir: RelPath, cause: UnreadableCause) -> Result<()> {
        self.call(move |db| {
            db.add_unknown(Unknown::unreadable(side), &dir)?;
            let UnreadableCause { is_entry, code, text } = cause;
            db.execute(
                "UPDATE unreadable SET is_entry = ?3, cause = ?4, error = ?5 WHERE side = ?1 AND path = ?2",
                params![Unknown::unreadable(side), Name::of(&dir), is_entry, Code(code), text],
            )
            .map(drop)
        })
        .await
    }

    /// Up to `dirs` directories that the last scan could not read, after `after`. They include mount points of
    /// the source where nothing is mounted any more.
    pub(crate) async fn unreadable_dirs(
        &self,
        after: Option<(Side, RelPath)>,
        dirs: usize,
    ) -> Result<Vec<(Side, RelPath)>> {
        self.call(move |db| {
            let (after_side, after) = after.map_or((None, RelPath::root()), |(side, path)| (Some(side), path));
            db.rows(
                "SELECT CASE side WHEN :lost THEN :source ELSE side END AS of, path FROM unreadable
                 WHERE side IN (0, 1, :lost) AND (of, path) > (coalesce(:after_side, -1), :after)
                 ORDER BY of, path LIMIT :limit",
                named_params! {
                    ":after_side": after_side, ":after": Name::of(&after), ":limit": limit(dirs),
                    ":source": Side::Source, ":lost": Unknown::LostSourceMount,
                },
                |row| Ok((row.get("of")?, path(row, "path")?)),
            )
        })
        .await
    }
}

impl Db {
    pub(in crate::journal) fn add_unknown(&self, why: Unknown, dir: &RelPath) -> Result<()> {
        self.execute("INSERT OR IGNORE INTO unreadable(side, path) VALUES (?1, ?2)", params![why, Name::of(dir)])
            .map(drop)
    }

    fn pop_walk_queue(&mut self, side: Side, dirs: usize) -> Result<Vec<(RelPath, Option<RelPath>)>> {
        let taken = self.rows(
            "SELECT id, path, real FROM walk_queue WHERE side = ?1 ORDER BY id DESC LIMIT ?2",
            params![side, limit(dirs)],
            |row| Ok((row.get::<_, i64>("id")?, (path(row, "path")?, optional_path(row, "real")?))),
        )?;
        for (id, _) in &taken {
            self.execute("DELETE FROM walk_queue WHERE id = ?1", [id])?;
        }
        Ok(taken.into_iter().map(|(_, dir)| dir).collect())
    }
}
