//! Where a file has data and where only holes, which read as zeros and take no room.

use std::fs::File;
use std::io;
use std::ops::Range;

use rustix::fs::{SeekFrom, Statx, StatxFlags, seek};
use rustix::io::{Errno, retry_on_intr};

/// The unit of `stx_blocks`, whatever the file system's blocks are.
const BLOCK_BYTES: u64 = 512;

/// Whether a file takes less room than it is long: then it has holes, or the
/// file system packs it. Of any other file the kernel is not asked at all.
pub(crate) fn may_have_holes(stat: &Statx) -> bool {
    stat.stx_mask & StatxFlags::BLOCKS.bits() != 0 && stat.stx_blocks.saturating_mul(BLOCK_BYTES) < stat.stx_size
}

/// The next stretch of data at or behind `offset`; `None` if there is none.
///
/// Moves the position of the handle, which nothing else uses.
pub(crate) fn next_data(file: &File, offset: u64) -> io::Result<Option<Range<u64>>> {
    let start = match retry_on_intr(|| seek(file, SeekFrom::Data(offset))) {
        Ok(start) => start,
        // Also behind the end: there is no data either.
        Err(Errno::NXIO) => return Ok(None),
        // A file system that does not know: all is data.
        Err(Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => return Ok(Some(offset..u64::MAX)),
        Err(error) => return Err(error.into()),
    };
    match retry_on_intr(|| seek(file, SeekFrom::Hole(start))) {
        Ok(end) if end > start => Ok(Some(start..end)),
        // Changed meanwhile, such as cut: what is there is for reading to say.
        Ok(_) | Err(Errno::NXIO | Errno::INVAL | Errno::OPNOTSUPP | Errno::NOSYS) => Ok(Some(start..u64::MAX)),
        Err(error) => Err(error.into()),
    }
}
