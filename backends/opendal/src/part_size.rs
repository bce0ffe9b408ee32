//! How large the parts of an object are: few enough, and small enough.

/// Object stores take 10,000 parts; a file may grow while it is read.
const MOST_PARTS: u64 = 9_000;
/// Parts of which a few fit memory, and that are worth a request.
const USUAL_BYTES: u64 = 8 << 20;
/// No service takes larger ones.
const LARGEST_BYTES: u64 = 5 << 30;

/// The size of the parts of an object of about `size_bytes`, for a service whose parts
/// have at least `least_bytes` and at most `most_bytes`. Whole MiB.
pub(crate) fn part_bytes(size_bytes: u64, least_bytes: Option<usize>, most_bytes: Option<usize>) -> usize {
    let bound = |bytes: Option<usize>, otherwise| bytes.map_or(otherwise, |bytes| bytes as u64);
    let needed = size_bytes.div_ceil(MOST_PARTS).next_multiple_of(1 << 20);
    let most = bound(most_bytes, LARGEST_BYTES).min(LARGEST_BYTES);
    let bytes = needed.max(USUAL_BYTES).max(bound(least_bytes, 0)).min(most);
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn most_objects_have_usual_parts() {
        assert_eq!(part_bytes(0, Some(5 << 20), None), 8 << 20);
        assert_eq!(part_bytes(5 << 30, Some(5 << 20), None), 8 << 20);
        assert_eq!(part_bytes(0, Some(64 << 20), None), 64 << 20);
    }

    proptest! {
        #[test]
        fn the_largest_object_has_no_more_parts_than_there_may_be(size_bytes in 0u64..5 << 40) {
            let part = part_bytes(size_bytes, Some(5 << 20), Some(5 << 30)) as u64;
            prop_assert!(size_bytes.div_ceil(part) <= 10_000);
            prop_assert!((5 << 20..=5 << 30).contains(&part));
        }
    }
}
