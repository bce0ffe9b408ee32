//! What steered a run so far, by its events.

use towpath::SteerAction;

use super::limits::Limits;
use super::model::{LimitSetBy, State};

/// What steered a run, and who.
#[derive(Debug)]
pub(super) struct SteeredBy {
    limit_set_by: LimitSetBy,
    paused_by: Option<String>,
    /// How it was asked to stop, and by whom.
    stopping: Option<String>,
}

impl SteeredBy {
    /// A run that nobody has steered yet.
    pub(super) fn options() -> Self {
        Self { limit_set_by: LimitSetBy::Option, paused_by: None, stopping: None }
    }

    pub(super) fn observe(&mut self, action: SteerAction, by: &str) {
        match action {
            SteerAction::Paused => self.paused_by = Some(by.to_owned()),
            SteerAction::Resumed => self.paused_by = None,
            SteerAction::Bandwidth(_) => {
                self.limit_set_by = if by == "timetable" { LimitSetBy::Timetable } else { LimitSetBy::Control };
            }
            SteerAction::Stop { after_current: true } => {
                self.stopping = Some(format!("stopping after the files in flight, requested by {by}"));
            }
            SteerAction::Stop { after_current: false } => self.stopping = Some(format!("stopping, requested by {by}")),
            _ => {}
        }
    }

    /// What steers the run, besides the limit itself.
    pub(super) fn limits(&self) -> Limits {
        Limits { set_by: self.limit_set_by, until: None, next: None, paused_by: self.paused_by.clone() }
    }

    /// Why it is about to stop, or paused.
    pub(super) fn reason(&self, state: State, limits: &Limits) -> Option<String> {
        let paused = limits.paused_by.as_ref().filter(|_| state == State::Paused).map(|by| format!("by {by}"));
        self.stopping.clone().or(paused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_that_was_requested_is_the_reason() {
        let mut steered = SteeredBy::options();
        let reason = |steered: &SteeredBy, state| steered.reason(state, &steered.limits());
        steered.observe(SteerAction::Paused, "alice");
        assert_eq!(reason(&steered, State::Paused).as_deref(), Some("by alice"));
        assert_eq!(reason(&steered, State::Transferring), None);
        steered.observe(SteerAction::Stop { after_current: true }, "bob");
        let requested = "stopping after the files in flight, requested by bob";
        assert_eq!(reason(&steered, State::Paused).as_deref(), Some(requested));
        assert_eq!(reason(&steered, State::Transferring).as_deref(), Some(requested));
        steered.observe(SteerAction::Stop { after_current: false }, "bob");
        assert_eq!(reason(&steered, State::Transferring).as_deref(), Some("stopping, requested by bob"));
    }
}
