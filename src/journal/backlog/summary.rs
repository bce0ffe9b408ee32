//! The counts of a scan, and how much of it is pending.

use rusqlite::params;
use towpath_backend::Timestamp;

use crate::error::Result;
use crate::event::{Counts, Totals};
use crate::journal::handle::Journal;
use crate::journal::row::unknown::Unknown;
use crate::journal::store::db::Db;
use crate::journal::store::sums;
use crate::journal::store::value::number;
use crate::per_side::PerSide;

/// The result of the last scan: its counts and what is pending.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backlog {
    pub(crate) pending: Totals,
    pub(crate) source: Counts,
    pub(crate) sink: Counts,
    pub(crate) skipped: u64,
    /// Directories of the source that the scan could not read.
    pub(crate) unreadable: u64,
    /// Directories of the sink that the scan could not read: their extras are unknown.
    pub(crate) unreadable_at_sink: u64,
    /// When the scan began; `None` before the first.
    pub(crate) scanned_at: Option<Timestamp>,
}

impl Journal {
    /// The counts of the last scan.
    pub(crate) async fn counted(&self) -> Result<PerSide<Counts>> {
        self.call(|db| db.backlog().map(|Backlog { source, sink, .. }| PerSide { source, sink })).await
    }
}

impl Db {
    /// The backlog of the last scan, which must be complete.
    pub(in crate::journal) fn backlog(&self) -> Result<Backlog> {
        let mut backlog = self
            .row(
                "SELECT source_files, source_dirs, source_bytes, sink_files, sink_dirs, sink_bytes, skipped, started,
                     (SELECT count(*) FROM unreadable WHERE side IN (?1, ?2)) AS unreadable_in_source,
                     (SELECT count(*) FROM unreadable WHERE side = ?3) AS unreadable_at_sink
                 FROM scan ORDER BY id DESC LIMIT 1",
                params![Unknown::UnreadableSource, Unknown::LostSourceMount, Unknown::UnreadableSink],
                |row| {
                    let counts = |files, dirs, bytes| -> rusqlite::Result<Counts> {
                        let bytes = number(row, bytes)?.into();
                        Ok(Counts { files: number(row, files)?, dirs: number(row, dirs)?, bytes })
                    };
                    Ok(Backlog {
                        pending: Totals::default(),
                        source: counts("source_files", "source_dirs", "source_bytes")?,
                        sink: counts("sink_files", "sink_dirs", "sink_bytes")?,
                        skipped: number(row, "skipped")?,
                        unreadable: number(row, "unreadable_in_source")?,
                        unreadable_at_sink: number(row, "unreadable_at_sink")?,
                        scanned_at: Some(Timestamp::from_ns(row.get("started")?)),
                    })
                },
            )?
            .unwrap_or_default();
        for (counts, rows) in [(&mut backlog.source, "file"), (&mut backlog.sink, "sink_entry WHERE kind IN (0, 1)")] {
            if !sums::is_exact(counts.bytes) {
                let sql = format!("SELECT {} FROM {rows}", sums::columns(""));
                counts.bytes = self.row(&sql, [], sums::read)?.unwrap_or_default();
            }
        }
        backlog.pending = self.pending()?;
        Ok(backlog)
    }

    /// Counts the pending rows.
    fn pending(&self) -> Result<Totals> {
        let bytes = sums::columns("FILTER (WHERE work = 0)");
        let totals = self.row(&format!("SELECT count(*) AS files, {bytes} FROM file WHERE status = 0"), [], |row| {
            Ok(Totals { files: number(row, "files")?, bytes: sums::read(row)? })
        })?;
        Ok(totals.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::journal::tests::open;

    const EIB: u128 = 1 << 60;

    /// A database after a scan that found files of these sizes in both trees, all pending.
    fn scanned(folder: &Path, sizes: &[i64]) -> Db {
        let db = open(folder);
        for (name, size) in sizes.iter().enumerate() {
            let values = [i64::try_from(name).unwrap(), *size];
            let file = "INSERT INTO file(dir, name, size, modified, status, device, inode, scan)
                 VALUES (1, CAST(?1 AS TEXT), ?2, 0, 0, 1, 1, 1)";
            db.execute(file, values).unwrap();
            let there =
                "INSERT INTO sink_entry(dir, name, kind, size, modified) VALUES (1, CAST(?1 AS TEXT), 0, ?2, 0)";
            db.execute(there, values).unwrap();
        }
        let sum = sums::bounded(sizes.iter().map(|size| u128::try_from(*size).unwrap()).sum());
        db.execute("INSERT INTO run(id, started) VALUES (1, 0)", []).unwrap();
        db.execute("INSERT INTO scan(run, started, source_bytes, sink_bytes) VALUES (1, 0, ?1, ?1)", [sum]).unwrap();
        db
    }

    #[test]
    fn sums_beyond_63_bits_are_exact() {
        let folder = tempfile::tempdir().unwrap();
        let huge = i64::try_from(7 * EIB).unwrap();
        let db = scanned(folder.path(), &[&[huge; 9][..], &[i64::MAX, 1, 12_345]].concat());
        let expected = 71 * EIB + 12_345;
        let backlog = db.backlog().unwrap();
        assert_eq!(backlog.pending, Totals { files: 12, bytes: expected });
        assert_eq!((backlog.source.bytes, backlog.sink.bytes), (expected, expected));
    }

    #[test]
    fn a_sum_that_fits_is_read_from_the_scan() {
        let folder = tempfile::tempdir().unwrap();
        let db = scanned(folder.path(), &[3, 4]);
        db.execute("DELETE FROM file", []).unwrap();
        let backlog = db.backlog().unwrap();
        assert_eq!((backlog.source.bytes, backlog.pending), (7, Totals::default()));
    }
}
