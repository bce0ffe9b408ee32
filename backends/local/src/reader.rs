//! Reads an open file, and drops its pages from the page cache.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use rustix::fs::{Advice, OFlags, fadvise};
use rustix::io::{Errno, pread, retry_on_intr};
use towpath_backend::{CacheReason, FileReader, Freshness, Kind, Metadata, Pacing, RelPath, Result, async_trait};

use crate::blocking::blocking;
use crate::calls;
use crate::holes;
use crate::root::Root;
use crate::stat::{metadata_of, metadata_of_open, stat_open};

/// Files up to this size are read with the fewest system calls, and without advice.
const SMALL_BYTES: u64 = 1 << 20;
/// The largest unit of page cache that can only be dropped as a whole (a large folio).
pub(crate) const FOLIO_BYTES: u64 = 2 << 20;

/// Opens a file for reading; its kind is checked later.
pub(crate) fn open(root: &Root, path: &RelPath, flags: OFlags) -> io::Result<File> {
    root.open_to_read(path, flags).map(File::from).map_err(|error| match root.metadata(path) {
        // A socket or a missing device gives the same error as a disk that was removed.
        Ok(metadata) if metadata.kind == Kind::Other => not_a_file(),
        _ => error,
    })
}

/// FIFOs and devices are never read: they may have no end, or side effects.
pub(crate) fn check_is_file(metadata: &Metadata) -> io::Result<()> {
    match metadata.kind {
        Kind::File => Ok(()),
        Kind::Dir => Err(Errno::ISDIR.into()),
        Kind::Symlink | Kind::Other => Err(not_a_file()),
    }
}

fn not_a_file() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "is not a regular file any more")
}

/// A file of a mounted tree, open for reading.
pub(crate) struct LocalReader {
    file: Arc<File>,
    path: RelPath,
    /// `None` for small files, and for file systems that exist only in the page cache.
    trail: Option<Trail>,
    /// Whether the file takes less space than its size.
    may_have_holes: bool,
    /// Whether only [`FileReader::prefetch`] reads ahead.
    fetches_on_demand: bool,
    /// The limit, from which on the kernel may not read ahead.
    pacing: Option<Pacing>,
    /// Whether reads may bypass the page cache.
    may_pass_cache: bool,
    /// Whether the last read went through the page cache, into which data are prefetched. `None` before the first read.
    reads_cache: Option<bool>,
}

impl LocalReader {
    /// While `pacing` is limited, nothing may be fetched that was not requested.
    ///
    /// # Errors
    /// If it is not a regular file.
    pub(crate) fn open(root: &Root, path: RelPath, pacing: Option<Pacing>) -> io::Result<Self> {
        let file = open(root, &path, OFlags::empty())?;
        let stat = stat_open(&file)?;
        let metadata = metadata_of(&stat);
        check_is_file(&metadata)?;
        let mut trail = None;
        // A client's own readahead is too short for a long round trip (NFS), or so long that for a second nothing
        // arrives that is needed now (SMB): so the reader prefetches itself. Also under a limit: with readahead, a
        // client requested up to 5 times as much in 100 ms (tests/netlab).
        let is_limited = pacing.as_ref().is_some_and(Pacing::is_limited);
        let fetches_on_demand = is_limited || root.filesystem.is_remote();
        let may_pass_cache = root.filesystem.may_pass_cache();
        let is_large = metadata.size_bytes > SMALL_BYTES && !root.filesystem.is_memory();
        // Advice may be rejected; reading works nevertheless.
        if fetches_on_demand {
            let _advice = fadvise(&file, 0, None, Advice::Random);
        } else if is_large {
            let _advice = fadvise(&file, 0, None, Advice::Sequential);
        }
        if is_large {
            trail = Some(Trail::new(metadata.size_bytes));
        }
        Ok(Self {
            file: Arc::new(file),
            path,
            trail,
            may_have_holes: holes::may_have_holes(&stat),
            fetches_on_demand,
            pacing,
            may_pass_cache,
            reads_cache: (!may_pass_cache).then_some(true),
        })
    }
}

impl LocalReader {
    /// Ends the kernel's readahead once there is a limit. A limit that ends changes nothing for an open file.
    fn follow_limit(&mut self) {
        if !self.fetches_on_demand && self.pacing.as_ref().is_some_and(Pacing::is_limited) {
            self.fetches_on_demand = true;
            // It only changes a flag of the open file.
            let _advice = fadvise(&*self.file, 0, None, Advice::Random);
        }
    }
}

#[async_trait]
impl FileReader for LocalReader {
    async fn metadata(&mut self) -> Result<Metadata> {
        let file = Arc::clone(&self.file);
        blocking("stat", &self.path, move || metadata_of_open(&*file)).await
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let (file, mut trail, mut reads_cache) = (Arc::clone(&self.file), self.trail, self.reads_cache);
        // Checked each time: a client loses its lease when another client opens the file.
        let may_pass_cache = self.may_pass_cache;
        let read = move || {
            let before = buffer.len();
            read_exactly(&file, offset, length_bytes, &mut buffer)?;
            if may_pass_cache {
                reads_cache = Some(was_cached(&file, offset));
            }
            if let Some(trail) = &mut trail {
                trail.drop_pages(&file, offset, offset + (buffer.len() - before) as u64);
            }
            Ok((buffer, trail, reads_cache))
        };
        let buffer;
        (buffer, self.trail, self.reads_cache) = blocking("read", &self.path, read).await?;
        Ok(buffer)
    }

    fn freshness(&self) -> Freshness {
        Freshness::MaybeCached(CacheReason::NotRequested)
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        self.follow_limit();
        let (true, Some(length)) = (self.fetches_on_demand, NonZeroU64::new(length_bytes)) else { return };
        if self.reads_cache == Some(false) {
            return;
        }
        let (file, reads_cache) = (Arc::clone(&self.file), self.reads_cache);
        // This blocks while a client has as many requests in flight as its server allows.
        let fetch = move || {
            // Reading one byte shows it: no more than its page is read, and only once.
            let reads_cache = reads_cache.unwrap_or_else(|| {
                let _read = pread(&*file, &mut [0], offset);
                was_cached(&file, offset)
            });
            if reads_cache {
                let _advice = fadvise(&*file, offset, Some(length), Advice::WillNeed);
            }
            reads_cache
        };
        self.reads_cache = tokio::task::spawn_blocking(fetch).await.ok().or(self.reads_cache);
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        if !self.may_have_holes {
            return Ok(Some(offset..u64::MAX));
        }
        let (file, trail) = (Arc::clone(&self.file), self.trail);
        let find = move || {
            let data = holes::next_data(&file, offset)?;
            if let (None, Some(trail)) = (&data, trail) {
                trail.drop_rest(&file);
            }
            Ok(data)
        };
        blocking("find data", &self.path, find).await
    }
}

/// Whether a read there went through the page cache. If the kernel does not report it, assumes the usual: true.
pub(crate) fn was_cached(file: &File, offset: u64) -> bool {
    calls::is_cached(file, offset).unwrap_or(true)
}

/// The pages that reading leaves in the cache. A copy of 200 TB must not evict all other files from it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trail {
    /// The start of the pages that were not dropped yet.
    from: u64,
    size_bytes: u64,
}

impl Trail {
    pub(crate) fn new(size_bytes: u64) -> Self {
        Self { from: 0, size_bytes }
    }

    /// Drops the pages before the end of a read from `offset` to `end`. Holes that were skipped have no pages, and
    /// dropping them costs nothing.
    pub(crate) fn drop_pages(&mut self, file: &File, offset: u64, end: u64) {
        self.from = self.from.min(offset);
        // Only whole folios can be dropped; at the end of the file, everything that is left.
        let until = if end >= self.size_bytes { end } else { end - end % FOLIO_BYTES };
        if let Some(length) = NonZeroU64::new(until.saturating_sub(self.from)) {
            let length = (end < self.size_bytes).then_some(length);
            let _advice = fadvise(file, self.from, length, Advice::DontNeed);
            self.from = until;
        }
    }

    /// Drops everything that is left, if the rest of the file is a hole that is not read.
    pub(crate) fn drop_rest(self, file: &File) {
        let _advice = fadvise(file, self.from, None, Advice::DontNeed);
    }
}

/// Appends `length` bytes from `offset`, or fewer if the file ends earlier.
pub(crate) fn read_exactly(file: &File, offset: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    append(length, buffer, |room| {
        let mut read_bytes = 0;
        while read_bytes < room.len() {
            match retry_on_intr(|| pread(file, &mut room[read_bytes..], offset + read_bytes as u64))? {
                0 => break,
                read => read_bytes += read,
            }
        }
        Ok(read_bytes)
    })
}

/// Appends what one call returns of the file's first `length` bytes: over a network, a call that finds its end is one
/// more request.
pub(crate) fn read_once(file: &File, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    append(length, buffer, |room| Ok(retry_on_intr(|| pread(file, &mut *room, 0))?))
}

/// Appends up to `length` bytes: as many as `read` reports.
fn append(length: usize, buffer: &mut Vec<u8>, read: impl FnOnce(&mut [u8]) -> io::Result<usize>) -> io::Result<()> {
    buffer.try_reserve_exact(length)?;
    let from = buffer.len();
    // Safe code can only read into initialized bytes, or into the whole capacity of a buffer, which may be more than
    // the bandwidth limit allows. Initializing them costs a fraction of hashing them.
    buffer.resize(from + length, 0);
    let read_bytes = read(&mut buffer[from..])?;
    buffer.truncate(from + read_bytes);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const MI: u64 = 1 << 20;

    /// A reader of an uncached file; `None` where files are always cached.
    fn reader(reads_cache: Option<bool>) -> Option<LocalReader> {
        let file = calls::tests::uncached(4 << 20)?;
        assert!((0..4).all(|mi| !was_cached(&file, mi * MI)));
        Some(LocalReader {
            file: Arc::new(file),
            path: RelPath::root(),
            trail: None,
            may_have_holes: false,
            fetches_on_demand: true,
            pacing: None,
            may_pass_cache: true,
            reads_cache,
        })
    }

    #[tokio::test]
    async fn data_is_prefetched_if_reads_go_through_the_cache() {
        let Some(mut reader) = reader(None) else { return };
        reader.prefetch(MI, MI).await;
        assert_eq!(reader.reads_cache, Some(true));
        for _ in 0..1_000 {
            if was_cached(&reader.file, 2 * MI - 1) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the prefetched data did not arrive");
    }

    #[tokio::test]
    async fn nothing_is_prefetched_while_reads_bypass_the_cache() {
        let Some(mut reader) = reader(Some(false)) else { return };
        reader.prefetch(MI, MI).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!was_cached(&reader.file, MI) && !was_cached(&reader.file, 2 * MI - 1));
        assert_eq!(reader.read_at(0, 4096, Vec::new()).await.unwrap().len(), 4096);
        assert_eq!(reader.reads_cache, Some(true));
    }
}
