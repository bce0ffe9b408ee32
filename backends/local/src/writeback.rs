//! Write-back that starts at once, within a bounded window.
//!
//! The kernel keeps written pages until a threshold or the close. On a mount
//! that makes a copy half-duplex (nothing is sent while it reads) and a
//! bandwidth limit a fiction (what was paced leaves in one burst later). So
//! each written step is started on its way at once; no more than a window of
//! bytes is under way; and what has arrived leaves the page cache.

// The one place with unsafe code: no safe crate offers sync_file_range.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::AsRawFd as _;

use rustix::fs::{Advice, fadvise};

/// Bytes of one file on their way at a time: at a Gigabit 70 ms, so that the
/// link stays busy, and a stop is quick.
const WINDOW_BYTES: u64 = 8 << 20;
/// What is waited for at once.
const DRAIN_BYTES: u64 = 2 << 20;

/// The write-back of one file that is written from its start to its end.
#[derive(Debug, Default)]
pub(crate) struct WriteBack {
    /// Up to here the bytes have arrived.
    arrived: u64,
}

impl WriteBack {
    /// Starts what was just written on its way, and waits for older bytes if
    /// the window is full.
    ///
    /// # Errors
    /// Errors of writing that show only now, such as a full disk.
    pub(crate) fn written(&mut self, file: &File, offset: u64, length: u64) -> io::Result<()> {
        sync_range(file, offset, length, libc::SYNC_FILE_RANGE_WRITE)?;
        let end = offset + length;
        while end - self.arrived.min(end) > WINDOW_BYTES {
            let wait =
                libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
            sync_range(file, self.arrived, DRAIN_BYTES, wait)?;
            // Advice may be refused; nothing depends on it.
            let _advice = fadvise(file, self.arrived, NonZeroU64::new(DRAIN_BYTES), Advice::DontNeed);
            self.arrived += DRAIN_BYTES;
        }
        Ok(())
    }

    /// Drops what has arrived by the end; the rest leaves the cache as it ages.
    pub(crate) fn drop_pages(&self, file: &File) {
        let _advice = fadvise(file, self.arrived, None, Advice::DontNeed);
    }
}

fn sync_range(file: &File, offset: u64, length: u64, flags: libc::c_uint) -> io::Result<()> {
    let range = |n: u64| libc::off64_t::try_from(n).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge));
    let (offset, length) = (range(offset)?, range(length)?);
    // SAFETY: the call takes no pointers, and the descriptor is open for as long
    // as `file` is borrowed.
    let result = unsafe { libc::sync_file_range(file.as_raw_fd(), offset, length, flags) };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        // Not every file system has it: then the kernel writes back when it likes.
        Some(libc::ENOSYS | libc::EINVAL | libc::ESPIPE | libc::EOPNOTSUPP) => Ok(()),
        _ => Err(error),
    }
}
