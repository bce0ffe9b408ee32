//! How a run is steered while it runs.

use crate::options::Bandwidth;

/// How a run was steered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SteerAction {
    /// It was paused.
    Paused,
    /// It goes on after a pause.
    Resumed,
    /// Another bandwidth is in force.
    Bandwidth(Bandwidth),
    /// A stop was requested.
    Stop {
        /// Whether the files in flight are sent first.
        after_current: bool,
    },
}
