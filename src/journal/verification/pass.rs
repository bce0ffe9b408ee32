//! The start and end of a pass.

use std::collections::BTreeMap;

use rusqlite::{Row, params};
use towpath_backend::{Capabilities, Timestamp};

use crate::audit::RunLine;
use crate::error::Result;
use crate::event::{Side, Totals};
use crate::journal::dry_run::probe;
use crate::journal::handle::Journal;
use crate::journal::store::db::Db;
use crate::journal::store::sums::bounded;
use crate::journal::store::value::{now_ns, number};
use crate::journal::verification::class::NOT_CHECKED;
use crate::journal::verification::window::WindowSums;
use crate::per_side::PerSide;
use crate::selection::{Lottery, Sample, Selection};
use crate::verify_result::VerifyClass;

/// What the database records of the trees.
#[derive(Debug)]
pub(crate) struct RecordedTrees {
    /// At the last complete scan.
    pub(crate) identities: PerSide<Option<String>>,
    /// What the last run found the sink to keep.
    pub(crate) sink: Option<Capabilities>,
}

/// A pass that begins or goes on.
#[derive(Clone, Debug)]
pub(crate) struct Pass {
    pub(crate) number: i64,
    pub(crate) started: Timestamp,
    /// It was interrupted, and goes on.
    pub(crate) is_resumed: bool,
    /// The digits of the sample's seed.
    pub(crate) seed: String,
    /// The highest draw of the sample, once it is known.
    pub(crate) highest_draw: Option<u64>,
    /// Files that may have been read from a cache of this machine.
    pub(crate) cached_files: u64,
    /// The results so far.
    pub(crate) counts: BTreeMap<VerifyClass, Totals>,
}

impl Pass {
    pub(crate) fn lottery(&self) -> Lottery {
        Lottery::recorded(self.seed.clone(), self.highest_draw)
    }
}

impl Journal {
    /// What is recorded of the trees.
    pub(crate) async fn recorded_trees(&self) -> Result<RecordedTrees> {
        self.read(|db| {
            let probe = db.row("SELECT probe FROM tree WHERE side = ?1", [Side::Sink], |row| {
                row.get::<_, Option<String>>("probe")
            })?;
            let sink = probe.flatten().and_then(|text| probe::from_text(&text));
            Ok(RecordedTrees { identities: db.identities()?, sink })
        })
        .await
    }

    /// Resumes the last pass, if it was interrupted and has the same selection; otherwise begins a new one. Its line is
    /// completed by `line`.
    pub(crate) async fn begin_pass(
        &self,
        selection: Selection,
        hash_both: bool,
        line: impl FnOnce(&Pass) -> RunLine + Send + 'static,
    ) -> Result<Pass> {
        self.commit(move |db| {
            let pass = match db.unfinished_pass(selection, hash_both)? {
                Some(pass) => pass,
                None => db.new_pass(selection, hash_both)?,
            };
            db.add_run_line(&line(&pass));
            Ok(pass)
        })
        .await
    }

    /// Records the highest draw of a pass's sample.
    pub(crate) async fn set_highest_draw(&self, pass: i64, highest: u64) -> Result<()> {
        self.commit(move |db| {
            let sql = "UPDATE verify_pass SET highest_draw = ?2 WHERE id = ?1";
            db.execute(sql, params![pass, highest.cast_signed()]).map(drop)
        })
        .await
    }

    /// Records how many files a pass has in all.
    pub(crate) async fn set_selected(&self, pass: i64, selected: Totals, sums: &WindowSums) -> Result<()> {
        let sums = sums.clone();
        self.commit(move |db| {
            db.execute(
                "UPDATE verify_pass SET selected_files = ?2, selected_bytes = ?3 WHERE id = ?1",
                params![pass, bounded(selected.files.into()), bounded(selected.bytes)],
            )?;
            db.set_coverage(pass, &sums)
        })
        .await
    }

    /// Records the end of a pass, or that it was interrupted, with its last line.
    pub(crate) async fn end_pass(
        &self,
        pass: i64,
        is_finished: bool,
        sums: Option<WindowSums>,
        line: RunLine,
    ) -> Result<()> {
        self.commit(move |db| {
            if let Some(sums) = sums {
                db.set_coverage(pass, &sums)?;
                db.execute("DELETE FROM verify_count WHERE pass = ?1", [pass])?;
                for (class, totals) in &sums.of_pass {
                    db.execute(
                        "INSERT INTO verify_count(pass, class, files, bytes) VALUES (?1, ?2, ?3, ?4)",
                        params![pass, class, bounded(totals.files.into()), bounded(totals.bytes)],
                    )?;
                }
            }
            let finished = is_finished.then(now_ns);
            let sql = "UPDATE verify_pass SET finished = ?2, updated = ?3 WHERE id = ?1";
            db.execute(sql, params![pass, finished, now_ns()])?;
            db.add_run_line(&line);
            // As at the end of a run.
            db.commit_and_begin()?;
            db.clear_outbox()
        })
        .await
    }
}

impl Db {
    fn unfinished_pass(&self, selection: Selection, hash_both: bool) -> Result<Option<Pass>> {
        let found = self.row(
            "SELECT id, started, seed, highest_draw, cached_files FROM verify_pass
             WHERE id = (SELECT max(id) FROM verify_pass) AND finished IS NULL AND selection = ?1 AND hash_both = ?2",
            params![selection.to_string(), hash_both],
            |row| pass(row, true),
        )?;
        let Some(mut found) = found else { return Ok(None) };
        found.counts = self
            .rows("SELECT class, files, bytes FROM verify_count WHERE pass = ?1", [found.number], |row| {
                Ok((row.get("class")?, Totals::new(number(row, "files")?, number(row, "bytes")?.into())))
            })?
            .into_iter()
            .collect();
        Ok(Some(found))
    }

    fn new_pass(&self, selection: Selection, hash_both: bool) -> Result<Pass> {
        let highest = match selection {
            Selection::Sample(Sample::PerMillion(share)) => Lottery::highest_of(share),
            _ => None,
        };
        let inserted = self.row(
            "INSERT INTO verify_pass(started, selection, hash_both, seed, highest_draw, updated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?1) RETURNING id, started, seed, highest_draw, cached_files",
            params![now_ns(), selection.to_string(), hash_both, Lottery::seed(), highest.map(u64::cast_signed)],
            |row| pass(row, false),
        )?;
        inserted.ok_or_else(|| crate::error::Error::Internal("a pass was not recorded".to_owned()))
    }

    fn set_coverage(&self, pass: i64, sums: &WindowSums) -> Result<()> {
        let WindowSums { synced, pending, coverage, .. } = sums;
        self.execute(
            "UPDATE verify_pass SET synced_files = ?2, synced_bytes = ?3, pending_files = ?4, pending_bytes = ?5
             WHERE id = ?1",
            params![
                pass,
                bounded(synced.files.into()),
                bounded(synced.bytes),
                bounded(pending.files.into()),
                bounded(pending.bytes)
            ],
        )?;
        self.execute("DELETE FROM verify_coverage WHERE pass = ?1", [pass])?;
        for (class, totals) in coverage {
            let values = params![NOT_CHECKED, bounded(totals.files.into()), bounded(totals.bytes), pass, class];
            let sql = "INSERT INTO verify_coverage(pass, class, files, bytes) VALUES (?4, coalesce(?5, ?1), ?2, ?3)";
            self.execute(sql, values)?;
        }
        Ok(())
    }
}

fn pass(row: &Row<'_>, is_resumed: bool) -> rusqlite::Result<Pass> {
    Ok(Pass {
        number: row.get("id")?,
        started: Timestamp::from_ns(row.get("started")?),
        is_resumed,
        seed: row.get("seed")?,
        highest_draw: row.get::<_, Option<i64>>("highest_draw")?.map(i64::cast_unsigned),
        cached_files: number(row, "cached_files")?,
        counts: BTreeMap::new(),
    })
}
