//! Sums of sizes: sparse files alone can exceed SQLite's 63 bits.

use rusqlite::Row;

use crate::journal::store::value::number;

/// The columns `bytes_high` and `bytes_low`: the sum of `size` over some rows, for [`read`]. It is split into
/// two halves, since SQLite's `sum` fails beyond 63 bits and its `total` rounds beyond 53. `filter` is empty or
/// a `FILTER` clause.
pub(in crate::journal) fn columns(filter: &str) -> String {
    format!(
        "coalesce(sum(size >> 32) {filter}, 0) AS bytes_high, coalesce(sum(size & 0xffffffff) {filter}, 0) AS bytes_low"
    )
}

/// The sum in the columns of [`columns`].
pub(in crate::journal) fn read(row: &Row<'_>) -> rusqlite::Result<u128> {
    let half = |column| number(row, column).map(u128::from);
    Ok((half("bytes_high")? << 32) + half("bytes_low")?)
}

/// A sum for a column of 63 bits. A larger sum becomes the largest number, which means "sum the rows"
/// ([`is_exact`]).
pub(in crate::journal) fn bounded(sum: u128) -> i64 {
    i64::try_from(sum).unwrap_or(i64::MAX)
}

/// Whether the column could hold this sum.
pub(in crate::journal) fn is_exact(recorded: u128) -> bool {
    bounded(recorded) < i64::MAX
}
