//! Files with several names (hard links): which name carries the content, and which wait for that.
//!
//! A set of names can be very large: each statement takes time in proportion to the number of names,
//! not to its square. `orphan` has the sets of which the name that was to carry the content may have failed.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Totals;
use crate::journal::handle::Journal;
use crate::journal::row::file::{Attempt, FileKey};
use crate::journal::store::db::Db;
use crate::journal::store::sums;
use crate::journal::store::value::{Name, bytes, limit, number, path_in};

impl Journal {
    /// Names of the source beyond the first of each file.
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

    /// Moves all names that still wait for their file to this attempt. Where no name of a
    /// file is in sync nor waits for its content to be sent, one of them does from now on.
    pub(crate) async fn begin_names(&self, attempt: u32) -> Result<()> {
        self.call_long(move |db| {
            db.send_orphaned_names(attempt)?;
            db.execute("UPDATE file SET turn = ?1 WHERE status = 0 AND work = 1 AND turn < ?1", [attempt]).map(drop)
        })
        .await
    }

    /// Where the name that was to carry a file's content failed in this attempt, another one takes
    /// over in the same attempt; returns whether there is any.
    pub(crate) async fn take_over_names(&self, attempt: u32) -> Result<bool> {
        self.call_long(move |db| Ok(db.send_orphans(attempt)? > 0)).await
    }

    /// Takes up to `names` names that still wait for their file out of this run, for the reason `error`.
    pub(crate) async fn give_up_names(&self, names: usize, error: &'static str) -> Result<Vec<RelPath>> {
        self.call(move |db| db.give_up_names(names, error)).await
    }

    /// What was in conflict with a directory is tried again in this attempt; returns whether there is any.
    pub(crate) async fn unblock(&self, attempt: u32) -> Result<bool> {
        self.call_long(move |db| {
            // Another name may have carried the content meanwhile.
            db.link_to_synced_names()?;
            let sql = "UPDATE file SET turn = ?2 WHERE status = 0 AND turn = ?1";
            Ok(db.execute(sql, params![Attempt::Blocked, attempt])? > 0)
        })
        .await
    }
}

impl Db {
    /// A name that was to carry a file's content becomes another name of it where one is in sync by
    /// now. One whose metadata changed since is another file.
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

    /// Of each file whose names all wait for one another, the first that can still be sent
    /// carries the content, in this attempt.
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

    /// A file's row is about to change: its other names may lose the one that carries their content.
    pub(in crate::journal) fn mark_orphans(&self, key: &FileKey) -> Result<()> {
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

    pub(in crate::journal) fn give_up_names(&self, names: usize, error: &str) -> Result<Vec<RelPath>> {
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
            self.set_error(key, Some(error))?;
        }
        Ok(names.into_iter().map(|(_, path)| path).collect())
    }
}
