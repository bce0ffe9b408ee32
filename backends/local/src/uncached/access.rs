//! How a file is read from the storage, and whether that can be guaranteed.

use std::fs::File;
use std::io;

use rustix::fs::{OFlags, Statx, StatxFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;
use towpath_backend::{CacheReason, Freshness, RelPath};

use super::dropped::Dropped;
use super::{device, direct};
use crate::filesystem::{DirectReads, FileSystem};
use crate::mounts::Mount;
use crate::reader::{check_is_file, open as open_with, read_exactly, was_cached};
use crate::root::Root;
use crate::stat::{metadata_of, stat_to_read_directly};

/// Direct reads are aligned at least to this where they must be: to the blocks of nearly all disks and file systems.
const LEAST_UNIT_BYTES: u64 = 4 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// With `O_DIRECT`, in multiples of `unit` bytes.
    Direct { unit: u64 },
    /// The same, as the page cache keeps pages: whether the file system bypasses the page cache is not known.
    PastPinnedPages { unit: u64 },
    /// Through the page cache, after its pages were dropped.
    Dropped,
    /// Through the page cache, as it is.
    AsItIs,
}

/// The way of reading an open file, and where what was read came from.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    mode: Mode,
    dropped: Dropped,
    freshness: Freshness,
    /// Whether a read was seen to leave pages in the page cache: then it is the only cache.
    fills_page_cache: bool,
    size_bytes: u64,
}

/// Opens a regular file.
pub(crate) fn open(root: &Root, path: &RelPath) -> io::Result<(File, Statx, Access)> {
    let is_direct = root.filesystem.direct_reads() != DirectReads::Unknown;
    let file = match is_direct.then(|| open_with(root, path, OFlags::DIRECT)) {
        Some(Err(error)) if is_refusal(&error) => open_with(root, path, OFlags::empty())?,
        Some(result) => result?,
        None => open_with(root, path, OFlags::empty())?,
    };
    let stat = stat_to_read_directly(&file)?;
    check_is_file(&metadata_of(&stat))?;
    // Of another mount inside the tree; on a network mount the call is a request to the server.
    let filesystem = if root.is_foreign(&stat) { FileSystem::of(&file)? } else { root.filesystem };
    let unit = unit_bytes(filesystem, &stat).filter(|_| is_set(&file));
    let mode = match unit {
        Some(unit) => Mode::Direct { unit },
        None if filesystem.is_memory() => Mode::AsItIs,
        None => Mode::Dropped,
    };
    let freshness = match () {
        () if filesystem.is_memory() => Freshness::MaybeCached(CacheReason::InMemory),
        () if filesystem.is_fuse() => Freshness::MaybeCached(CacheReason::Program),
        () if filesystem.has_own_cache() => Freshness::MaybeCached(CacheReason::OwnCache),
        () if !filesystem.is_remote() && device::has_cache(&stat) => Freshness::MaybeCached(CacheReason::OwnCache),
        () => Freshness::Storage,
    };
    let mut access =
        Access { mode, dropped: Dropped::default(), freshness, fills_page_cache: false, size_bytes: stat.stx_size };
    if unit.is_none() {
        let _plain = set_direct(&file, false);
        access.check_client_cache(&file, filesystem);
    }
    Ok((file, stat, access))
}

/// The unit of direct reads that certainly bypass the page cache; `None` if they may not.
fn unit_bytes(filesystem: FileSystem, stat: &Statx) -> Option<u64> {
    // Since Linux 6.1. Zero means that a direct read would silently go through the page cache.
    let is_reported = stat.stx_mask & StatxFlags::DIOALIGN.bits() != 0;
    let reported = || (is_reported && stat.stx_dio_mem_align != 0).then_some(u64::from(stat.stx_dio_offset_align));
    match filesystem.direct_reads() {
        DirectReads::OfAnyBytes => Some(1),
        DirectReads::OfBlocks => Some(reported().unwrap_or(0).max(LEAST_UNIT_BYTES)),
        DirectReads::IfReported => Some(reported()?.max(LEAST_UNIT_BYTES)),
        DirectReads::Unknown => None,
    }
}

/// Errors of an open, a read or a change of flags that is not possible with `O_DIRECT`.
fn is_refusal(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::INVAL | Errno::OPNOTSUPP))
}

fn is_set(file: &File) -> bool {
    fcntl_getfl(file).is_ok_and(|flags| flags.contains(OFlags::DIRECT))
}

fn set_direct(file: &File, is_direct: bool) -> io::Result<()> {
    let mut flags = fcntl_getfl(file)?;
    flags.set(OFlags::DIRECT, is_direct);
    Ok(fcntl_setfl(file, flags)?)
}

impl Access {
    /// Where everything that was read came from.
    pub(crate) fn freshness(&self) -> Freshness {
        self.freshness
    }

    pub(crate) fn uses_page_cache(&self) -> bool {
        self.direct_unit().is_none()
    }

    /// The unit of direct reads, if the file is read directly.
    pub(crate) fn direct_unit(&self) -> Option<u64> {
        match self.mode {
            Mode::Direct { unit } | Mode::PastPinnedPages { unit } => Some(unit),
            Mode::Dropped | Mode::AsItIs => None,
        }
    }

    fn doubt(&mut self, reason: CacheReason) {
        self.freshness = self.freshness.and(Freshness::MaybeCached(reason));
    }

    /// A client that caches what it reads on a disk of this machine (FS-Cache) does so with all reads through the page
    /// cache.
    fn check_client_cache(&mut self, file: &File, filesystem: FileSystem) {
        if self.freshness.is_storage()
            && filesystem.is_remote()
            && !Mount::of(file).is_ok_and(|mount| mount.is_some_and(|mount| !mount.has_flag("fsc")))
        {
            self.doubt(CacheReason::OwnCache);
        }
    }

    /// Drops what the page cache has of a range that will be read through it.
    pub(crate) fn prepare(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        if self.mode != Mode::Dropped {
            return Ok(());
        }
        let end = offset.saturating_add(length).min(file.metadata()?.len());
        if offset >= end || self.dropped.drop_pages(file, &(offset..end))? {
            return Ok(());
        }
        self.doubt(CacheReason::Pinned);
        let is_direct = set_direct(file, true).is_ok();
        self.mode = if is_direct { Mode::PastPinnedPages { unit: LEAST_UNIT_BYTES } } else { Mode::AsItIs };
        Ok(())
    }

    /// Appends `length` bytes from `offset`, or fewer if the file ends earlier.
    pub(crate) fn read(&mut self, file: &File, offset: u64, length: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
        let before = buffer.len();
        self.prepare(file, offset, length as u64)?;
        if let Some(unit) = self.direct_unit() {
            match direct::read(file, unit, (offset, length), self.size_bytes, buffer) {
                Err(error) if is_refusal(&error) => buffer.truncate(before),
                result => return result,
            }
            self.give_up_direct(file)?;
            self.prepare(file, offset, length as u64)?;
            if self.direct_unit().is_some() {
                // Pages are pinned, and direct reads were refused already.
                self.give_up_direct(file)?;
            }
        }
        read_exactly(file, offset, length, buffer)?;
        if buffer.len() > before && self.mode == Mode::Dropped && !self.fills_page_cache {
            self.fills_page_cache = was_cached(file, offset);
            if !self.fills_page_cache {
                // What it read was in another cache, or in none: the file system does not say.
                self.doubt(CacheReason::OwnCache);
            }
        }
        Ok(())
    }

    /// Reads through the page cache from now on.
    fn give_up_direct(&mut self, file: &File) -> io::Result<()> {
        set_direct(file, false)?;
        if let Mode::Direct { .. } = self.mode {
            self.mode = Mode::Dropped;
            self.check_client_cache(file, FileSystem::of(file)?);
        } else {
            self.mode = Mode::AsItIs;
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn dropping(mut self, file: &File) -> Self {
        set_direct(file, false).unwrap();
        self.mode = Mode::Dropped;
        self
    }
}
