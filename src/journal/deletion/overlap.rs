//! Detects a source inside the sink that paths do not show, such as a server's export or a FUSE mount.

use rusqlite::params;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::value::{Name, bytes, path};

/// The most directories that are compared with the source's root.
const MAX_CANDIDATES: i64 = 256;
/// mtimes of one file read through two mounts differ by at most this.
const TOLERANCE_NS: i64 = 2_000_000_000;

impl Journal {
    /// A directory that only the sink has and that contains everything in the source's root: files of
    /// the same name, size and mtime, and directories of the same names.
    pub(crate) async fn extra_dir_like_source(&self) -> Result<Option<RelPath>> {
        self.call(|db| db.extra_dir_like_source()).await
    }
}

impl Db {
    fn extra_dir_like_source(&self) -> Result<Option<RelPath>> {
        for candidate in self.candidates()? {
            let same = self.row(
                "SELECT NOT EXISTS (
                     SELECT 1 FROM file JOIN dir AS root ON root.id = file.dir AND root.path = ''
                     WHERE file.scan = (SELECT max(id) FROM scan) AND NOT EXISTS (
                         SELECT 1 FROM sink_entry AS there JOIN dir ON dir.id = there.dir
                         WHERE dir.path = ?1 AND there.name = file.name AND there.kind = file.kind
                             AND there.size = file.size AND there.modified - file.modified BETWEEN -?2 AND ?2))
                 AND NOT EXISTS (
                     SELECT 1 FROM dir AS wanted JOIN dir AS root ON root.id = wanted.parent AND root.path = ''
                     WHERE wanted.source_scan = (SELECT max(id) FROM scan) AND NOT EXISTS (
                         SELECT 1 FROM dir AS there
                         WHERE there.path = ?1 || '/' || wanted.path AND there.sink_scan = wanted.source_scan)) AS same",
                params![Name::of(&candidate), TOLERANCE_NS],
                |row| row.get("same"),
            )?;
            if same == Some(true) {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }

    /// Directories that only the sink has and that contain one of the names in the source's root.
    fn candidates(&self) -> Result<Vec<RelPath>> {
        let extra = "dir.sink_scan = (SELECT max(id) FROM scan) AND dir.source_scan IS NOT (SELECT max(id) FROM scan)";
        let name = |sql: &str| self.row(sql, [], |row| bytes(row, "name"));
        let file = name(
            "SELECT name FROM file JOIN dir ON dir.id = file.dir AND dir.path = ''
             WHERE file.scan = (SELECT max(id) FROM scan) LIMIT 1",
        )?;
        if let Some(name) = file {
            let sql = format!(
                "SELECT dir.path FROM sink_entry JOIN dir ON dir.id = sink_entry.dir
                 WHERE sink_entry.name = ?1 AND {extra} LIMIT ?2"
            );
            return self.rows(&sql, params![Name(&name), MAX_CANDIDATES], |row| path(row, "path"));
        }
        let dir = name(
            "SELECT dir.path AS name FROM dir JOIN dir AS root ON root.id = dir.parent AND root.path = ''
             WHERE dir.source_scan = (SELECT max(id) FROM scan) LIMIT 1",
        )?;
        let Some(name) = dir else { return Ok(Vec::new()) };
        let sql = format!(
            "SELECT dir.path FROM dir JOIN dir AS below ON below.parent = dir.id
             WHERE below.path = dir.path || '/' || ?1 AND {extra} LIMIT ?2"
        );
        self.rows(&sql, params![Name(&name), MAX_CANDIDATES], |row| path(row, "path"))
    }
}
