//! The size of a file's next block: about what is read in a sixteenth of a second.
//!
//! A writer begins with a block when it is complete. If eight files share a Gigabit link, a block of 5 MiB takes a
//! third of a second to fill, and the link to the sink would be idle for that time at the start of each file.

use std::time::Duration;

use crate::options::Options;

/// The largest file that is read, hashed and written in one call each: for smaller files, another thread would cost
/// more than it gains.
pub(crate) const SMALL_BYTES: usize = 256 << 10;
/// The size of a file's first block, and the unit of all further sizes.
const UNIT_BYTES: u64 = 256 << 10;
/// The largest possible block.
const MOST_BYTES: u64 = Options::MAX_BLOCK_SIZE_BYTES as u64;
/// How long a block should take, from the end of the one before.
const BLOCK_TIME: Duration = Duration::from_nanos(62_500_000);

/// The size of the blocks of one file.
#[derive(Debug)]
pub(crate) struct BlockSize {
    next_bytes: u64,
}

impl Default for BlockSize {
    fn default() -> Self {
        Self { next_bytes: UNIT_BYTES }
    }
}

impl BlockSize {
    /// The size of the next block, no more than `most_bytes`.
    pub(crate) fn next_bytes(&self, most_bytes: usize) -> u64 {
        self.next_bytes.min(most_bytes as u64)
    }

    /// Adapts to the time that a block took, including the wait for its slot. The next one is at most twice as large,
    /// and as much smaller as necessary.
    pub(crate) fn note(&mut self, read_bytes: u64, took: Duration) {
        let per_block = read_bytes as f64 * BLOCK_TIME.as_secs_f64() / took.as_secs_f64().max(1e-6);
        let wanted = (per_block as u64).min(self.next_bytes * 2);
        let whole = (wanted - wanted % UNIT_BYTES).max(UNIT_BYTES);
        self.next_bytes = whole.min(MOST_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The size that reading at this speed converges to.
    fn converges_to(most_bytes: usize, bytes_per_s: u64) -> u64 {
        let mut size = BlockSize::default();
        for _ in 0..20 {
            let bytes = size.next_bytes(most_bytes);
            size.note(bytes, Duration::from_secs_f64(bytes as f64 / bytes_per_s as f64));
        }
        size.next_bytes(most_bytes)
    }

    #[test]
    fn slow_files_have_small_blocks_and_fast_ones_full_blocks() {
        assert_eq!(converges_to(5 << 20, 2 << 20), UNIT_BYTES);
        assert_eq!(converges_to(5 << 20, 33 << 20), 2 << 20);
        assert_eq!(converges_to(5 << 20, 1 << 30), 5 << 20);
        assert_eq!(converges_to(5000, 1 << 30), 5000, "never more than asked for");
    }

    #[test]
    fn a_block_doubles_at_most_and_shrinks_at_once() {
        let (mut size, most) = (BlockSize::default(), 5 << 20);
        size.note(UNIT_BYTES, Duration::ZERO);
        assert_eq!(size.next_bytes(most), 2 * UNIT_BYTES);
        for _ in 0..5 {
            size.note(size.next_bytes(most), Duration::from_micros(10));
        }
        assert_eq!(size.next_bytes(most), 5 << 20);
        size.note(5 << 20, Duration::from_secs(5));
        assert_eq!(size.next_bytes(most), UNIT_BYTES);
        assert_eq!(size.next_bytes(4096), 4096, "a lower bound applies at once");
    }

    proptest! {
        #[test]
        fn a_block_is_never_empty_nor_too_large(most in 1usize..64 << 20, notes: Vec<(u32, u32)>) {
            let mut size = BlockSize::default();
            for (bytes, micros) in notes {
                size.note(bytes.into(), Duration::from_micros(micros.into()));
                prop_assert!((1..=most as u64).contains(&size.next_bytes(most)));
            }
        }
    }
}
