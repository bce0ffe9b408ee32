//! The start of a scan.

use rusqlite::params;
use towpath_backend::NameRules;

use crate::error::Result;
use crate::event::Totals;
use crate::journal::handle::Journal;
use crate::journal::store::current_scan::{Compares, CurrentScan};
use crate::journal::store::db::Db;
use crate::journal::store::name_kind::Twice;
use crate::journal::store::value::{Tolerance, now_ns};
use crate::per_side::PerSide;

/// How a scan compares the two trees.
#[derive(Clone, Debug)]
pub(crate) struct ScanOptions {
    /// mtimes that differ by at most this are equal. `None`: the sink keeps no mtimes.
    pub(crate) tolerance_ns: Option<u64>,
    pub(crate) compares: Compares,
    /// Whether the file systems that are mounted in the trees now replace the recorded ones.
    pub(crate) accepts_new_tree: bool,
    /// The sink's rules for names.
    pub(crate) names: NameRules,
    /// The filters and options that select the files to migrate, as a comparable text.
    pub(crate) settings: String,
}

impl Journal {
    /// Begins a scan: discards what earlier scans found at the sink.
    pub(crate) async fn begin_scan(&self, run: i64, options: ScanOptions) -> Result<()> {
        self.commit_long(move |db| db.begin_scan(run, &options)).await
    }
}

impl Db {
    pub(in crate::journal) fn begin_scan(&mut self, run: i64, options: &ScanOptions) -> Result<()> {
        let unverified_scan = self.row(
            "SELECT id FROM scan WHERE finished IS NOT NULL AND (SELECT value FROM distrust) ORDER BY id DESC LIMIT 1",
            [],
            |row| row.get("id"),
        )?;
        let interrupted_since_ns = self
            .row(
                "SELECT started FROM run WHERE id <> ?1 AND (finished IS NULL OR outcome = 'failed')
                 ORDER BY id DESC LIMIT 1",
                [run],
                |row| row.get("started"),
            )?
            .filter(|_| unverified_scan.is_some());
        for table in ["sink_entry", "source_other", "leftover", "walk_queue", "unreadable", "respelling"] {
            self.execute(&format!("DELETE FROM {table}"), [])?;
        }
        self.execute(
            "INSERT INTO scan(run, started, settings) VALUES (?1, ?2, ?3)",
            params![run, now_ns(), options.settings],
        )?;
        let id = self.connection.last_insert_rowid();
        self.execute("UPDATE run SET scanned = 1, pending_files = NULL, pending_bytes = NULL WHERE id = ?1", [run])?;
        self.set_scan(CurrentScan {
            id,
            tolerance: Tolerance(options.tolerance_ns),
            unverified_scan,
            interrupted_since_ns,
            pending: Totals::default(),
            roots: PerSide::default(),
            names: options.names,
            accepts_new_tree: options.accepts_new_tree,
            compares: options.compares,
            twice: Twice::default(),
        });
        self.create_name_functions(options.names)?;
        self.execute("INSERT OR IGNORE INTO dir(path) VALUES ('')", [])?;
        self.execute("UPDATE dir SET source_scan = ?1, sink_scan = ?1, missing = 0 WHERE path = ''", [id]).map(drop)
    }
}
