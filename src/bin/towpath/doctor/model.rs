//! The facts that are gathered and judged.

use std::path::PathBuf;
use std::time::Duration;

use towpath_local::Mount;

/// Where a tree or a file lies.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Absolute, without links if it could be resolved.
    pub(crate) path: PathBuf,
    /// `None`: the system does not say.
    pub(crate) mount: Option<Mount>,
    /// A mount point of `/etc/fstab` at or above the path, on which nothing is mounted.
    pub(crate) unmounted: Option<PathBuf>,
}

/// The room of a file system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Space {
    /// What this user may still write.
    pub(crate) free_bytes: u64,
    pub(crate) total_bytes: u64,
    /// Files that can still be created; `None`: the file system has no such limit.
    pub(crate) free_files: Option<u64>,
    /// The mount option that says that quotas are in force.
    pub(crate) quota: Option<&'static str>,
}

/// What will come to the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Coming {
    pub(crate) files: u64,
    pub(crate) dirs: u64,
    pub(crate) bytes: u128,
}

/// The answers to small requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trips {
    /// Sorted.
    pub(crate) times: Vec<Duration>,
    pub(crate) trouble: Option<String>,
    pub(crate) over_network: bool,
}

/// What reading a sample of the source gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) entries: u64,
    /// Directories that were listed, and files that were opened.
    pub(crate) read: u64,
    /// Those that may not be read.
    pub(crate) denied: u64,
    pub(crate) first_denied: Option<String>,
    /// Any other error.
    pub(crate) first_error: Option<String>,
    /// Whether a request had no answer in time.
    pub(crate) hangs: bool,
}

/// The clock of the destination minus ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Skew {
    pub(crate) ns: i128,
    pub(crate) uncertainty_ns: u64,
}

/// The longest name that was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LongestName {
    /// Of ASCII letters, up to 255.
    pub(crate) letters: usize,
    /// Whether 255 letters with accents (510 bytes) were accepted as well.
    pub(crate) counts_letters: bool,
}

/// What writing a probe to the destination gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probed {
    /// Each step, and how long it took.
    pub(crate) steps: Vec<(&'static str, Duration)>,
    /// The step that failed, and its error.
    pub(crate) failed: Option<(&'static str, String)>,
    /// Whether a step had no answer in time.
    pub(crate) hangs: bool,
    pub(crate) skew: Option<Skew>,
    /// Years of mtimes that were set and came back as others; `None`: not tested.
    pub(crate) lost_years: Option<Vec<&'static str>>,
    pub(crate) longest_name: Option<LongestName>,
    /// Whether permissions, owner and extended attributes were kept, or why not; `None`: not tested.
    pub(crate) permissions: Option<Result<(), String>>,
    pub(crate) owner: Option<Result<(), String>>,
    pub(crate) xattrs: Option<Result<(), String>>,
    /// Probes of killed processes that were removed.
    pub(crate) removed_leftovers: u64,
    /// What could not be removed.
    pub(crate) left: Option<String>,
}

/// The database of the migration.
#[derive(Clone, Debug)]
pub(crate) struct DatabaseFacts {
    pub(crate) place: Place,
    /// Its size, with the write-ahead log; `None`: it does not exist.
    pub(crate) size_bytes: Option<u64>,
    /// The nearest folder that exists.
    pub(crate) folder: PathBuf,
    pub(crate) is_writable: bool,
    pub(crate) space: Option<Space>,
    /// What it records, or why it cannot be read.
    pub(crate) recorded: Result<Option<Recorded>, String>,
}

/// What a database records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// The process that runs the migration now.
    pub(crate) process: Option<u32>,
    /// The trees that it is for, if they are others.
    pub(crate) other_trees: Option<String>,
    /// The files of the source, and what is still to be sent, according to the last scan.
    pub(crate) files: Option<u64>,
    pub(crate) coming: Option<Coming>,
}

/// Another migration to the same destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OtherMigration {
    pub(crate) database: PathBuf,
    pub(crate) source: String,
    /// Its process, if it runs.
    pub(crate) process: Option<u32>,
}

/// The limits of this process, and the system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProcessFacts {
    /// `RLIMIT_NOFILE`; `None`: no limit.
    pub(crate) open_files: Option<u64>,
    /// What the limit can be raised to.
    pub(crate) open_files_at_most: Option<u64>,
    /// The lowest memory limit of the control groups.
    pub(crate) cgroup_bytes: Option<u64>,
    pub(crate) available_bytes: Option<u64>,
    pub(crate) kernel: String,
    pub(crate) has_openat2: bool,
    /// Whether the process belongs to a login session, which ends.
    pub(crate) is_in_session: bool,
    /// Whether tmux or screen keeps it when the terminal closes.
    pub(crate) is_kept: bool,
}
