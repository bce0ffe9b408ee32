//! File systems mounted inside the trees: where they were at the last scan, and are not now.

use rusqlite::params;
use towpath_backend::{Metadata, RelPath};

use super::State;
use super::db::Db;
use super::listing::bits;
use super::value::{Name, path, signed};
use crate::error::Result;
use crate::event::Side;

/// What `unreadable.side` says beside the sides themselves: a file system that was mounted is not.
pub(super) const LOST_IN_SOURCE: i64 = 3;
pub(super) const LOST_IN_SINK: i64 = 4;

impl State {
    /// Directories of a side on which a file system was mounted that is not mounted there now.
    ///
    /// Those that were listed are recorded already. Those that were not, the mount point went too,
    /// or something else has its name; `is_excluded` tells which of them were not to be listed.
    pub(crate) async fn lost_mounts(
        &self,
        side: Side,
        is_excluded: impl Fn(&RelPath) -> bool + Send + 'static,
    ) -> Result<Vec<RelPath>> {
        self.call(move |db| db.lost_mounts(side, is_excluded)).await
    }

    /// Up to `limit` directories of the sink on which the last scan found another file system mounted.
    pub(crate) async fn mount_points_of_sink(&self, limit: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| {
            db.rows(
                "SELECT dir.path FROM dir JOIN dir AS above ON above.id = dir.parent
                 WHERE dir.sink_foreign_device <> 0 AND dir.sink_foreign_device IS NOT above.sink_foreign_device
                     AND dir.sink_scan = (SELECT max(id) FROM scan) ORDER BY dir.path LIMIT ?1",
                [signed(limit as u64)],
                |row| path(row, 0),
            )
        })
        .await
    }
}

impl Db {
    fn lost_mounts(&mut self, side: Side, is_excluded: impl Fn(&RelPath) -> bool) -> Result<Vec<RelPath>> {
        let (foreign, seen, number) = match side {
            Side::Source => ("foreign_device", "source_scan", LOST_IN_SOURCE),
            Side::Sink => ("sink_foreign_device", "sink_scan", LOST_IN_SINK),
        };
        let gone = format!("dir.{foreign} <> 0 AND dir.{seen} IS NOT ?1");
        if self.scan.accepts_new_tree {
            let forget = format!("UPDATE dir SET {foreign} = NULL WHERE {gone}");
            self.execute(&forget, [self.scan.id])?;
            return Ok(Vec::new());
        }
        let mount_points = self.rows(
            &format!(
                "SELECT dir.path FROM dir JOIN dir AS above ON above.id = dir.parent
                 WHERE {gone} AND dir.{foreign} IS NOT above.{foreign}"
            ),
            [self.scan.id],
            |row| path(row, 0),
        )?;
        for path in mount_points.into_iter().filter(|path| !is_excluded(path)) {
            self.execute("INSERT OR IGNORE INTO unreadable VALUES (?1, ?2)", params![number, Name(path.as_bytes())])?;
        }
        self.rows("SELECT path FROM unreadable WHERE side = ?1 ORDER BY path", [number], |row| path(row, 0))
    }

    /// Whether a directory was the root of a file system mounted there when it was
    /// last seen, and now is not, or is that of another.
    pub(super) fn is_another_file_system(&self, path: &RelPath, now: &Metadata, foreign: Option<i64>) -> Result<bool> {
        if self.scan.accepts_new_tree {
            return Ok(false);
        }
        let before = self.row(
            "SELECT inode, born FROM dir WHERE path = ?1 AND foreign_device <> 0
                 AND foreign_device IS NOT (SELECT above.foreign_device FROM dir AS above WHERE above.id = dir.parent)",
            [Name(path.as_bytes())],
            |row| Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?)),
        )?;
        // Numbers of devices change with each mount; that there is one does not.
        let (inode, born) = (now.id.map(|id| bits(id.inode)), now.created.map(|time| time.0));
        Ok(before.is_some_and(|(then, born_then)| {
            then != inode || foreign == Some(0) || (born_then.is_some() && born_then != born)
        }))
    }

    /// Whether another file system was mounted at this directory of the sink when it was last seen.
    pub(super) fn was_mount_point_of_sink(&self, path: &RelPath) -> Result<bool> {
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

/// The device of something that lies on another one, or on another mount, than its tree's root;
/// 0: it lies on that one.
pub(super) fn foreign_device(metadata: &Metadata, root: Option<&Metadata>) -> Option<i64> {
    let id = metadata.id?;
    let is_foreign = root.is_none_or(|root| metadata.is_mounted_elsewhere_than(root));
    // No mounted file system has the number 0.
    Some(if is_foreign { bits(id.device.max(1)) } else { 0 })
}
