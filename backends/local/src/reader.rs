//! Reads an open file, and lets its pages go behind it.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};
use rustix::io::{Errno, pread};
use towpath_backend::{FileReader, Kind, Metadata, RelPath, Result, async_trait};

use crate::root::{blocking, metadata_of_open};

/// A file of a mounted tree, open for reading.
pub(crate) struct LocalReader {
    file: Arc<File>,
    path: RelPath,
    /// The page cache is all there is: nothing is to be dropped.
    keep_pages: bool,
}

impl LocalReader {
    /// # Errors
    /// If it is not a regular file: a FIFO or a device is never read.
    pub(crate) fn new(file: File, path: RelPath, keep_pages: bool) -> io::Result<Self> {
        if metadata_of_open(&file)?.kind != Kind::File {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file any more"));
        }
        if !keep_pages {
            // Advice may be refused; reading works all the same.
            let _advice = fadvise(&file, 0, None, Advice::Sequential);
        }
        Ok(Self { file: Arc::new(file), path, keep_pages })
    }
}

#[async_trait]
impl FileReader for LocalReader {
    async fn metadata(&mut self) -> Result<Metadata> {
        let file = Arc::clone(&self.file);
        blocking("look at", &self.path, move || metadata_of_open(&*file)).await
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let (file, keep_pages) = (Arc::clone(&self.file), self.keep_pages);
        let read = move || {
            let before = buffer.len();
            read_exactly(&file, offset, length_bytes, &mut buffer)?;
            // A copy of 200 TB must not push everyone else's files out of the cache.
            if !keep_pages && let Some(length) = NonZeroU64::new((buffer.len() - before) as u64) {
                let _advice = fadvise(&*file, offset, Some(length), Advice::DontNeed);
            }
            Ok(buffer)
        };
        blocking("read", &self.path, read).await
    }
}

/// Appends `length` bytes from `offset`, or fewer if the file ends before.
pub(crate) fn read_exactly(file: &File, offset: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    let (from, end) = (buffer.len(), buffer.len() + length);
    buffer.reserve_exact(length);
    // Safe code reads into initialised bytes only; filling them costs a
    // fraction of hashing them.
    buffer.resize(end, 0);
    let mut at = from;
    while at < end {
        match pread(file, &mut buffer[at..end], offset + (at - from) as u64) {
            Ok(0) => break,
            Ok(read) => at += read,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    buffer.truncate(at);
    Ok(())
}
