//! The options of a migration.

mod choices;

use std::time::Duration;

use towpath_backend::{Hints, RelPath};

use crate::checksum::Algorithm;
use crate::error::{ErrorFilter, UsageError};
use crate::filter::Filter;
use crate::setters::setters;

pub use choices::{AfterBacklog, Bandwidth, Extent, HardLinks, Links, MaxDelete, Mirror, Specials, WriteMode};

/// The options of a migration. The defaults suit two mounts on a Gigabit link.
///
/// Each field has a setter of the same name:
///
/// ```
/// use towpath::{Bandwidth, Options};
///
/// let options = Options::default().bandwidth(Bandwidth::Limit(20 << 20)).lanes(8).keep_permissions(true);
/// assert_eq!(options.lanes, Some(8));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How much of the link is used.
    pub bandwidth: Bandwidth,
    /// The checksum computed while reading. `None`: none, so that the log does not prove what was sent.
    pub checksum: Option<Algorithm>,
    /// The size of a block, the unit in which files pass from reader to writer.
    pub block_size_bytes: usize,
    /// The number of block slots, shared by all lanes: bounds the memory.
    pub queue_capacity: usize,
    /// The number of lanes. A lane transfers one file at a time; at most half of the lanes transfer
    /// large files (1 MiB or more). `None`: as many as suit the trees ([`Hints::lanes`]).
    pub lanes: Option<usize>,
    /// Files with more bytes of holes than this, and more than sixteen times their data, are sent one
    /// at a time beside the others, the smallest first; those larger than 128 times this come after
    /// all others. The zeros of holes are hashed, which takes a core 6 s (SHA-256) to 16 s (MD5) for
    /// the default of 8 GiB.
    pub long_holes_bytes: u64,
    /// The number of directories read at the same time, on each side.
    pub walkers: usize,
    /// mtimes that differ by no more than this are equal. `None`: those that differ by less than the coarser precision
    /// of the two sides.
    pub modify_window: Option<Duration>,
    /// What happens to symbolic links.
    pub links: Links,
    /// What happens to files that have several names.
    pub hard_links: HardLinks,
    /// What happens to special files.
    pub specials: Specials,
    /// How a file at the sink is replaced.
    pub write_mode: WriteMode,
    /// Whether files and directories get the source's permissions.
    pub keep_permissions: bool,
    /// Whether files, directories and links get the source's user and group.
    pub keep_owner: bool,
    /// Whether what is sent gets the source's extended attributes and ACLs.
    pub keep_xattrs: bool,
    /// Whether extras, which the source does not have, are deleted from the sink, and how.
    pub mirror: Option<Mirror>,
    /// Paths at the sink that are not part of the tree, such as the trash: they are neither scanned
    /// nor deleted, and nothing is sent there.
    pub reserved_paths: Vec<RelPath>,
    /// Scan and report what would be done ([`crate::Event::Planned`]), and change nothing at the sink.
    pub dry_run: bool,
    /// The filter: which files are excluded.
    pub filter: Filter,
    /// Whether a mirror also deletes from the sink what the rules of the filter exclude, even if the
    /// source has it; otherwise that is never deleted.
    pub delete_excluded: bool,
    /// How far the run goes.
    pub extent: Extent,
    /// Scan both trees even if there is a backlog. All guards stay in force.
    pub rescan: bool,
    /// Whether the trees are scanned after the backlog of an earlier run was sent.
    pub after_backlog: AfterBacklog,
    /// A backlog of an interrupted run whose scan began longer ago than this is not resumed: both trees are scanned, and
    /// what is still pending is sent with what the scan finds. `None`: a backlog never becomes too old.
    pub rescan_after: Option<Duration>,
    /// Accept the trees, and what is mounted in them, as they are now, in place of those that were
    /// scanned before. Applies to one run, which scans again and deletes nothing: it excludes
    /// [`mirror`](#structfield.mirror).
    pub accept_new_tree: bool,
    /// Send only the failed entries that match, and leave all others pending. Needs [`AfterBacklog::Stop`], and excludes
    /// a mirror.
    pub retry: Option<ErrorFilter>,
    /// Link each line of the audit log to the one before by its hash ([`crate::ChainCheck`]). Once a run has begun a
    /// chain, later runs continue it, whatever their options.
    pub audit_chain: bool,
    /// The size at which the audit log is closed, gets a number, and a new one is begun, which
    /// [`Self::MIN_LOG_BYTES`] bounds. `None`: it grows. Later writers to the log keep to the value of the last run.
    pub max_log_bytes: Option<u64>,
}

/// Setters. An optional value is taken with or without `Some`.
impl Options {
    setters! {
        bandwidth: Bandwidth,
        checksum: impl Into<Option<Algorithm>>,
        block_size_bytes: usize,
        queue_capacity: usize,
        lanes: impl Into<Option<usize>>,
        long_holes_bytes: u64,
        walkers: usize,
        modify_window: impl Into<Option<Duration>>,
        links: Links,
        hard_links: HardLinks,
        specials: Specials,
        write_mode: WriteMode,
        keep_permissions: bool,
        keep_owner: bool,
        keep_xattrs: bool,
        mirror: impl Into<Option<Mirror>>,
        reserved_paths: Vec<RelPath>,
        dry_run: bool,
        filter: Filter,
        delete_excluded: bool,
        extent: Extent,
        rescan: bool,
        after_backlog: AfterBacklog,
        rescan_after: impl Into<Option<Duration>>,
        accept_new_tree: bool,
        retry: impl Into<Option<ErrorFilter>>,
        audit_chain: bool,
        max_log_bytes: impl Into<Option<u64>>,
    }
}

impl Options {
    /// The lowest limit that can be kept in every second.
    pub const MIN_LIMIT_BYTES_PER_S: u64 = Bandwidth::MIN_LIMIT_BYTES_PER_S;
    /// The smallest size at which an audit log is closed.
    pub const MIN_LOG_BYTES: u64 = 64 << 10;
    /// The largest block.
    pub const MAX_BLOCK_SIZE_BYTES: usize = 1 << 30;
    /// The largest number of lanes.
    pub const MAX_LANES: usize = 1024;

    /// Checks the bounds of all values, and that they do not contradict each other.
    ///
    /// # Errors
    /// The first value that cannot be used.
    ///
    /// ```
    /// use towpath::{Options, UsageError};
    ///
    /// let error = Options::default().walkers(0).check().unwrap_err();
    /// assert!(matches!(error, UsageError::OutOfRange { max: 1024, .. }));
    /// assert_eq!(error.to_string(), "number of walkers must be from 1 to 1024, not 0");
    /// ```
    pub fn check(&self) -> Result<(), UsageError> {
        let within = |option, value: usize, max: usize| {
            if (1..=max).contains(&value) { Ok(()) } else { Err(UsageError::OutOfRange { option, value, max }) }
        };
        within("block size", self.block_size_bytes, Self::MAX_BLOCK_SIZE_BYTES)?;
        within("queue capacity", self.queue_capacity, 100_000)?;
        within("number of lanes", self.lanes.unwrap_or(1), Self::MAX_LANES)?;
        within("number of walkers", self.walkers, 1024)?;
        self.filter.check()?;
        if let Some(bytes) = self.max_log_bytes.filter(|&bytes| bytes < Self::MIN_LOG_BYTES) {
            return Err(UsageError::LogTooSmall { bytes, min_bytes: Self::MIN_LOG_BYTES });
        }
        if self.accept_new_tree && self.mirror.is_some() {
            return Err(UsageError::AcceptNewTreeWithMirror);
        }
        if self.retry.is_some() && (self.after_backlog != AfterBacklog::Stop || self.mirror.is_some() || self.dry_run) {
            return Err(UsageError::RetryNotAlone);
        }
        let must_scan = self.rescan || self.accept_new_tree || self.extent != Extent::Migration;
        if self.after_backlog == AfterBacklog::Stop && must_scan {
            return Err(UsageError::ScanContradicted);
        }
        self.bandwidth.check()
    }

    /// The options that select the files to migrate, as a text that is stored with a scan: a backlog with other
    /// settings is not used.
    pub(crate) fn settings(&self) -> String {
        let excluded = if self.delete_excluded { "delete-excluded\n" } else { "" };
        let specials = if self.specials == Specials::Fail { "specials fail\n" } else { "" };
        format!(
            "links {:?}, hard links {:?}, permissions {}, owner {}, apart {:?}\n{}{excluded}{specials}",
            self.links,
            self.hard_links,
            self.keep_permissions,
            self.keep_owner,
            self.reserved_paths,
            self.filter.fingerprint()
        )
    }

    /// The number of files in flight at a time between trees with these hints.
    pub(crate) fn lanes_between(&self, source: Hints, sink: Hints) -> usize {
        self.lanes.unwrap_or(source.lanes.max(sink.lanes)).clamp(1, Self::MAX_LANES)
    }

    /// Whether anything besides content and times is applied at the sink.
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
            reserved_paths: Vec::new(),
            dry_run: false,
            filter: Filter::default(),
            delete_excluded: false,
            extent: Extent::default(),
            rescan: false,
            after_backlog: AfterBacklog::default(),
            rescan_after: None,
            accept_new_tree: false,
            retry: None,
            audit_chain: false,
            max_log_bytes: None,
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
    fn an_optional_value_is_set_with_or_without_some() {
        let options = Options::default().lanes(8).checksum(None).modify_window(Some(Duration::ZERO));
        assert_eq!((options.lanes, options.checksum, options.modify_window), (Some(8), None, Some(Duration::ZERO)));
    }

    #[test]
    fn the_limit_of_deletions_grows_with_the_tree() {
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
    fn the_number_of_lanes_is_as_given_or_suits_both_trees() {
        let suits = |lanes| Hints { lanes, ..Hints::DEFAULT };
        let lanes = |asked: Option<usize>, source, sink| {
            Options::default().lanes(asked).lanes_between(suits(source), suits(sink))
        };
        assert_eq!([lanes(None, 16, 64), lanes(None, 64, 16), lanes(Some(3), 16, 64)], [64, 64, 3]);
        // The hints of a backend are not checked elsewhere.
        assert_eq!([lanes(None, 0, 0), lanes(None, 16, usize::MAX)], [1, 1024]);
    }

    #[test]
    fn the_error_for_a_value_out_of_bounds_names_the_option() {
        let error = |options: Options| options.check().unwrap_err().to_string();
        let default = Options::default;
        assert!(error(default().block_size_bytes(0)).contains("block size"));
        assert!(error(default().queue_capacity(0)).contains("queue capacity"));
        assert!(error(default().lanes(0)).contains("lanes"));
        assert!(error(default().walkers(0)).contains("walkers"));
        assert!(error(default().bandwidth(Bandwidth::Limit(10))).contains("bandwidth limit"));
    }
}
