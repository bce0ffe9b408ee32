//! System calls that no safe crate offers. This is the only unsafe code.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd as _;
use std::ptr;

use rustix::param::page_size;

/// Starts the write-back of a range, or waits for it: see sync_file_range(2). Does nothing on file systems without it,
/// where the kernel decides when to write back.
pub(crate) fn sync_range(file: &File, offset: u64, length: u64, flags: libc::c_uint) -> io::Result<()> {
    // SAFETY: the call takes no pointers, and the descriptor is open for as long
    // as `file` is borrowed.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), as_offset(offset)?, as_offset(length)?, flags) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::ENOSYS | libc::EINVAL | libc::ESPIPE | libc::EOPNOTSUPP) => Ok(()),
        _ => Err(error),
    }
}

/// Whether the page cache holds what lies at `offset`: see [`is_any_cached`].
pub(crate) fn is_cached(file: &File, offset: u64) -> io::Result<bool> {
    is_any_cached(file, &(offset..offset.saturating_add(1)))
}

/// Whether the page cache holds any page of a range: see mincore(2). To callers that neither own the file nor may write
/// it, the kernel reports every page as cached.
pub(crate) fn is_any_cached(file: &File, range: &Range<u64>) -> io::Result<bool> {
    let page = page_size() as u64;
    let start = range.start - range.start % page;
    if range.end <= start {
        return Ok(false);
    }
    let pages = (range.end - start).div_ceil(page);
    let length: usize = as_offset(pages.saturating_mul(page))?;
    let mut state = vec![0u8; as_offset(pages)?];
    let (protection, kind, start) = (libc::PROT_READ, libc::MAP_PRIVATE, as_offset(start)?);
    // SAFETY: the kernel chooses the address of a new mapping, which nothing else refers to and nothing reads.
    let address = unsafe { libc::mmap(ptr::null_mut(), length, protection, kind, file.as_raw_fd(), start) };
    if address == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the mapping has this length, and the kernel writes one byte for each of its pages, as many as `state` has.
    let result = unsafe { libc::mincore(address, length, state.as_mut_ptr()) };
    let error = io::Error::last_os_error();
    // SAFETY: this is the whole mapping, and nothing refers to it any more.
    unsafe { libc::munmap(address, length) };
    if result == 0 { Ok(state.iter().any(|page| page & 1 == 1)) } else { Err(error) }
}

fn as_offset<T: TryFrom<u64>>(n: u64) -> io::Result<T> {
    T::try_from(n).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::filesystem::FileSystem;
    use rustix::fs::{Advice, fadvise};
    use rustix::io::pread;
    use std::io::Write as _;

    /// An uncached file without readahead; `None` where files are always cached.
    pub(crate) fn uncached(bytes: usize) -> Option<File> {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        if FileSystem::of(&file).unwrap().is_memory() {
            return None;
        }
        file.write_all(&vec![1; bytes]).unwrap();
        file.sync_all().unwrap();
        assert!(is_cached(&file, bytes as u64 - 1).unwrap());
        fadvise(&file, 0, None, Advice::DontNeed).unwrap();
        fadvise(&file, 0, None, Advice::Random).unwrap();
        assert!(!is_cached(&file, 0).unwrap());
        Some(file)
    }

    #[test]
    fn read_data_is_in_the_page_cache_until_it_is_dropped() {
        let Some(file) = uncached(100_000) else { return };
        assert_eq!(pread(&file, &mut [0], 50_000).unwrap(), 1);
        assert!(is_cached(&file, 50_001).unwrap());
        assert!(!is_cached(&file, 99_999).unwrap());
    }

    #[test]
    fn one_page_of_a_range_is_enough() {
        let Some(file) = uncached(1 << 20) else { return };
        assert_eq!(pread(&file, &mut [0], 500_000).unwrap(), 1);
        assert!(is_any_cached(&file, &(0..1 << 20)).unwrap());
        assert!(is_any_cached(&file, &(500_000..500_001)).unwrap());
        assert!(!is_any_cached(&file, &(510_000..1 << 30)).unwrap(), "also past the end");
        assert!(!is_any_cached(&file, &(0..480_000)).unwrap());
    }
}
