//! Holes of the file that is read.

use std::ops::Range;

use towpath_backend::FileReader;

use super::{Reading, Step};
use crate::phase::transfer::hole_map::HoleMap;
use crate::phase::transfer::task::TransferResult;

/// The most ranges of data that are listed before a file is begun. Over a network each costs two round trips.
const MAX_STRETCHES: usize = 256;

impl Reading<'_> {
    /// The map of a file's holes before it is begun, so that no data is sent for nothing. A map with more ranges is
    /// completed while the file is read.
    pub(super) async fn hole_map(&self, file: &mut dyn FileReader) -> Step<HoleMap> {
        let size = self.task.metadata.size_bytes;
        let mut map = HoleMap::default();
        if !self.may_set_aside() || size <= self.session.options.long_holes_bytes {
            return Ok(map);
        }
        let mut offset = 0;
        for _ in 0..MAX_STRETCHES {
            if offset >= size {
                break;
            }
            let data = self.unless_stopped(self.next_data(file, offset)).await??;
            map.add(offset, &data);
            offset = data.end;
        }
        Ok(map)
    }

    /// Sets the file aside if its holes are long.
    pub(super) fn check_holes(&self, map: &HoleMap) -> Step<()> {
        let is_long = self.may_set_aside() && map.is_long(self.session.options.long_holes_bytes);
        if is_long { Err(TransferResult::LongHoles) } else { Ok(()) }
    }

    /// Whether this lane hashes holes, and leaves long ones to another lane.
    fn may_set_aside(&self) -> bool {
        !self.task.has_long_holes && self.session.keeps_holes() && self.session.options.checksum.is_some()
    }

    /// The next range of data inside the file; an empty range at its end if only a hole is left.
    pub(super) async fn next_data(&self, file: &mut dyn FileReader, offset: u64) -> Step<Range<u64>> {
        let size = self.task.metadata.size_bytes;
        let found = file.next_data(offset).await.map_err(|e| self.failed(e))?;
        let data = found.map_or(size..size, |data| data.start.clamp(offset, size)..data.end.min(size));
        // An empty range would be looked up indefinitely.
        Ok(if data.start < size && data.is_empty() { offset..size } else { data })
    }
}
