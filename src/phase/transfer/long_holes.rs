//! Files with long holes, which one lane of their own sends one at a time.
//!
//! A checksum covers the zeros of holes, and no algorithm has a shortcut for them: a core hashes 0.5 to 1.4 GB/s. A few
//! sparse files of an exbibyte would keep all lanes busy for years. So a lane that opens such a file sets it aside
//! and goes on with others; the lane for long holes takes the smallest first.

use std::ops::Range;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use towpath_backend::FileReader;

use super::reader::{Reading, Step};
use super::task::{Ending, Task};
use crate::session::Shared;

/// Holes are not long if they are up to so many times the file's data, which take longer to send than the holes to
/// hash: disk images are sent by all lanes, whatever their size.
const DATA_TIMES: u64 = 16;
/// The largest file that is sent beside others, in terms of [`crate::Options::long_holes_bytes`]: 1 TiB by default, which
/// takes 12 (SHA-256) to 35 minutes (MD5). Larger ones come after all others, so that one that never ends keeps none
/// waiting.
const MAX_BESIDE_OTHERS_TIMES: u64 = 128;
/// Stretches of data that are looked up before a file is begun. Over a network each costs two round trips.
const MAX_STRETCHES: usize = 256;

/// Which files the lane for long holes takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HoleLane {
    /// None too large, while other lanes have work.
    BesideOthers,
    /// All.
    All,
}

/// Where the lane for long holes takes its files from.
pub(crate) struct LongHoles {
    pub(super) shared: Arc<Shared>,
    pub(super) takes: HoleLane,
    /// Cancelled once the other lanes have ended.
    pub(super) others_ended: CancellationToken,
}

impl LongHoles {
    /// The next file; `None` when there is none left for this lane.
    pub(super) async fn take(&self) -> Option<Task> {
        let shared = &self.shared;
        let max_bytes = match self.takes {
            HoleLane::BesideOthers => shared.options.long_holes_bytes.saturating_mul(MAX_BESIDE_OTHERS_TIMES),
            HoleLane::All => u64::MAX,
        };
        loop {
            let others_ended = self.others_ended.is_cancelled();
            if others_ended && self.takes == HoleLane::BesideOthers {
                return None;
            }
            let set_aside = shared.set_aside.notified();
            // The committer meets the same error.
            let taken = shared.journal.take_long_holes(max_bytes).await.inspect_err(|_| shared.stop.cancel()).ok()?;
            if let Some(pending) = taken {
                return Some(Task::with_long_holes(pending, &shared.progress));
            }
            if others_ended {
                return None;
            }
            tokio::select! {
                () = set_aside => {}
                () = self.others_ended.cancelled() => {}
            }
        }
    }
}

/// The holes of a file, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct HoleMap {
    hole_bytes: u64,
    data_bytes: u64,
    /// Up to here they are counted.
    known_until: u64,
}

impl HoleMap {
    /// Counts the hole from `from` and the data behind it, if they were not counted yet.
    pub(super) fn add(&mut self, from: u64, data: &Range<u64>) {
        if from >= self.known_until {
            self.hole_bytes += data.start - from;
            self.data_bytes += data.end - data.start;
            self.known_until = data.end;
        }
    }

    /// Whether one lane alone is to hash them.
    pub(super) fn is_long(&self, long_holes_bytes: u64) -> bool {
        self.hole_bytes > long_holes_bytes.max(self.data_bytes.saturating_mul(DATA_TIMES))
    }
}

impl Reading<'_> {
    /// The map of a file's holes before it is begun, so that nothing is sent in vain. A map with more stretches is
    /// completed while the file is read.
    pub(super) async fn hole_map(&self, file: &mut dyn FileReader) -> Step<HoleMap> {
        let size = self.task.metadata.size_bytes;
        let mut map = HoleMap::default();
        if !self.may_set_aside() || size <= self.shared.options.long_holes_bytes {
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
        let is_long = self.may_set_aside() && map.is_long(self.shared.options.long_holes_bytes);
        if is_long { Err(Ending::LongHoles) } else { Ok(()) }
    }

    /// Whether holes of this file are hashed, and by a lane that leaves long ones to another.
    fn may_set_aside(&self) -> bool {
        !self.task.has_long_holes && self.shared.keeps_holes() && self.shared.options.checksum.is_some()
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
