//! The state that all clones of a tree and its open files share.

use std::sync::{Mutex, MutexGuard, PoisonError};

use towpath_backend::{Capabilities, Identity, RelPath, Result, Timestamp};

use crate::keeps::Keeps;
use crate::store::{Problem, Store};

/// The nodes of a tree, and what the tree can do.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root: Vec<u8>,
    pub(crate) identity: Identity,
    pub(crate) capabilities: Capabilities,
    keeps: Keeps,
    store: Mutex<Store>,
}

impl Shared {
    pub(crate) fn new(
        root: Vec<u8>,
        identity: Identity,
        capabilities: Capabilities,
        keeps: Keeps,
        store: Store,
    ) -> Self {
        Self { root, identity, capabilities, keeps, store: Mutex::new(store) }
    }

    /// The nodes. The lock must not be held across an await.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accesses the nodes; a problem becomes an error of `operation` on `path`.
    pub(crate) fn with<T>(
        &self,
        operation: &'static str,
        path: &RelPath,
        work: impl FnOnce(&mut Store) -> std::result::Result<T, Problem>,
    ) -> Result<T> {
        work(&mut self.store()).map_err(|problem| problem.at(operation, path))
    }

    /// What is kept.
    pub(crate) fn keeps(&self) -> &Keeps {
        &self.keeps
    }

    /// The nearest mtime that the tree can keep.
    pub(crate) fn round(&self, time: Timestamp) -> Timestamp {
        let range = &self.keeps.mtimes;
        let time = time.clamp(*range.start(), *range.end());
        let step = i128::from(self.capabilities.mtime_precision_ns.max(1));
        let ns = time.total_ns();
        Timestamp::from_total_ns(ns - ns.rem_euclid(step)).unwrap_or(time)
    }
}
