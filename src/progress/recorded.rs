//! What a database records of a migration.

use std::borrow::Cow;

use towpath_backend::Timestamp;

use crate::event::{Side, Totals};

/// What the database has recorded of a migration, over all its runs. No figure ever falls, also from one run to the
/// next: what is counted here was committed before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recorded {
    /// Files that were sent, and their sizes. Further names of a file (hard links) count as files without bytes.
    pub sent: Totals,
    /// Files that failed, once for each run in which they did, and their sizes.
    pub failed: Totals,
    /// Files and links deleted from the sink.
    pub deleted_files: u64,
    /// Directories removed from the sink.
    pub deleted_dirs: u64,
    /// Failures by side and kind, entries that a scan could not read included.
    pub failures: Vec<FailureCount>,
    /// When this run last committed.
    pub committed: Option<Timestamp>,
}

/// How often something of one kind failed on one side.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailureCount {
    /// The tree that failed, if one did.
    pub side: Option<Side>,
    /// The kind ([`crate::FileError::kind_name`]).
    pub kind: Cow<'static, str>,
    /// How often.
    pub count: u64,
}

impl Recorded {
    /// Adds failures of one kind.
    pub(crate) fn add_failures(&mut self, side: Option<Side>, kind: impl Into<Cow<'static, str>>, count: u64) {
        let kind = kind.into();
        match self.failures.iter_mut().find(|failures| failures.side == side && failures.kind == kind) {
            Some(failures) => failures.count += count,
            None => self.failures.push(FailureCount { side, kind, count }),
        }
    }
}
