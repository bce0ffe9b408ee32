//! A reader with a bug.

use std::ops::Range;
use std::sync::atomic::Ordering;

use towpath_backend::{FileReader, Freshness, Kind, Metadata, ReadOptions, RelPath, Result, Timestamp, async_trait};

use crate::bug::Bug;
use crate::tree::{Broken, broken, wait_or_block};

/// An empty file that does not exist.
pub(crate) struct Nothing;

#[async_trait]
impl FileReader for Nothing {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(Metadata::new(Kind::File, 0, Timestamp::from_ns(0)))
    }

    async fn read_at(&mut self, _: u64, _: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
        Ok(buffer)
    }
}

pub(crate) struct BrokenReader {
    tree: Broken,
    path: RelPath,
    inner: Box<dyn FileReader>,
    number: u64,
    position: u64,
    shift: u64,
    bypasses_cache: bool,
}

impl BrokenReader {
    pub(crate) fn new(
        tree: &Broken,
        path: &RelPath,
        options: &ReadOptions,
        inner: Box<dyn FileReader>,
        number: u64,
    ) -> Self {
        let bypasses_cache = options.bypass_cache;
        tree.memory.readers.fetch_add(1, Ordering::Relaxed);
        Self { tree: tree.clone(), path: path.clone(), inner, number, position: 0, shift: 0, bypasses_cache }
    }

    /// The position of the reader that read last, if it is another one.
    fn position_of_another(&self) -> Option<u64> {
        let mine = self.number as usize + 1;
        let at = self.tree.memory.last_reader.swap(mine, Ordering::Relaxed);
        (at != 0 && at != mine).then(|| self.tree.memory.position.load(Ordering::Relaxed) as u64)
    }
}

impl Drop for BrokenReader {
    fn drop(&mut self) {
        self.tree.memory.readers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[async_trait]
impl FileReader for BrokenReader {
    async fn metadata(&mut self) -> Result<Metadata> {
        let metadata = self.inner.metadata().await?;
        if self.tree.has(Bug::ReadersReportAnotherTime) {
            return Ok(Metadata { modified: Timestamp::from_ns(metadata.modified.total_ns() as i64 + 1), ..metadata });
        }
        Ok(metadata)
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let Some(bug) = self.tree.bug else { return self.inner.read_at(offset, length_bytes, buffer).await };
        let (mut at, mut length, before) = (offset + self.shift, length_bytes, buffer.len());
        match bug {
            Bug::ReplacesTheBuffer => buffer.clear(),
            Bug::ZeroBytesReadEverything if length == 0 => length = 1000,
            Bug::ReadsForwardsOnly if offset < self.position => return Err(broken(&self.path)),
            Bug::UncachedReadsAreAligned if self.bypasses_cache => at -= at % 512,
            Bug::CancelledReadBlocks => wait_or_block(&self.tree.memory).await,
            Bug::OnePositionForAllReaders => {
                at = self.position_of_another().unwrap_or(at);
                self.tree.memory.position.store(at as usize + length, Ordering::Relaxed);
            }
            _ => {}
        }
        self.position = offset + length as u64;
        let mut read = self.inner.read_at(at, length, buffer).await?;
        match bug {
            Bug::FlipsABit if offset > 0 && read.len() > before => read[before] ^= 1,
            Bug::TheEndIsAnError if read.len() == before && length > 0 => return Err(broken(&self.path)),
            Bug::HolesReadAsOnes => read.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = 0xff),
            _ => {}
        }
        Ok(read)
    }

    fn freshness(&self) -> Freshness {
        self.inner.freshness()
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        if self.tree.has(Bug::PrefetchMovesTheReader) {
            self.shift = 1;
        }
        self.inner.prefetch(offset, length_bytes).await;
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        match self.tree.bug {
            Some(Bug::FindsNoData) => Ok(None),
            Some(Bug::FindsTheFirstDataOnly) if offset > 0 => Ok(None),
            _ => self.inner.next_data(offset).await,
        }
    }
}
