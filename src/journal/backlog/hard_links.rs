//! Files with several names (hard links): one name carries the content, the others wait for it.
//!
//! A set of names can be very large, so each statement takes time linear in the number of names. The table `orphan` has
//! the sets whose carrier (the name that carries the content) may have failed.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Totals;
use crate::journal::handle::Journal;
use crate::journal::row::cause::Cause;
use crate::journal::row::file::{Attempt, FileKey};
use crate::journal::store::db::Db;
use crate::journal::store::sums;
use crate::journal::store::value::{Name, bytes, limit, number, path_in};

impl Journal {
    /// Counts the names of source files beyond the first of each file.
    pub(crate) async fn further_names(&self) -> Result<Totals> {
        self.call_long(|db| {
            let totals = db.row(
                &format!(
                    "SELECT count(*) AS files, {} FROM (
                         SELECT size, row_number() OVER (
                             PARTITION BY device, inode ORDER BY status, work, turn, dir, name) AS place
                         FROM file WHERE device IS NOT NULL)
                     WHERE place > 1",
                    sums::columns("")
                ),
                [],
                |row| Ok(Totals { files: number(row, "files")?, bytes: sums::read(row)? }),
            )?;
            Ok(totals.unwrap_or_default())
        })
        .await
    }

    /// Moves all names that still wait for their file to this attempt. If no name of a file is in sync or
    /// pending with the content, one of them becomes the carrier.
    pub(crate) async fn begin_names(&self, attempt: u32) -> Result<()> {
        self.call_long(move |db| {
            db.send_orphaned_names(attempt)?;
            db.execute("UPDATE file SET turn = ?1 WHERE status = 0 AND work = 1 AND turn < ?1", [attempt]).map(drop)
        })
        .await
    }

    /// Replaces each carrier that failed in this attempt by another name, in the same attempt; returns whether
    /// any was replaced.
    pub(crate) async fn take_over_names(&self, attempt: u32) -> Result<bool> {
        self.call_long(move |db| Ok(db.send_orphans(attempt)? > 0)).await
    }

    /// Fails up to `names` names that still wait for their file, with this cause.
    pub(crate) async fn fail_names(&self, names: usize, cause: Cause) -> Result<Vec<RelPath>> {
        self.call(move |db| db.fail_names(names, &cause)).await
    }

    /// Moves all files that conflicted with a directory to this attempt; returns whether there were any.
    pub(crate) async fn unblock(&self, attempt: u32) -> Result<bool> {
        self.call_long(move |db| {
            // Another name may have carried the content in the meantime.
            db.link_to_synced_names()?;
            let sql = "UPDATE file SET turn = ?2 WHERE status = 0 AND turn = ?1";
            Ok(db.execute(sql, params![Attempt::Blocked, attempt])? > 0)
        })
        .await
    }
}

impl Db {
    /// Turns carriers into links where another name of the file is now in sync. A name
    /// whose metadata changed since belongs to another file.
    pub(in crate::journal) fn link_to_synced_names(&self) -> Result<()> {
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

    /// For each file whose names all wait for each other, makes the first name that can still be sent the carrier, in
    /// this attempt.
    pub(in crate::journal) fn send_orphaned_names(&self, attempt: u32) -> Result<()> {
        if !self.exists("SELECT 1 FROM file WHERE status = 0 AND work = 1 LIMIT 1", [])? {
            return Ok(());
        }
        self.execute(
            "INSERT OR IGNORE INTO orphan
             SELECT device, inode FROM file WHERE device IS NOT NULL AND status = 0 AND work = 1",
            [],
        )?;
        self.send_orphans(attempt).map(drop)
    }

    /// Marks the set of a file whose row is about to change: its other names may lose their carrier.
    pub(in crate::journal) fn mark_orphans(&self, key: &FileKey) -> Result<()> {
        self.execute(
            "INSERT OR IGNORE INTO orphan
             SELECT device, inode FROM file WHERE dir = ?1 AND name = ?2 AND device IS NOT NULL",
            params![key.dir, Name(&key.name)],
        )
        .map(drop)
    }

    /// Like [`Self::send_orphaned_names`], for the sets in `orphan`; returns the number of
    /// new carriers.
    ///
    /// A name that failed in this run, or that the sink cannot hold, cannot be a carrier.
    pub(in crate::journal) fn send_orphans(&self, attempt: u32) -> Result<usize> {
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
            params![attempt, Attempt::Blocked],
        )?;
        self.execute("DELETE FROM orphan", [])?;
        Ok(chosen)
    }

    pub(in crate::journal) fn fail_names(&self, names: usize, cause: &Cause) -> Result<Vec<RelPath>> {
        let names = self.rows(
            "SELECT file.dir AS dir, name, path FROM file JOIN dir ON dir.id = file.dir
             WHERE status = 0 AND work = 1 AND turn < ?1 LIMIT ?2",
            params![Attempt::Blocked, limit(names)],
            |row| {
                let key = FileKey { dir: row.get("dir")?, name: bytes(row, "name")? };
                Ok((key, path_in(row, "path", "name")?))
            },
        )?;
        for (key, _) in &names {
            self.set_attempt(key, Attempt::GivenUp, None)?;
            self.set_cause(key, cause)?;
        }
        Ok(names.into_iter().map(|(_, path)| path).collect())
    }
}
