//! A mounted tree to read from.

use std::path::Path;
use std::sync::Arc;

use towpath_backend::{
    Capabilities, EntryStream, FileReader, Hints, Identity, Metadata, ReadOptions, RelPath, Result, Source, Tree,
    WholeFile, Xattr, async_trait,
};

use crate::attributes;
use crate::holes::may_have_holes;
use crate::reader::{self, LocalReader, read_exactly, read_once, refuse_all_but_files};
use crate::root::{self, OpenError, Root, blocking, metadata_of, stat_open};

/// A mounted tree to read from.
#[derive(Debug)]
pub struct LocalSource {
    root: Arc<Root>,
}

impl LocalSource {
    /// Opens the directory at `path`, which must exist.
    ///
    /// # Errors
    /// If it is missing, not a directory, or may not be read.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Ok(Self::of(Root::open(path)?))
    }

    pub(crate) fn of(root: Root) -> Self {
        Self { root: Arc::new(root) }
    }
}

#[async_trait]
impl Tree for LocalSource {
    fn root(&self) -> &[u8] {
        self.root.bytes()
    }

    fn capabilities(&self) -> Capabilities {
        let mtime_precision_ns = self.root.filesystem.mtime_precision_ns();
        Capabilities { mtime_precision_ns, symlinks: true, hard_links: true, holes: true, ..Capabilities::PLAIN }
    }

    fn hints(&self) -> Hints {
        self.root.hints()
    }

    fn locate(&self, local: &Path) -> Option<RelPath> {
        self.root.locate(local)
    }

    async fn identity(&self) -> Result<Identity> {
        root::identity(&self.root).await
    }

    async fn round_trip(&self) -> Result<()> {
        root::round_trip(&self.root).await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        root::read_dir(&self.root, dir, options).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        root::metadata(&self.root, path).await
    }
}

#[async_trait]
impl Source for LocalSource {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let (root, at, is_paced) = (Arc::clone(&self.root), path.clone(), options.pacing.is_some());
        Ok(Box::new(blocking("open", path, move || LocalReader::open(&root, at, is_paced)).await?))
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

    /// Open, read, look, close: one hop and four system calls.
    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        mut buffer: Vec<u8>,
        _: &ReadOptions,
    ) -> Result<WholeFile> {
        let (root, at) = (Arc::clone(&self.root), path.clone());
        let read = move || {
            let file = reader::open(&root, &at)?;
            let before = buffer.len();
            let read = read_once(&file, limit_bytes, &mut buffer);
            let mut stat = stat_open(&file)?;
            // What it is says more than the number that reading it gave.
            refuse_all_but_files(&metadata_of(&stat))?;
            read?;
            let read_bytes = buffer.len() - before;
            if read_bytes < limit_bytes && stat.stx_size != read_bytes as u64 {
                // The call came back early, or the size is wrong: only no more bytes are the end.
                read_exactly(&file, read_bytes as u64, limit_bytes - read_bytes, &mut buffer)?;
                stat = stat_open(&file)?;
            }
            let metadata = metadata_of(&stat);
            Ok(WholeFile::new(buffer, metadata).with_holes(may_have_holes(&stat)))
        };
        self.root.run_short("read", path, read).await
    }
}
