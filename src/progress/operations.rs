//! What is waited for outside of the lanes: calls of the trees and of the database.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use towpath_backend::RelPath;

use crate::lock::locked;
use crate::side::Side;

/// A call that has not returned yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CurrentOperation {
    /// The tree; `None`: the database.
    pub side: Option<Side>,
    /// What it does, such as `remove` or `flush`.
    pub name: &'static str,
    /// Its path in the tree, if it has one.
    pub path: Option<RelPath>,
    /// When it began.
    pub since: Instant,
}

impl CurrentOperation {
    /// An operation, for tests of code that uses snapshots.
    pub fn new(side: Option<Side>, name: &'static str, path: Option<RelPath>, since: Instant) -> Self {
        Self { side, name, path, since }
    }
}

/// The calls in progress; clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operations(Arc<Mutex<InProgress>>);

#[derive(Debug, Default)]
struct InProgress {
    /// In the order in which they began.
    operations: BTreeMap<u64, CurrentOperation>,
    begun: u64,
    /// Calls of the trees that have returned.
    done_in_trees: u64,
}

impl Operations {
    /// Notes a call of a tree until the guard is dropped.
    pub(crate) fn in_tree(&self, side: Side, name: &'static str, path: Option<&RelPath>) -> OperationGuard {
        self.begin(Some(side), name, path)
    }

    /// Notes a call of the database until the guard is dropped.
    pub(crate) fn in_database(&self, name: &'static str) -> OperationGuard {
        self.begin(None, name, None)
    }

    fn begin(&self, side: Option<Side>, name: &'static str, path: Option<&RelPath>) -> OperationGuard {
        let mut in_progress = locked(&self.0);
        let number = in_progress.begun;
        in_progress.begun += 1;
        in_progress.operations.insert(number, CurrentOperation::new(side, name, path.cloned(), Instant::now()));
        OperationGuard { operations: self.clone(), number }
    }

    /// The call that has been in progress for the longest time, and how many of the trees' have returned.
    pub(super) fn oldest(&self) -> (Option<CurrentOperation>, u64) {
        let in_progress = locked(&self.0);
        (in_progress.operations.values().next().cloned(), in_progress.done_in_trees)
    }
}

/// Ends a call when dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct OperationGuard {
    operations: Operations,
    number: u64,
}

impl Drop for OperationGuard {
    fn drop(&mut self) {
        let mut in_progress = locked(&self.operations.0);
        let ended = in_progress.operations.remove(&self.number);
        in_progress.done_in_trees += u64::from(ended.is_some_and(|ended| ended.side.is_some()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_call_is_known_until_it_returns() {
        let operations = Operations::default();
        assert_eq!(operations.oldest(), (None, 0));
        let path = RelPath::new("a/b").unwrap();
        let removal = operations.in_tree(Side::Sink, "remove", Some(&path));
        let commit = operations.in_database("commit to the database");
        let oldest = |operations: &Operations| operations.oldest().0.map(|one| (one.side, one.name, one.path));
        assert_eq!(oldest(&operations), Some((Some(Side::Sink), "remove", Some(path))));
        drop(removal);
        assert_eq!(oldest(&operations), Some((None, "commit to the database", None)));
        drop(commit);
        assert_eq!(operations.oldest(), (None, 1), "the database's do not count");
    }
}
