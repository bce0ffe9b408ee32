//! How much of a file is holes.

use std::ops::Range;

/// Up to this multiple of the file's data, holes are not long: sending the data takes longer than hashing the holes.
/// Disk images are sent by all lanes, whatever their size.
const DATA_TIMES: u64 = 16;

/// The holes of a file, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct HoleMap {
    hole_bytes: u64,
    data_bytes: u64,
    /// The offset up to which they are counted.
    known_until: u64,
}

impl HoleMap {
    /// Counts the hole from `from` and the data after it, unless they were counted before.
    pub(super) fn add(&mut self, from: u64, data: &Range<u64>) {
        if from >= self.known_until {
            self.hole_bytes += data.start - from;
            self.data_bytes += data.end - data.start;
            self.known_until = data.end;
        }
    }

    /// Whether the holes are long, so that only one lane hashes them.
    pub(super) fn is_long(&self, long_holes_bytes: u64) -> bool {
        self.hole_bytes > long_holes_bytes.max(self.data_bytes.saturating_mul(DATA_TIMES))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn map(stretches: &[(u64, u64)]) -> HoleMap {
        let (mut map, mut at) = (HoleMap::default(), 0);
        for (hole, data) in stretches {
            let data = at + hole..at + hole + data;
            map.add(at, &data);
            at = data.end;
        }
        map
    }

    #[test]
    fn long_holes_are_those_that_outweigh_the_data() {
        assert!(map(&[(8 * GIB + 1, 0)]).is_long(8 * GIB));
        assert!(!map(&[(8 * GIB, 0)]).is_long(8 * GIB), "any lane hashes them within seconds");
        assert!(!map(&[(50 * GIB, 50 * GIB)]).is_long(8 * GIB), "a disk image");
        assert!(!map(&[(GIB, GIB / 10); 500]).is_long(8 * GIB), "one with a tenth of data");
        assert!(map(&[(GIB, 4096); 9]).is_long(8 * GIB), "many that add up");
        assert!(map(&[(0, 10), (7 << 60, 0)]).is_long(8 * GIB));
    }

    proptest! {
        #[test]
        fn no_stretch_counts_twice(stretches in proptest::collection::vec((0..GIB, 1..GIB), 1..40), again in 0_usize..40) {
            let whole = map(&stretches);
            let mut twice = map(&stretches);
            let mut at = 0;
            for (hole, data) in stretches.iter().take(again) {
                let data = at + hole..at + hole + data;
                twice.add(at, &data);
                at = data.end;
            }
            prop_assert_eq!((whole.hole_bytes, whole.data_bytes), (twice.hole_bytes, twice.data_bytes));
        }
    }
}
