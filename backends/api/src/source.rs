//! Where a migration reads from.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use crate::error::Result;
use crate::freshness::Freshness;
use crate::metadata::Metadata;
use crate::object::ObjectMetadata;
use crate::pacing::ReadOptions;
use crate::path::RelPath;
use crate::tree::Tree;

/// A tree that files are read from.
#[async_trait]
pub trait Source: Tree {
    /// Opens a regular file for reading, without following links. `options` apply as long as it is open.
    ///
    /// # Errors
    /// If it is missing, not a regular file, or may not be read.
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>>;

    /// Reads a file of at most `limit_bytes` in one call, for backends that
    /// can do so with fewer round trips than [`Source::open`] and its reader.
    ///
    /// Appends the content to `buffer` (no more than `limit_bytes`) and returns the metadata as of the end of the read.
    /// A longer file is cut off there; its metadata report the full size.
    ///
    /// # Errors
    /// As [`Source::open`] and [`FileReader::read_at`].
    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        options: &ReadOptions,
    ) -> Result<WholeFile> {
        let mut reader = self.open(path, options).await?;
        let data = reader.read_at(0, limit_bytes, buffer).await?;
        let metadata = reader.metadata().await?;
        Ok(WholeFile::new(data, metadata).with_freshness(reader.freshness()))
    }
}

/// What [`Source::read_whole`] read.
#[derive(Debug)]
#[non_exhaustive]
pub struct WholeFile {
    /// The buffer that was passed in, with the content appended.
    pub data: Vec<u8>,
    /// The file's metadata when reading ended.
    pub metadata: Metadata,
    /// Whether zeros in it may be holes: then [`FileReader::next_data`] reports them.
    pub may_have_holes: bool,
    /// What an object store keeps beside its content, if it is an object.
    pub object: Option<Arc<ObjectMetadata>>,
    /// Whether the content came from the storage, as [`FileReader::freshness`].
    pub freshness: Freshness,
}

impl WholeFile {
    /// From the buffer with the content appended, and the file's metadata; without holes.
    pub fn new(data: Vec<u8>, metadata: Metadata) -> Self {
        Self { data, metadata, may_have_holes: false, object: None, freshness: Freshness::default() }
    }

    /// Sets whether zeros in it may be holes.
    #[must_use]
    pub fn with_holes(self, may_have_holes: bool) -> Self {
        Self { may_have_holes, ..self }
    }

    /// Sets what an object store keeps beside its content.
    #[must_use]
    pub fn with_object(self, object: Option<Arc<ObjectMetadata>>) -> Self {
        Self { object, ..self }
    }

    /// Sets whether the content came from the storage.
    #[must_use]
    pub fn with_freshness(self, freshness: Freshness) -> Self {
        Self { freshness, ..self }
    }
}

/// An open file of a source.
#[async_trait]
pub trait FileReader: Send {
    /// The current metadata of the open file.
    ///
    /// # Errors
    /// If they cannot be read.
    async fn metadata(&mut self) -> Result<Metadata>;

    /// What an object store keeps beside the content, as of when the file was opened; `None` if it is no object.
    fn object(&self) -> Option<Arc<ObjectMetadata>> {
        None
    }

    /// Whether everything that was read so far came from the storage, or perhaps from a cache of this machine. It is
    /// only asked for with [`ReadOptions::bypass_cache`], after reading.
    ///
    /// By default nothing is known. Backends that cache nothing on this machine report [`Freshness::Storage`].
    fn freshness(&self) -> Freshness {
        Freshness::default()
    }

    /// Reads up to `length_bytes` from `offset` and appends them to `buffer`, which is returned. Fewer bytes mean the
    /// end of the file.
    ///
    /// # Errors
    /// If reading fails; the buffer is then lost.
    async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>>;

    /// Starts fetching `length_bytes` from `offset`, which will be read soon, without waiting for them. This is only a
    /// hint: an error here is not reported, and shows again in the read.
    ///
    /// Does nothing by default.
    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        let _ = (offset, length_bytes);
    }

    /// The next range of the file that holds data, at or after `offset`; everything before it is a hole, which reads as
    /// zeros. `None` if only a hole is left. The range may extend past the end of the file.
    ///
    /// # Errors
    /// If it cannot be determined.
    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        Ok(Some(offset..u64::MAX))
    }
}
