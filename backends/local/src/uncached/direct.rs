//! Direct reads (`O_DIRECT`) of any range: offset, length and memory are aligned inside.

use std::fs::File;
use std::io;

use rustix::io::{pread, retry_on_intr};

/// Appends `length` bytes from `offset`, or fewer if the file ends earlier. Whole multiples of `unit` bytes are read. A
/// short read that ends at `size_bytes`, the expected size, is not tried again: over a network that is a request.
pub(crate) fn read(
    file: &File,
    unit: u64,
    (offset, length): (u64, usize),
    size_bytes: u64,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    if length == 0 {
        return Ok(());
    }
    let align = usize::try_from(unit).map_err(|_| io::ErrorKind::InvalidInput)?;
    let head = usize::try_from(offset % unit).map_err(|_| io::ErrorKind::InvalidInput)?;
    let start = offset - offset % unit;
    let whole = head.checked_add(length).and_then(|length| length.checked_next_multiple_of(align));
    let whole = whole.ok_or(io::ErrorKind::OutOfMemory)?;
    let slack = align - 1;
    let from = buffer.len();
    buffer.try_reserve_exact(whole.checked_add(slack).ok_or(io::ErrorKind::OutOfMemory)?)?;
    buffer.resize(from + whole + slack, 0);
    let pad = buffer[from..].as_ptr().align_offset(align).min(slack);
    let room = &mut buffer[from + pad..from + pad + whole];
    let mut filled = 0;
    let mut result = Ok(());
    while filled < whole {
        match retry_on_intr(|| pread(file, &mut room[filled..], start + filled as u64)) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) => {
                result = Err(error.into());
                break;
            }
        }
        // The end: what is not aligned cannot be continued.
        if filled % align != 0 || start + filled as u64 == size_bytes {
            break;
        }
    }
    let data = from + pad + head.min(filled)..from + pad + filled.min(head + length);
    let read_bytes = data.len();
    buffer.copy_within(data, from);
    buffer.truncate(from + read_bytes);
    result
}
