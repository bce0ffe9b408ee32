//! Counts as text.

use crate::format::{number, size};
use towpath::{Counts, Totals};

pub(super) fn counts(counts: &Counts) -> String {
    format!("{}, {}, {}", files(counts.files), plural(counts.dirs, "directory", "directories"), size(counts.bytes))
}

pub(super) fn totals(totals: Totals) -> String {
    format!("{}, {}", files(totals.files), size(totals.bytes))
}

/// `1 file`, `2 files`.
pub(super) fn files(count: u64) -> String {
    plural(count, "file", "files")
}

/// A line for each count that is not zero: the count, its noun in the singular, and in the plural.
pub(super) fn count_lines(counts: &[(u64, &str, &str)]) -> String {
    let counted = counts.iter().filter(|(count, ..)| *count > 0);
    counted.map(|(count, one, many)| format!("\n  {}", plural(*count, one, many))).collect()
}

/// The count, and the words for one or for many.
pub(crate) fn plural(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), noun(count, one, many))
}

/// The words for this count, without the count.
pub(super) fn noun<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}
