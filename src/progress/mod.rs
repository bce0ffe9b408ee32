//! The progress of a migration: counters that the engine updates and anyone may read.

mod counters;
mod estimate;
mod file;
mod limited_by;
mod snapshot;

pub use counters::Progress;
pub use estimate::{Estimate, Estimator};
pub(crate) use file::FileProgress;
pub use limited_by::{Cause, LimitedBy, Share};
pub(crate) use limited_by::{CommitterState, LaneClock, LaneClocks, LimitMode, ReaderState, WriterState};
pub use snapshot::{AdaptiveLimit, CurrentFile, Phase, Snapshot};
