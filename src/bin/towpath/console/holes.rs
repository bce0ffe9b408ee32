//! The progress of holes as text: how fast they are hashed, and which one is hashed now.

use crate::format::{number, rate, short_path, size};
use towpath::{Estimate, Snapshot};

/// The minimum characters of a name beside other text, on the narrowest terminal.
const MIN_NAME_WIDTH: usize = 12;

/// The hole that is being hashed, and how many files wait for theirs.
pub(super) fn hashed(snapshot: &Snapshot, estimate: &Estimate, name_width: usize) -> Option<String> {
    let hashed = snapshot.current.iter().filter(|file| file.hashes_hole);
    let file = hashed.max_by_key(|file| (file.has_long_holes, file.left_bytes()))?;
    let bytes_per_s = if file.has_long_holes { estimate.long_holes_bytes_per_s } else { estimate.holes_bytes_per_s };
    let waiting = match snapshot.long_holes.files.saturating_sub(1) {
        0 => String::new(),
        waiting => format!(", {} more files with long holes wait", number(waiting)),
    };
    Some(format!(
        "hashing the holes of {}: {} of {}, {}{waiting}",
        short_path(file.path.as_bytes(), name_width.max(MIN_NAME_WIDTH)),
        size(file.position_bytes()),
        size(file.size_bytes),
        rate(bytes_per_s)
    ))
}

/// The rates of bytes written and of holes, if there are holes.
pub(super) fn written_and_holes(estimate: &Estimate) -> String {
    match estimate.holes_bytes_per_s {
        0 => String::new(),
        holes => format!(" ({} written, {} holes)", rate(estimate.bandwidth_bytes_per_s), rate(holes)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use towpath_backend::RelPath;

    use super::super::fixture::{estimate, snapshot, view_of};
    use super::super::progress_line::progress_line;
    use super::*;
    use towpath::{Counts, CurrentFile, Totals};

    /// While the first of nine huge sparse files is hashed, and another file is sent.
    fn snapshot_of_holes() -> Snapshot {
        let all = u128::from(7_u64 << 60) * 9;
        let mut huge = CurrentFile::new(RelPath::new("huge1").unwrap(), 7 << 60);
        (huge.hole_bytes, huge.has_long_holes, huge.hashes_hole) = (12 << 30, true, true);
        let mut file = snapshot().current[0].clone();
        file.written_bytes = 1 << 29;
        let mut snapshot = snapshot();
        snapshot.source = Counts::new(29, 0, all + (1 << 30) + (40 << 20));
        snapshot.pending = Totals::new(10, all + (1 << 30));
        snapshot.long_holes = Totals::new(9, all);
        snapshot.failed_files = 0;
        snapshot.hole_bytes = 12 << 30;
        snapshot.long_holes_bytes = 12 << 30;
        snapshot.current = vec![file, huge];
        snapshot
    }

    fn estimate_of_holes() -> Estimate {
        let years = Duration::from_secs(198 * 31_556_952);
        let current_file = Some((RelPath::new("huge1").unwrap(), years));
        let rate = 1_288_490_188;
        let mut estimate = estimate();
        estimate.holes_bytes_per_s = rate;
        estimate.long_holes_bytes_per_s = rate;
        estimate.current_file = current_file;
        estimate
    }

    #[test]
    fn holes_are_shown_separately_from_bytes_written() {
        let view = view_of(snapshot_of_holes(), estimate_of_holes());
        insta::assert_snapshot!(progress_line(&view, Some("ends in >1 year")), @r"1.2 GiB/s (20.0 MiB/s written, 1.2 GiB/s holes), 18.0 MiB/s mean, largest file done in >1 year, ends in >1 year, pending 10 files, 63.0 EiB; 0.0 %: 12.5 GiB of 63.0 EiB, 19 of 29 files; this run 12.5 GiB in 17 files; now projects/film 0\n/take.mov: 512.0 MiB of 1.0 GiB; hashing the holes of huge1: 12.0 GiB of 7.0 EiB, 1.2 GiB/s, 8 more files with long holes wait");
    }
}
