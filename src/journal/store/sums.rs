//! Sums of sizes: sparse files alone can add up to more than SQLite's 63 bits.

use rusqlite::Row;

use crate::error::Result;
use crate::event::Counts;
use crate::journal::store::db::Db;
use crate::journal::store::value::unsigned;

/// The columns of the sum of `size` over some rows, for [`read`]. It comes in two halves, since SQLite's `sum` fails
/// beyond 63 bits and its `total` rounds beyond 53. `filter` is empty or a `FILTER` clause.
pub(in crate::journal) fn columns(filter: &str) -> String {
    format!("coalesce(sum(size >> 32) {filter}, 0), coalesce(sum(size & 0xffffffff) {filter}, 0)")
}

/// The sum in column `index` and the next one ([`columns`]).
pub(in crate::journal) fn read(row: &Row<'_>, index: usize) -> rusqlite::Result<u128> {
    let half = |index| row.get(index).map(unsigned).map(u128::from);
    Ok((half(index)? << 32) + half(index + 1)?)
}

/// A sum for a column of 63 bits. A larger one becomes the largest number, which stands for "sum the rows"
/// ([`Db::exact_sums`]).
pub(in crate::journal) fn bounded(sum: u128) -> i64 {
    i64::try_from(sum).unwrap_or(i64::MAX)
}

impl Db {
    /// The counts of a scan, with sums that were too large for their column taken from the rows.
    pub(in crate::journal) fn exact_sums(&self, source: &mut Counts, sink: &mut Counts) -> Result<()> {
        for (counts, rows) in [(source, "file"), (sink, "sink_entry WHERE kind IN (0, 1)")] {
            if bounded(counts.bytes) == i64::MAX {
                let sum = self.row(&format!("SELECT {} FROM {rows}", columns("")), [], |row| read(row, 0))?;
                counts.bytes = sum.unwrap_or_default();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::audit::AuditLog;
    use crate::event::Totals;
    use crate::journal::store::open::{self, Roots};

    const EIB: u128 = 1 << 60;

    /// A database after a scan that found files of these sizes on both sides, all pending.
    fn scanned(folder: &Path, sizes: &[i64]) -> Db {
        let roots = Roots { source: b"/old".to_vec(), sink: b"/new".to_vec() };
        let log = AuditLog::open(&folder.join("log")).unwrap();
        let path = folder.join("db");
        let db = Db::new(open::open(&path, &roots).unwrap(), log, path);
        for (name, size) in sizes.iter().enumerate() {
            let values = [i64::try_from(name).unwrap(), *size];
            let file = "INSERT INTO file(dir, name, size, modified, status, device, inode, scan)
                 VALUES (1, CAST(?1 AS TEXT), ?2, 0, 0, 1, 1, 1)";
            db.execute(file, values).unwrap();
            let there =
                "INSERT INTO sink_entry(dir, name, kind, size, modified) VALUES (1, CAST(?1 AS TEXT), 0, ?2, 0)";
            db.execute(there, values).unwrap();
        }
        let sum = bounded(sizes.iter().map(|size| u128::from(unsigned(*size))).sum());
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
        assert_eq!(db.pending().unwrap(), Totals { files: 12, bytes: expected });
        let backlog = db.backlog().unwrap();
        assert_eq!((backlog.source.bytes, backlog.sink.bytes), (expected, expected));
    }

    #[test]
    fn a_sum_that_fits_is_the_recorded_one() {
        let folder = tempfile::tempdir().unwrap();
        let db = scanned(folder.path(), &[3, 4]);
        db.execute("DELETE FROM file", []).unwrap();
        let backlog = db.backlog().unwrap();
        assert_eq!((backlog.source.bytes, backlog.pending), (7, Totals::default()));
    }
}
