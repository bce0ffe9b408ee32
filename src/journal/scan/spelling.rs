//! Names that the sink spells differently from the source and does not distinguish.
//!
//! A file is renamed in the source by changing only the case of letters; the sink, which folds case, still has
//! the old spelling. No names collide: the sink's entry is that file, and is to be renamed.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::{Error, Result};
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, last_name, limit, path, subtree};

/// An entry of the sink that is to be renamed to the source's spelling.
#[derive(Debug)]
pub(crate) struct Respelling {
    /// The source's spelling.
    pub(crate) path: RelPath,
    /// The same path with the sink's spelling of its last name.
    pub(crate) at_sink: RelPath,
}

impl Journal {
    /// Directories that the sink spells differently from the source. Their recorded content is
    /// deleted: it belongs under the source's spelling and must be listed there again.
    pub(crate) async fn take_respelled_dirs(&self) -> Result<Vec<RelPath>> {
        self.call(Db::take_respelled_dirs).await
    }

    /// Up to `names` entries to be renamed, after `after`, each after its parent directory.
    pub(crate) async fn respellings(&self, after: RelPath, names: usize) -> Result<Vec<Respelling>> {
        self.call(move |db| {
            let sql = "SELECT path, name FROM respelling WHERE path > ?1 ORDER BY path LIMIT ?2";
            let rows = db.rows(sql, params![Name::of(&after), limit(names)], |row| {
                Ok((path(row, "path")?, bytes(row, "name")?))
            })?;
            rows.into_iter().map(|(path, name)| respelling(path, &name)).collect()
        })
        .await
    }

    /// Forgets entries that were renamed. Their parent directories are finalized again.
    pub(crate) async fn respelled(&self, paths: Vec<RelPath>) -> Result<()> {
        self.call(move |db| {
            for path in &paths {
                db.execute("DELETE FROM respelling WHERE path = ?1", [Name::of(path)])?;
                db.finalize_again(Name::split(path).0)?;
            }
            Ok(())
        })
        .await
    }
}

fn respelling(path: RelPath, name: &[u8]) -> Result<Respelling> {
    match path.parent().map(|parent| parent.join(name)) {
        Some(Ok(at_sink)) => Ok(Respelling { path, at_sink }),
        _ => Err(Error::Internal(format!("{path} cannot have been {} at the destination", name.escape_ascii()))),
    }
}

impl Db {
    fn take_respelled_dirs(&mut self) -> Result<Vec<RelPath>> {
        let scan = self.scan()?;
        if !scan.names.folds() {
            return Ok(Vec::new());
        }
        let at_sink_alone = "sink_scan = ?1 AND source_scan IS NOT ?1";
        self.fill_stale(&format!(
            "INSERT OR IGNORE INTO stale SELECT parent, name_key(path), path FROM dir
             WHERE parent IS NOT NULL AND {at_sink_alone}"
        ))?;
        let pairs = self.rows(
            "SELECT min(dir.path) AS at_source, min(stale.name) AS at_sink FROM dir
             JOIN stale ON stale.dir = dir.parent AND stale.key = name_key(dir.path)
             WHERE dir.source_scan = ?1 AND dir.sink_scan IS NOT ?1 GROUP BY stale.dir, stale.key",
            [scan.id],
            |row| Ok((path(row, "at_source")?, path(row, "at_sink")?)),
        )?;
        for (at_source, at_sink) in &pairs {
            self.move_dir(at_source, at_sink)?;
            self.add_respelling(at_source, last_name(at_sink.as_bytes()))?;
        }
        Ok(pairs.into_iter().map(|(at_source, _)| at_source).collect())
    }

    /// Moves the record of a sink directory to another spelling, and deletes its recorded content.
    fn move_dir(&self, to: &RelPath, from: &RelPath) -> Result<()> {
        self.execute(
            "UPDATE dir SET (sink_scan, sink_modified, sink_permissions, sink_user, sink_grp, sink_xattrs,
                     sink_foreign_device)
                 = (SELECT sink_scan, sink_modified, sink_permissions, sink_user, sink_grp, sink_xattrs,
                        sink_foreign_device
                    FROM dir WHERE path = ?2),
                 missing = 0
             WHERE path = ?1",
            params![Name::of(to), Name::of(from)],
        )?;
        let (first, end) = subtree(from);
        let below = "(path = ?1 OR (path >= ?2 AND path < ?3)
             OR (path >= CAST(?2 AS BLOB) AND path < CAST(?3 AS BLOB)))";
        let values = params![Name::of(from), Name(&first), Name(&end)];
        self.execute(&format!("DELETE FROM sink_entry WHERE dir IN (SELECT id FROM dir WHERE {below})"), values)?;
        self.execute(&format!("UPDATE dir SET sink_scan = NULL WHERE {below}"), values).map(drop)
    }

    /// Matches source files in some directories with differently spelled entries of the sink, where the sink
    /// has no entry with the same spelling.
    pub(in crate::journal) fn match_spellings(&mut self, from: i64, to: i64) -> Result<()> {
        let scan = self.scan()?;
        if !scan.names.folds() {
            return Ok(());
        }
        self.fill_stale(&format!(
            "INSERT OR IGNORE INTO stale SELECT dir, name_key(name), name FROM sink_entry
             WHERE dir BETWEEN {from} AND {to} AND NOT EXISTS (
                 SELECT 1 FROM file WHERE file.dir = sink_entry.dir AND file.name = sink_entry.name AND file.scan = ?1)"
        ))?;
        let pairs = self.rows(
            "SELECT dir, min(wanted) AS wanted, min(spelled) AS spelled FROM (
                 SELECT file.dir AS dir, file.name AS wanted, stale.name AS spelled, stale.key FROM file
                 JOIN stale ON stale.dir = file.dir AND stale.key = name_key(file.name)
                 WHERE file.dir BETWEEN ?2 AND ?3 AND file.scan = ?1 AND NOT EXISTS (
                     SELECT 1 FROM sink_entry WHERE sink_entry.dir = file.dir AND sink_entry.name = file.name)
                 UNION ALL
                 SELECT dir.parent, path, stale.name, stale.key FROM dir
                 JOIN stale ON stale.dir = dir.parent AND stale.key = name_key(path)
                 WHERE dir.parent BETWEEN ?2 AND ?3 AND dir.source_scan = ?1 AND dir.sink_scan IS NOT ?1)
             GROUP BY dir, key",
            params![scan.id, from, to],
            |row| Ok((row.get::<_, i64>("dir")?, bytes(row, "wanted")?, bytes(row, "spelled")?)),
        )?;
        for (dir, wanted, spelled) in pairs {
            self.match_spelling(dir, last_name(&wanted), &spelled)?;
        }
        Ok(())
    }

    fn match_spelling(&mut self, dir: i64, wanted: &[u8], spelled: &[u8]) -> Result<()> {
        let scan = self.scan()?;
        self.execute(
            "UPDATE sink_entry SET name = ?3 WHERE dir = ?1 AND name = ?2",
            params![dir, Name(spelled), Name(wanted)],
        )?;
        self.execute(
            "UPDATE file SET status = 1
             WHERE dir = ?1 AND name = ?2 AND scan = ?3 AND status = 0 AND suspect = 0 AND EXISTS (
                 SELECT 1 FROM sink_entry AS there
                 WHERE there.dir = ?1 AND there.name = ?2 AND there.kind = file.kind
                     AND CASE
                         WHEN file.kind = 1 AND file.target IS NULL THEN 0
                         WHEN file.kind = 1 AND there.target IS NOT NULL
                             THEN there.target = coalesce(file.kept_target, file.target)
                         ELSE there.size = coalesce(file.kept_size, file.size) END
                     AND there.modified - coalesce(file.kept_modified, file.modified) BETWEEN -?4 AND ?4)",
            params![dir, Name(wanted), scan.id, scan.tolerance],
        )?;
        self.add_respelling(&self.entry_path(dir, wanted)?, spelled)
    }

    fn add_respelling(&self, path: &RelPath, spelled: &[u8]) -> Result<()> {
        let values = params![Name::of(path), Name(spelled)];
        self.execute("INSERT OR REPLACE INTO respelling(path, name) VALUES (?1, ?2)", values).map(drop)
    }

    /// Fills the table `stale`: spellings that only the sink has, by their keys.
    fn fill_stale(&self, insert: &str) -> Result<()> {
        self.execute(
            "CREATE TEMP TABLE IF NOT EXISTS stale(dir INTEGER, key BLOB, name ANY, PRIMARY KEY (dir, key, name))
             WITHOUT ROWID",
            [],
        )?;
        self.execute("DELETE FROM stale", [])?;
        self.connection.execute(insert, [self.scan()?.id]).map(drop).map_err(|error| self.error(error))
    }
}
