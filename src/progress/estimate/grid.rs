//! The time to come, in quarters of an hour.

use towpath_backend::Timestamp;

use super::observed::hour_of_week;
use super::outlook::{Allowed, Outlook};

const SLOT_S: i64 = 900;
/// The first hour is walked through in minutes: what is measured now changes soon.
const FIRST_SLOT_S: i64 = 60;
const FIRST_S: i64 = 3600;
/// The outlook is asked for so many weeks; what follows is taken to repeat the last of them.
const WEEKS: i64 = 5;
const WEEK_SLOTS: usize = (7 * 86_400 / SLOT_S) as usize;

/// A stretch of the time to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Slot {
    /// Seconds since 1970.
    pub(super) begin_s: i64,
    pub(super) end_s: i64,
    pub(super) hour: usize,
    pub(super) allowed: Allowed,
}

/// The slots of some weeks, from a moment on.
#[derive(Debug, Default)]
pub(super) struct Grid(Vec<Slot>);

impl Grid {
    pub(super) fn new(now_s: i64, outlook: &dyn Outlook, in_force: Allowed) -> Self {
        let end_s = now_s.saturating_add(WEEKS * 7 * 86_400);
        let (mut slots, mut begin_s) = (Vec::new(), now_s);
        while begin_s < end_s {
            let at = Timestamp::from_parts(begin_s, 0);
            let slot_s = if begin_s < now_s.saturating_add(FIRST_S) { FIRST_SLOT_S } else { SLOT_S };
            let next_s = (begin_s - begin_s.rem_euclid(slot_s)).saturating_add(slot_s).min(end_s);
            let hour = hour_of_week(begin_s, i64::from(outlook.utc_offset_s(at)));
            slots.push(Slot { begin_s, end_s: next_s, hour, allowed: outlook.allowed(at, in_force) });
            begin_s = next_s;
        }
        Self(slots)
    }

    /// What is allowed now, if the grid begins now.
    pub(super) fn allowed(&self, now_s: i64) -> Option<Allowed> {
        self.0.iter().find(|slot| slot.end_s > now_s).filter(|slot| slot.begin_s <= now_s).map(|slot| slot.allowed)
    }

    /// What is left of the slots.
    pub(super) fn slots(&self, now_s: i64) -> impl Iterator<Item = Slot> {
        let from = self.0.partition_point(|slot| slot.end_s <= now_s);
        self.0[from..].iter().map(move |slot| Slot { begin_s: slot.begin_s.max(now_s), ..*slot })
    }

    /// The slots of the last week.
    pub(super) fn last_week(&self) -> &[Slot] {
        &self.0[self.0.len().saturating_sub(WEEK_SLOTS)..]
    }
}
