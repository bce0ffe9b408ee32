//! What events carry.

/// A number of files and their bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Files.
    pub files: u64,
    /// Bytes of their content: sparse files alone can add up to more than 64 bits hold.
    pub bytes: u128,
}

impl Totals {
    /// Totals of `files` files with `bytes` bytes.
    pub const fn new(files: u64, bytes: u128) -> Self {
        Self { files, bytes }
    }
}

/// What a scan found on one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Regular files and symbolic links.
    pub files: u64,
    /// Directories, without the root.
    pub dirs: u64,
    /// Bytes of the files' content; wide for the same reason as [`Totals::bytes`].
    pub bytes: u128,
}

impl Counts {
    /// Counts of `files` files and `dirs` directories, with `bytes` bytes.
    pub const fn new(files: u64, dirs: u64, bytes: u128) -> Self {
        Self { files, dirs, bytes }
    }
}

/// Why a run scans.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScanReason {
    /// The database is new.
    FirstRun,
    /// Nothing is pending from the last run.
    BacklogEmpty,
    /// The backlog of an interrupted run was sent first, and a scan afterwards was requested
    /// ([`crate::AfterBacklog::Scan`]).
    AfterBacklog,
    /// The last scan was interrupted.
    Interrupted,
    /// The last scan could not read some directories, and a run has ended since.
    Incomplete,
    /// The last run finished. The files that failed in it were retried first.
    AfterFailed,
    /// The last scan used other filters, or other options that decide what is migrated.
    OtherSettings,
    /// The backlog of an interrupted run is older than the options allow ([`crate::Options::rescan_after`]).
    BacklogOld,
    /// The options request it.
    Requested,
}

impl ScanReason {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstRun => "first-run",
            Self::BacklogEmpty => "backlog-empty",
            Self::BacklogOld => "backlog-old",
            Self::AfterBacklog => "after-backlog",
            Self::Interrupted => "scan-interrupted",
            Self::Incomplete => "unreadable-directories",
            Self::AfterFailed => "after-failed-files",
            Self::OtherSettings => "other-options",
            Self::Requested => "requested",
        }
    }
}

/// How the run ended that left a backlog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BacklogOrigin {
    /// It was interrupted: stopped, killed, or ended by an error.
    Interrupted,
    /// It finished. The backlog has only the files that failed.
    Failed,
    /// It only scanned ([`crate::Extent::Scan`]).
    Assessed,
}

impl BacklogOrigin {
    /// The name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Failed => "failed-files",
            Self::Assessed => "assessed",
        }
    }
}

/// The two full paths of a file.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilePaths {
    /// In the source, as raw bytes.
    pub source: Vec<u8>,
    /// In the sink, as raw bytes.
    pub dest: Vec<u8>,
}

impl FilePaths {
    /// The paths of a file in both trees.
    pub fn new(source: impl Into<Vec<u8>>, dest: impl Into<Vec<u8>>) -> Self {
        Self { source: source.into(), dest: dest.into() }
    }
}

impl std::fmt::Debug for FilePaths {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} -> {}", self.source.escape_ascii(), self.dest.escape_ascii())
    }
}

/// What a run would do to a file or directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Send a file's content or a link's target.
    Send,
    /// Create it as another name (hard link) of a file.
    Link,
    /// Apply permissions or owner, and nothing else.
    SetAttributes,
    /// Nothing: it would fail.
    Fail,
    /// Create a directory.
    MakeDir,
    /// Delete a file or link from the sink.
    Delete,
    /// Remove an emptied directory from the sink.
    DeleteDir,
    /// Rename an entry of the sink to the source's spelling.
    Rename,
}

impl Action {
    /// The name in texts and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Link => "link",
            Self::SetAttributes => "attributes",
            Self::Fail => "fail",
            Self::MakeDir => "mkdir",
            Self::Delete => "delete",
            Self::DeleteDir => "rmdir",
            Self::Rename => "rename",
        }
    }
}
