//! A mounted tree: what source and sink have in common.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, fstatvfs, open};
use towpath_backend::{
    Capabilities, EntryStream, Hints, Identity, Metadata, ReadOptions, RelPath, Result, Tree, Xattr, async_trait,
};

use crate::blocking::blocking;
use crate::root::Root;
use crate::{attributes, identity, listing};

/// A mounted tree as one side of a migration: a [`LocalSource`](crate::LocalSource) or a
/// [`LocalSink`](crate::LocalSink). A source is never written to, as it does not implement
/// [`Sink`](towpath_backend::Sink).
#[derive(Debug)]
pub struct LocalTree<Side> {
    pub(crate) root: Arc<Root>,
    pub(crate) capabilities: Capabilities,
    /// The state of this side.
    pub(crate) side: Side,
}

#[async_trait]
impl<Side: Send + Sync> Tree for LocalTree<Side> {
    fn root(&self) -> &[u8] {
        self.root.bytes()
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn hints(&self) -> Hints {
        Hints { over_network: self.root.filesystem.is_remote(), ..Hints::DEFAULT }
    }

    fn locate(&self, local: &Path) -> Option<RelPath> {
        self.root.locate(local)
    }

    /// The root is opened again by its path: the existing handle would still show a share that was unmounted.
    async fn identity(&self) -> Result<Identity> {
        let path = self.root.path.clone();
        let identify = move || {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            identity::identity(open(&path, flags, Mode::empty())?, &path)
        };
        blocking("stat", &RelPath::root(), identify).await
    }

    /// The free space is not cached: NFS and SMB ask the server each time.
    async fn round_trip(&self) -> Result<()> {
        let root = Arc::clone(&self.root);
        blocking("reach", &RelPath::root(), move || Ok(fstatvfs(root.resolver.root()).map(drop)?)).await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        let (root, path) = (Arc::clone(&self.root), dir.clone());
        let options =
            listing::ListOptions { is_paced: options.is_limited(), reads_targets: !root.filesystem.is_remote() };
        listing::list(dir, options, move || root.open_to_read(&path, OFlags::DIRECTORY)).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        let (root, at) = (Arc::clone(&self.root), path.clone());
        blocking("stat", path, move || root.metadata(&at)).await
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        let (root, at) = (Arc::clone(&self.root), path.clone());
        let read = move || {
            let (dir, name) = root.resolver.parent(&at)?;
            Ok(rustix::fs::readlinkat(dir, name, Vec::new())?.into_bytes())
        };
        blocking("read link", path, read).await
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        let (root, at) = (Arc::clone(&self.root), path.clone());
        blocking("read attributes", path, move || attributes::xattrs(&root, &at)).await
    }
}
