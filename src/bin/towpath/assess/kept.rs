//! What is kept of many paths: the greatest, the first, and a sample. None of it grows with the tree, and none of it
//! depends on the order of the walk.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hasher as _};

/// The paths with the greatest values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ranking<T: Ord> {
    max: usize,
    /// Of paths with the same value, the first by their bytes are the greatest.
    kept: BTreeSet<(T, Reverse<Vec<u8>>)>,
}

impl<T: Ord> Ranking<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, kept: BTreeSet::new() }
    }

    pub(crate) fn add(&mut self, value: T, path: impl FnOnce() -> Vec<u8>) {
        let is_full = self.kept.len() >= self.max;
        if is_full && self.kept.first().is_none_or(|(least, _)| value < *least) {
            return;
        }
        self.kept.insert((value, Reverse(path())));
        if is_full {
            self.kept.pop_first();
        }
    }

    /// The greatest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&T, &[u8])> {
        self.kept.iter().rev().map(|(value, Reverse(path))| (value, path.as_slice()))
    }
}

/// How many paths of a kind there are, their bytes, and the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Examples {
    pub(crate) count: u64,
    pub(crate) bytes: u128,
    pub(crate) first: BTreeSet<Vec<u8>>,
}

impl Examples {
    /// The most that are kept.
    pub(crate) const MAX: usize = 5;

    pub(crate) fn add(&mut self, path: Vec<u8>, bytes: u64) {
        self.count += 1;
        self.bytes += u128::from(bytes);
        self.first.insert(path);
        if self.first.len() > Self::MAX {
            self.first.pop_last();
        }
    }
}

/// Some paths, chosen by their hashes: each path of the tree has the same chance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sample<T> {
    max: usize,
    /// How many paths it was chosen from.
    pub(crate) from: u64,
    kept: BTreeMap<(u64, Vec<u8>), T>,
}

impl<T> Sample<T> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, from: 0, kept: BTreeMap::new() }
    }

    pub(crate) fn add(&mut self, hash: u64, path: impl FnOnce() -> Vec<u8>, value: T) {
        self.from += 1;
        let is_full = self.kept.len() >= self.max;
        if is_full && self.kept.last_key_value().is_none_or(|((greatest, _), _)| hash > *greatest) {
            return;
        }
        self.kept.insert((hash, path()), value);
        if is_full {
            self.kept.pop_last();
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &T)> {
        self.kept.iter().map(|((_, path), value)| (path.as_slice(), value))
    }
}

/// The hash of the entry `name` of a directory: the same in every run.
pub(crate) fn hash_of(dir: &[u8], name: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(dir);
    hasher.write(b"/");
    hasher.write(name);
    hasher.finish()
}
