//! Drops pages of a file from the page cache, and checks that they are gone.

use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::ops::Range;

use rustix::fs::{Advice, fadvise, fdatasync};

use crate::calls::{is_any_cached, sync_range};
use crate::reader::FOLIO_BYTES;

/// How much is checked at once: of a range that will be read soon, so that pages which another process has read in the
/// meantime are few. Checking takes a hundredth of the time that a fast disk needs to read it.
const WINDOW_BYTES: u64 = 8 << 20;

/// The range of a file whose pages were seen to be absent from the page cache after the file was opened. What is in the
/// cache since then was read from the storage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dropped {
    absent: Range<u64>,
}

impl Dropped {
    /// Drops the pages of a range that were not seen to be absent yet; whether none is left.
    ///
    /// # Errors
    /// If pages that are not written yet cannot be written.
    pub(crate) fn drop_pages(&mut self, file: &File, range: &Range<u64>) -> io::Result<bool> {
        let mut at = range.start;
        loop {
            let follows = self.absent.contains(&at) || (at == self.absent.end && at > 0);
            if follows {
                at = self.absent.end;
            }
            if at >= range.end {
                return Ok(true);
            }
            // Large folios can only be dropped as a whole.
            let start = at - at % FOLIO_BYTES;
            let window = start..start.saturating_add(WINDOW_BYTES);
            if !drop_window(file, &window)? {
                return Ok(false);
            }
            self.absent = if follows { self.absent.start..window.end } else { window.clone() };
            at = window.end;
        }
    }
}

fn drop_window(file: &File, window: &Range<u64>) -> io::Result<bool> {
    if is_absent(file, window) {
        return Ok(true);
    }
    // Pages that are to be written are not dropped.
    let length = window.end - window.start;
    let wait = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_range(file, window.start, length, wait)?;
    let _advice = fadvise(file, window.start, NonZeroU64::new(length), Advice::DontNeed);
    if is_absent(file, window) {
        return Ok(true);
    }
    // What was written may have to be committed first, and pages may be larger than usual ones.
    fdatasync(file)?;
    let _advice = fadvise(file, 0, None, Advice::DontNeed);
    Ok(is_absent(file, window))
}

/// If the kernel does not tell, pages count as cached.
fn is_absent(file: &File, window: &Range<u64>) -> bool {
    !is_any_cached(file, window).unwrap_or(true)
}
