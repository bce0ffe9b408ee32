//! Which files a lane takes.

/// Which files a lane takes.
///
/// Large files fill the link; small ones wait for answers. A quarter of the lanes prefers the large files, and a
/// half takes none but small ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LaneRole {
    /// Large files, and small ones while there are no large ones.
    LargeFirst,
    /// Small files, and large ones while there are no small ones.
    SmallFirst,
    SmallOnly,
}

impl LaneRole {
    /// The role of the lane with this number, with this many block slots for all lanes. More lanes with large files
    /// than slots would only keep files open.
    pub(super) fn of(lane: usize, block_slots: usize) -> Self {
        if lane / 2 >= block_slots {
            return Self::SmallOnly;
        }
        match lane % 4 {
            0 => Self::LargeFirst,
            2 => Self::SmallFirst,
            _ => Self::SmallOnly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(lanes: usize, block_slots: usize) -> [usize; 3] {
        let roles: Vec<_> = (0..lanes).map(|lane| LaneRole::of(lane, block_slots)).collect();
        [LaneRole::LargeFirst, LaneRole::SmallFirst, LaneRole::SmallOnly]
            .map(|role| roles.iter().filter(|of_lane| **of_lane == role).count())
    }

    #[test]
    fn a_quarter_prefers_large_files_and_a_half_takes_small_ones_alone() {
        assert_eq!(count(16, 20), [4, 4, 8]);
        assert_eq!(count(8, 20), [2, 2, 4]);
    }

    #[test]
    fn a_single_lane_takes_all_files() {
        assert_eq!(count(1, 1), [1, 0, 0]);
    }

    #[test]
    fn no_more_lanes_take_large_files_than_there_are_block_slots() {
        for (lanes, block_slots) in [(64, 1), (64, 2), (64, 20), (1024, 100)] {
            let [large_first, small_first, _] = count(lanes, block_slots);
            assert!(large_first > 0 && large_first + small_first <= block_slots, "{lanes} lanes, {block_slots} slots");
        }
    }
}
