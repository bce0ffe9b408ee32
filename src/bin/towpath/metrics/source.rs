//! Where the figures come from: the counters of the run, its status, and its events.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use towpath::{Cause, Event, LimitedBy};

use super::about::About;
use super::exposition::Figures;
use super::gather::gather;
use super::moment::{Counted, Ended, Moment};
use crate::listener::Observer;
use crate::lock::locked;
use crate::status::live::{Live, View};

/// The metrics of one run; clones share them.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Shared>);

struct Shared {
    about: About,
    live: Live,
    counted: Mutex<Counted>,
    lane_time: Mutex<LaneTime>,
}

/// The time of each cause as it was last reported. The newest seconds may be attributed to another cause later: a
/// counter that has been reported stays until the time has reached it again.
#[derive(Debug, Default)]
pub(super) struct LaneTime(Vec<Duration>);

impl LaneTime {
    pub(super) fn rising(&mut self, limited_by: &LimitedBy) -> Vec<(Cause, Duration)> {
        self.0.resize(Cause::ALL.len(), Duration::ZERO);
        let times = Cause::ALL.into_iter().zip(&mut self.0);
        times
            .map(|(cause, reported)| {
                *reported = limited_by.time(cause).max(*reported);
                (cause, *reported)
            })
            .collect()
    }
}

impl Metrics {
    pub(crate) fn new(about: About, live: Live) -> Self {
        Self(Arc::new(Shared { about, live, counted: Mutex::default(), lane_time: Mutex::default() }))
    }

    /// The figures now; `ended`: how the run has ended. Blocks: it asks the file system of the database.
    pub(crate) fn figures(&self, ended: Option<Ended>) -> Figures {
        let Shared { about, live, .. } = &*self.0;
        let (View { snapshot, status, .. }, last_progress) = (live.view(), live.last_progress());
        // No lock is held below, where a disk may not answer: events do not wait.
        let (counted, lane_time) = (*locked(&self.0.counted), locked(&self.0.lane_time).rising(&snapshot.limited_by));
        let moment = Moment {
            about,
            snapshot: &snapshot,
            status: &status,
            counted: &counted,
            lane_time: &lane_time,
            last_progress,
            ended,
            now: Timestamp::now(),
        };
        gather(&moment)
    }
}

impl Observer for Metrics {
    fn event(&mut self, event: &Event) {
        locked(&self.0.counted).observe(event);
    }
}
