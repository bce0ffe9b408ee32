//! What is not in sync, in groups of the same code and side.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use super::errors::{FailedKind, RecordedError, RecordedErrors};
use crate::error::{ErrorFilter, FailureCode, Result};
use crate::event::Totals;
use crate::side::Side;

/// The most directories of a group that are counted one by one; above, those with the fewest errors are forgotten.
const MAX_DIRS: usize = 20_000;

/// What is not in sync, in groups.
///
/// Its memory is bounded, whatever the number of errors; of the directories, those with the most are kept.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ErrorSummary {
    /// The groups that no exception covers, the largest first.
    pub open: Vec<ErrorGroup>,
    /// Those that exceptions cover.
    pub accepted: Vec<ErrorGroup>,
}

/// Errors with the same code on the same side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ErrorGroup {
    /// Their code.
    pub code: FailureCode,
    /// Of paths that could not be read: the code of the error that prevented it.
    pub cause: Option<FailureCode>,
    /// The tree that failed, if one did.
    pub side: Option<Side>,
    /// Their number, and the bytes of their files.
    pub totals: Totals,
    /// The directories with the most of them, relative to the roots. A directory that failed itself is its own.
    pub dirs: Vec<(Vec<u8>, Totals)>,
    /// How many more directories there are at least.
    pub more_dirs: u64,
}

impl ErrorSummary {
    /// Reads the errors that match, with at most `dirs` directories in each group. Blocks.
    ///
    /// # Errors
    /// [`crate::Error::Database`] if it cannot be read, with what to do.
    pub fn read(database: impl AsRef<Path>, filter: ErrorFilter, dirs: usize) -> Result<Self> {
        let (mut open, mut accepted) = (Groups::default(), Groups::default());
        let mut errors = RecordedErrors::of(database).matching(filter);
        while let Some(page) = errors.next_page()? {
            for error in page {
                if error.accepted.is_some() { &mut accepted } else { &mut open }.add(&error);
            }
        }
        Ok(Self { open: open.end(dirs), accepted: accepted.end(dirs) })
    }

    /// The entries that no exception covers.
    pub fn open_entries(&self) -> u64 {
        self.open.iter().map(|group| group.totals.files).sum()
    }

    /// The entries that exceptions cover.
    pub fn accepted_entries(&self) -> u64 {
        self.accepted.iter().map(|group| group.totals.files).sum()
    }
}

#[derive(Default)]
struct Groups(BTreeMap<(FailureCode, Option<FailureCode>, u8), Growing>);

#[derive(Default)]
struct Growing {
    side: Option<Side>,
    totals: Totals,
    dirs: HashMap<Vec<u8>, Totals>,
    forgotten: u64,
}

impl Groups {
    fn add(&mut self, error: &RecordedError) {
        let order = match error.side {
            Some(Side::Source) => 0,
            Some(Side::Sink) => 1,
            None => 2,
        };
        let group = self.0.entry((error.code, error.cause, order)).or_default();
        group.side = error.side;
        let dir = match error.kind {
            FailedKind::Directory | FailedKind::Unreadable => &error.path[..],
            _ => &error.path[..error.path.iter().rposition(|&byte| byte == b'/').unwrap_or(0)],
        };
        let bytes = u128::from(error.size_bytes.unwrap_or(0));
        if !group.dirs.contains_key(dir) {
            group.make_room();
            group.dirs.insert(dir.to_vec(), Totals::default());
        }
        for totals in [Some(&mut group.totals), group.dirs.get_mut(dir)].into_iter().flatten() {
            totals.files += 1;
            totals.bytes += bytes;
        }
    }

    /// The groups, the largest first.
    fn end(self, dirs: usize) -> Vec<ErrorGroup> {
        let group = |((code, cause, _), group): (_, Growing)| {
            let mut all: Vec<_> = group.dirs.into_iter().collect();
            all.sort_by(|(a, counted_a), (b, counted_b)| counted_b.files.cmp(&counted_a.files).then(a.cmp(b)));
            let more_dirs = group.forgotten + all.len().saturating_sub(dirs) as u64;
            all.truncate(dirs);
            ErrorGroup { code, cause, side: group.side, totals: group.totals, dirs: all, more_dirs }
        };
        let mut groups: Vec<_> = self.0.into_iter().map(group).collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.totals.files));
        groups
    }
}

impl Growing {
    /// Forgets the half with the fewest errors, if there are too many directories. Files come sorted by directory, so
    /// that each of these is complete by then.
    fn make_room(&mut self) {
        if self.dirs.len() < MAX_DIRS {
            return;
        }
        let mut counts: Vec<_> = self.dirs.values().map(|totals| totals.files).collect();
        let middle = counts.len() / 2;
        let least = *counts.select_nth_unstable(middle).1;
        let before = self.dirs.len();
        let mut room = before / 2;
        self.dirs.retain(|_, totals| {
            let stays = totals.files > least || room == 0;
            room -= usize::from(!stays);
            stays
        });
        self.forgotten += (before - self.dirs.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(path: String) -> RecordedError {
        RecordedError {
            path: path.into_bytes(),
            kind: FailedKind::File,
            code: FailureCode::Eacces,
            cause: None,
            side: Some(Side::Source),
            size_bytes: Some(3),
            text: String::new(),
            accepted: None,
        }
    }

    #[test]
    fn the_directories_with_the_most_errors_are_kept_within_bounds() {
        let mut groups = Groups::default();
        for dir in 0..100_000 {
            for file in 0..if dir % 20_000 == 7 { 5 } else { 1 } {
                groups.add(&error(format!("dir{dir}/{file}")));
            }
            assert!(groups.0.values().all(|group| group.dirs.len() <= MAX_DIRS));
        }
        let [group] = &groups.end(6)[..] else { panic!("one group") };
        assert_eq!(group.totals, Totals::new(100_020, 300_060));
        let found: Vec<_> = group.dirs.iter().map(|(_, totals)| totals.files).collect();
        assert_eq!((found, group.more_dirs), (vec![5, 5, 5, 5, 5, 1], 99_994));
    }

    #[test]
    fn files_of_the_root_are_in_the_root() {
        let mut groups = Groups::default();
        groups.add(&error("a".to_owned()));
        assert_eq!(groups.end(1)[0].dirs[0].0, b"");
    }
}
