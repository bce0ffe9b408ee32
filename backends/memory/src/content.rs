//! The content of a file, in pages. Pages that were never written are holes.

use std::collections::BTreeMap;
use std::ops::Range;

/// The size of a page. Small, so that holes are found precisely.
const PAGE_BYTES: u64 = 4096;

/// A file's bytes.
#[derive(Debug, Default)]
pub(crate) struct Content {
    size_bytes: u64,
    /// Pages by number. A page shorter than [`PAGE_BYTES`] is followed by zeros.
    pages: BTreeMap<u64, Vec<u8>>,
}

impl Content {
    /// Its length, holes included.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Writes `data` at `offset`, and extends the content if need be.
    pub(crate) fn write(&mut self, offset: u64, mut data: &[u8]) {
        let mut at = offset;
        while !data.is_empty() {
            let within = (at % PAGE_BYTES) as usize;
            let (now, later) = data.split_at(data.len().min(PAGE_BYTES as usize - within));
            let page = self.pages.entry(at / PAGE_BYTES).or_default();
            if page.len() < within + now.len() {
                page.resize(within + now.len(), 0);
            }
            page[within..within + now.len()].copy_from_slice(now);
            at += now.len() as u64;
            data = later;
        }
        self.size_bytes = self.size_bytes.max(at);
    }

    /// Extends it with a hole at its end; never shortens it.
    pub(crate) fn extend_to(&mut self, size_bytes: u64) {
        self.size_bytes = self.size_bytes.max(size_bytes);
    }

    /// Appends up to `length_bytes` from `offset` to `buffer`.
    pub(crate) fn read(&self, offset: u64, length_bytes: usize, buffer: &mut Vec<u8>) {
        let end = offset.saturating_add(length_bytes as u64).min(self.size_bytes);
        let mut at = offset;
        while at < end {
            let page_end = (at / PAGE_BYTES + 1) * PAGE_BYTES;
            let length = (page_end.min(end) - at) as usize;
            let within = (at % PAGE_BYTES) as usize;
            let filled = buffer.len() + length;
            if let Some(data) = self.pages.get(&(at / PAGE_BYTES)).and_then(|page| page.get(within..)) {
                buffer.extend_from_slice(&data[..length.min(data.len())]);
            }
            buffer.resize(filled, 0);
            at += length as u64;
        }
    }

    /// The next range of pages that were written, at or after `offset`.
    pub(crate) fn next_data(&self, offset: u64) -> Option<Range<u64>> {
        let mut numbers = self.pages.range(offset / PAGE_BYTES..).map(|(number, _)| *number);
        let first = numbers.next()?;
        let mut end = first + 1;
        while numbers.next() == Some(end) {
            end += 1;
        }
        Some((first * PAGE_BYTES).max(offset)..end * PAGE_BYTES)
    }

    /// Whether some of it was never written.
    pub(crate) fn has_holes(&self) -> bool {
        (self.pages.len() as u64) < self.size_bytes.div_ceil(PAGE_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unwritten_ranges_are_holes_and_read_as_zeros() {
        let mut content = Content::default();
        content.write(10_000, b"far");
        content.write(3, b"near");
        content.extend_to(1 << 40);
        let mut buffer = b"kept".to_vec();
        content.read(0, 10, &mut buffer);
        content.read(10_001, 4, &mut buffer);
        assert_eq!(buffer, b"kept\0\0\0near\0\0\0ar\0\0");
        assert_eq!(content.next_data(0), Some(0..4096));
        assert_eq!(content.next_data(4096), Some(8192..12_288));
        assert_eq!(content.next_data(9000), Some(9000..12_288));
        assert_eq!(content.next_data(12_288), None);
        assert!(content.has_holes());
    }

    #[test]
    fn writing_across_pages_changes_nothing_else() {
        let mut content = Content::default();
        content.write(0, &[1; 9000]);
        content.write(4000, &[2; 200]);
        let mut buffer = Vec::new();
        content.read(0, 10_000, &mut buffer);
        assert_eq!(buffer.len(), 9000);
        assert_eq!(buffer.iter().filter(|byte| **byte == 2).count(), 200);
        assert_eq!((buffer[3999], buffer[4000], buffer[4199], buffer[4200]), (1, 2, 2, 1));
        assert!(!content.has_holes());
    }
}
