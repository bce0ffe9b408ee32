//! The choices that options offer.

use crate::error::UsageError;
use crate::setters::setters;

/// What happens to symbolic links.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Links {
    /// They are recreated at the sink with the same target, and never followed.
    #[default]
    Copy,
    /// They are left out.
    Skip,
    /// What they point to is copied in their place, unless it is outside the source or contains the
    /// link itself.
    Follow,
}

/// What happens to files that have several names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum HardLinks {
    /// They have several names at the sink too, if it supports hard links: the content is sent once.
    #[default]
    Keep,
    /// Each name becomes a separate file.
    Copy,
}

/// What happens to special files (FIFOs, sockets, devices), which are never copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Specials {
    /// They are counted and logged. The trees are in sync without them.
    #[default]
    Skip,
    /// They count as files that are not in sync.
    Fail,
}

/// Whether a run that starts with the backlog of an earlier one scans the trees afterwards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterBacklog {
    /// It scans if the earlier run finished, so that the backlog holds only what failed in it. If the
    /// earlier run was interrupted, its backlog is all that this run does.
    #[default]
    Auto,
    /// It always scans.
    Scan,
    /// It never scans. Without a backlog the run fails with [`crate::Error::NoBacklog`].
    Stop,
}

/// How far a run goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Extent {
    /// It scans if it must, and sends what is pending.
    #[default]
    Migration,
    /// It scans both trees, whatever an earlier run left, and ends. The next run with the same options sends the
    /// backlog, without another scan.
    Scan,
    /// It lists the source for the [`crate::ScanObserver`], and ends. There is no sink, and nothing of the listing is
    /// recorded: the database is a temporary one.
    Listing,
}

/// How a file at the sink is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteMode {
    /// It is truncated and overwritten: this needs no additional space, and the file is incomplete
    /// until it is done.
    #[default]
    InPlace,
    /// The new content is written to a partial file in the same directory, which is then renamed:
    /// the old content stays until the new one is complete.
    Atomic,
}

/// The most extra files that may be deleted in one run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum MaxDelete {
    /// This many files.
    Files(u64),
    /// This percentage of the sink's files.
    Percent(u8),
    /// Ten percent of the sink's files, or 100 files if that is more.
    #[default]
    Default,
}

impl MaxDelete {
    /// The number of files that this allows if the sink has `sink_files` files.
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

/// How extras, which the source does not have, are deleted from the sink.
///
/// ```
/// use towpath::{MaxDelete, Mirror, Options};
///
/// let options = Options::default().mirror(Mirror::default().max_delete(MaxDelete::Percent(5)));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mirror {
    /// If there are more extra files than this, none is deleted.
    pub max_delete: MaxDelete,
    /// Extra files are moved to the sink's trash ([`towpath_backend::Sink::discard`]) instead.
    pub discard: bool,
    /// Extras are also deleted from other file systems mounted inside the sink.
    pub other_file_systems: bool,
}

impl Mirror {
    setters! {
        max_delete: MaxDelete,
        discard: bool,
        other_file_systems: bool,
    }
}

/// How much of the link is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Bandwidth {
    /// All of it.
    #[default]
    Unlimited,
    /// This many bytes per second for reading and, separately, for writing.
    Limit(u64),
    /// Only the bandwidth that other traffic leaves: the rate grows while small requests are answered as fast as usual,
    /// and falls as soon as they have to wait.
    Auto {
        /// The rate never exceeds this.
        max_bytes_per_s: Option<u64>,
    },
}

impl Bandwidth {
    /// The lowest limit that can be kept in every second.
    pub const MIN_LIMIT_BYTES_PER_S: u64 = 1024;

    /// Checks that the limit can be kept.
    ///
    /// # Errors
    /// It is below [`Self::MIN_LIMIT_BYTES_PER_S`].
    pub fn check(self) -> Result<(), UsageError> {
        match self {
            Self::Limit(bytes_per_s) | Self::Auto { max_bytes_per_s: Some(bytes_per_s) }
                if bytes_per_s < Self::MIN_LIMIT_BYTES_PER_S =>
            {
                Err(UsageError::LimitTooLow { bytes_per_s, min_bytes_per_s: Self::MIN_LIMIT_BYTES_PER_S })
            }
            _ => Ok(()),
        }
    }
}
