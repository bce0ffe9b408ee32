//! A mounted tree to read from.

use std::path::Path;
use std::sync::Arc;

use rustix::fs::OFlags;
use towpath_backend::{
    CacheReason, Capabilities, FileReader, Freshness, ReadOptions, RelPath, Result, Source, WholeFile, async_trait,
};

use crate::blocking::blocking;
use crate::holes::may_have_holes;
use crate::reader::{self, LocalReader, check_is_file, read_exactly, read_once};
use crate::root::{OpenError, Root};
use crate::stat::{metadata_of, stat_open};
use crate::tree::LocalTree;
use crate::uncached::{self, UncachedReader};

/// A mounted tree to read from.
pub type LocalSource = LocalTree<Reading>;

/// The side of a [`LocalSource`].
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Reading;

impl LocalTree<Reading> {
    /// Opens the directory at `path`, which must exist.
    ///
    /// # Errors
    /// If it is missing, not a directory, or may not be read.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Ok(Self::of(Root::open(path)?))
    }

    pub(crate) fn of(root: Root) -> Self {
        let capabilities = Capabilities {
            mtime_precision_ns: root.filesystem.mtime_precision_ns(),
            symlinks: true,
            hard_links: true,
            holes: true,
            ..Capabilities::PLAIN
        };
        Self { root: Arc::new(root), capabilities, side: Reading }
    }
}

#[async_trait]
impl Source for LocalTree<Reading> {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let (root, at, pacing) = (Arc::clone(&self.root), path.clone(), options.pacing.clone());
        if options.bypass_cache {
            return Ok(Box::new(blocking("open", path, move || UncachedReader::open(&root, at)).await?));
        }
        Ok(Box::new(blocking("open", path, move || LocalReader::open(&root, at, pacing)).await?))
    }

    /// Open, read, stat, close: one hop and four system calls.
    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        mut buffer: Vec<u8>,
        options: &ReadOptions,
    ) -> Result<WholeFile> {
        let (root, at) = (Arc::clone(&self.root), path.clone());
        if options.bypass_cache {
            let read = move || uncached::read_whole(&root, &at, limit_bytes, buffer);
            return self.root.run_short("read", path, read).await;
        }
        let read = move || {
            let file = reader::open(&root, &at, OFlags::empty())?;
            let before = buffer.len();
            let read = read_once(&file, limit_bytes, &mut buffer);
            let mut stat = stat_open(&file)?;
            // Its kind says more than the error of reading it.
            check_is_file(&metadata_of(&stat))?;
            read?;
            let read_bytes = buffer.len() - before;
            if read_bytes < limit_bytes && stat.stx_size != read_bytes as u64 {
                // The call returned early, or the size is wrong: the end is where no more bytes come.
                read_exactly(&file, read_bytes as u64, limit_bytes - read_bytes, &mut buffer)?;
                stat = stat_open(&file)?;
            }
            let metadata = metadata_of(&stat);
            let whole = WholeFile::new(buffer, metadata).with_holes(may_have_holes(&stat));
            Ok(whole.with_freshness(Freshness::MaybeCached(CacheReason::NotRequested)))
        };
        self.root.run_short("read", path, read).await
    }
}
