//! File systems that were mounted inside the trees at an earlier scan and no longer are.

use rusqlite::params;
use towpath_backend::{Metadata, RelPath};

use crate::error::Result;
use crate::event::Side;
use crate::journal::handle::Journal;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bits, limit, optional_time, path};

/// The columns of `dir` that record the mounts of a side, and the last scan that saw a directory there.
fn columns(side: Side) -> (&'static str, &'static str) {
    match side {
        Side::Source => ("foreign_device", "source_scan"),
        Side::Sink => ("sink_foreign_device", "sink_scan"),
    }
}

impl Journal {
    /// Mount points of earlier scans that this one did not see: they were removed, replaced by another kind of
    /// entry, or excluded.
    pub(crate) async fn unseen_mount_points(&self, side: Side) -> Result<Vec<RelPath>> {
        self.call(move |db| db.unseen_mount_points(side)).await
    }

    /// Records that a file system is no longer mounted at `dir`.
    pub(crate) async fn add_lost_mount(&self, side: Side, dir: RelPath) -> Result<()> {
        self.call(move |db| db.add_unknown(Unknown::lost_mount(side), &dir)).await
    }

    /// The directories recorded by [`Self::add_lost_mount`].
    pub(crate) async fn lost_mounts(&self, side: Side) -> Result<Vec<RelPath>> {
        self.call(move |db| {
            let sql = "SELECT path FROM unreadable WHERE side = ?1 ORDER BY path";
            db.rows(sql, [Unknown::lost_mount(side)], |row| path(row, "path"))
        })
        .await
    }

    /// Up to `dirs` directories where the last scan found another file system mounted.
    pub(crate) async fn mount_points(&self, side: Side, dirs: usize) -> Result<Vec<RelPath>> {
        let (foreign, seen) = columns(side);
        self.call(move |db| {
            let sql = format!(
                "SELECT dir.path FROM dir JOIN dir AS above ON above.id = dir.parent
                 WHERE dir.{foreign} <> 0 AND dir.{foreign} IS NOT above.{foreign}
                     AND dir.{seen} = (SELECT max(id) FROM scan) ORDER BY dir.path LIMIT ?1"
            );
            db.rows(&sql, [limit(dirs)], |row| path(row, "path"))
        })
        .await
    }
}

impl Db {
    fn unseen_mount_points(&mut self, side: Side) -> Result<Vec<RelPath>> {
        let (foreign, seen) = columns(side);
        let scan = self.scan()?;
        let unseen = format!("dir.{foreign} <> 0 AND dir.{seen} IS NOT ?1");
        if scan.accepts_new_tree {
            self.execute(&format!("UPDATE dir SET {foreign} = NULL WHERE {unseen}"), [scan.id])?;
            return Ok(Vec::new());
        }
        self.rows(
            &format!(
                "SELECT dir.path FROM dir JOIN dir AS above ON above.id = dir.parent
                 WHERE {unseen} AND dir.{foreign} IS NOT above.{foreign}"
            ),
            [scan.id],
            |row| path(row, "path"),
        )
    }

    /// Whether the file system at a directory changed since it was last seen: nothing, or another file system, is
    /// mounted at a former mount point; or a file system is mounted over a directory that had files.
    pub(in crate::journal) fn is_another_file_system(
        &self,
        path: &RelPath,
        now: &Metadata,
        foreign: Option<i64>,
    ) -> Result<bool> {
        if self.scan()?.accepts_new_tree {
            return Ok(false);
        }
        let before = self.row(
            "SELECT inode, born FROM dir WHERE path = ?1 AND foreign_device <> 0
                 AND foreign_device IS NOT (SELECT above.foreign_device FROM dir AS above WHERE above.id = dir.parent)",
            [Name::of(path)],
            |row| Ok((row.get::<_, Option<i64>>("inode")?, optional_time(row, "born")?)),
        )?;
        if foreign.is_some_and(|device| device != 0) && self.had_files(path)? {
            return Ok(true);
        }
        // Device numbers change with each mount, so only whether it is a mount point is compared.
        let (inode, btime) = (now.id.map(|id| bits(id.inode)), now.created);
        Ok(before.is_some_and(|(inode_then, btime_then)| {
            inode_then != inode || foreign == Some(0) || (btime_then.is_some() && btime_then != btime)
        }))
    }

    /// Whether a directory was on the root's file system and had files when it was last seen.
    fn had_files(&self, path: &RelPath) -> Result<bool> {
        let sql = "SELECT 1 FROM dir WHERE path = ?1 AND foreign_device = 0
             AND EXISTS (SELECT 1 FROM file WHERE file.dir = dir.id)";
        if !self.exists(sql, [Name::of(path)])? {
            return Ok(false);
        }
        // A mount below one that is already reported is not reported.
        let mut above = path.parent();
        while let Some(dir) = above {
            let sql = "SELECT 1 FROM unreadable WHERE side = ?1 AND path = ?2";
            if self.exists(sql, params![Unknown::LostSourceMount, Name::of(&dir)])? {
                return Ok(false);
            }
            above = dir.parent();
        }
        Ok(true)
    }

    /// Whether another file system was mounted at this directory of the sink when it was last seen.
    pub(in crate::journal) fn was_mount_point_of_sink(&self, path: &RelPath) -> Result<bool> {
        if self.scan()?.accepts_new_tree {
            return Ok(false);
        }
        self.exists(
            "SELECT 1 FROM dir WHERE path = ?1 AND sink_foreign_device <> 0 AND sink_foreign_device IS NOT (
                 SELECT above.sink_foreign_device FROM dir AS above WHERE above.id = dir.parent)",
            [Name::of(path)],
        )
    }
}
