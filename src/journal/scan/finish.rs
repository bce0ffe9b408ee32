//! The end of a scan, which determines the backlog.

use rusqlite::{named_params, params};
use towpath_backend::Identity;

use crate::error::Result;
use crate::event::Counts;
use crate::journal::backlog::summary::Backlog;
use crate::journal::handle::Journal;
use crate::journal::row::unknown::Unknown;
use crate::journal::scan::census::NamedCensus;
use crate::journal::store::current_scan::CurrentScan;
use crate::journal::store::db::Db;
use crate::journal::store::sums;
use crate::journal::store::value::{Name, now_ns, path, signed, subtree};
use crate::per_side::PerSide;

/// The number of directories whose rows are checked in one step.
const SWEEP_DIRS: i64 = 1000;

/// A step for the directories from one id to another, inclusive.
type Step = fn(&mut Db, i64, i64) -> Result<()>;

/// The counts of a finished scan.
#[derive(Clone, Debug, Default)]
pub(crate) struct Found {
    pub(crate) source: Counts,
    pub(crate) sink: Counts,
    pub(crate) skipped: u64,
    /// What the walkers of the source received and left out.
    pub(crate) names: NamedCensus,
}

impl Journal {
    /// Completes the scan: removes the rows of files that no longer exist, and returns the
    /// backlog.
    pub(crate) async fn finish_scan(&self, found: Found, identities: PerSide<Identity>) -> Result<Backlog> {
        self.call_long(Db::protect_unknown).await?;
        self.for_all_dirs(&[Db::match_spellings, Db::sweep]).await?;
        self.call_long(|db| db.send_unverified()).await?;
        // The names of one file may be in any directories, so each step must complete before the next.
        self.call_long(Db::find_merged).await?;
        self.for_all_dirs(&[Db::separate_merged]).await?;
        self.call_long(Db::choose_carriers).await?;
        self.for_all_dirs(&[Db::compare_names, Db::check_names]).await?;
        self.call_long(|db| {
            db.give_up_impossible()?;
            db.send_orphaned_names(0)
        })
        .await?;
        self.commit_long(move |db| db.finish_scan(&found, &identities)).await
    }

    /// Runs each step for all directories, [`SWEEP_DIRS`] at a time.
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

impl Db {
    /// Runs `step` for [`SWEEP_DIRS`] directories from the id `from` on; returns whether there may be more.
    fn dirs_from(&mut self, from: i64, step: Step) -> Result<bool> {
        let sql = "SELECT max(id) AS last FROM dir";
        let last = self.row(sql, [], |row| row.get::<_, Option<i64>>("last"))?.flatten();
        if last.is_none_or(|last| from > last) {
            return Ok(false);
        }
        step(self, from, from + SWEEP_DIRS - 1)?;
        Ok(true)
    }

    /// Removes stale rows, and decides what depends on both complete listings.
    fn sweep(&mut self, from: i64, to: i64) -> Result<()> {
        self.keep_incomplete(from, to)?;
        self.keep_unverified(from, to)?;
        let range = params![self.scan()?.id, from, to];
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
        self.compare_dirs(from, to)?;
        self.execute(
            "UPDATE dir SET error = NULL, error_code = NULL, error_side = NULL
             WHERE id BETWEEN ?1 AND ?2 AND error_code IS NOT NULL AND missing = 0 AND settle = 0",
            params![from, to],
        )?;
        self.compare_attributes(from, to)
    }

    /// Decides which directories are to be finalized.
    fn compare_dirs(&self, from: i64, to: i64) -> Result<()> {
        let CurrentScan { id, tolerance, compares, .. } = self.scan()?;
        // Setuid (2048) and setgid (1024) are not applied to an entry with another user or group than
        // the source's: where owners differ, these bits must be absent. Attributes that the sink
        // does not report (NULL) do not differ.
        self.execute(
            "UPDATE dir SET settle = coalesce(source_scan IS :scan AND modified IS NOT NULL AND (
                 sink_scan IS NOT :scan
                 OR coalesce(kept_modified, modified) - sink_modified NOT BETWEEN -:tolerance AND :tolerance
                 OR (:permissions AND sink_permissions <> coalesce(kept_permissions, permissions & ~(
                     2048 * (user IS NOT sink_user) + 1024 * (grp IS NOT sink_grp))))
                 OR (:owner AND (coalesce(kept_user, user), coalesce(kept_grp, grp)) <> (sink_user, sink_grp))
                 OR (:xattrs AND sink_xattrs IS NOT NULL AND sink_xattrs IS NOT coalesce(kept_xattrs, xattrs))), 0)
             WHERE id BETWEEN :from AND :to",
            named_params! {
                ":scan": id, ":from": from, ":to": to, ":tolerance": tolerance,
                ":permissions": compares.permissions, ":owner": compares.owner, ":xattrs": compares.xattrs,
            },
        )
        .map(drop)
    }

    /// Marks files in sync as pending if their permissions, owner or extended attributes differ. Those that the source
    /// or the sink could not read differ.
    fn compare_attributes(&self, from: i64, to: i64) -> Result<()> {
        let compares = self.scan()?.compares;
        if !(compares.permissions || compares.owner || compares.xattrs) {
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
                         <> (there.user, there.grp))
                     OR (?5 AND there.xattrs IS NOT NULL
                         AND there.xattrs IS NOT coalesce(kept_xattrs, file.xattrs))))",
            params![from, to, compares.permissions, compares.owner, compares.xattrs],
        )
        .map(drop)
    }

    /// Preserves the rows of and below everything that could not be read in the source.
    fn protect_unknown(&mut self) -> Result<()> {
        let scan = self.scan()?.id;
        let dirs = self.rows(
            "SELECT path FROM unreadable WHERE side IN (?1, ?2)",
            [Unknown::UnreadableSource, Unknown::LostSourceMount],
            |row| path(row, "path"),
        )?;
        for dir in dirs {
            let (first, end) = subtree(&dir);
            self.execute(
                "UPDATE file SET scan = ?1, listed_kind = -1 WHERE scan <> ?1 AND dir IN (
                     SELECT id FROM dir WHERE path = ?2
                     OR (path >= ?3 AND path < ?4) OR (path >= CAST(?3 AS BLOB) AND path < CAST(?4 AS BLOB)))",
                params![scan, Name::of(&dir), Name(&first), Name(&end)],
            )?;
            if !dir.is_root() {
                let (parent, name) = Name::split(&dir);
                self.execute(
                    "UPDATE file SET scan = ?1, listed_kind = -1
                     WHERE scan <> ?1 AND dir = (SELECT id FROM dir WHERE path = ?2) AND name = ?3",
                    params![scan, parent, name],
                )?;
            }
        }
        Ok(())
    }

    fn finish_scan(&mut self, found: &Found, identities: &PerSide<Identity>) -> Result<Backlog> {
        let (source, sink) = (&found.source, &found.sink);
        self.execute(
            "UPDATE scan SET finished = :now, source_files = :source_files, source_dirs = :source_dirs,
                 source_bytes = :source_bytes, sink_files = :sink_files, sink_dirs = :sink_dirs,
                 sink_bytes = :sink_bytes, skipped = :skipped
             WHERE id = :scan",
            named_params! {
                ":scan": self.scan()?.id, ":now": now_ns(), ":skipped": signed(found.skipped),
                ":source_files": signed(source.files), ":source_dirs": signed(source.dirs),
                ":source_bytes": sums::bounded(source.bytes),
                ":sink_files": signed(sink.files), ":sink_dirs": signed(sink.dirs),
                ":sink_bytes": sums::bounded(sink.bytes),
            },
        )?;
        self.record_census(&found.names)?;
        self.record_identities(identities)?;
        self.forget_reappeared()?;
        // From now on the column `suspect` of the rows records which are unverified.
        self.execute("UPDATE distrust SET value = 0", [])?;
        self.fresh = false;
        self.settle_accepted()?;
        let backlog = self.backlog()?;
        self.execute(
            "UPDATE scan SET found_files = ?2, found_bytes = ?3 WHERE id = ?1",
            params![self.scan()?.id, signed(backlog.pending.files), sums::bounded(backlog.pending.bytes)],
        )?;
        Ok(backlog)
    }
}
