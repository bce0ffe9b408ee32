//! The progress of a migration: counters that the engine updates and anyone may read.

mod counters;
mod estimate;
mod file;
mod snapshot;

pub use counters::Progress;
pub use estimate::{Estimate, Estimator};
pub(crate) use file::FileProgress;
pub use snapshot::{AdaptiveLimit, CurrentFile, Phase, Snapshot};
