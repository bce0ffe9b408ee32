//! Where a migration reads from.

use std::ops::Range;

use async_trait::async_trait;

use crate::error::{Error, ErrorKind, Result};
use crate::metadata::{Metadata, Xattr};
use crate::pacing::ReadOptions;
use crate::path::RelPath;
use crate::tree::Tree;

/// A tree that files are read from.
#[async_trait]
pub trait Source: Tree {
    /// Opens a regular file for reading, following no link. `options` hold for as long as it is open.
    ///
    /// # Errors
    /// If it is missing, not a regular file, or may not be read.
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>>;

    /// Reads a file of at most `limit_bytes` in one call, for backends that
    /// can do so with fewer round trips than [`Source::open`] and its reader.
    ///
    /// Appends the content to `buffer` (no more than `limit_bytes`) and returns the
    /// metadata as they were when reading ended. A longer file is cut there;
    /// its metadata report the full size.
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
        Ok(WholeFile::new(data, reader.metadata().await?))
    }

    /// Where a symbolic link points: its bytes, as they are.
    ///
    /// # Errors
    /// If it is missing or not a link; [`ErrorKind::Unsupported`] where the storage does not support links.
    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        Err(Error::new(ErrorKind::Unsupported, "read link", path, "this storage has no symbolic links"))
    }

    /// The extended attributes of a file, directory or link (of the link itself);
    /// empty where the storage does not support them.
    ///
    /// # Errors
    /// If they cannot be read.
    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        let _ = path;
        Ok(Vec::new())
    }
}

/// What [`Source::read_whole`] read.
#[derive(Debug)]
#[non_exhaustive]
pub struct WholeFile {
    /// The buffer that was given, with the content behind what it held.
    pub data: Vec<u8>,
    /// The file's metadata when reading ended.
    pub metadata: Metadata,
    /// Whether zeros in it may be holes: then [`FileReader::next_data`] reports them.
    pub may_have_holes: bool,
}

impl WholeFile {
    /// The buffer that was given with the content behind what it held, and the file's metadata; without holes.
    pub fn new(data: Vec<u8>, metadata: Metadata) -> Self {
        Self { data, metadata, may_have_holes: false }
    }

    /// Says whether zeros in it may be holes.
    #[must_use]
    pub fn with_holes(self, may_have_holes: bool) -> Self {
        Self { may_have_holes, ..self }
    }
}

/// An open file of a source.
#[async_trait]
pub trait FileReader: Send {
    /// The open file's metadata as they are now.
    ///
    /// # Errors
    /// If they cannot be had.
    async fn metadata(&mut self) -> Result<Metadata>;

    /// Reads up to `length_bytes` from `offset` and appends them to `buffer`,
    /// which comes back. Fewer bytes mean the end of the file.
    ///
    /// # Errors
    /// If reading fails; the buffer is then lost.
    async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>>;

    /// Starts to fetch `length_bytes` from `offset`, which will be read soon, and
    /// does not wait for them. Only a hint: what fails here fails again when it is read.
    ///
    /// By default nothing happens.
    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        let _ = (offset, length_bytes);
    }

    /// The next stretch of the file that holds data, at or behind `offset`; what
    /// lies before it is a hole, which reads as zeros. `None`: only a hole is left.
    /// The stretch may reach beyond the end of the file.
    ///
    /// # Errors
    /// If it cannot be found out.
    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        Ok(Some(offset..u64::MAX))
    }
}
