//! A reader that is reopened when it fails.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;

use super::backoff::Backoff;
use super::buffers::Buffers;
use crate::{Error, ErrorKind, FileReader, Freshness, Metadata, ObjectMetadata, ReadOptions, RelPath, Result, Source};

pub(super) struct RetryReader<T> {
    tree: Arc<T>,
    backoff: Arc<Backoff>,
    path: RelPath,
    options: ReadOptions,
    /// `None` after a failure, until it is reopened.
    reader: Option<Box<dyn FileReader>>,
    /// The metadata when the file was first opened.
    first: Metadata,
    /// Whether it had changed when it was reopened.
    changed: bool,
    /// Of what earlier readers read.
    freshness: Freshness,
}

/// Whether it can be the same file with the same content.
fn is_same(one: &Metadata, other: &Metadata) -> bool {
    let ids_differ = one.id.zip(other.id).is_some_and(|(one, other)| one.inode != other.inode);
    !ids_differ && (one.kind, one.size_bytes, one.modified) == (other.kind, other.size_bytes, other.modified)
}

impl<T: Source> RetryReader<T> {
    pub(super) async fn open(
        tree: Arc<T>,
        backoff: Arc<Backoff>,
        path: &RelPath,
        options: &ReadOptions,
    ) -> Result<Self> {
        let open = async || {
            let mut reader = tree.open(path, options).await?;
            let first = reader.metadata().await?;
            Ok((reader, first))
        };
        let mut number = 1;
        let (reader, first) = loop {
            match open().await {
                Ok(opened) => break opened,
                Err(error) => backoff.wait(number, error).await?,
            }
            number += 1;
        };
        let (path, options) = (path.clone(), options.clone());
        Ok(Self {
            tree,
            backoff,
            path,
            options,
            reader: Some(reader),
            first,
            changed: false,
            freshness: Freshness::Storage,
        })
    }

    /// The reader, reopened if need be. A file that changed in the meantime is not read further.
    async fn reader(&mut self) -> Result<&mut Box<dyn FileReader>> {
        if self.reader.is_none() {
            let mut reader = self.tree.open(&self.path, &self.options).await?;
            self.changed |= !is_same(&self.first, &reader.metadata().await?);
            if self.changed {
                // It can be read from its start.
                let cause = "the file changed while it was read";
                return Err(Error::new(ErrorKind::Other, "reopen", &self.path, cause).with_temporary(true));
            }
            self.reader = Some(reader);
        }
        let Self { reader, path, .. } = self;
        let lost = || Error::new(ErrorKind::Other, "reopen", path, "the reader was lost");
        reader.as_mut().ok_or_else(lost)
    }

    /// Drops a reader that failed, and waits before the next attempt, if there is one.
    async fn failed(&mut self, number: &mut u32, error: Error) -> Result<()> {
        if let Some(reader) = self.reader.take() {
            self.freshness = self.freshness.and(reader.freshness());
        }
        if self.changed {
            return Err(error);
        }
        self.backoff.wait(*number, error).await?;
        *number += 1;
        Ok(())
    }
}

#[async_trait]
impl<T: Source + 'static> FileReader for RetryReader<T> {
    async fn metadata(&mut self) -> Result<Metadata> {
        let mut number = 1;
        loop {
            let found = match self.reader().await {
                Ok(reader) => reader.metadata().await,
                Err(error) => Err(error),
            };
            match found {
                Ok(metadata) => return Ok(metadata),
                Err(error) => self.failed(&mut number, error).await?,
            }
        }
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
        let (mut buffers, mut number) = (Buffers::new(buffer), 1);
        loop {
            let read = match self.reader().await {
                Ok(reader) => reader.read_at(offset, length_bytes, buffers.next()).await,
                Err(error) => Err(error),
            };
            match read {
                Ok(buffer) => return Ok(buffer),
                Err(error) => self.failed(&mut number, error).await?,
            }
        }
    }

    fn object(&self) -> Option<Arc<ObjectMetadata>> {
        self.reader.as_ref()?.object()
    }

    /// What is read by a reader that fails later was read, too.
    fn freshness(&self) -> Freshness {
        self.reader.as_ref().map_or(self.freshness, |reader| self.freshness.and(reader.freshness()))
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        if let Some(reader) = &mut self.reader {
            reader.prefetch(offset, length_bytes).await;
        }
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        let mut number = 1;
        loop {
            let found = match self.reader().await {
                Ok(reader) => reader.next_data(offset).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(range) => return Ok(range),
                Err(error) => self.failed(&mut number, error).await?,
            }
        }
    }
}
