//! A run as its control server serves it: the status, what steers it, and its events.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use towpath::{Event, Overview, Progress};

use crate::event_json::{event_json, notice_json};
use crate::listener::Observer;
use crate::lock::locked;
use crate::metrics::{Figures, Metrics};
use crate::server::{Api, ErrorsPage, ErrorsRequest, EventFeed, Failure, LimitChange, Requester, Steered, Stop};
use crate::status::history::{History, Window};
use crate::status::limits::Limits;
use crate::status::live::{Live, View};
use crate::status::notice::Notice;
use crate::status::recorded::{RUNS, of_database};
use crate::steering::Steering;

/// Failures that are kept for `GET /v1/errors`; the log has all.
const MAX_FAILURES: usize = 1000;

/// How often clients that follow get the status.
const STATUS_INTERVAL: Duration = Duration::from_millis(900);

/// A run as its control server serves it; clones serve the same one.
#[derive(Clone)]
pub(crate) struct RunApi(Arc<Shared>);

struct Shared {
    metrics: Metrics,
    live: Live,
    steering: Steering,
    history: History,
    feed: EventFeed,
    failures: Mutex<Failures>,
    stop: Mutex<Option<Stop>>,
}

impl RunApi {
    pub(crate) fn new(progress: &Progress, metrics: Metrics, live: Live, steering: Steering) -> Self {
        let (failures, stop, in_force) = (Mutex::default(), Mutex::default(), steering.clone());
        live.set_limits(move || Limits::of(in_force.in_force()));
        let history = History::new(Timestamp::now(), progress.history());
        Self(Arc::new(Shared { metrics, live, steering, history, feed: EventFeed::new(), failures, stop }))
    }

    /// Passes on what happens in the run to the clients that follow.
    pub(crate) fn observer(&self) -> impl Observer + use<> {
        Published { api: self.clone(), last: None }
    }

    /// Sends the clients that follow how the run ended, as its database has it. Blocks.
    pub(crate) fn end(&self, database: &Path) {
        if !self.0.feed.has_clients() {
            return;
        }
        // Without it they learn only that the run has ended.
        let Ok(Some(overview)) = Overview::read(database, RUNS) else { return };
        if let Ok(status) = to_json(&of_database(database, &overview)) {
            self.0.feed.publish("status", || status);
        }
    }
}

/// Passes on what happens in a run.
struct Published {
    api: RunApi,
    /// When the status was sent last.
    last: Option<Instant>,
}

impl Observer for Published {
    fn event(&mut self, event: &Event) {
        let Shared { feed, failures, .. } = &*self.api.0;
        let is_failure = matches!(event, Event::Failed { .. } | Event::Incomplete { .. } | Event::Unreadable { .. });
        if !is_failure && !feed.has_clients() {
            return;
        }
        let Some((name, fields)) = event_json(event) else { return };
        if is_failure {
            let mut failure = fields.clone();
            failure["status"] = name.into();
            locked(failures).add(failure);
        }
        feed.publish(name, || fields);
    }

    fn notice(&mut self, notice: &Notice) {
        let (name, fields) = notice_json(notice);
        self.api.0.feed.publish(name, || fields);
    }

    fn tick(&mut self, view: &View) {
        let Shared { feed, history, .. } = &*self.api.0;
        history.note(Instant::now(), Timestamp::now(), &view.snapshot);
        if !feed.has_clients() || self.last.is_some_and(|last| last.elapsed() < STATUS_INTERVAL) {
            return;
        }
        self.last = Some(Instant::now());
        if let Ok(status) = serde_json::to_value(&view.status) {
            feed.publish("status", || status);
        }
    }
}

impl Api for RunApi {
    fn status(&self) -> Result<Value, Failure> {
        to_json(&self.0.live.status())
    }

    fn errors(&self, request: &ErrorsRequest) -> Result<ErrorsPage, Failure> {
        locked(&self.0.failures).page(request)
    }

    fn history(&self, window: Window) -> Result<Value, Failure> {
        to_json(&self.0.history.series(window, Timestamp::now()))
    }

    fn metrics(&self) -> Result<Figures, Failure> {
        Ok(self.0.metrics.figures(None))
    }

    fn events(&self) -> EventFeed {
        self.0.feed.clone()
    }

    fn steered(&self) -> Steered {
        Steered { in_force: self.0.steering.in_force(), stop: locked(&self.0.stop).clone() }
    }

    fn pause(&self, until: Option<Timestamp>, by: &Requester) -> Result<(), Failure> {
        self.0.steering.pause(until, &by.to_string());
        Ok(())
    }

    fn resume(&self, by: &Requester) -> Result<(), Failure> {
        self.0.steering.resume(&by.to_string()).map_err(Failure::Conflict)
    }

    fn stop(&self, after_current: bool, by: &Requester) -> Result<(), Failure> {
        let by = by.to_string();
        self.0.steering.stop(after_current, &by);
        let mut stop = locked(&self.0.stop);
        // A stop at once replaces one after the files in flight.
        if !after_current || stop.is_none() {
            *stop = Some(Stop { after_current, by });
        }
        Ok(())
    }

    fn limit(&self, change: &LimitChange, by: &Requester) -> Result<(), Failure> {
        let by = by.to_string();
        match change {
            LimitChange::Set { rate, until } => self.0.steering.set_limit(*rate, *until, &by).map_err(Failure::Invalid),
            LimitChange::Reset => {
                self.0.steering.reset_limit(&by);
                Ok(())
            }
        }
    }
}

fn to_json(value: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(value).map_err(|error| Failure::Unavailable(error.to_string()))
}

/// The last failures, numbered from 1.
#[derive(Debug, Default)]
struct Failures {
    last: VecDeque<Value>,
    /// Failures that are no longer kept.
    dropped: u64,
}

impl Failures {
    fn add(&mut self, failure: Value) {
        if self.last.len() == MAX_FAILURES {
            self.last.pop_front();
            self.dropped += 1;
        }
        self.last.push_back(failure);
    }

    /// A page after the failure with the number `after`.
    fn page(&self, request: &ErrorsRequest) -> Result<ErrorsPage, Failure> {
        let invalid = |after: &String| Failure::Invalid(format!("after={after} is not `next` of another page"));
        let after = match &request.after {
            Some(after) => after.parse().map_err(|_| invalid(after))?,
            None => 0_u64,
        };
        let skipped = usize::try_from(after.saturating_sub(self.dropped)).unwrap_or(usize::MAX);
        let errors: Vec<_> = self.last.iter().skip(skipped).take(request.limit).cloned().collect();
        let until = self.dropped.max(after) + errors.len() as u64;
        let next = (until < self.dropped + self.last.len() as u64).then(|| until.to_string());
        Ok(ErrorsPage { errors, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn failures_are_paged_and_the_oldest_are_dropped() {
        let mut failures = Failures::default();
        for number in 1..=MAX_FAILURES + 5 {
            failures.add(json!(number));
        }
        let page = |limit, after: Option<&str>| {
            failures.page(&ErrorsRequest { limit, after: after.map(str::to_owned) }).unwrap()
        };
        let first = page(2, None);
        assert_eq!((first.errors, first.next.as_deref()), (vec![json!(6), json!(7)], Some("7")));
        assert_eq!(page(1, Some("7")).errors, [json!(8)]);
        assert_eq!(page(1, Some("3")).errors, [json!(6)], "those between are dropped");
        let last = page(10, Some("1003"));
        assert_eq!((last.errors, last.next), (vec![json!(1004), json!(1005)], None));
        assert_eq!(page(10, Some("1005")), ErrorsPage::default());
        assert!(failures.page(&ErrorsRequest { limit: 1, after: Some("x".to_owned()) }).is_err());
    }
}
