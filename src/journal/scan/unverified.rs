//! Rows that a scan did not see and that a later scan must not trust.

use rusqlite::{named_params, params};

use crate::error::Result;
use crate::journal::row::file::EntryKind;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, optional_time, path, path_in};

impl Db {
    /// Records the unfinished copies of rows in these directories that this scan did not see: no
    /// run will complete them. Of the rows that were pending at an unclean shutdown, these are the files
    /// that changed at the sink after that run began.
    pub(in crate::journal) fn keep_incomplete(&self, from: i64, to: i64) -> Result<()> {
        let scan = self.scan()?;
        let rows = self.rows(
            "SELECT dir.path AS dir_path, file.name AS name, there.size AS size, there.modified AS modified FROM file
             JOIN dir ON dir.id = file.dir
             LEFT JOIN sink_entry AS there
                 ON there.dir = file.dir AND there.name = file.name AND there.kind = :file
             WHERE file.dir BETWEEN :from AND :to AND file.scan <> :scan AND file.status = 0 AND (begun <> 0
                 OR (file.scan = :unverified_scan AND there.modified + 0 >= :interrupted_since))",
            named_params! {
                ":scan": scan.id, ":from": from, ":to": to, ":file": EntryKind::File,
                ":unverified_scan": scan.unverified_scan, ":interrupted_since": scan.interrupted_since_ns,
            },
            |row| Ok((path_in(row, "dir_path", "name")?, row.get("size")?, optional_time(row, "modified")?)),
        )?;
        for (path, size, modified) in rows {
            self.insert_incomplete(&path, size, modified)?;
        }
        Ok(())
    }

    /// Records the rows in these directories that this scan did not see and whose size and mtime prove nothing to a
    /// later one: a file in flight at an unclean shutdown may not have reached the disk, and a sink without
    /// mtimes does not show that a file changed.
    pub(in crate::journal) fn keep_unverified(&self, from: i64, to: i64) -> Result<()> {
        let scan = self.scan()?;
        self.execute(
            "INSERT OR IGNORE INTO unverified(dir, name)
             SELECT dir.path, file.name FROM file JOIN dir ON dir.id = file.dir
             WHERE file.dir BETWEEN :from AND :to AND file.scan <> :scan AND (
                 suspect <> 0 OR begun <> 0 OR (file.status = 0 AND file.scan = :unverified_scan)
                 OR (file.status = 1 AND :no_mtime))",
            named_params! {
                ":scan": scan.id, ":from": from, ":to": to, ":unverified_scan": scan.unverified_scan,
                ":no_mtime": scan.sink_keeps_no_mtime(),
            },
        )
        .map(drop)
    }

    /// Marks files as pending that were unverified when they were last seen and that the source has again.
    pub(in crate::journal) fn send_unverified(&self) -> Result<()> {
        let scan = self.scan()?.id;
        self.execute(
            "UPDATE file SET status = 0, suspect = 1, work = CASE work WHEN 2 THEN 0 ELSE work END
             FROM unverified JOIN dir ON dir.path = unverified.dir
             WHERE file.dir = dir.id AND file.name = unverified.name AND file.scan = ?1",
            [scan],
        )?;
        self.execute(
            "DELETE FROM unverified WHERE EXISTS (
                 SELECT 1 FROM file JOIN dir ON dir.id = file.dir
                 WHERE dir.path = unverified.dir AND file.name = unverified.name AND file.scan = ?1)",
            [scan],
        )
        .map(drop)
    }

    /// Forgets incomplete files that the source has again: they are in the backlog.
    pub(in crate::journal) fn forget_reappeared(&self) -> Result<()> {
        let all = self.rows("SELECT path FROM incomplete", [], |row| path(row, "path"))?;
        for path in all {
            let (parent, name) = Name::split(&path);
            self.execute(
                "DELETE FROM incomplete WHERE path = ?1 AND EXISTS (
                     SELECT 1 FROM file WHERE dir = (SELECT id FROM dir WHERE path = ?2) AND name = ?3)",
                params![Name::of(&path), parent, name],
            )?;
        }
        Ok(())
    }
}
