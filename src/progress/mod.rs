//! The progress of a migration: counters that the engine updates and anyone may read.

mod counters;
mod estimate;
mod file;
mod history;
mod limited_by;
mod operations;
mod recorded;
mod round_trips;
mod sample;
mod snapshot;
mod thin;

pub use counters::Progress;
pub use estimate::{Allowed, Estimate, Estimator, Outlook};
pub(crate) use file::FileProgress;
pub use history::RateHistory;
pub use limited_by::{Cause, LimitedBy, Share};
pub(crate) use limited_by::{CommitterState, LaneClock, LaneClocks, ReaderState, WriterState};
pub use operations::CurrentOperation;
pub(crate) use operations::Operations;
pub use recorded::{FailureCount, Recorded};
pub use round_trips::RoundTrips;
pub use sample::RateSample;
pub use snapshot::{AdaptiveLimit, CurrentFile, Phase, Snapshot};
pub(crate) use thin::thin;
