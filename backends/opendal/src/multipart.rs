//! The multipart parts of an object: few enough for the service, and small enough for the memory. How many are in flight.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

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

/// Multipart parts of any file in flight at a time: the next one leaves before the server has answered the one before.
const PARTS_IN_FLIGHT: usize = 2;
/// Memory for further parts, in MiB, which all files of a tree share: a single file is to fill a long way, too.
const SHARED_MIB: usize = 48;

/// The parts that the files of one tree may have in flight beyond those of any file.
#[derive(Debug)]
pub(crate) struct MoreParts(Arc<Semaphore>);

impl Default for MoreParts {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SHARED_MIB)))
    }
}

/// How many parts of a file may be in flight.
#[derive(Debug)]
pub(crate) struct InFlight {
    pub(crate) parts: usize,
    /// As long as these are held, no other file has them.
    _more: Option<OwnedSemaphorePermit>,
}

impl MoreParts {
    /// Takes what is left of the shared memory, and no more than a file with so many more parts needs.
    pub(crate) fn take(&self, part_bytes: usize, size_bytes: u64) -> InFlight {
        let part_mib = part_bytes.div_ceil(1 << 20).max(1);
        let needed = usize::try_from(size_bytes.div_ceil(part_bytes.max(1) as u64)).unwrap_or(usize::MAX);
        loop {
            let more = (self.0.available_permits() / part_mib).min(needed.saturating_sub(PARTS_IN_FLIGHT));
            if more == 0 {
                return InFlight::least();
            }
            // Another file may have been faster.
            let permits = u32::try_from(more * part_mib).unwrap_or(u32::MAX);
            if let Ok(taken) = Arc::clone(&self.0).try_acquire_many_owned(permits) {
                return InFlight { parts: PARTS_IN_FLIGHT + more, _more: Some(taken) };
            }
        }
    }
}

impl InFlight {
    /// The parts of any file.
    pub(crate) fn least() -> Self {
        Self { parts: PARTS_IN_FLIGHT, _more: None }
    }
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

    #[test]
    fn files_share_the_memory_for_further_parts_and_each_has_two() {
        const MIB: usize = 1 << 20;
        let (more, gib) = (MoreParts::default(), 1 << 30);
        let first = more.take(8 * MIB, 30 << 20);
        assert_eq!(first.parts, 4, "all that it has");
        let second = more.take(8 * MIB, gib);
        assert_eq!(second.parts, 6, "what is left");
        assert_eq!(more.take(8 * MIB, gib).parts, 2);
        drop(first);
        assert_eq!(more.take(8 * MIB, gib).parts, 4);
        drop(second);
        assert_eq!(more.take(64 * MIB, 100 * gib).parts, 2, "larger than all of the shared memory");
        assert_eq!(more.take(8 * MIB, 0).parts, 2);
        assert_eq!(more.take(8 * MIB, gib).parts, 8, "all is given back");
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
