//! Files with several names (hard links): compares the sets of names in source and sink.
//!
//! Device and inode identify the names of one file. Some FUSE file systems give different files
//! the same inode number, so names that differ in size or mtime are not one file. A set of names can be
//! very large, so each statement takes time linear in the number of names.

use rusqlite::params;

use crate::error::Result;
use crate::journal::store::db::Db;

impl Db {
    /// Finds the files of the sink whose names belong to different files in the source.
    pub(in crate::journal) fn find_merged(&mut self) -> Result<()> {
        self.execute("DELETE FROM merged", [])?;
        if !self.scan()?.compares.hard_links {
            return Ok(());
        }
        self.execute(
            "INSERT INTO merged
             SELECT there.device, there.inode
             FROM sink_entry AS there CROSS JOIN file ON file.dir = there.dir AND file.name = there.name
             WHERE there.device IS NOT NULL
             GROUP BY there.device, there.inode
             HAVING count(*) > 1 AND (
                 count(file.device) < count(*)
                 OR min(file.device) <> max(file.device) OR min(file.inode) <> max(file.inode))",
            [],
        )
        .map(drop)
    }

    /// Marks files in some directories as pending that are merged with another file at the sink.
    pub(in crate::journal) fn separate_merged(&mut self, from: i64, to: i64) -> Result<()> {
        if !self.scan()?.compares.hard_links {
            return Ok(());
        }
        self.execute(
            "UPDATE file SET status = 0
             WHERE dir BETWEEN ?1 AND ?2 AND status = 1 AND kind = 0 AND EXISTS (
                 SELECT 1 FROM sink_entry AS mine
                 WHERE mine.dir = file.dir AND mine.name = file.name
                     AND (mine.device, mine.inode) IN (SELECT device, inode FROM merged))",
            params![from, to],
        )
        .map(drop)
    }

    /// Chooses the name of each file that the others are compared with: preferably one that is in sync and
    /// has several names at the sink, else one that is in sync, else the first.
    pub(in crate::journal) fn choose_carriers(&mut self) -> Result<()> {
        self.execute("DELETE FROM carrier", [])?;
        if !self.scan()?.compares.hard_links {
            return Ok(());
        }
        for wanted in ["file.status = 1 AND there.device IS NOT NULL", "file.status = 1", "file.status = 0"] {
            // In the order of the index `file_names`, so that only names of one file are sorted.
            self.execute(
                &format!(
                    "INSERT OR IGNORE INTO carrier
                     SELECT file.device, file.inode, file.size, file.modified, file.dir, file.name,
                         there.device, there.inode
                     FROM file LEFT JOIN sink_entry AS there ON there.dir = file.dir AND there.name = file.name
                     WHERE file.device IS NOT NULL AND {wanted}
                     ORDER BY file.device, file.inode, file.status, file.work, file.turn, file.dir, file.name"
                ),
                [],
            )?;
        }
        Ok(())
    }

    /// Marks the names of a file as pending links to its carrier, unless the sink already has them as names of one
    /// file.
    pub(in crate::journal) fn compare_names(&mut self, from: i64, to: i64) -> Result<()> {
        if !self.scan()?.compares.hard_links {
            return Ok(());
        }
        let range = params![from, to];
        self.execute(
            "UPDATE file SET status = 0, work = 1
             WHERE dir BETWEEN ?1 AND ?2 AND device IS NOT NULL AND status = 1
                 AND (SELECT (first.sink_device, first.sink_inode) IS NOT (mine.device, mine.inode)
                          OR (first.sink_device IS NULL AND (first.dir, first.name) <> (file.dir, file.name))
                      FROM carrier AS first
                      LEFT JOIN sink_entry AS mine ON mine.dir = file.dir AND mine.name = file.name
                      WHERE (first.device, first.inode, first.size, first.modified)
                          = (file.device, file.inode, file.size, file.modified))",
            range,
        )?;
        self.execute(
            // `+` makes SQLite search by directory, which the index of pending files does not begin with.
            "UPDATE file SET work = 1
             WHERE dir BETWEEN ?1 AND ?2 AND device IS NOT NULL AND +status = 0 AND +work = 0
                 AND (SELECT (first.dir, first.name) <> (file.dir, file.name)
                      FROM carrier AS first
                      WHERE (first.device, first.inode, first.size, first.modified)
                          = (file.device, file.inode, file.size, file.modified))",
            range,
        )
        .map(drop)
    }
}
