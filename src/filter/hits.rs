//! Which rules have matched anything during a walk.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// A mark for each rule; clones share them.
///
/// A mark is written once and only read from then on, so that walkers do not contend for it.
#[derive(Clone, Debug, Default)]
pub(super) struct Hits(Arc<[AtomicBool]>);

impl Hits {
    /// Marks for this many rules; none has matched.
    pub(super) fn none_of(rules: usize) -> Self {
        Self((0..rules).map(|_| AtomicBool::new(false)).collect())
    }

    /// Marks the rule at `index`.
    pub(super) fn mark(&self, index: usize) {
        if let Some(mark) = self.0.get(index)
            && !mark.load(Relaxed)
        {
            mark.store(true, Relaxed);
        }
    }

    /// Whether the rule at `index` has matched.
    pub(super) fn has(&self, index: usize) -> bool {
        self.0.get(index).is_some_and(|mark| mark.load(Relaxed))
    }
}
