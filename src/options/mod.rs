//! What a migration can be told.

use std::time::Duration;

use towpath_backend::{Hints, RelPath};

use crate::checksum::Algorithm;
use crate::filter::Filter;

/// What becomes of symbolic links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Links {
    /// They are made anew at the sink, with the same target, and never followed.
    #[default]
    Copy,
    /// They are left out.
    Skip,
    /// What they lead to is copied in their place, unless it lies outside the
    /// source or holds the link itself.
    Follow,
}

/// What becomes of files that have several names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HardLinks {
    /// They have several names at the sink too, where it can: the content is sent once.
    #[default]
    Keep,
    /// Each name becomes a file of its own.
    Copy,
}

/// What becomes of special files (FIFOs, sockets, devices), which are never copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Specials {
    /// They are counted and logged. The trees are in sync without them.
    #[default]
    Skip,
    /// They are counted as files that are not in sync.
    Fail,
}

/// Whether a run that begins with the backlog of an earlier one scans the trees afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterBacklog {
    /// It does if the earlier run came to its end and the backlog holds only what failed in it. The
    /// backlog of an interrupted run is all that this run does.
    #[default]
    Auto,
    /// It does, whatever the backlog is.
    Scan,
    /// It does not. Without a backlog the run fails with [`crate::Error::NoBacklog`].
    Stop,
}

/// How a file at the sink is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WriteMode {
    /// It is cut to nothing and written anew: no room is needed beside it, and it
    /// is incomplete until it is done.
    #[default]
    InPlace,
    /// It is written under a hidden name in the same directory, which is then
    /// renamed: the old content stays until the new one is complete.
    Atomic,
}

/// The most extra files that may be deleted in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxDelete {
    /// So many.
    Files(u64),
    /// So many of each hundred of the sink's files.
    Percent(u8),
    /// Ten of each hundred of the sink's files, and at least a hundred.
    Default,
}

impl MaxDelete {
    /// The number it comes to, with so many files at the sink.
    pub fn files(self, sink_files: u64) -> u64 {
        let percent =
            |percent: u64| u64::try_from(u128::from(sink_files) * u128::from(percent) / 100).unwrap_or(u64::MAX);
        match self {
            Self::Files(files) => files,
            Self::Percent(of) => percent(of.into()),
            Self::Default => percent(10).max(100),
        }
    }
}

/// How the sink is made to hold nothing that the source does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mirror {
    /// More extra files than this, and nothing is deleted.
    pub max_delete: MaxDelete,
    /// Extra files are moved to the sink's place for them ([`towpath_backend::Sink::discard`]).
    pub discard: bool,
    /// Extras are also deleted from other file systems that are mounted inside the sink.
    pub other_file_systems: bool,
}

/// How much of the link is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bandwidth {
    /// All that there is.
    #[default]
    Unlimited,
    /// So many bytes per second for reading and, separately, for writing.
    Limit(u64),
    /// What the others on the link leave: the rate grows while small requests are
    /// answered as fast as ever, and falls as soon as they wait.
    Auto {
        /// It never becomes higher than this.
        max_bytes_per_s: Option<u64>,
    },
}

/// How a migration works; the defaults suit two mounts on a Gigabit link.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much of the link is used.
    pub bandwidth: Bandwidth,
    /// The checksum computed while reading; `None` leaves files without proof.
    pub checksum: Option<Algorithm>,
    /// Size of a block of the queue.
    pub block_size_bytes: usize,
    /// Number of block slots, shared by all lanes: bounds the memory.
    pub queue_capacity: usize,
    /// Number of files under way at the same time; at most a half of them is large (1 MiB or more).
    /// `None`: as many as suit the trees ([`Hints::lanes`]).
    pub lanes: Option<usize>,
    /// Files with more holes than this, and with more than sixteen times their data, are sent one at a time beside the
    /// others, the smallest first; those larger than 128 times this come after all others. The zeros of holes are
    /// hashed, which takes a core 6 s (SHA-256) to 16 s (MD5) for the default of 8 GiB.
    pub long_holes_bytes: u64,
    /// Number of directories being read at the same time, on each side.
    pub walkers: usize,
    /// mtimes that differ by no more count as equal; `None`: less than the
    /// coarser precision of the two sides.
    pub modify_window: Option<Duration>,
    /// What becomes of symbolic links.
    pub links: Links,
    /// What becomes of files that have several names.
    pub hard_links: HardLinks,
    /// What becomes of special files.
    pub specials: Specials,
    /// How a file at the sink is replaced.
    pub write_mode: WriteMode,
    /// Whether files and directories get the source's permissions.
    pub keep_permissions: bool,
    /// Whether files, directories and links get the source's user and group.
    pub keep_owner: bool,
    /// Whether what is sent gets the source's extended attributes and ACLs.
    pub keep_xattrs: bool,
    /// Whether what the source does not have is deleted from the sink.
    pub mirror: Option<Mirror>,
    /// Paths at the sink that are no part of it, such as the place for what is
    /// discarded: left alone, and nothing is sent there.
    pub sink_apart: Vec<RelPath>,
    /// Scan and tell what would be done ([`crate::Event::Planned`]), and change nothing at the sink.
    pub dry_run: bool,
    /// What is left out.
    pub filter: Filter,
    /// Whether a mirror deletes from the sink also what the rules of the filter
    /// exclude, even if the source has it; else that is left alone.
    pub delete_excluded: bool,
    /// Scan both trees even if a backlog is at hand. Changes nothing else: all guards stay.
    pub rescan: bool,
    /// Whether the trees are scanned after the backlog of an earlier run was sent.
    pub after_backlog: AfterBacklog,
    /// Take the trees as they are now, and what is mounted in them, in place of those that were
    /// scanned before. Consent for one run, which scans again and deletes nothing: it excludes
    /// [`Self::mirror`].
    pub accept_new_tree: bool,
}

impl Options {
    /// Smallest limit that is kept in every second.
    pub const MIN_LIMIT_BYTES_PER_S: u64 = 1024;
    /// Largest block.
    pub const MAX_BLOCK_SIZE_BYTES: usize = 1 << 30;
    /// Most lanes.
    pub const MAX_LANES: usize = 1024;

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
        within("number of lanes", self.lanes.unwrap_or(1), Self::MAX_LANES)?;
        within("number of walkers", self.walkers, 1024)?;
        self.filter.check()?;
        if self.accept_new_tree && self.mirror.is_some() {
            return Err("the run that accepts a new tree deletes nothing: mirror in the next run".to_owned());
        }
        if self.after_backlog == AfterBacklog::Stop && (self.rescan || self.accept_new_tree) {
            return Err("a run without a scan can neither rescan nor accept a new tree".to_owned());
        }
        match self.bandwidth {
            Bandwidth::Limit(limit) | Bandwidth::Auto { max_bytes_per_s: Some(limit) }
                if limit < Self::MIN_LIMIT_BYTES_PER_S =>
            {
                Err(format!("bandwidth limit must be at least {} bytes/s, not {limit}", Self::MIN_LIMIT_BYTES_PER_S))
            }
            _ => Ok(()),
        }
    }
}

impl Options {
    /// What decides which rows the backlog has, in a text that can be compared:
    /// a backlog that was made otherwise is not what is asked for.
    pub(crate) fn settings(&self) -> String {
        let excluded = if self.delete_excluded { "delete-excluded\n" } else { "" };
        let specials = if self.specials == Specials::Fail { "specials fail\n" } else { "" };
        format!(
            "links {:?}, hard links {:?}, permissions {}, owner {}, apart {:?}\n{}{excluded}{specials}",
            self.links,
            self.hard_links,
            self.keep_permissions,
            self.keep_owner,
            self.sink_apart,
            self.filter.fingerprint()
        )
    }

    /// How many files are under way at a time between trees with these hints.
    pub(crate) fn lanes_between(&self, source: Hints, sink: Hints) -> usize {
        self.lanes.unwrap_or(source.lanes.max(sink.lanes)).clamp(1, Self::MAX_LANES)
    }

    /// Whether anything beside content and times is applied at the sink.
    pub(crate) fn keeps_attributes(&self) -> bool {
        self.keep_permissions || self.keep_owner || self.keep_xattrs
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bandwidth: Bandwidth::default(),
            checksum: Some(Algorithm::default()),
            block_size_bytes: 5 << 20,
            queue_capacity: 20,
            long_holes_bytes: 8 << 30,
            lanes: None,
            walkers: 8,
            modify_window: None,
            links: Links::default(),
            hard_links: HardLinks::default(),
            specials: Specials::default(),
            write_mode: WriteMode::default(),
            keep_permissions: false,
            keep_owner: false,
            keep_xattrs: false,
            mirror: None,
            sink_apart: Vec::new(),
            dry_run: false,
            filter: Filter::default(),
            delete_excluded: false,
            rescan: false,
            after_backlog: AfterBacklog::default(),
            accept_new_tree: false,
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
    fn the_most_that_may_be_deleted_grows_with_the_tree() {
        for (most, sink_files, files) in [
            (MaxDelete::Default, 0, 100),
            (MaxDelete::Default, 999, 100),
            (MaxDelete::Default, 5000, 500),
            (MaxDelete::Percent(100), 7, 7),
            (MaxDelete::Percent(50), 7, 3),
            (MaxDelete::Percent(100), u64::MAX, u64::MAX),
            (MaxDelete::Files(3), 5000, 3),
        ] {
            assert_eq!(most.files(sink_files), files, "{most:?} of {sink_files}");
        }
    }

    #[test]
    fn the_lanes_are_what_was_asked_for_or_suits_both_trees() {
        let suits = |lanes| Hints { lanes, ..Hints::DEFAULT };
        let lanes = |asked, source, sink| {
            Options { lanes: asked, ..Options::default() }.lanes_between(suits(source), suits(sink))
        };
        assert_eq!([lanes(None, 16, 64), lanes(None, 64, 16), lanes(Some(3), 16, 64)], [64, 64, 3]);
        // What a backend says is not checked elsewhere.
        assert_eq!([lanes(None, 0, 0), lanes(None, 16, usize::MAX)], [1, 1024]);
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
        assert!(check(|o| o.lanes = Some(0)).contains("lanes"));
        assert!(check(|o| o.walkers = 0).contains("walkers"));
        assert!(check(|o| o.bandwidth = Bandwidth::Limit(10)).contains("bandwidth limit"));
    }
}
