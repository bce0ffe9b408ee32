//! Files by size.

use super::classes::Amount;
use super::model::SizeRange;

/// Where the ranges begin: empty, then powers of 16 from 1 byte.
const STARTS: [u64; 12] =
    [0, 1, 1 << 10, 16 << 10, 256 << 10, 1 << 20, 16 << 20, 256 << 20, 1 << 30, 16 << 30, 256 << 30, 1 << 40];

/// Counts files by size.
#[derive(Debug, Default)]
pub(super) struct Sizes([(Amount, Amount); STARTS.len()]);

impl Sizes {
    pub(super) fn add(&mut self, size_bytes: u64, is_synced: bool) {
        let at = STARTS.partition_point(|start| *start <= size_bytes).saturating_sub(1);
        if let Some((all, synced)) = self.0.get_mut(at) {
            let one = Amount::new(1, size_bytes.into());
            all.add(one);
            if is_synced {
                synced.add(one);
            }
        }
    }

    pub(super) fn ranges(self) -> Vec<SizeRange> {
        let ends = STARTS.into_iter().skip(1).map(Some).chain([None]);
        let ranges = STARTS.into_iter().zip(ends).zip(self.0);
        ranges
            .map(|((from_bytes, below_bytes), (amount, synced))| SizeRange { from_bytes, below_bytes, amount, synced })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_size_is_in_the_range_that_names_it() {
        for size in [0, 1, 1023, 1024, (1 << 20) - 1, 1 << 20, 1 << 40, u64::MAX] {
            let mut sizes = Sizes::default();
            sizes.add(size, true);
            let ranges = sizes.ranges();
            let mut with = ranges.iter().filter(|range| range.amount.names > 0);
            let range = with.next().unwrap();
            assert!(with.next().is_none() && range.from_bytes <= size);
            assert!(range.below_bytes.is_none_or(|below| size < below), "{size} in {range:?}");
            assert_eq!(range.synced, range.amount);
        }
    }
}
