//! The handle that steers a run.

use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::state::{InForce, Override, Pause, SetBy, State};
use super::steered::{Applied, Steered};
use crate::lock::locked;
use crate::timetable::{Rate, Timetable};

/// Steers one run; clones steer the same one.
#[derive(Clone)]
pub(crate) struct Steering(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    steered: Box<dyn Steered>,
    /// The wall clock.
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

struct Inner {
    state: State,
    applied: Applied,
}

impl Steering {
    /// Steers a run by the values of `--bwlimit`, in local time of `zone`.
    pub(crate) fn new(limit: Timetable, zone: TimeZone, steered: impl Steered + 'static) -> Self {
        Self::with_clock(limit, zone, steered, Timestamp::now)
    }

    pub(super) fn with_clock(
        limit: Timetable,
        zone: TimeZone,
        steered: impl Steered + 'static,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Self {
        let inner = Inner { state: State::new(limit, zone), applied: Applied::default() };
        Self(Arc::new(Shared { inner: Mutex::new(inner), steered: Box::new(steered), clock: Box::new(clock) }))
    }

    /// Pauses the run, at most until a moment. A later pause replaces an earlier one.
    pub(crate) fn pause(&self, until: Option<Timestamp>, by: &str) {
        let now = self.now();
        let mut inner = self.lock();
        let since = inner.state.pause(now).map_or(now, |pause| pause.since);
        inner.state.pause = Some(Pause { since, until, by: by.to_owned() });
        self.apply(&mut inner, now, Some(by));
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// One line, if the run stays paused, because `pause` is the limit in force.
    pub(crate) fn resume(&self, by: &str) -> Result<(), String> {
        let now = self.now();
        let mut inner = self.lock();
        inner.state.pause = None;
        self.apply(&mut inner, now, Some(by));
        let in_force = inner.state.in_force(now);
        match (in_force.rate, in_force.set_by) {
            (Rate::Pause, SetBy::Timetable) => {
                Err("the timetable pauses the run at this time: set a limit to resume it".to_owned())
            }
            (Rate::Pause, _) => Err("the limit is `pause`: set another limit to resume the run".to_owned()),
            _ => Ok(()),
        }
    }

    /// Sets a limit that comes before `--bwlimit`, at most until a moment.
    ///
    /// # Errors
    /// One line, if the limit is too low or the moment is past; then nothing changes.
    pub(crate) fn set_limit(&self, rate: Rate, until: Option<Timestamp>, by: &str) -> Result<(), String> {
        let now = self.now();
        if until.is_some_and(|until| until <= now) {
            return Err("the end of the limit is in the past".to_owned());
        }
        if let Some(bandwidth) = rate.bandwidth() {
            bandwidth.check().map_err(|error| error.to_string())?;
        }
        let mut inner = self.lock();
        inner.state.overridden = Some(Override { rate, until, by: by.to_owned() });
        self.apply(&mut inner, now, Some(by));
        Ok(())
    }

    /// Returns to the limit of `--bwlimit`.
    pub(crate) fn reset_limit(&self, by: &str) {
        let now = self.now();
        let mut inner = self.lock();
        inner.state.overridden = None;
        self.apply(&mut inner, now, Some(by));
    }

    /// Stops the run; with `after_current` once the files in flight are complete.
    pub(crate) fn stop(&self, after_current: bool, by: &str) {
        self.0.steered.stop(after_current, by);
    }

    /// What is in force now.
    pub(crate) fn in_force(&self) -> InForce {
        self.lock().state.in_force(self.now())
    }

    /// What is in force at a moment to come, as far as is known now; a requested pause is [`Rate::Pause`].
    pub(crate) fn rate_at(&self, at: Timestamp) -> Rate {
        self.lock().state.rate_at(at)
    }

    /// Applies what is in force now; returns when that changes next.
    pub(crate) fn tick(&self) -> Option<Timestamp> {
        let now = self.now();
        let mut inner = self.lock();
        self.apply(&mut inner, now, None);
        inner.state.wake_at(now)
    }

    /// Applies what is in force; `by` requested it, if it was requested just now.
    fn apply(&self, inner: &mut Inner, now: Timestamp, by: Option<&str>) {
        let has_pause_ended = inner.state.forget_past(now);
        let in_force = inner.state.in_force(now);
        let limit_by = by.unwrap_or_else(|| inner.state.set_by_text(now));
        let pause_by = by.unwrap_or(match &in_force.pause {
            Some(pause) => &pause.by,
            None if has_pause_ended => "timer",
            None => limit_by,
        });
        inner.applied.change_to(&in_force, &*self.0.steered, [limit_by, pause_by]);
    }

    fn now(&self) -> Timestamp {
        (self.0.clock)()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        locked(&self.0.inner)
    }
}
