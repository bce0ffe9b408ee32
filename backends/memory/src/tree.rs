//! The tree that all its clones show.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use towpath_backend::{
    Capabilities, EntryStream, Identity, Metadata, NameRules, RelPath, Result, Timestamp, Tree, async_trait,
};

use crate::handle::Handle;
use crate::listing::Listing;
use crate::store::{Problem, Store, now};

/// A tree in memory, source and sink at once; clones show the same tree.
#[derive(Clone, Debug)]
pub struct MemoryTree {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    root: Vec<u8>,
    identity: Identity,
    capabilities: Capabilities,
    store: Mutex<Store>,
}

impl MemoryTree {
    /// An empty tree with the root `mem://NAME` that can do all there is.
    ///
    /// Two trees of one name are two trees: they have nothing in common but the name.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        let capabilities = Capabilities {
            symlinks: true,
            hard_links: true,
            renames: true,
            holes: true,
            over_network: false,
            ..Capabilities::PLAIN
        };
        Self::with_capabilities(name, capabilities)
    }

    /// An empty tree that can do only this.
    ///
    /// Times are rounded down to the precision, and names that the rules refuse are
    /// refused. Names may fold capitals and small letters; other rules by which different names
    /// are the same are left out.
    pub fn with_capabilities(name: impl AsRef<[u8]>, capabilities: Capabilities) -> Self {
        static TREES: AtomicU64 = AtomicU64::new(1);
        let number = TREES.fetch_add(1, Ordering::Relaxed);
        let names = NameRules { folds_unicode: false, trims_end: false, ..capabilities.names };
        // No other process, and no later one of the same number, has the same.
        let identity = Identity::new(format!("memory:{}:{}:{number}", std::process::id(), now().0));
        Self {
            shared: Arc::new(Shared {
                root: [b"mem://", name.as_ref()].concat(),
                identity,
                capabilities: Capabilities { names, ..capabilities },
                store: Mutex::new(Store::new(number, names.folds_case)),
            }),
        }
    }

    /// The nodes, for as long as no await comes.
    pub(crate) fn store(&self) -> MutexGuard<'_, Store> {
        self.shared.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does something with the nodes; what goes wrong is an error of `operation` on `path`.
    pub(crate) fn with<T>(
        &self,
        operation: &'static str,
        path: &RelPath,
        work: impl FnOnce(&mut Store) -> std::result::Result<T, Problem>,
    ) -> Result<T> {
        work(&mut self.store()).map_err(|problem| problem.at(operation, path))
    }

    /// What can be kept of a time.
    pub(crate) fn round(&self, time: Timestamp) -> Timestamp {
        let step = i64::try_from(self.shared.capabilities.mtime_precision_ns.max(1)).unwrap_or(i64::MAX);
        Timestamp(time.0.checked_sub(time.0.rem_euclid(step)).unwrap_or(time.0))
    }
}

#[async_trait]
impl Tree for MemoryTree {
    fn root(&self) -> &[u8] {
        &self.shared.root
    }

    fn capabilities(&self) -> Capabilities {
        self.shared.capabilities
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(self.shared.identity.clone())
    }

    async fn read_dir(&self, dir: &RelPath) -> Result<EntryStream> {
        let id = self.with("list", dir, |store| {
            let id = store.find(dir)?;
            store.entries(id).map(|_| id)
        })?;
        Ok(Box::pin(Listing::new(Handle::open(self, id, "list", dir)?)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.with("look at", path, |store| store.metadata(store.find(path)?))
    }
}
