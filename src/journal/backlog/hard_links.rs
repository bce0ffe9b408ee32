//! Files with several names (hard links): which name carries the content, and which are made names of it.
//!
//! The names of one file are found by device and inode; some FUSE file systems give different files
//! one inode number, so names that differ in size or mtime are not one file. A set of names can be
//! very large: each statement takes time in proportion to the number of names, not to its square.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Totals;
use crate::journal::backlog::pending::{
    BLOCKED, FileKey, NO_TURN, Pending, Sizes, Stretch, Work, columns, join, pending,
};
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::sums;
use crate::journal::store::value::{Name, bytes, path, signed, unsigned};

/// What is known during one run only.
///
/// `carrier`: for each set of names the one that the others are compared with, and which file it is
/// at the sink. `merged`: files of the sink whose names are different files in the source.
/// `orphan`: sets whose carrier may have failed.
pub(in crate::journal) const TEMPORARY_TABLES: &str = "
    CREATE TEMP TABLE carrier(
        device INTEGER, inode INTEGER, size INTEGER, modified ANY,
        dir INTEGER NOT NULL, name ANY NOT NULL, sink_device INTEGER, sink_inode INTEGER,
        PRIMARY KEY (device, inode, size, modified)
    ) STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE merged(
        device INTEGER, inode INTEGER, PRIMARY KEY (device, inode)
    ) STRICT, WITHOUT ROWID;
    CREATE TEMP TABLE orphan(
        device INTEGER, inode INTEGER, PRIMARY KEY (device, inode)
    ) STRICT, WITHOUT ROWID;
";

impl Journal {
    /// Names of the source beyond the first of each file.
    pub(crate) async fn further_names(&self) -> Result<Totals> {
        self.call_long(|db| {
            let totals = db.row(
                &format!(
                    "SELECT count(*), {} FROM (
                         SELECT size, row_number() OVER (
                             PARTITION BY device, inode ORDER BY status, work, turn, dir, name) AS place
                         FROM file WHERE device IS NOT NULL)
                     WHERE place > 1",
                    sums::columns("")
                ),
                [],
                |row| Ok(Totals { files: unsigned(row.get(0)?), bytes: sums::read(row, 1)? }),
            )?;
            Ok(totals.unwrap_or_default())
        })
        .await
    }

    /// Gives all names that still wait for their file their turn in pass `turn`. Where no name of a
    /// file is in sync nor waits for its content to be sent, one of them does from now on.
    pub(crate) async fn begin_names(&self, turn: u32) -> Result<()> {
        self.call_long(move |db| {
            db.send_orphaned_names(turn)?;
            db.execute("UPDATE file SET turn = ?1 WHERE status = 0 AND work = 1 AND turn < ?1", [turn]).map(drop)
        })
        .await
    }

    /// Where the name that was to carry a file's content failed in pass `turn`, another one takes
    /// over in the same pass; returns whether there is any.
    pub(crate) async fn take_over_names(&self, turn: u32) -> Result<bool> {
        self.call_long(move |db| Ok(db.send_orphans(turn)? > 0)).await
    }

    /// Takes up to `limit` names that still wait for their file out of this run, for the reason `error`.
    pub(crate) async fn give_up_names(&self, limit: usize, error: &'static str) -> Result<Vec<RelPath>> {
        self.call(move |db| db.give_up_names(limit, error)).await
    }

    /// What was blocked by a directory has another chance in pass `turn`; returns
    /// whether there is any.
    pub(crate) async fn unblock(&self, turn: u32) -> Result<bool> {
        self.call_long(move |db| {
            // Another name may have carried the content meanwhile.
            db.name_what_is_there()?;
            let unblocked = db.execute("UPDATE file SET turn = ?2 WHERE status = 0 AND turn = ?1", [BLOCKED, turn])?;
            Ok(unblocked > 0)
        })
        .await
    }
}

impl Db {
    /// A name that was to carry a file's content becomes another name of it where one is in sync by
    /// now. One whose metadata changed since is another file.
    pub(in crate::journal) fn name_what_is_there(&self) -> Result<()> {
        self.execute(
            "UPDATE file SET work = 1
             WHERE status = 0 AND work = 0 AND device IS NOT NULL AND EXISTS (
                 SELECT 1 FROM file AS other
                 WHERE other.device = file.device AND other.inode = file.inode AND other.status = 1
                     AND (other.size, other.modified) = (file.size, file.modified))",
            [],
        )
        .map(drop)
    }

    /// Finds the files of the sink whose names are different files in the source.
    pub(in crate::journal) fn find_merged(&mut self) -> Result<()> {
        self.execute("DELETE FROM merged", [])?;
        if !self.scan.compares.hard_links {
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

    /// Sends again, in some directories, what is merged with another file at the sink.
    pub(in crate::journal) fn separate_merged(&mut self, from: i64, to: i64) -> Result<()> {
        if !self.scan.compares.hard_links {
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

    /// Chooses the name of each file that the others are compared with: one that is in sync, better
    /// one that has several names at the sink, too; or else the first.
    pub(in crate::journal) fn choose_carriers(&mut self) -> Result<()> {
        self.execute("DELETE FROM carrier", [])?;
        if !self.scan.compares.hard_links {
            return Ok(());
        }
        for wanted in ["file.status = 1 AND there.device IS NOT NULL", "file.status = 1", "file.status = 0"] {
            // The order is that of the index `file_names`: names of one file at most are sorted.
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

    /// Of the names of one file, one is sent and the others are made names of it,
    /// unless they are so already.
    pub(in crate::journal) fn compare_names(&mut self, from: i64, to: i64) -> Result<()> {
        if !self.scan.compares.hard_links {
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
            // `+`: by directory; the index of what is pending has no directories to begin with.
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

    /// Names whose file is in sync under another name. What is known of the file is known by that one.
    pub(in crate::journal) fn pending_names(
        &self,
        turn: u32,
        sizes: Sizes,
        stretch: &Stretch,
        limit: usize,
    ) -> Result<Vec<Pending>> {
        let (least, most) = sizes.bounds();
        let (condition, dir, name) = stretch.condition();
        self.rows(
            &format!(
                "SELECT {}, first.name, first_dir.path
                 FROM file JOIN dir ON dir.id = file.dir
                 JOIN file AS first ON (first.dir, first.name) = (
                     SELECT dir, name FROM file AS synced
                     WHERE synced.device = file.device AND synced.inode = file.inode AND synced.status = 1
                     ORDER BY work, turn, dir, name LIMIT 1)
                 JOIN dir AS first_dir ON first_dir.id = first.dir
                 WHERE file.status = 0 AND file.work = ?5 AND file.turn = ?1
                     AND {condition} AND file.size BETWEEN ?6 AND ?7
                 ORDER BY file.dir, file.name LIMIT ?4",
                columns("first")
            ),
            params![turn, dir, Name(name), signed(limit as u64), Work::Name.number(), least, most],
            |row| {
                let first = join(&path(row, 26)?, &bytes(row, 25)?)?;
                Ok(Pending { name_of: Some(first), ..pending(row)? })
            },
        )
    }

    /// Of each file whose names all wait for one another, lets the first that can still be sent
    /// carry the content, in pass `turn`.
    pub(in crate::journal) fn send_orphaned_names(&self, turn: u32) -> Result<()> {
        if self.row("SELECT 1 FROM file WHERE status = 0 AND work = 1 LIMIT 1", [], |_| Ok(()))?.is_none() {
            return Ok(());
        }
        self.execute(
            "INSERT OR IGNORE INTO orphan
             SELECT device, inode FROM file WHERE device IS NOT NULL AND status = 0 AND work = 1",
            [],
        )?;
        self.send_orphans(turn).map(drop)
    }

    /// A file's row is about to change: its other names may lose the one that carries their content.
    pub(in crate::journal) fn may_orphan(&self, key: &FileKey) -> Result<()> {
        self.execute(
            "INSERT OR IGNORE INTO orphan
             SELECT device, inode FROM file WHERE dir = ?1 AND name = ?2 AND device IS NOT NULL",
            params![key.dir, Name(&key.name)],
        )
        .map(drop)
    }

    /// The same as [`Self::send_orphaned_names`] of the sets in `orphan` alone; returns how many
    /// names carry content now.
    ///
    /// A name that failed in this run, or that the sink cannot hold, carries nothing.
    fn send_orphans(&self, turn: u32) -> Result<usize> {
        let chosen = self.execute(
            "UPDATE file SET work = 0, turn = ?1
             FROM (
                 SELECT next.dir AS chosen_dir, next.name AS chosen_name
                 FROM orphan CROSS JOIN file AS next ON (next.dir, next.name) = (
                     SELECT dir, name FROM file
                     WHERE file.device = orphan.device AND file.inode = orphan.inode
                         AND status = 0 AND work = 1 AND turn < ?2
                     ORDER BY turn, dir, name LIMIT 1)
                 WHERE NOT EXISTS (
                     SELECT 1 FROM file
                     WHERE file.device = orphan.device AND file.inode = orphan.inode AND status = 1)
                 AND NOT EXISTS (
                     SELECT 1 FROM file
                     WHERE file.device = orphan.device AND file.inode = orphan.inode
                         AND status = 0 AND work = 0 AND turn < ?2))
             WHERE dir = chosen_dir AND name = chosen_name",
            [turn, BLOCKED],
        )?;
        self.execute("DELETE FROM orphan", [])?;
        Ok(chosen)
    }

    fn give_up_names(&self, limit: usize, error: &str) -> Result<Vec<RelPath>> {
        let names = self.rows(
            "SELECT file.dir, name, path FROM file JOIN dir ON dir.id = file.dir
             WHERE status = 0 AND work = 1 AND turn < ?1 LIMIT ?2",
            params![BLOCKED, signed(limit as u64)],
            |row| {
                let key = FileKey { dir: row.get(0)?, name: bytes(row, 1)? };
                let path = join(&path(row, 2)?, &key.name)?;
                Ok((key, path))
            },
        )?;
        for (key, _) in &names {
            self.set_turn(key, NO_TURN, None)?;
            self.set_error(key, Some(error))?;
        }
        Ok(names.into_iter().map(|(_, path)| path).collect())
    }
}

#[cfg(test)]
mod tests;
