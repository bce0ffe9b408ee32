//! Files with several names. Of a tree with very many, only those whose ids have certain hashes are remembered, and the
//! figures are extrapolated.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use towpath_backend::{FileId, Metadata};

/// The names of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Names {
    size_bytes: u64,
    /// Those that the file system counts.
    all: u64,
    /// Those that were seen.
    seen: u64,
}

/// The files with several names so far.
#[derive(Clone, Debug)]
pub(crate) struct HardLinks {
    max: usize,
    /// Files are remembered if their hash ends with so many zeros.
    level: u32,
    files: HashMap<FileId, Names>,
}

/// What is known of files with several names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Linked {
    /// Files of which several names were seen.
    pub(crate) files: u64,
    /// All of their names.
    pub(crate) names: u64,
    /// What their further names would take as separate files.
    pub(crate) saved_bytes: u128,
    /// Files with further names that were not seen: outside of the source, or excluded.
    pub(crate) with_names_elsewhere: u64,
    /// Whether these figures are extrapolated.
    pub(crate) is_estimated: bool,
}

impl HardLinks {
    /// So many files take about 20 MiB.
    pub(crate) const MAX: usize = 1 << 18;

    pub(crate) fn new(max: usize) -> Self {
        Self { max, level: 0, files: HashMap::new() }
    }

    /// Adds a name.
    pub(crate) fn add(&mut self, metadata: &Metadata) {
        let Some(id) = metadata.id.filter(|_| metadata.names > 1) else { return };
        if !is_chosen(&id, self.level) {
            return;
        }
        let new = Names { size_bytes: metadata.size_bytes, all: metadata.names, seen: 0 };
        self.files.entry(id).or_insert(new).seen += 1;
        while self.files.len() > self.max && self.level < u64::BITS {
            self.level += 1;
            let level = self.level;
            self.files.retain(|id, _| is_chosen(id, level));
        }
    }

    pub(crate) fn linked(&self) -> Linked {
        let mut linked = Linked { is_estimated: self.level > 0, ..Linked::default() };
        for Names { size_bytes, all, seen } in self.files.values() {
            if *seen > 1 {
                linked.files += 1;
                linked.names += seen;
                linked.saved_bytes += u128::from(*size_bytes) * u128::from(seen - 1);
            }
            linked.with_names_elsewhere += u64::from(seen < all);
        }
        let scale = 1_u64.checked_shl(self.level).unwrap_or(u64::MAX);
        for figure in [&mut linked.files, &mut linked.names, &mut linked.with_names_elsewhere] {
            *figure = figure.saturating_mul(scale);
        }
        linked.saved_bytes = linked.saved_bytes.saturating_mul(scale.into());
        linked
    }
}

fn is_chosen(id: &FileId, level: u32) -> bool {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    hasher.finish().trailing_zeros() >= level
}

#[cfg(test)]
mod tests {
    use super::*;
    use towpath_backend::{Kind, Timestamp};

    fn file(inode: u64, size_bytes: u64, names: u64) -> Metadata {
        let id = Some(FileId { device: 1, inode });
        Metadata { id, names, ..Metadata::new(Kind::File, size_bytes, Timestamp::default()) }
    }

    fn linked(max: usize, files: impl Iterator<Item = Metadata>) -> Linked {
        let mut links = HardLinks::new(max);
        files.for_each(|file| links.add(&file));
        assert!(links.files.len() <= max);
        links.linked()
    }

    #[test]
    fn names_are_counted_and_those_elsewhere_are_noticed() {
        let files = [file(1, 100, 3), file(2, 7, 1), file(1, 100, 3), file(3, 9, 2), file(1, 100, 3)];
        let expected = Linked { files: 1, names: 3, saved_bytes: 200, with_names_elsewhere: 1, is_estimated: false };
        assert_eq!(linked(10, files.into_iter()), expected);
    }

    #[test]
    fn figures_of_very_many_files_are_extrapolated_from_a_bounded_number() {
        const FILES: u64 = 100_000;
        let files = || (0..2 * FILES).map(|n| file(n % FILES, 10, 2));
        let estimated = linked(4096, files());
        assert!(estimated.is_estimated);
        assert!((90_000..110_000).contains(&estimated.files), "{estimated:?}");
        assert_eq!((estimated.names, estimated.with_names_elsewhere), (2 * estimated.files, 0));
        assert_eq!(estimated.saved_bytes, 10 * u128::from(estimated.files));
        // In another order the same files are remembered.
        let mut backwards: Vec<_> = files().collect();
        backwards.reverse();
        assert_eq!(linked(4096, backwards.into_iter()), estimated);
    }
}
