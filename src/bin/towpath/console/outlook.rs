//! The limits to come, for the forecast of the end.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use crate::timetable::{Rate, Timetable};
use towpath::{Allowed, Outlook};

/// The timetable of `--bwlimit` in local time.
pub(super) struct Limits {
    pub(super) timetable: Timetable,
    pub(super) zone: TimeZone,
}

impl Limits {
    fn zoned(&self, at: towpath::Timestamp) -> Option<ZonedDateTime> {
        let at = Timestamp::from_nanosecond(at.total_ns()).ok()?;
        Some(at.to_zoned_datetime(self.zone.clone()))
    }
}

impl Outlook for Limits {
    fn allowed(&self, at: towpath::Timestamp, in_force: Allowed) -> Allowed {
        // A single value may have been replaced by a request.
        if self.timetable.only_rate().is_some() {
            return in_force;
        }
        match self.zoned(at).map(|at| self.timetable.at(&at)) {
            Some(Rate::Fixed(limit) | Rate::Auto { max: Some(limit) }) => Allowed::Limit(limit),
            Some(Rate::Pause) => Allowed::Nothing,
            Some(Rate::Off | Rate::Auto { max: None }) => Allowed::Unlimited,
            None => in_force,
        }
    }

    fn utc_offset_s(&self, at: towpath::Timestamp) -> i32 {
        self.zoned(at).map_or(0, |at| at.offset().seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::bwlimit::parse_bwlimit;

    fn at(limits: &Limits, text: &str) -> (Allowed, i32) {
        let at = text.parse::<Timestamp>().unwrap().as_second();
        let at = towpath::Timestamp::from_parts(at, 0);
        (limits.allowed(at, Allowed::Limit(7)), limits.utc_offset_s(at))
    }

    #[test]
    fn the_timetable_holds_in_local_time() {
        let timetable = parse_bwlimit("08:00,5M 18:00,auto:50M 22:00,off 23:00,pause").unwrap();
        let limits = Limits { timetable, zone: TimeZone::get("Europe/Berlin").unwrap() };
        for (text, expected) in [
            ("2026-11-28T06:59:00Z", (Allowed::Nothing, 3600)),
            ("2026-11-28T07:00:00Z", (Allowed::Limit(5 << 20), 3600)),
            ("2026-07-28T06:00:00Z", (Allowed::Limit(5 << 20), 7200)),
            ("2026-11-28T17:00:00Z", (Allowed::Limit(50 << 20), 3600)),
            ("2026-11-28T21:30:00Z", (Allowed::Unlimited, 3600)),
        ] {
            assert_eq!(at(&limits, text), expected, "{text}");
        }
    }

    #[test]
    fn a_single_value_is_what_is_in_force() {
        let limits = Limits { timetable: parse_bwlimit("5M").unwrap(), zone: TimeZone::UTC };
        assert_eq!(at(&limits, "2026-11-28T07:00:00Z"), (Allowed::Limit(7), 0));
    }
}
