//! What was requested, and what is in force at a moment: pure functions of both.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::timetable::{Rate, Timetable};

/// Who set the limit in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetBy {
    /// `--bwlimit` with a single value.
    Option,
    /// `--bwlimit` with a timetable.
    Timetable,
    /// A request while the run goes on.
    Control,
}

/// A pause that was requested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pause {
    pub(crate) since: Timestamp,
    pub(crate) until: Option<Timestamp>,
    pub(crate) by: String,
}

/// What is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InForce {
    pub(crate) rate: Rate,
    pub(crate) set_by: SetBy,
    /// When a requested limit ends.
    pub(crate) until: Option<Timestamp>,
    /// The next limit, and when it begins.
    pub(crate) next: Option<(Timestamp, Rate)>,
    /// A requested pause: the limit is in force when it ends.
    pub(crate) pause: Option<Pause>,
}

impl InForce {
    /// Whether nothing is sent.
    pub(crate) fn is_paused(&self) -> bool {
        self.pause.is_some() || self.rate == Rate::Pause
    }
}

/// A limit that was requested.
#[derive(Clone, Debug)]
pub(super) struct Override {
    pub(super) rate: Rate,
    pub(super) until: Option<Timestamp>,
    pub(super) by: String,
}

/// What was requested.
pub(super) struct State {
    limit: Timetable,
    zone: TimeZone,
    pub(super) overridden: Option<Override>,
    pub(super) pause: Option<Pause>,
}

impl State {
    pub(super) fn new(limit: Timetable, zone: TimeZone) -> Self {
        Self { limit, zone, overridden: None, pause: None }
    }

    /// Drops what has ended, so that it does not return if the clock is set back. Returns whether a pause has ended.
    pub(super) fn forget_past(&mut self, now: Timestamp) -> bool {
        self.overridden.take_if(|limit| is_past(limit.until, now));
        self.pause.take_if(|pause| is_past(pause.until, now)).is_some()
    }

    /// The requested pause in force.
    pub(super) fn pause(&self, now: Timestamp) -> Option<&Pause> {
        self.pause.as_ref().filter(|pause| !is_past(pause.until, now))
    }

    fn overridden(&self, now: Timestamp) -> Option<&Override> {
        self.overridden.as_ref().filter(|limit| !is_past(limit.until, now))
    }

    pub(super) fn in_force(&self, now: Timestamp) -> InForce {
        let pause = self.pause(now).cloned();
        match self.overridden(now) {
            Some(limit) => {
                let next = limit.until.map(|until| (until, self.rate_of_option(until)));
                InForce { rate: limit.rate, set_by: SetBy::Control, until: limit.until, next, pause }
            }
            None => InForce {
                rate: self.rate_of_option(now),
                set_by: if self.limit.only_rate().is_some() { SetBy::Option } else { SetBy::Timetable },
                until: None,
                next: self.next_of_option(now),
                pause,
            },
        }
    }

    pub(super) fn rate_at(&self, at: Timestamp) -> Rate {
        match (self.pause(at), self.overridden(at)) {
            (Some(_), _) => Rate::Pause,
            (None, Some(limit)) => limit.rate,
            (None, None) => self.rate_of_option(at),
        }
    }

    /// When something else is in force for the first time after `now`.
    pub(super) fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        let limit_ends = match self.overridden(now) {
            Some(limit) => limit.until,
            None => self.next_of_option(now).map(|(time, _)| time),
        };
        [limit_ends, self.pause(now).and_then(|pause| pause.until)].into_iter().flatten().min()
    }

    /// Who set the limit in force, as the log has it.
    pub(super) fn set_by_text(&self, now: Timestamp) -> &str {
        match self.overridden(now) {
            Some(limit) => &limit.by,
            None if self.limit.only_rate().is_some() => "--bwlimit",
            None => "timetable",
        }
    }

    fn rate_of_option(&self, now: Timestamp) -> Rate {
        self.limit.at(&now.to_zoned_datetime(self.zone.clone()))
    }

    fn next_of_option(&self, now: Timestamp) -> Option<(Timestamp, Rate)> {
        let next = self.limit.next_change(&now.to_zoned_datetime(self.zone.clone()))?;
        Some((next.0.timestamp(), next.1))
    }
}

fn is_past(until: Option<Timestamp>, now: Timestamp) -> bool {
    until.is_some_and(|until| until <= now)
}
