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
    /// So many files with so many bytes.
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
    /// Directories, the root not among them.
    pub dirs: u64,
    /// Bytes of the files' content; wide for the same reason as [`Totals::bytes`].
    pub bytes: u128,
}

impl Counts {
    /// So many files and directories, with so many bytes.
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
    /// The last run left nothing to do.
    BacklogEmpty,
    /// The backlog of an interrupted run was sent first, and a scan afterwards was asked for
    /// ([`crate::AfterBacklog::Scan`]).
    AfterBacklog,
    /// The last scan did not come to its end.
    Interrupted,
    /// The last scan could not read some directories, and a run has ended since.
    Incomplete,
    /// The last run came to its end. The files that failed in it were tried first.
    AfterFailed,
    /// The last scan was made with other filters, or other options that decide what is migrated.
    OtherSettings,
    /// It was asked for.
    Requested,
}

impl ScanReason {
    /// The word for it in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::FirstRun => "first-run",
            Self::BacklogEmpty => "backlog-empty",
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
    /// It came to its end. The backlog holds only the files that failed.
    Failed,
}

impl BacklogOrigin {
    /// The word for it in the log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Interrupted => "interrupted",
            Self::Failed => "failed-files",
        }
    }
}

/// The two full paths of a file.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FilePaths {
    /// In the source, bytes as they are.
    pub source: Vec<u8>,
    /// In the sink, bytes as they are.
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
    /// Send its content, or a link's target.
    Send,
    /// Make it another name of a file.
    Link,
    /// Apply permissions or owner, and nothing else.
    SetAttributes,
    /// Nothing: it cannot be had at the sink.
    Fail,
    /// Make a directory.
    MakeDir,
    /// Delete a file or link from the sink.
    Delete,
    /// Remove an emptied directory from the sink.
    DeleteDir,
    /// Spell a name of the sink as the source does.
    Rename,
}

impl Action {
    /// The word for it in texts and in JSON.
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
