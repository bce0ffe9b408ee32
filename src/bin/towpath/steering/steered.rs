//! What is steered: the engine, or what stands for it in tests.

use towpath::{Bandwidth, Control, UsageError};

use super::state::InForce;

/// A run that can be steered; each request names who made it.
pub(crate) trait Steered: Send + Sync {
    fn pause(&self, by: &str);
    fn resume(&self, by: &str);
    fn set_bandwidth(&self, bandwidth: Bandwidth, by: &str) -> Result<(), UsageError>;
    fn stop(&self, after_current: bool, by: &str);
}

impl Steered for Control {
    fn pause(&self, by: &str) {
        Self::pause(self, by);
    }

    fn resume(&self, by: &str) {
        Self::resume(self, by);
    }

    fn set_bandwidth(&self, bandwidth: Bandwidth, by: &str) -> Result<(), UsageError> {
        Self::set_bandwidth(self, bandwidth, by)
    }

    fn stop(&self, after_current: bool, by: &str) {
        if after_current {
            Self::stop_after_current(self, by);
        } else {
            Self::stop(self, by);
        }
    }
}

/// What was applied last.
#[derive(Debug, Default)]
pub(super) struct Applied {
    is_paused: bool,
    bandwidth: Option<Bandwidth>,
}

impl Applied {
    /// Requests what has changed, in the name of who set the limit, and of who paused or resumed the run.
    pub(super) fn change_to(&mut self, in_force: &InForce, steered: &dyn Steered, [limit_by, pause_by]: [&str; 2]) {
        let is_paused = in_force.is_paused();
        if is_paused && !self.is_paused {
            steered.pause(pause_by);
        }
        // Before it goes on, so that no byte passes at the limit before.
        let bandwidth = in_force.rate.bandwidth().or(self.bandwidth);
        if let Some(changed) = bandwidth.filter(|_| bandwidth != self.bandwidth)
            && let Err(error) = steered.set_bandwidth(changed, limit_by)
        {
            // Limits are checked when they are set.
            tracing::warn!(%error, ?changed, "the limit was rejected");
        }
        if !is_paused && self.is_paused {
            steered.resume(pause_by);
        }
        *self = Self { is_paused, bandwidth };
    }
}
