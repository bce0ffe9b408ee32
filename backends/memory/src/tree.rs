//! A tree in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use towpath_backend::{
    Capabilities, EntryStream, ErrorKind, Hints, Identity, Metadata, NameRules, ReadOptions, RelPath, Result, Tree,
    Xattr, async_trait,
};

use crate::handle::Handle;
use crate::keeps::Keeps;
use crate::listing::Listing;
use crate::shared::Shared;
use crate::store::{Body, Problem, Store, now};

/// A tree in memory, both source and sink. Clones show the same tree.
#[derive(Clone, Debug)]
pub struct MemoryTree {
    shared: Arc<Shared>,
    hints: Hints,
}

impl MemoryTree {
    /// An empty tree with the root `mem://NAME` and all capabilities.
    ///
    /// Two trees with the same name share nothing but the name.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        let capabilities =
            Capabilities { symlinks: true, hard_links: true, renames: true, holes: true, ..Capabilities::PLAIN };
        Self::with_capabilities(name, capabilities)
    }

    /// An empty tree with only these capabilities.
    ///
    /// Times are rounded down to the precision, and names are checked against the rules. Names can be case-insensitive;
    /// other rules by which different names are the same are ignored.
    pub fn with_capabilities(name: impl AsRef<[u8]>, capabilities: Capabilities) -> Self {
        Self::that_keeps(name, capabilities, Keeps::default())
    }

    /// The same, but the tree does not keep everything that is set.
    pub fn that_keeps(name: impl AsRef<[u8]>, capabilities: Capabilities, keeps: Keeps) -> Self {
        static TREES: AtomicU64 = AtomicU64::new(1);
        let number = TREES.fetch_add(1, Ordering::Relaxed);
        let names = NameRules { folds_unicode: false, trims_end: false, ..capabilities.names };
        // Unique also among other processes, and later ones with the same id.
        let identity = Identity::new(format!("memory:{}:{}:{number}", std::process::id(), now().total_ns()));
        Self {
            shared: Arc::new(Shared::new(
                [b"mem://", name.as_ref()].concat(),
                identity,
                Capabilities { names, ..capabilities },
                keeps,
                Store::new(number, names.folds_case),
            )),
            hints: Hints { over_network: false, ..Hints::DEFAULT },
        }
    }

    /// The same tree, with these hints.
    #[must_use]
    pub fn with_hints(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }

    /// What the clones share.
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Accesses the nodes; a problem becomes an error of `operation` on `path`.
    pub(crate) fn with<T>(
        &self,
        operation: &'static str,
        path: &RelPath,
        work: impl FnOnce(&mut Store) -> std::result::Result<T, Problem>,
    ) -> Result<T> {
        self.shared.with(operation, path, work)
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

    fn hints(&self) -> Hints {
        self.hints
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(self.shared.identity.clone())
    }

    async fn read_dir(&self, dir: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        let id = self.with("list", dir, |store| {
            let id = store.find(dir)?;
            store.entries(id).map(|_| id)
        })?;
        // As over a network, where each target would be a request of its own.
        let has_targets = !self.hints.over_network;
        Ok(Box::pin(Listing::new(Handle::open(&self.shared, id, "list", dir)?, has_targets)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.with("stat", path, |store| store.metadata(store.find(path)?))
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.with("read link", path, |store| match &store.node(store.find(path)?)?.body {
            Body::Link(target) => Ok(target.clone()),
            Body::File(_) | Body::Dir(_) => Err(Problem(ErrorKind::Other, "is no symbolic link")),
        })
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        self.with("read attributes", path, |store| {
            let set = &store.node(store.find(path)?)?.xattrs;
            Ok(set.iter().chain(&self.shared.keeps().own_xattr).cloned().collect())
        })
    }
}
