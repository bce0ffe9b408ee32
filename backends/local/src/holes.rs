//! Finds the data and the holes of a file. Holes read as zeros and take no space.

use std::fs::File;
use std::io;
use std::ops::Range;

use rustix::fs::{SeekFrom, Statx, StatxFlags, seek};
use rustix::io::{Errno, retry_on_intr};

/// The unit of `stx_blocks`, whatever the file system's blocks are.
const BLOCK_BYTES: u64 = 512;

/// Whether a file takes less space than its size: then it has holes, or the file system compresses it. For other files
/// the kernel is not asked.
pub(crate) fn may_have_holes(stat: &Statx) -> bool {
    stat.stx_mask & StatxFlags::BLOCKS.bits() != 0 && stat.stx_blocks.saturating_mul(BLOCK_BYTES) < stat.stx_size
}

/// The next range of data at or after `offset`; `None` if there is none.
///
/// Moves the position of the handle, which nothing else uses.
pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<Range<u64>>> {
    let start = match retry_on_intr(|| seek(file, SeekFrom::Data(offset))) {
        Ok(start) => start,
        // Also past the end, where there is no data either.
        Err(Errno::NXIO) => return Ok(None),
        // A file system without support: everything is data.
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Some(offset..u64::MAX)),
        Err(error) => return Err(error.into()),
    };
    match retry_on_intr(|| seek(file, SeekFrom::Hole(start))) {
        Ok(end) if end > start => Ok(Some(start..end)),
        // The file changed in the meantime, for example was truncated: reading shows what is there.
        Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Some(start..u64::MAX)),
        Err(error) => Err(error.into()),
    }
}
