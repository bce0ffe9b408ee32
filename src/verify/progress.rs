//! The progress of a verification: counters that it updates and anyone may read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use towpath_backend::CacheReason;

use crate::event::Totals;
use crate::lock::locked;
use crate::progress::{Progress, Snapshot};
use crate::verify_result::VerifyClass;

/// What a verification is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum VerifyPhase {
    /// Opening the database and identifying the trees.
    #[default]
    Starting,
    /// Counting the files to be checked.
    Counting,
    /// Reading files.
    Reading,
    /// Adding up the results.
    Summing,
    /// Done, or stopped.
    Ended,
}

/// A handle on the counters of one verification; clones share them.
#[derive(Clone, Debug, Default)]
pub struct VerifyProgress {
    counters: Arc<Mutex<Counters>>,
    engine: Progress,
}

#[derive(Debug, Default)]
struct Counters {
    phase: VerifyPhase,
    selected: Totals,
    classes: BTreeMap<VerifyClass, Totals>,
    cached_files: u64,
    cached_reason: Option<CacheReason>,
}

/// The state of a verification at one moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct VerifySnapshot {
    /// What it is doing.
    pub phase: VerifyPhase,
    /// The files of the pass, those checked by earlier runs included. Empty until they are counted.
    pub selected: Totals,
    /// The results that are recorded, by class.
    pub classes: BTreeMap<VerifyClass, Totals>,
    /// Files of this run whose copy may have been read from a cache of this machine.
    pub cached_files: u64,
    /// Why, for the first of them.
    pub cached_reason: Option<CacheReason>,
    /// Bytes read by this run, from both trees.
    pub read_bytes: u64,
    /// What it has in common with a migration: the files in flight, the limit, whether it is paused.
    pub engine: Snapshot,
}

impl VerifySnapshot {
    /// All files that are checked.
    pub fn checked(&self) -> Totals {
        let sum = |sum: Totals, next: &Totals| Totals::new(sum.files + next.files, sum.bytes + next.bytes);
        self.classes.values().fold(Totals::default(), sum)
    }
}

impl VerifyProgress {
    /// The counters as they are now.
    pub fn snapshot(&self) -> VerifySnapshot {
        let engine = self.engine.snapshot();
        let counters = locked(&self.counters);
        VerifySnapshot {
            phase: counters.phase,
            selected: counters.selected,
            classes: counters.classes.clone(),
            cached_files: counters.cached_files,
            cached_reason: counters.cached_reason,
            read_bytes: engine.read_bytes,
            engine,
        }
    }

    pub(crate) fn engine(&self) -> &Progress {
        &self.engine
    }

    pub(crate) fn set_phase(&self, phase: VerifyPhase) {
        locked(&self.counters).phase = phase;
    }

    pub(crate) fn set_selected(&self, selected: Totals) {
        locked(&self.counters).selected = selected;
    }

    pub(crate) fn set_classes(&self, classes: BTreeMap<VerifyClass, Totals>) {
        locked(&self.counters).classes = classes;
    }

    pub(crate) fn add_cached(&self, reason: CacheReason) {
        let mut counters = locked(&self.counters);
        counters.cached_files += 1;
        counters.cached_reason.get_or_insert(reason);
    }

    pub(crate) fn add(&self, class: VerifyClass, bytes: u64) {
        let mut counters = locked(&self.counters);
        let totals = counters.classes.entry(class).or_default();
        totals.files += 1;
        totals.bytes += u128::from(bytes);
    }
}
