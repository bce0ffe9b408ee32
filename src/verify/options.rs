//! The options of a verification.

use std::time::Duration;

use crate::checksum::Algorithm;
use crate::error::UsageError;
use crate::options::{Bandwidth, Options};
use crate::selection::{Sample, Selection};
use crate::setters::setters;

/// The options of a verification. Each field has a setter of the same name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct VerifyOptions {
    /// Which files are checked.
    pub selection: Selection,
    /// How much of the link is used. It is the verification's own limit, beside that of a run.
    pub bandwidth: Bandwidth,
    /// Read both copies of files without a recorded checksum, compare them, and record the checksum.
    pub hash_both: bool,
    /// The checksum for these files.
    pub checksum: Algorithm,
    /// Files that are read at the same time. `None`: as many as suit the sink.
    pub lanes: Option<usize>,
    /// The size of a block.
    pub block_size_bytes: usize,
    /// The number of blocks in memory.
    pub queue_capacity: usize,
    /// mtimes that differ by no more than this are equal. `None`: those that differ by less than the coarser precision
    /// of the two sides.
    pub modify_window: Option<Duration>,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        let options = Options::default();
        Self {
            selection: Selection::default(),
            bandwidth: options.bandwidth,
            hash_both: false,
            checksum: Algorithm::default(),
            lanes: None,
            block_size_bytes: options.block_size_bytes,
            queue_capacity: options.queue_capacity,
            modify_window: None,
        }
    }
}

/// Setters. An optional value is taken with or without `Some`.
impl VerifyOptions {
    setters! {
        selection: Selection,
        bandwidth: Bandwidth,
        hash_both: bool,
        checksum: Algorithm,
        lanes: impl Into<Option<usize>>,
        block_size_bytes: usize,
        queue_capacity: usize,
        modify_window: impl Into<Option<Duration>>,
    }

    /// The same, as the options of a migration.
    pub(crate) fn as_migration(&self) -> Options {
        Options::default()
            .bandwidth(self.bandwidth)
            .lanes(self.lanes)
            .block_size_bytes(self.block_size_bytes)
            .queue_capacity(self.queue_capacity)
            .modify_window(self.modify_window)
    }

    /// Checks that all values are within their bounds.
    ///
    /// # Errors
    /// [`UsageError`], for the first value that is not.
    pub fn check(&self) -> Result<(), UsageError> {
        match self.selection {
            Selection::Sample(Sample::PerMillion(0) | Sample::Files(0)) => Err(UsageError::EmptySample),
            _ => self.as_migration().check(),
        }
    }
}
