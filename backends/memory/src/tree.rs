//! The tree that all its clones show.

use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use towpath_backend::{
    Capabilities, EntryStream, Hints, Identity, Metadata, NameRules, ReadOptions, RelPath, Result, Timestamp, Tree,
    async_trait,
};

use crate::handle::Handle;
use crate::listing::Listing;
use crate::store::{Problem, Store, now};

/// What a tree keeps of times, permissions and owners. What it does not keep becomes something else
/// without an error, as in file systems that lack it.
#[derive(Clone, Debug)]
pub struct Keeps {
    /// mtimes outside become the nearest one inside.
    pub mtimes: RangeInclusive<Timestamp>,
    /// Whether permissions and owners stay as they were made.
    pub attributes: bool,
}

impl Default for Keeps {
    /// Everything.
    fn default() -> Self {
        Self { mtimes: Timestamp::from_parts(i64::MIN, 0)..=Timestamp::from_parts(i64::MAX, 0), attributes: true }
    }
}

/// A tree in memory, source and sink at once; clones show the same tree.
#[derive(Clone, Debug)]
pub struct MemoryTree {
    shared: Arc<Shared>,
    hints: Hints,
}

#[derive(Debug)]
struct Shared {
    root: Vec<u8>,
    identity: Identity,
    capabilities: Capabilities,
    keeps: Keeps,
    store: Mutex<Store>,
}

impl MemoryTree {
    /// An empty tree with the root `mem://NAME` that can do all there is.
    ///
    /// Two trees of one name are two trees: they have nothing in common but the name.
    pub fn new(name: impl AsRef<[u8]>) -> Self {
        let capabilities =
            Capabilities { symlinks: true, hard_links: true, renames: true, holes: true, ..Capabilities::PLAIN };
        Self::with_capabilities(name, capabilities)
    }

    /// An empty tree that can do only this.
    ///
    /// Times are rounded down to the precision, and names that the rules refuse are
    /// refused. Names may fold capitals and small letters; other rules by which different names
    /// are the same are left out.
    pub fn with_capabilities(name: impl AsRef<[u8]>, capabilities: Capabilities) -> Self {
        Self::that_keeps(name, capabilities, Keeps::default())
    }

    /// The same, of a tree that does not keep all that it takes.
    pub fn that_keeps(name: impl AsRef<[u8]>, capabilities: Capabilities, keeps: Keeps) -> Self {
        static TREES: AtomicU64 = AtomicU64::new(1);
        let number = TREES.fetch_add(1, Ordering::Relaxed);
        let names = NameRules { folds_unicode: false, trims_end: false, ..capabilities.names };
        // No other process, and no later one of the same number, has the same.
        let identity = Identity::new(format!("memory:{}:{}:{number}", std::process::id(), now().total_ns()));
        Self {
            shared: Arc::new(Shared {
                root: [b"mem://", name.as_ref()].concat(),
                identity,
                capabilities: Capabilities { names, ..capabilities },
                keeps,
                store: Mutex::new(Store::new(number, names.folds_case)),
            }),
            hints: Hints { over_network: false, ..Hints::DEFAULT },
        }
    }

    /// The same tree, which is used best like this.
    #[must_use]
    pub fn with_hints(self, hints: Hints) -> Self {
        Self { hints, ..self }
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

    /// Whether permissions and owners are kept.
    pub(crate) fn keeps_attributes(&self) -> bool {
        self.shared.keeps.attributes
    }

    /// What can be kept of a time.
    pub(crate) fn round(&self, time: Timestamp) -> Timestamp {
        let range = &self.shared.keeps.mtimes;
        let time = time.clamp(*range.start(), *range.end());
        let step = i128::from(self.shared.capabilities.mtime_precision_ns.max(1));
        let ns = time.total_ns();
        Timestamp::from_total_ns(ns - ns.rem_euclid(step)).unwrap_or(time)
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
        Ok(Box::pin(Listing::new(Handle::open(self, id, "list", dir)?)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.with("stat", path, |store| store.metadata(store.find(path)?))
    }
}
