//! The size of the multipart parts of an object: few enough for the service, and small enough for the memory.

/// Object stores accept 10,000 multipart parts; a file may grow while it is read.
const MAX_PARTS: u64 = 9_000;
/// Small enough for a few of them in memory, and large enough to be worth a request.
const DEFAULT_BYTES: u64 = 8 << 20;
/// No service accepts larger ones.
const MAX_BYTES: u64 = 5 << 30;

/// The size of the multipart parts of an object of about `size_bytes`, for a service whose parts have at least
/// `min_bytes` and at most `max_bytes`. Whole MiB.
pub(crate) fn part_bytes(size_bytes: u64, min_bytes: Option<usize>, max_bytes: Option<usize>) -> usize {
    let bound = |bytes: Option<usize>, otherwise| bytes.map_or(otherwise, |bytes| bytes as u64);
    let needed = size_bytes.div_ceil(MAX_PARTS).next_multiple_of(1 << 20);
    let max = bound(max_bytes, MAX_BYTES).min(MAX_BYTES);
    let bytes = needed.max(DEFAULT_BYTES).max(bound(min_bytes, 0)).min(max);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn most_objects_have_parts_of_the_default_size() {
        assert_eq!(part_bytes(0, Some(5 << 20), None), 8 << 20);
        assert_eq!(part_bytes(5 << 30, Some(5 << 20), None), 8 << 20);
        assert_eq!(part_bytes(0, Some(64 << 20), None), 64 << 20);
    }

    proptest! {
        #[test]
        fn the_largest_object_has_no_more_parts_than_the_limit(size_bytes in 0u64..5 << 40) {
            let part = part_bytes(size_bytes, Some(5 << 20), Some(5 << 30)) as u64;
            prop_assert!(size_bytes.div_ceil(part) <= 10_000);
            prop_assert!((5 << 20..=5 << 30).contains(&part));
        }
    }
}
