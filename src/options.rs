//! What a migration can be told.

use std::time::Duration;

use crate::checksum::Algorithm;
use crate::filter::Filter;

/// What becomes of symbolic links. They are never followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// They are made anew at the sink, with the same target.
    #[default]
    Copy,
    /// They are left out.
    Skip,
}

/// How a migration works; the defaults suit two mounts on a Gigabit link.
#[derive(Clone, Debug)]
pub struct Options {
    /// Limit for reading and, separately, for writing; `None` for no limit.
    pub bandwidth_limit_bytes_per_s: Option<u64>,
    /// The checksum computed while reading; `None` leaves files without proof.
    pub checksum: Option<Algorithm>,
    /// Size of a block of the queue.
    pub block_size_bytes: usize,
    /// Number of block slots, shared by all lanes: bounds the memory.
    pub queue_capacity: usize,
    /// Number of files under way at the same time.
    pub lanes: usize,
    /// Number of directories being read at the same time, on each side.
    pub walkers: usize,
    /// mtimes that differ by no more count as equal; `None`: less than the
    /// coarser precision of the two sides.
    pub modify_window: Option<Duration>,
    /// What becomes of symbolic links.
    pub links: Links,
    /// What is left out.
    pub filter: Filter,
    /// Where files of the sink are deleted: whether those that the filter
    /// excludes go too, rather than being left alone.
    pub delete_excluded: bool,
    /// Scan both trees even if a backlog is at hand.
    pub rescan: bool,
}

impl Options {
    /// Smallest limit that is kept in every second.
    pub const MIN_LIMIT_BYTES_PER_S: u64 = 1024;
    /// Largest block.
    pub const MAX_BLOCK_SIZE_BYTES: usize = 1 << 30;

    /// Checks the bounds of all values.
    ///
    /// # Errors
    /// One line that names the value and its bounds.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: usize, max: usize| {
            if (1..=max).contains(&value) {
                Ok(())
            } else {
                Err(format!("{name} must be from 1 to {max}, not {value}"))
            }
        };
        within("block size", self.block_size_bytes, Self::MAX_BLOCK_SIZE_BYTES)?;
        within("queue capacity", self.queue_capacity, 100_000)?;
        within("number of lanes", self.lanes, 1024)?;
        within("number of walkers", self.walkers, 1024)?;
        self.filter.check()?;
        match self.bandwidth_limit_bytes_per_s {
            Some(limit) if limit < Self::MIN_LIMIT_BYTES_PER_S => {
                Err(format!("bandwidth limit must be at least {} bytes/s, not {limit}", Self::MIN_LIMIT_BYTES_PER_S))
            }
            _ => Ok(()),
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bandwidth_limit_bytes_per_s: None,
            checksum: Some(Algorithm::default()),
            block_size_bytes: 5 << 20,
            queue_capacity: 20,
            lanes: 8,
            walkers: 8,
            modify_window: None,
            links: Links::default(),
            filter: Filter::default(),
            delete_excluded: false,
            rescan: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_within_bounds() {
        assert_eq!(Options::default().check(), Ok(()));
    }

    #[test]
    fn what_cannot_work_is_named() {
        let check = |change: fn(&mut Options)| {
            let mut options = Options::default();
            change(&mut options);
            options.check().unwrap_err()
        };
        assert!(check(|o| o.block_size_bytes = 0).contains("block size"));
        assert!(check(|o| o.queue_capacity = 0).contains("queue capacity"));
        assert!(check(|o| o.lanes = 0).contains("lanes"));
        assert!(check(|o| o.walkers = 0).contains("walkers"));
        assert!(check(|o| o.bandwidth_limit_bytes_per_s = Some(10)).contains("bandwidth limit"));
    }
}
