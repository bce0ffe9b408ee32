//! Both listings on their way into the database, and the decision where they meet.
//!
//! A file of the source is `synced` if the sink has a file of its size and time
//! under its name, else `pending`. Whichever listing brings the name second
//! decides, so that the backlog is known exactly while the scan still runs.

use rusqlite::params;
use towpath_backend::{Entry, Identity, Kind, Metadata, RelPath};

use super::State;
use super::db::Db;
use super::run::{Backlog, now_ns};
use super::value::{Name, path, signed};
use crate::error::Result;
use crate::event::{Counts, Side, Totals};

/// How kinds are recorded.
pub(super) const FILE: i64 = 0;
pub(super) const LINK: i64 = 1;
const OTHER: i64 = 2;

/// Directories whose stale rows are removed in one step.
const SWEEP_DIRS: i64 = 1000;

/// What a scan keeps in mind between its pages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Scan {
    id: i64,
    /// Times that differ by no more are equal.
    tolerance_ns: i64,
    /// Rows that were pending at this scan may have been cut off. 0: none.
    distrusted_scan: i64,
    pending: Totals,
}

/// What a finished scan found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) source: Counts,
    pub(crate) sink: Counts,
    pub(crate) skipped: u64,
    pub(crate) unreadable: u64,
}

impl State {
    /// Begins a scan: nothing that an earlier scan found at the sink counts any more.
    pub(crate) async fn begin_scan(&self, run: i64, tolerance_ns: u64) -> Result<()> {
        self.commit(move |db| db.begin_scan(run, tolerance_ns)).await
    }

    /// Records a page of a directory's listing; tells what is pending so far.
    pub(crate) async fn add_page(&self, side: Side, dir: RelPath, page: Vec<Entry>) -> Result<Totals> {
        self.call(move |db| {
            match side {
                Side::Source => db.add_source_page(&dir, &page)?,
                Side::Sink => db.add_sink_page(&dir, &page)?,
            }
            Ok(db.scan.pending)
        })
        .await
    }

    /// Records that a directory could not be read: what lies below is unknown.
    pub(crate) async fn add_unreadable(&self, side: Side, dir: RelPath) -> Result<()> {
        self.call(move |db| {
            db.execute("INSERT OR IGNORE INTO unreadable VALUES (?1, ?2)", params![number(side), Name(dir.as_bytes())])
                .map(drop)
        })
        .await
    }

    /// Keeps directories that the walkers' memory has no room for.
    pub(crate) async fn push_walk_queue(&self, side: Side, dirs: Vec<RelPath>) -> Result<()> {
        self.call(move |db| {
            for dir in &dirs {
                let values = params![number(side), Name(dir.as_bytes())];
                db.execute("INSERT INTO walk_queue(side, path) VALUES (?1, ?2)", values)?;
            }
            Ok(())
        })
        .await
    }

    /// Takes back up to `limit` of them, the latest first.
    pub(crate) async fn pop_walk_queue(&self, side: Side, limit: usize) -> Result<Vec<RelPath>> {
        self.call(move |db| db.pop_walk_queue(side, limit)).await
    }

    /// Completes the scan: rows of files that no longer exist go, and the
    /// backlog is what is pending now.
    pub(crate) async fn finish_scan(&self, found: Found, identities: [Identity; 2]) -> Result<Backlog> {
        loop {
            let after = self.call(|db| db.sweep_some()).await?;
            if !after {
                break;
            }
        }
        self.commit(move |db| db.finish_scan(&found, &identities)).await
    }
}

fn number(side: Side) -> i64 {
    match side {
        Side::Source => 0,
        Side::Sink => 1,
    }
}

impl Db {
    fn begin_scan(&mut self, run: i64, tolerance_ns: u64) -> Result<()> {
        let distrusted = self.row(
            "SELECT id FROM scan WHERE finished IS NOT NULL AND (SELECT value FROM distrust) ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )?;
        for table in ["sink_entry", "walk_queue", "unreadable"] {
            self.execute(&format!("DELETE FROM {table}"), [])?;
        }
        self.execute("INSERT INTO scan(run, started) VALUES (?1, ?2)", [run, now_ns()])?;
        let id = self.connection.last_insert_rowid();
        self.scan = Scan {
            id,
            tolerance_ns: signed(tolerance_ns),
            distrusted_scan: distrusted.unwrap_or(0),
            pending: Totals::default(),
        };
        self.execute("INSERT OR IGNORE INTO dir(path) VALUES ('')", [])?;
        self.execute("UPDATE dir SET source_scan = ?1, sink_scan = ?1, missing = 0 WHERE path = ''", [id])?;
        self.sweep = Sweep::default();
        Ok(())
    }

    fn dir_id(&self, dir: &RelPath) -> Result<i64> {
        let found = self.row("SELECT id FROM dir WHERE path = ?1", [Name(dir.as_bytes())], |row| row.get(0))?;
        if let Some(id) = found {
            return Ok(id);
        }
        self.execute("INSERT INTO dir(path) VALUES (?1)", [Name(dir.as_bytes())])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn add_source_page(&mut self, dir: &RelPath, page: &[Entry]) -> Result<()> {
        let dir_id = self.dir_id(dir)?;
        for entry in page {
            match entry.metadata.kind {
                Kind::Dir => self.add_source_dir(dir_id, dir, entry)?,
                Kind::File => self.add_source_file(dir_id, FILE, &entry.name, &entry.metadata)?,
                Kind::Symlink => self.add_source_file(dir_id, LINK, &entry.name, &entry.metadata)?,
                Kind::Other => {}
            }
        }
        Ok(())
    }

    fn add_sink_page(&mut self, dir: &RelPath, page: &[Entry]) -> Result<()> {
        let dir_id = self.dir_id(dir)?;
        for entry in page {
            match entry.metadata.kind {
                Kind::Dir => self.add_sink_dir(dir_id, dir, entry)?,
                _ => self.add_sink_entry(dir_id, &entry.name, &entry.metadata)?,
            }
        }
        Ok(())
    }

    fn add_source_dir(&self, parent: i64, dir: &RelPath, entry: &Entry) -> Result<()> {
        // Names come from a listing: one that is no name was refused by the walker.
        let Ok(path) = dir.join(&entry.name) else { return Ok(()) };
        let accessed = entry.metadata.accessed.map(|time| time.0);
        self.execute(
            "INSERT INTO dir(path, source_scan, parent, modified, accessed, missing) VALUES (?1, ?2, ?3, ?4, ?5, 1)
             ON CONFLICT(path) DO UPDATE
             SET source_scan = excluded.source_scan, parent = excluded.parent, modified = excluded.modified,
                 accessed = excluded.accessed, missing = sink_scan IS NOT excluded.source_scan",
            params![Name(path.as_bytes()), self.scan.id, parent, entry.metadata.modified.0, accessed],
        )
        .map(drop)
    }

    fn add_sink_dir(&self, parent: i64, dir: &RelPath, entry: &Entry) -> Result<()> {
        let Ok(path) = dir.join(&entry.name) else { return Ok(()) };
        self.execute(
            "INSERT INTO dir(path, sink_scan, parent, sink_modified) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT(path) DO UPDATE
             SET sink_scan = excluded.sink_scan, sink_modified = excluded.sink_modified, missing = 0",
            params![Name(path.as_bytes()), self.scan.id, parent, entry.metadata.modified.0],
        )
        .map(drop)
    }

    fn add_source_file(&mut self, dir: i64, kind: i64, name: &[u8], metadata: &Metadata) -> Result<()> {
        let scan = self.scan;
        // A row that this scan has already brought is left alone: a directory
        // that changes while it is read may list a name twice.
        let status = self.row(
            "INSERT INTO file(dir, name, size, modified, accessed, changed, created, permissions, scan, kind, status)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?12, EXISTS (
                 SELECT 1 FROM sink_entry
                 WHERE dir = ?1 AND name = ?2 AND kind = ?12 AND size = ?3 AND abs(modified - ?4) <= ?10))
             ON CONFLICT(dir, name) DO UPDATE SET
                 hash = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                     THEN hash END,
                 algorithm = CASE WHEN (kind, size, modified) = (excluded.kind, excluded.size, excluded.modified)
                     THEN algorithm END,
                 kind = excluded.kind,
                 suspect = suspect OR (status = 0 AND scan = ?11),
                 status = CASE WHEN suspect OR (status = 0 AND scan = ?11) THEN 0 ELSE excluded.status END,
                 size = excluded.size, modified = excluded.modified, accessed = excluded.accessed,
                 changed = excluded.changed, created = excluded.created, permissions = excluded.permissions,
                 turn = 0, scan = excluded.scan
             WHERE scan <> excluded.scan
             RETURNING status",
            params![
                dir,
                Name(name),
                signed(metadata.size_bytes),
                metadata.modified.0,
                metadata.accessed.map(|time| time.0),
                metadata.changed.map(|time| time.0),
                metadata.created.map(|time| time.0),
                metadata.permissions,
                scan.id,
                scan.tolerance_ns,
                scan.distrusted_scan,
                kind,
            ],
            |row| row.get::<_, i64>(0),
        )?;
        if status == Some(0) {
            self.scan.pending.files += 1;
            self.scan.pending.bytes += metadata.size_bytes;
        }
        Ok(())
    }

    fn add_sink_entry(&mut self, dir: i64, name: &[u8], metadata: &Metadata) -> Result<()> {
        let kind = match metadata.kind {
            Kind::File => FILE,
            Kind::Symlink => LINK,
            Kind::Dir | Kind::Other => OTHER,
        };
        let (size, modified) = (signed(metadata.size_bytes), metadata.modified.0);
        self.execute(
            "INSERT OR REPLACE INTO sink_entry VALUES (?1, ?2, ?3, ?4, ?5)",
            params![dir, Name(name), kind, size, modified],
        )?;
        if kind == OTHER {
            return Ok(());
        }
        let matched = self.execute(
            "UPDATE file SET status = 1
             WHERE dir = ?1 AND name = ?2 AND scan = ?3 AND status = 0 AND suspect = 0
                 AND size = ?4 AND abs(modified - ?5) <= ?6 AND kind = ?7",
            params![dir, Name(name), self.scan.id, size, modified, self.scan.tolerance_ns, kind],
        )?;
        if matched > 0 {
            self.scan.pending.files = self.scan.pending.files.saturating_sub(1);
            self.scan.pending.bytes = self.scan.pending.bytes.saturating_sub(metadata.size_bytes);
        }
        Ok(())
    }

    fn pop_walk_queue(&mut self, side: Side, limit: usize) -> Result<Vec<RelPath>> {
        let taken = self.rows(
            "SELECT id, path FROM walk_queue WHERE side = ?1 ORDER BY id DESC LIMIT ?2",
            params![number(side), signed(limit as u64)],
            |row| Ok((row.get::<_, i64>(0)?, path(row, 1)?)),
        )?;
        for (id, _) in &taken {
            self.execute("DELETE FROM walk_queue WHERE id = ?1", [id])?;
        }
        Ok(taken.into_iter().map(|(_, path)| path).collect())
    }

    /// Removes stale rows of some directories; tells whether there may be more.
    fn sweep_some(&mut self) -> Result<bool> {
        if !self.sweep.protected {
            self.protect_unknown()?;
            self.sweep.protected = true;
        }
        let from = self.sweep.next_dir;
        let last = self.row("SELECT max(id) FROM dir", [], |row| row.get::<_, Option<i64>>(0))?.flatten().unwrap_or(0);
        if from > last {
            return Ok(false);
        }
        let range = params![self.scan.id, from, from + SWEEP_DIRS - 1];
        self.execute("DELETE FROM file WHERE dir BETWEEN ?2 AND ?3 AND scan <> ?1", range)?;
        self.execute(
            "DELETE FROM dir WHERE id BETWEEN ?2 AND ?3 AND source_scan IS NOT ?1 AND sink_scan IS NOT ?1
                 AND NOT EXISTS (SELECT 1 FROM file WHERE file.dir = dir.id)",
            range,
        )?;
        self.execute(
            "UPDATE dir SET missing = 0 WHERE id BETWEEN ?2 AND ?3 AND source_scan IS NOT ?1 AND missing = 1",
            range,
        )?;
        // Setting the times waits until the content is there: what is missing or
        // differs now, and what the transfer changes, is settled at its end.
        self.execute(
            "UPDATE dir SET settle = source_scan IS ?1 AND modified IS NOT NULL
                 AND (sink_scan IS NOT ?1 OR abs(modified - sink_modified) > ?4)
             WHERE id BETWEEN ?2 AND ?3",
            params![self.scan.id, from, from + SWEEP_DIRS - 1, self.scan.tolerance_ns],
        )?;
        self.sweep.next_dir = from + SWEEP_DIRS;
        Ok(true)
    }

    /// Rows below a directory of the source that could not be read stay as they are.
    fn protect_unknown(&mut self) -> Result<()> {
        let dirs = self.rows("SELECT path FROM unreadable WHERE side = 0", [], |row| path(row, 0))?;
        for dir in dirs {
            let (first, end) = subtree(&dir);
            self.execute(
                "UPDATE file SET scan = ?1 WHERE scan <> ?1 AND dir IN (
                     SELECT id FROM dir WHERE path = ?2
                     OR (path >= ?3 AND path < ?4) OR (path >= CAST(?3 AS BLOB) AND path < CAST(?4 AS BLOB)))",
                params![self.scan.id, Name(dir.as_bytes()), Name(&first), Name(&end)],
            )?;
        }
        Ok(())
    }

    fn finish_scan(&mut self, found: &Found, identities: &[Identity; 2]) -> Result<Backlog> {
        let counts = |counts: &Counts| [signed(counts.files), signed(counts.dirs), signed(counts.bytes)];
        let ([a, b, c], [d, e, f]) = (counts(&found.source), counts(&found.sink));
        self.execute(
            "UPDATE scan SET finished = ?2, source_files = ?3, source_dirs = ?4, source_bytes = ?5,
                 sink_files = ?6, sink_dirs = ?7, sink_bytes = ?8, skipped = ?9, unreadable = ?10
             WHERE id = ?1",
            params![self.scan.id, now_ns(), a, b, c, d, e, f, signed(found.skipped), signed(found.unreadable)],
        )?;
        for (side, identity) in identities.iter().enumerate() {
            self.execute(
                "UPDATE tree SET identity = ?2 WHERE side = ?1",
                params![signed(side as u64), identity.as_str()],
            )?;
        }
        // From here on the rows themselves carry their suspicion.
        self.execute("UPDATE distrust SET value = 0", [])?;
        self.fresh = false;
        self.backlog()
    }
}

/// How far the removal of stale rows has come.
#[derive(Debug, Default)]
pub(super) struct Sweep {
    protected: bool,
    next_dir: i64,
}

/// The range of paths below `dir`: from `dir/` to `dir0`, the byte after `/`.
fn subtree(dir: &RelPath) -> (Vec<u8>, Vec<u8>) {
    if dir.is_root() {
        return (Vec::new(), vec![0xff]);
    }
    let bound = |byte: u8| [dir.as_bytes(), &[byte]].concat();
    (bound(b'/'), bound(b'0'))
}
