//! Readers, writers and listings whose errors have paths relative to the directory.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use super::from_below::from_below;
use crate::{
    Entry, EntryStream, Error, FileReader, FileWriter, Freshness, Metadata, ObjectMetadata, RelPath, Result, Times,
};

pub(super) struct PrefixedReader {
    inner: Box<dyn FileReader>,
    dir: RelPath,
}

impl PrefixedReader {
    pub(super) fn new(inner: Box<dyn FileReader>, dir: &RelPath) -> Self {
        Self { inner, dir: dir.clone() }
    }
}

#[async_trait]
impl FileReader for PrefixedReader {
    async fn metadata(&mut self) -> Result<Metadata> {
        self.inner.metadata().await.map_err(|error| from_below(&self.dir, error))
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
        self.inner.read_at(offset, length_bytes, buffer).await.map_err(|error| from_below(&self.dir, error))
    }

    fn object(&self) -> Option<Arc<ObjectMetadata>> {
        self.inner.object()
    }

    fn freshness(&self) -> Freshness {
        self.inner.freshness()
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        self.inner.prefetch(offset, length_bytes).await;
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        self.inner.next_data(offset).await.map_err(|error| from_below(&self.dir, error))
    }
}

pub(super) struct PrefixedWriter {
    inner: Box<dyn FileWriter>,
    dir: RelPath,
}

impl PrefixedWriter {
    pub(super) fn new(inner: Box<dyn FileWriter>, dir: &RelPath) -> Self {
        Self { inner, dir: dir.clone() }
    }
}

#[async_trait]
impl FileWriter for PrefixedWriter {
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        self.inner.write_at(offset, data).await.map_err(|error| from_below(&self.dir, error))
    }

    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        let Self { inner, dir } = *self;
        inner.finish(size_bytes, times).await.map_err(|error| from_below(&dir, error))
    }
}

pub(super) struct PrefixedPages {
    inner: EntryStream,
    dir: RelPath,
}

impl PrefixedPages {
    pub(super) fn new(inner: EntryStream, dir: &RelPath) -> Self {
        Self { inner, dir: dir.clone() }
    }

    fn renamed(&self, mut entry: Entry) -> Entry {
        entry.error = entry.error.map(|error| {
            let error = Arc::try_unwrap(error).unwrap_or_else(|shared| {
                Error::new(shared.kind(), shared.operation(), shared.path(), Arc::clone(&shared))
            });
            Arc::new(from_below(&self.dir, error))
        });
        entry
    }
}

impl Stream for PrefixedPages {
    type Item = Result<Vec<Entry>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let page = self.inner.as_mut().poll_next(context);
        page.map(|page| {
            page.map(|page| match page {
                Ok(entries) => Ok(entries.into_iter().map(|entry| self.renamed(entry)).collect()),
                Err(error) => Err(from_below(&self.dir, error)),
            })
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
