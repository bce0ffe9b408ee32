//! File systems mounted inside the trees: where they were at the last scan, and are not now.

use rusqlite::params;
use towpath_backend::{Metadata, RelPath};

use crate::error::Result;
use crate::event::Side;
use crate::journal::handle::Journal;
use crate::journal::scan::listing::bits;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, optional_time, path, signed};

/// What `unreadable.side` says beside the sides themselves: a file system that was mounted is not.
pub(in crate::journal) const LOST_IN_SOURCE: i64 = 3;
const LOST_IN_SINK: i64 = 4;

/// What is recorded of the mounts of a side: the columns of `dir`, and the number in `unreadable`.
fn columns(side: Side) -> (&'static str, &'static str, i64) {
    match side {
        Side::Source => ("foreign_device", "source_scan", LOST_IN_SOURCE),
        Side::Sink => ("sink_foreign_device", "sink_scan", LOST_IN_SINK),
    }
}

impl Journal {
    /// Mount points of earlier scans that this one did not see: they went, something else has their
    /// names, or they were not to be listed.
    pub(crate) async fn unseen_mount_points(&self, side: Side) -> Result<Vec<RelPath>> {
        self.call(move |db| db.unseen_mount_points(side)).await
    }

    /// Records that nothing is mounted any more where something was.
    pub(crate) async fn add_lost_mount(&self, side: Side, dir: RelPath) -> Result<()> {
        self.call(move |db| db.add_lost_mount(side, &dir)).await
    }

    /// The directories of which that is recorded.
    pub(crate) async fn lost_mounts(&self, side: Side) -> Result<Vec<RelPath>> {
        self.call(move |db| {
            let sql = "SELECT path FROM unreadable WHERE side = ?1 ORDER BY path";
            db.rows(sql, [columns(side).2], |row| path(row, 0))
        })
        .await
    }

    /// Up to `limit` directories on which the last scan found another file system mounted.
    pub(crate) async fn mount_points(&self, side: Side, limit: usize) -> Result<Vec<RelPath>> {
        let (foreign, seen, _) = columns(side);
        self.call(move |db| {
            let sql = format!(
                "SELECT dir.path FROM dir JOIN dir AS above ON above.id = dir.parent
                 WHERE dir.{foreign} <> 0 AND dir.{foreign} IS NOT above.{foreign}
                     AND dir.{seen} = (SELECT max(id) FROM scan) ORDER BY dir.path LIMIT ?1"
            );
            db.rows(&sql, [signed(limit as u64)], |row| path(row, 0))
        })
        .await
    }
}

impl Db {
    fn unseen_mount_points(&mut self, side: Side) -> Result<Vec<RelPath>> {
        let (foreign, seen, _) = columns(side);
        let unseen = format!("dir.{foreign} <> 0 AND dir.{seen} IS NOT ?1");
        if self.scan.accepts_new_tree {
            self.execute(&format!("UPDATE dir SET {foreign} = NULL WHERE {unseen}"), [self.scan.id])?;
            return Ok(Vec::new());
        }
        self.rows(
            &format!(
                "SELECT dir.path FROM dir JOIN dir AS above ON above.id = dir.parent
                 WHERE {unseen} AND dir.{foreign} IS NOT above.{foreign}"
            ),
            [self.scan.id],
            |row| path(row, 0),
        )
    }

    pub(in crate::journal) fn add_lost_mount(&self, side: Side, dir: &RelPath) -> Result<()> {
        let values = params![columns(side).2, Name(dir.as_bytes())];
        self.execute("INSERT OR IGNORE INTO unreadable VALUES (?1, ?2)", values).map(drop)
    }

    /// Whether a directory was the root of a file system mounted there when it was
    /// last seen, and now is not, or is that of another; or had files, over which one is mounted now.
    pub(in crate::journal) fn is_another_file_system(
        &self,
        path: &RelPath,
        now: &Metadata,
        foreign: Option<i64>,
    ) -> Result<bool> {
        if self.scan.accepts_new_tree {
            return Ok(false);
        }
        let before = self.row(
            "SELECT inode, born FROM dir WHERE path = ?1 AND foreign_device <> 0
                 AND foreign_device IS NOT (SELECT above.foreign_device FROM dir AS above WHERE above.id = dir.parent)",
            [Name(path.as_bytes())],
            |row| Ok((row.get::<_, Option<i64>>(0)?, optional_time(row, 1)?)),
        )?;
        if foreign.is_some_and(|device| device != 0) && self.was_full(path)? {
            return Ok(true);
        }
        // Numbers of devices change with each mount; that there is one does not.
        let (inode, born) = (now.id.map(|id| bits(id.inode)), now.created);
        Ok(before.is_some_and(|(then, born_then)| {
            then != inode || foreign == Some(0) || (born_then.is_some() && born_then != born)
        }))
    }

    /// Whether a directory was on the root's file system, and had files, when it was last seen.
    fn was_full(&self, path: &RelPath) -> Result<bool> {
        let sql = "SELECT 1 FROM dir WHERE path = ?1 AND foreign_device = 0
             AND EXISTS (SELECT 1 FROM file WHERE file.dir = dir.id)";
        if self.row(sql, [Name(path.as_bytes())], |_| Ok(()))?.is_none() {
            return Ok(false);
        }
        // What lies below one that is reported needs no word of its own.
        let mut above = path.parent();
        while let Some(dir) = above {
            let sql = "SELECT 1 FROM unreadable WHERE side = ?1 AND path = ?2";
            if self.row(sql, params![LOST_IN_SOURCE, Name(dir.as_bytes())], |_| Ok(()))?.is_some() {
                return Ok(false);
            }
            above = dir.parent();
        }
        Ok(true)
    }

    /// Whether another file system was mounted at this directory of the sink when it was last seen.
    pub(in crate::journal) fn was_mount_point_of_sink(&self, path: &RelPath) -> Result<bool> {
        if self.scan.accepts_new_tree {
            return Ok(false);
        }
        let before = self.row(
            "SELECT 1 FROM dir WHERE path = ?1 AND sink_foreign_device <> 0 AND sink_foreign_device IS NOT (
                 SELECT above.sink_foreign_device FROM dir AS above WHERE above.id = dir.parent)",
            [Name(path.as_bytes())],
            |_| Ok(()),
        )?;
        Ok(before.is_some())
    }
}

/// The number of the mount of something that lies on another one than its tree's root, or of its
/// device where mounts are not numbered; 0: it lies on that one.
pub(in crate::journal) fn foreign_device(metadata: &Metadata, root: Option<&Metadata>) -> Option<i64> {
    let id = metadata.id?;
    let is_foreign = root.is_none_or(|root| metadata.is_mounted_elsewhere_than(root));
    // A mount inside a mount may lie on the same device. None of them has the number 0.
    Some(if is_foreign { bits(metadata.mount.unwrap_or(id.device).max(1)) } else { 0 })
}
