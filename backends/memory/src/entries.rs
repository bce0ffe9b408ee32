//! The names of a directory, in a tree that is case-sensitive or case-insensitive.

use std::collections::BTreeMap;
use std::ops::Bound;

/// Names and their nodes, in the order in which names are compared.
#[derive(Debug)]
pub(crate) struct Entries {
    folds_case: bool,
    /// By key: the name as it is spelled, and its node.
    names: BTreeMap<Vec<u8>, (Vec<u8>, u64)>,
}

impl Entries {
    pub(crate) fn new(folds_case: bool) -> Self {
        Self { folds_case, names: BTreeMap::new() }
    }

    /// The form of a name that is compared.
    fn key(&self, name: &[u8]) -> Vec<u8> {
        match std::str::from_utf8(name) {
            Ok(text) if self.folds_case => text.to_lowercase().into_bytes(),
            _ => name.to_vec(),
        }
    }

    /// The node of `name`, however it is spelled.
    pub(crate) fn get(&self, name: &[u8]) -> Option<u64> {
        self.names.get(&self.key(name)).map(|(_, node)| *node)
    }

    /// Adds `name` for `node`, with this spelling.
    pub(crate) fn insert(&mut self, name: &[u8], node: u64) {
        self.names.insert(self.key(name), (name.to_vec(), node));
    }

    /// Removes `name`; returns its node.
    pub(crate) fn remove(&mut self, name: &[u8]) -> Option<u64> {
        let key = self.key(name);
        self.names.remove(&key).map(|(_, node)| node)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Up to `limit` names after `after`, with their nodes.
    pub(crate) fn page(&self, after: Option<&[u8]>, limit: usize) -> impl Iterator<Item = (&[u8], u64)> {
        let start = after.map_or(Bound::Unbounded, |name| Bound::Excluded(self.key(name)));
        let names = self.names.range((start, Bound::Unbounded)).take(limit);
        names.map(|(_, (name, node))| (&name[..], *node))
    }
}
