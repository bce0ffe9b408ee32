//! An open file for reading.

use std::ops::Range;

use towpath_backend::{FileReader, Freshness, Metadata, Result, async_trait};

use crate::handle::Handle;
use crate::store::Body;

/// Reads a file, even after its last name was removed.
#[derive(Debug)]
pub(crate) struct MemoryReader(Handle);

impl MemoryReader {
    pub(crate) fn new(handle: Handle) -> Self {
        Self(handle)
    }
}

#[async_trait]
impl FileReader for MemoryReader {
    async fn metadata(&mut self) -> Result<Metadata> {
        self.0.with("stat", |store, id| store.metadata(id))
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        self.0.with("read", |store, id| {
            if let Body::File(content) = &store.node(id)?.body {
                content.read(offset, length_bytes, &mut buffer);
            }
            Ok(buffer)
        })
    }

    /// The memory is the storage.
    fn freshness(&self) -> Freshness {
        Freshness::Storage
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        self.0.with("find data", |store, id| match &store.node(id)?.body {
            Body::File(content) => Ok(content.next_data(offset)),
            Body::Dir(_) | Body::Link(_) => Ok(None),
        })
    }
}
