//! What a run has done so far: the figures of its report.

use std::sync::Arc;

use towpath_backend::{Error, ErrorKind};

use crate::error::GuardRefusal;
use crate::event::Totals;

/// What a run has done so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) synced: Totals,
    /// Bytes that were written for the files in `synced`, and their holes.
    pub(crate) kept_bytes: u64,
    pub(crate) hole_bytes: u128,
    pub(crate) pending: Totals,
    /// Of `pending`, the files that were set aside because of long holes.
    pub(crate) long_holes: Totals,
    pub(crate) failed_files: u64,
    pub(crate) vanished_files: u64,
    /// Attributes that the sink did not accept or keep, and those of them that the system denied.
    pub(crate) attributes_not_accepted: u64,
    pub(crate) denied_attributes: u64,
    /// Files and links deleted at the sink, or moved to its trash.
    pub(crate) deleted_files: u64,
    /// Emptied directories removed at the sink.
    pub(crate) deleted_dirs: u64,
    /// Extra files, links and directories that were left for safety.
    pub(crate) protected: u64,
    /// The guard refusal that prevented all, or further, deletions.
    pub(crate) refusal: Option<GuardRefusal>,
}

impl Tally {
    /// Counts attributes that the sink did not accept or keep.
    pub(crate) fn add_not_accepted(&mut self, errors: &[Arc<Error>]) {
        let is_denied = |error: &&Arc<Error>| error.kind() == ErrorKind::PermissionDenied;
        self.attributes_not_accepted += errors.len() as u64;
        self.denied_attributes += errors.iter().filter(is_denied).count() as u64;
    }
}
