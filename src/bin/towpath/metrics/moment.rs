//! What the figures of one moment are made of.

use std::time::Duration;

use jiff::Timestamp;
use towpath::{Cause, Event, Snapshot};

use super::about::About;
use crate::status::model::{State, Status};

/// All that figures are made of.
pub(super) struct Moment<'a> {
    pub(super) about: &'a About,
    pub(super) snapshot: &'a Snapshot,
    pub(super) status: &'a Status,
    pub(super) counted: &'a Counted,
    pub(super) lane_time: &'a [(Cause, Duration)],
    pub(super) last_progress: Timestamp,
    pub(super) ended: Option<Ended>,
    pub(super) now: Timestamp,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Ended {
    pub(crate) state: State,
    pub(crate) exit_status: u8,
    pub(crate) at: Timestamp,
}

/// What only this run counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) retried: u64,
    pub(super) skipped: u64,
    pub(super) vanished: u64,
}

impl Counted {
    pub(super) fn observe(&mut self, event: &Event) {
        match event {
            Event::WillRetry { .. } => self.retried += 1,
            Event::Skipped { .. } => self.skipped += 1,
            Event::Vanished { .. } => self.vanished += 1,
            _ => {}
        }
    }
}
