//! A handle of a node, which exists as long as the handle.

use std::sync::Arc;

use towpath_backend::{RelPath, Result};

use crate::shared::Shared;
use crate::store::{Problem, Store};

/// An open file or directory.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) tree: Arc<Shared>,
    pub(crate) id: u64,
    path: RelPath,
}

impl Handle {
    /// Opens the node `id`, which was found at `path`.
    pub(crate) fn open(tree: &Arc<Shared>, id: u64, operation: &'static str, path: &RelPath) -> Result<Self> {
        tree.with(operation, path, |store| store.open(id))?;
        Ok(Self { tree: tree.clone(), id, path: path.clone() })
    }

    /// Accesses the node.
    pub(crate) fn with<T>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&mut Store, u64) -> std::result::Result<T, Problem>,
    ) -> Result<T> {
        self.tree.with(operation, &self.path, |store| work(store, self.id))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.tree.store().close(self.id);
    }
}
