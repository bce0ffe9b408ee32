//! The scan that the database's thread is recording, as it keeps it in memory.

use towpath_backend::{Metadata, NameRules};

use crate::event::Totals;
use crate::journal::store::name_kind::Twice;
use crate::journal::store::value::Tolerance;
use crate::per_side::PerSide;

/// What a scan compares besides kind, size and time.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Compares {
    pub(crate) permissions: bool,
    pub(crate) owner: bool,
    pub(crate) xattrs: bool,
    /// Whether the names of one source file are to be names of one file at the sink.
    pub(crate) hard_links: bool,
}

/// A scan whose pages are being recorded, or the last one of this run.
#[derive(Clone, Copy, Debug)]
pub(in crate::journal) struct CurrentScan {
    /// Its row.
    pub(in crate::journal) id: i64,
    /// mtimes that differ by at most this are equal.
    pub(in crate::journal) tolerance: Tolerance,
    /// The scan whose pending rows may have been in flight at an unclean shutdown.
    pub(in crate::journal) unverified_scan: Option<i64>,
    /// The start of the run that shut down uncleanly, in nanoseconds since 1970.
    pub(in crate::journal) interrupted_since_ns: Option<i64>,
    /// The pending files counted so far.
    pub(in crate::journal) pending: Totals,
    /// The metadata of both roots, once they are read.
    pub(in crate::journal) roots: PerSide<Option<Metadata>>,
    pub(in crate::journal) names: NameRules,
    /// The user confirmed that the trees and everything mounted in them are the right ones.
    pub(in crate::journal) accepts_new_tree: bool,
    pub(in crate::journal) compares: Compares,
    /// Names of the source that were listed twice.
    pub(in crate::journal) twice: Twice,
}

impl CurrentScan {
    /// Whether the sink keeps no mtimes: then size and the recorded state of the source decide.
    pub(in crate::journal) fn sink_keeps_no_mtime(&self) -> bool {
        self.tolerance.0.is_none()
    }
}
