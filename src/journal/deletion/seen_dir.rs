//! Directories of the source as the scan saw them, to prove that a missing file is really absent.

use towpath_backend::{Metadata, RelPath, Timestamp};

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::row::dir::foreign_device;
use crate::journal::store::value::{Name, bits, optional_path, optional_time};

/// A directory of the source as the scan saw it.
#[derive(Clone, Debug)]
pub(crate) struct SeenDir {
    /// Where it is read: another path of the source if it is reached through a symlink.
    pub(crate) read_path: RelPath,
    pub(crate) path: RelPath,
    inode: Option<i64>,
    foreign_device: Option<i64>,
    btime: Option<Timestamp>,
}

impl SeenDir {
    /// Whether it was on another mount than the root of its tree.
    pub(crate) fn is_on_other_mount(&self) -> bool {
        self.foreign_device.is_some_and(|device| device != 0)
    }

    /// Whether `now` are the metadata of this directory, in a tree with this root. The roots of file systems often
    /// have the same inode number, and device numbers are reused, so the btime is compared too.
    pub(crate) fn is(&self, now: &Metadata, root: &Metadata) -> bool {
        // The numbers of mounts and devices change, so only whether it is on another mount is compared.
        let is_foreign = foreign_device(now, Some(root)).map(|device| device != 0);
        now.id.map(|id| bits(id.inode)) == self.inode
            && is_foreign == self.foreign_device.map(|device| device != 0)
            && (self.btime.is_none() || now.created == self.btime)
    }
}

impl Journal {
    /// The nearest directory above `at` that the scan saw in the source.
    pub(crate) async fn nearest_seen_dir(&self, at: RelPath) -> Result<Option<SeenDir>> {
        self.call(move |db| {
            let mut dir = at.parent();
            while let Some(at) = dir {
                let seen = db.row(
                    "SELECT real, inode, foreign_device, born FROM dir
                     WHERE path = ?1 AND source_scan = (SELECT max(id) FROM scan)",
                    [Name::of(&at)],
                    |row| {
                        Ok(SeenDir {
                            read_path: optional_path(row, "real")?.unwrap_or_else(|| at.clone()),
                            path: at.clone(),
                            inode: row.get("inode")?,
                            foreign_device: row.get("foreign_device")?,
                            btime: optional_time(row, "born")?,
                        })
                    },
                )?;
                if seen.is_some() {
                    return Ok(seen);
                }
                dir = at.parent();
            }
            Ok(None)
        })
        .await
    }
}
