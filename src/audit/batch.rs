//! What one transaction appends to the log.

use std::ffi::OsString;

/// The lines of one transaction, which are in one file: never split between two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    /// The length of the log before.
    pub(crate) length: u64,
    /// Whole lines; after a rotation the first ones of the new log.
    pub(crate) lines: Vec<u8>,
    /// What happens before.
    pub(crate) rotation: Option<Rotation>,
}

/// The end of a log: it gets its last line and a number, and a new log takes its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    /// The name of the closed log, in the folder of the log.
    pub(crate) closed: OsString,
    /// Its last line.
    pub(crate) closing: Vec<u8>,
}
