//! How a verification ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use towpath_backend::{CacheReason, Timestamp};

use super::bound::UpperBound;
use crate::event::Totals;
use crate::report::RunOutcome;
use crate::selection::Selection;
use crate::verify_result::VerifyClass;

/// What a verification found, earlier runs of the same pass included.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Whether it ran to completion.
    pub outcome: RunOutcome,
    /// The number of the pass; 0 if it was stopped before it began.
    pub pass: i64,
    /// When the pass began, if an earlier run did.
    pub resumed_from: Option<Timestamp>,
    /// Which files were checked.
    pub selection: Selection,
    /// The seed of the sample, if it is one: a file is in it by the SHA-256 of the seed, a NUL and its path.
    pub sample_seed: Option<String>,
    /// What was found, by class, in files and their bytes. A class without files is missing.
    pub classes: BTreeMap<VerifyClass, Totals>,
    /// The last results of all files in sync, of earlier passes too. `None`: not checked since they were sent.
    pub coverage: BTreeMap<Option<VerifyClass>, Totals>,
    /// The files in sync.
    pub synced: Totals,
    /// Files that are not in sync: they are not verified.
    pub pending: Totals,
    /// Selected files that this pass has not checked: it was stopped, or they were being sent again.
    pub left: Totals,
    /// Files whose copy may have been read from a cache of this machine, which can hide what is wrong below it.
    pub cached_files: u64,
    /// Why, for the first of this run.
    pub cached_reason: Option<CacheReason>,
    /// The audit log with the results.
    pub log: PathBuf,
    /// Bytes read from the sink by this run.
    pub read_bytes: u64,
    /// How long this run took.
    pub duration: Duration,
}

impl VerifyReport {
    /// The files of a class.
    pub fn of(&self, class: VerifyClass) -> Totals {
        self.classes.get(&class).copied().unwrap_or_default()
    }

    /// All files that the pass has checked.
    pub fn checked(&self) -> Totals {
        let sum = |sum: Totals, next: &Totals| Totals::new(sum.files + next.files, sum.bytes + next.bytes);
        self.classes.values().fold(Totals::default(), sum)
    }

    /// Files that differ, are missing or cannot be read.
    pub fn bad_files(&self) -> u64 {
        self.classes.iter().filter(|(class, _)| class.is_bad()).map(|(_, totals)| totals.files).sum()
    }

    /// What a sample says of all files with a recorded checksum. `None`: it is no sample, or proves nothing.
    pub fn upper_bound(&self) -> Option<UpperBound> {
        let is_sample = matches!(self.selection, Selection::Sample(_));
        let proofs = self.classes.iter().filter(|(class, _)| class.is_proof());
        let files = proofs.map(|(_, totals)| totals.files).sum();
        (is_sample && files > 0).then(|| UpperBound::of(self.bad_files(), files))
    }
}
