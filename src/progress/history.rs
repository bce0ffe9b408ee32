//! The rate samples of a migration, earlier runs included.

use crate::lock::locked;
use std::sync::{Arc, Mutex, MutexGuard};

use super::sample::RateSample;

/// The rate samples of a migration, those of earlier runs included ([`crate::Progress::history`]). Clones share them. A
/// run loads what its database has when it begins, and adds a sample for each minute in which files are sent.
#[derive(Clone, Debug, Default)]
pub struct RateHistory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    samples: Vec<RateSample>,
    version: u64,
}

impl RateHistory {
    /// The samples, the oldest first.
    pub fn samples(&self) -> Vec<RateSample> {
        self.lock().samples.clone()
    }

    /// A number that changes whenever the samples change.
    pub fn version(&self) -> u64 {
        self.lock().version
    }

    /// Replaces all samples.
    pub(crate) fn set(&self, samples: Vec<RateSample>) {
        let mut kept = self.lock();
        kept.samples = samples;
        kept.version += 1;
    }

    /// Adds the latest sample.
    pub(crate) fn push(&self, sample: RateSample) {
        let mut kept = self.lock();
        kept.samples.push(sample);
        kept.version += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        locked(&self.0)
    }
}

/// Samples from elsewhere, such as [`crate::Migration::rate_samples`].
impl From<Vec<RateSample>> for RateHistory {
    fn from(samples: Vec<RateSample>) -> Self {
        Self(Arc::new(Mutex::new(Kept { samples, version: 1 })))
    }
}
