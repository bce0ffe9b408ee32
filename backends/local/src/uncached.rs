//! Reads files from the storage, not from the page cache: for verification.
//!
//! Two ways (module `access` chooses for each file):
//!
//! - directly (`O_DIRECT`), where the file system is known to bypass the page cache then, and nothing else: NFS, SMB, Ceph,
//!   and disks whose file system reports that this file can be read so. Cached pages of other programs stay, a client's
//!   cache on disk (`fsc`) is bypassed, and it takes an eighth of the processor time;
//! - through the page cache, after the pages were dropped and `mincore` shows that none is left (module `dropped`).
//!
//! What neither can guarantee is reported with its reason ([`Freshness`]).

mod access;
mod ahead;
mod device;
mod direct;
mod dropped;

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use rustix::fs::{Advice, fadvise};
use towpath_backend::{FileReader, Freshness, Metadata, RelPath, Result, WholeFile, async_trait};

use self::access::Access;
use self::ahead::{Ahead, MAX_AHEAD_BYTES};
use crate::blocking::blocking;
use crate::holes;
use crate::reader::Trail;
use crate::root::Root;
use crate::stat::{metadata_of, stat_storage};

/// Reads a file of at most `limit_bytes`, as [`Source::read_whole`](towpath_backend::Source::read_whole).
pub(crate) fn read_whole(
    root: &Root,
    path: &RelPath,
    limit_bytes: usize,
    mut buffer: Vec<u8>,
) -> io::Result<WholeFile> {
    let (file, _, mut access) = access::open(root, path)?;
    access.read(&file, 0, limit_bytes, &mut buffer)?;
    let stat = stat_storage(&file)?;
    let whole = WholeFile::new(buffer, metadata_of(&stat)).with_holes(holes::may_have_holes(&stat));
    Ok(whole.with_freshness(access.freshness()))
}

/// A file of a mounted tree, open for reading from the storage.
pub(crate) struct UncachedReader {
    file: Arc<File>,
    path: RelPath,
    access: Access,
    ahead: Ahead,
    may_have_holes: bool,
    /// The pages that reading through the page cache leaves there.
    trail: Trail,
}

impl UncachedReader {
    /// # Errors
    /// If it is not a regular file.
    pub(crate) fn open(root: &Root, path: RelPath) -> io::Result<Self> {
        let (file, stat, access) = access::open(root, &path)?;
        // What is read ahead by the kernel is not known to be dropped before. Advice may be rejected.
        let _advice = fadvise(&file, 0, None, Advice::Random);
        let (may_have_holes, trail) = (holes::may_have_holes(&stat), Trail::new(stat.stx_size));
        Ok(Self { file: Arc::new(file), path, access, ahead: Ahead::default(), may_have_holes, trail })
    }
}

#[async_trait]
impl FileReader for UncachedReader {
    async fn metadata(&mut self) -> Result<Metadata> {
        let file = Arc::clone(&self.file);
        blocking("stat", &self.path, move || stat_storage(&*file).map(|stat| metadata_of(&stat))).await
    }

    fn freshness(&self) -> Freshness {
        self.access.freshness()
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let before = buffer.len();
        let is_enough = self.ahead.take(offset, length_bytes, &mut buffer).await;
        let taken = buffer.len() - before;
        if is_enough {
            return Ok(buffer);
        }
        let (file, mut access, mut trail) = (Arc::clone(&self.file), self.access.clone(), self.trail);
        let (offset, length) = (offset.saturating_add(taken as u64), length_bytes - taken);
        let read = move || {
            let before = buffer.len();
            access.read(&file, offset, length, &mut buffer)?;
            if access.uses_page_cache() {
                trail.drop_pages(&file, offset, offset.saturating_add((buffer.len() - before) as u64));
            }
            Ok((buffer, access, trail))
        };
        let buffer;
        (buffer, self.access, self.trail) = blocking("read", &self.path, read).await?;
        Ok(buffer)
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        let length = length_bytes.min(MAX_AHEAD_BYTES);
        if let Some(unit) = self.access.direct_unit() {
            return self.ahead.request(&self.file, unit, offset, length);
        }
        let (file, mut access) = (Arc::clone(&self.file), self.access.clone());
        // It blocks while pages are dropped. A task that ends early changes nothing: the read drops them then.
        let fetch = move || {
            access.prepare(&file, offset, length)?;
            let _advice =
                NonZeroU64::new(length).map(|_| fadvise(&*file, offset, NonZeroU64::new(length), Advice::WillNeed));
            io::Result::Ok(access)
        };
        if let Ok(Ok(access)) = tokio::task::spawn_blocking(fetch).await {
            self.access = access;
        }
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        if !self.may_have_holes {
            return Ok(Some(offset..u64::MAX));
        }
        let (file, trail) = (Arc::clone(&self.file), self.access.uses_page_cache().then_some(self.trail));
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
