//! A scan from its beginning to its end: what it leaves behind is the backlog.

use rusqlite::params;
use rusqlite::types::Value;
use towpath_backend::{Identity, Metadata, NameRules, RelPath};

use crate::error::Result;
use crate::event::{Counts, Side, Totals};
use crate::journal::handle::Journal;
use crate::journal::runs::run::{Backlog, now_ns};
use crate::journal::scan::mounts::LOST_IN_SOURCE;
use crate::journal::store::db::Db;
use crate::journal::store::sums;
use crate::journal::store::value::{Name, optional_path, path, signed};
use crate::per_side::PerSide;

/// Directories whose rows are checked in one step.
const SWEEP_DIRS: i64 = 1000;

/// A step for the directories of these numbers.
type Step = fn(&mut Db, i64, i64) -> Result<()>;

/// What a scan keeps in mind between its pages.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct Scan {
    pub(in crate::journal) id: i64,
    /// mtimes that differ by no more are equal. `None`: the sink keeps none.
    pub(in crate::journal) tolerance_ns: Option<i64>,
    /// Rows that were pending at this scan may have been cut off. 0: none.
    pub(in crate::journal) distrusted_scan: i64,
    /// When the run began that was cut off.
    pub(in crate::journal) cut_off_since: i64,
    pub(in crate::journal) pending: Totals,
    /// The metadata of both roots, once they are known.
    pub(in crate::journal) roots: [Option<Metadata>; 2],
    pub(in crate::journal) names: NameRules,
    /// The trees are as they should be, with all that is mounted in them: a user says so.
    pub(in crate::journal) accepts_new_tree: bool,
    pub(in crate::journal) compares: Compares,
}

impl Scan {
    /// Whether times of the sink say nothing: then size, and what the source was when it was
    /// recorded, decide.
    pub(in crate::journal) fn sink_keeps_no_mtime(&self) -> bool {
        self.tolerance_ns.is_none()
    }

    /// The tolerance as a parameter of a statement.
    pub(in crate::journal) fn tolerance(&self) -> Value {
        tolerance(self.tolerance_ns)
    }
}

/// A tolerance as a parameter of a statement: any two times are within the infinite one.
pub(in crate::journal) fn tolerance(tolerance_ns: Option<i64>) -> Value {
    tolerance_ns.map_or(Value::Real(f64::INFINITY), Value::Integer)
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            id: 0,
            tolerance_ns: Some(0),
            distrusted_scan: 0,
            cut_off_since: i64::MAX,
            pending: Totals::default(),
            roots: [None; 2],
            names: NameRules::BYTES,
            accepts_new_tree: false,
            compares: Compares::default(),
        }
    }
}

/// What a scan compares beside kind, size and time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compares {
    pub(crate) permissions: bool,
    pub(crate) owner: bool,
    /// Whether names of one file are to be names of one file at the sink.
    pub(crate) hard_links: bool,
}

/// What a scan is told.
#[derive(Clone, Debug)]
pub(crate) struct ScanOptions {
    /// mtimes that differ by no more are equal. `None`: the sink keeps none.
    pub(crate) tolerance_ns: Option<u64>,
    pub(crate) compares: Compares,
    /// Whether what is mounted in the trees now takes the place of what was.
    pub(crate) accepts_new_tree: bool,
    /// What the sink does with names.
    pub(crate) names: NameRules,
    /// What decides which files are migrated, in a text that can be compared.
    pub(crate) settings: String,
}

/// What a finished scan found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) source: Counts,
    pub(crate) sink: Counts,
    pub(crate) skipped: u64,
}

impl Journal {
    /// Begins a scan: nothing that an earlier scan found at the sink counts any more.
    pub(crate) async fn begin_scan(&self, run: i64, options: ScanOptions) -> Result<()> {
        self.commit_long(move |db| db.begin_scan(run, &options)).await
    }

    /// Records that a directory could not be read: what lies below is unknown.
    pub(crate) async fn add_unreadable(&self, side: Side, dir: RelPath) -> Result<()> {
        self.call(move |db| {
            db.execute("INSERT OR IGNORE INTO unreadable VALUES (?1, ?2)", params![number(side), Name(dir.as_bytes())])
                .map(drop)
        })
        .await
    }

    /// Up to `limit` directories that the last scan could not read, behind `after`.
    pub(crate) async fn unreadable_dirs(
        &self,
        after: Option<(Side, RelPath)>,
        limit: usize,
    ) -> Result<Vec<(Side, RelPath)>> {
        self.call(move |db| {
            let (side, after) = after.map_or((-1, RelPath::root()), |(side, path)| (number(side), path));
            db.rows(
                "SELECT CASE side WHEN ?5 THEN ?4 ELSE side END AS of, path FROM unreadable
                 WHERE side IN (0, 1, ?5) AND (of, path) > (?1, ?2) ORDER BY of, path LIMIT ?3",
                params![side, Name(after.as_bytes()), signed(limit as u64), number(Side::Source), LOST_IN_SOURCE],
                |row| {
                    let side = if row.get::<_, i64>(0)? == number(Side::Sink) { Side::Sink } else { Side::Source };
                    Ok((side, path(row, 1)?))
                },
            )
        })
        .await
    }

    /// Keeps directories, with where they are read, that the walkers' memory has no room for.
    pub(crate) async fn push_walk_queue(&self, side: Side, dirs: Vec<(RelPath, Option<RelPath>)>) -> Result<()> {
        self.call(move |db| {
            for (dir, real) in &dirs {
                let real = real.as_ref().map(|real| Name(real.as_bytes()));
                let values = params![number(side), Name(dir.as_bytes()), real];
                db.execute("INSERT INTO walk_queue(side, path, real) VALUES (?1, ?2, ?3)", values)?;
            }
            Ok(())
        })
        .await
    }

    /// Takes back up to `limit` of them, the latest first.
    pub(crate) async fn pop_walk_queue(&self, side: Side, limit: usize) -> Result<Vec<(RelPath, Option<RelPath>)>> {
        self.call(move |db| db.pop_walk_queue(side, limit)).await
    }

    /// Completes the scan: rows of files that no longer exist go, and the
    /// backlog is what is pending now.
    pub(crate) async fn finish_scan(&self, found: Found, identities: PerSide<Identity>) -> Result<Backlog> {
        self.call_long(Db::protect_unknown).await?;
        self.for_all_dirs(&[Db::match_spellings, Db::sweep]).await?;
        self.call_long(|db| db.send_unverified()).await?;
        // The names of one file lie in any directories: each step needs the one before to be complete.
        self.call_long(Db::find_merged).await?;
        self.for_all_dirs(&[Db::separate_merged]).await?;
        self.call_long(Db::choose_carriers).await?;
        self.for_all_dirs(&[Db::compare_names, Db::judge_names]).await?;
        self.call_long(|db| {
            db.give_up_impossible()?;
            db.send_orphaned_names(0)
        })
        .await?;
        self.commit_long(move |db| db.finish_scan(&found, &identities)).await
    }

    /// Runs each step for all directories, some at a time.
    async fn for_all_dirs(&self, steps: &[Step]) -> Result<()> {
        for &step in steps {
            let mut from = 0;
            while self.call_long(move |db| db.dirs_from(from, step)).await? {
                from += SWEEP_DIRS;
            }
        }
        Ok(())
    }
}

pub(in crate::journal) fn number(side: Side) -> i64 {
    signed(side.index() as u64)
}

impl Db {
    pub(in crate::journal) fn begin_scan(&mut self, run: i64, options: &ScanOptions) -> Result<()> {
        let distrusted = self.row(
            "SELECT id FROM scan WHERE finished IS NOT NULL AND (SELECT value FROM distrust) ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get(0),
        )?;
        let cut_off_since = self
            .row(
                "SELECT started FROM run WHERE id <> ?1 AND (finished IS NULL OR outcome = 'failed')
                 ORDER BY id DESC LIMIT 1",
                [run],
                |row| row.get(0),
            )?
            .filter(|_| distrusted.is_some());
        for table in ["sink_entry", "source_other", "leftover", "walk_queue", "unreadable", "respelling"] {
            self.execute(&format!("DELETE FROM {table}"), [])?;
        }
        self.execute(
            "INSERT INTO scan(run, started, settings) VALUES (?1, ?2, ?3)",
            params![run, now_ns(), options.settings],
        )?;
        let id = self.connection.last_insert_rowid();
        self.scan = Scan {
            id,
            tolerance_ns: options.tolerance_ns.map(signed),
            distrusted_scan: distrusted.unwrap_or(0),
            cut_off_since: cut_off_since.unwrap_or(i64::MAX),
            pending: Totals::default(),
            roots: [None; 2],
            names: options.names,
            accepts_new_tree: options.accepts_new_tree,
            compares: options.compares,
        };
        self.know_names(options.names)?;
        self.execute("INSERT OR IGNORE INTO dir(path) VALUES ('')", [])?;
        self.execute("UPDATE dir SET source_scan = ?1, sink_scan = ?1, missing = 0 WHERE path = ''", [id]).map(drop)
    }

    fn pop_walk_queue(&mut self, side: Side, limit: usize) -> Result<Vec<(RelPath, Option<RelPath>)>> {
        let taken = self.rows(
            "SELECT id, path, real FROM walk_queue WHERE side = ?1 ORDER BY id DESC LIMIT ?2",
            params![number(side), signed(limit as u64)],
            |row| Ok((row.get::<_, i64>(0)?, (path(row, 1)?, optional_path(row, 2)?))),
        )?;
        for (id, _) in &taken {
            self.execute("DELETE FROM walk_queue WHERE id = ?1", [id])?;
        }
        Ok(taken.into_iter().map(|(_, dir)| dir).collect())
    }

    /// Does `step` for some directories from number `from` on; tells whether there may be more.
    fn dirs_from(&mut self, from: i64, step: Step) -> Result<bool> {
        let last = self.row("SELECT max(id) FROM dir", [], |row| row.get::<_, Option<i64>>(0))?.flatten();
        if last.is_none_or(|last| from > last) {
            return Ok(false);
        }
        step(self, from, from + SWEEP_DIRS - 1)?;
        Ok(true)
    }

    /// Removes stale rows, and decides what the listings' meeting left open.
    fn sweep(&mut self, from: i64, to: i64) -> Result<()> {
        let (Scan { id, compares, .. }, tolerance) = (self.scan, self.scan.tolerance());
        let range = params![id, from, to];
        self.keep_incomplete(from, to)?;
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
        // A sink does not set setuid (2048) for another user than the source's, nor setgid (1024)
        // for another group: where owners differ, these bits are to be absent. What the sink does
        // not show (NULL) does not differ.
        // Setting the times waits until the content is there: what is missing or
        // differs now, and what the transfer changes, is settled at its end.
        self.execute(
            "UPDATE dir SET settle = coalesce(source_scan IS ?1 AND modified IS NOT NULL AND (
                 sink_scan IS NOT ?1
                 OR coalesce(kept_modified, modified) - sink_modified NOT BETWEEN -?4 AND ?4
                 OR (?5 AND sink_permissions <> coalesce(kept_permissions, permissions & ~(
                     2048 * (user IS NOT sink_user) + 1024 * (grp IS NOT sink_grp))))
                 OR (?6 AND (coalesce(kept_user, user), coalesce(kept_grp, grp)) <> (sink_user, sink_grp))), 0)
             WHERE id BETWEEN ?2 AND ?3",
            params![id, from, to, tolerance, compares.permissions, compares.owner],
        )?;
        if !(compares.permissions || compares.owner) {
            return Ok(());
        }
        self.execute(
            "UPDATE file SET status = 0, work = 2
             WHERE dir BETWEEN ?1 AND ?2 AND status = 1 AND EXISTS (
                 SELECT 1 FROM sink_entry AS there
                 WHERE there.dir = file.dir AND there.name = file.name AND (
                     (?3 AND file.kind = 0 AND there.permissions <> coalesce(kept_permissions, file.permissions & ~(
                         2048 * (file.user IS NOT there.user) + 1024 * (file.grp IS NOT there.grp))))
                     OR (?4 AND (coalesce(kept_user, file.user), coalesce(kept_grp, file.grp))
                         <> (there.user, there.grp))))",
            params![from, to, compares.permissions, compares.owner],
        )
        .map(drop)
    }

    /// Rows of and below what could not be read in the source stay as they are.
    fn protect_unknown(&mut self) -> Result<()> {
        let dirs = self.rows("SELECT path FROM unreadable WHERE side IN (0, 3)", [], |row| path(row, 0))?;
        for dir in dirs {
            let (first, end) = subtree(&dir);
            self.execute(
                "UPDATE file SET scan = ?1 WHERE scan <> ?1 AND dir IN (
                     SELECT id FROM dir WHERE path = ?2
                     OR (path >= ?3 AND path < ?4) OR (path >= CAST(?3 AS BLOB) AND path < CAST(?4 AS BLOB)))",
                params![self.scan.id, Name(dir.as_bytes()), Name(&first), Name(&end)],
            )?;
            if let (Some(parent), Some(name)) = (dir.parent(), dir.name()) {
                self.execute(
                    "UPDATE file SET scan = ?1 WHERE dir = (SELECT id FROM dir WHERE path = ?2) AND name = ?3",
                    params![self.scan.id, Name(parent.as_bytes()), Name(name)],
                )?;
            }
        }
        Ok(())
    }

    fn finish_scan(&mut self, found: &Found, identities: &PerSide<Identity>) -> Result<Backlog> {
        let counts = |counts: &Counts| [signed(counts.files), signed(counts.dirs), sums::bounded(counts.bytes)];
        let ([a, b, c], [d, e, f]) = (counts(&found.source), counts(&found.sink));
        self.execute(
            "UPDATE scan SET finished = ?2, source_files = ?3, source_dirs = ?4, source_bytes = ?5,
                 sink_files = ?6, sink_dirs = ?7, sink_bytes = ?8, skipped = ?9
             WHERE id = ?1",
            params![self.scan.id, now_ns(), a, b, c, d, e, f, signed(found.skipped)],
        )?;
        self.record_identities(identities)?;
        self.forget_reappeared()?;
        // From here on the rows themselves carry their suspicion.
        self.execute("UPDATE distrust SET value = 0", [])?;
        self.fresh = false;
        self.backlog()
    }
}

/// The range of paths below `dir`: from `dir/` to `dir0`, the byte after `/`.
pub(in crate::journal) fn subtree(dir: &RelPath) -> (Vec<u8>, Vec<u8>) {
    if dir.is_root() {
        return (Vec::new(), vec![0xff]);
    }
    let bound = |byte: u8| [dir.as_bytes(), &[byte]].concat();
    (bound(b'/'), bound(b'0'))
}
