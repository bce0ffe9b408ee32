//! The limits to come, for the forecast of the end.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ZonedDateTime};

use super::handle::Steering;
use crate::args::bwlimit::local_zone;
use crate::format::moment;
use crate::timetable::Rate;
use towpath::{Allowed, Estimator, Outlook, Progress};

/// An estimator that knows the earlier rates of a migration, and the limits to come.
pub(crate) fn estimator(progress: &Progress, steering: Option<Steering>) -> Estimator {
    let limits = Limits { steering, zone: local_zone().unwrap_or(TimeZone::UTC) };
    Estimator::new(progress.history()).with_outlook(limits)
}

/// What the steering of a run has in store: the timetable, and requested limits and pauses.
struct Limits {
    /// `None`: what is in force stays.
    steering: Option<Steering>,
    zone: TimeZone,
}

impl Outlook for Limits {
    fn allowed(&self, at: towpath::Timestamp, in_force: Allowed) -> Allowed {
        let rate = self.steering.as_ref().zip(moment(at)).map(|(steering, at)| steering.rate_at(at));
        rate.map_or(in_force, Rate::allowed)
    }

    fn utc_offset_s(&self, at: towpath::Timestamp) -> i32 {
        let zoned = |at: Timestamp| -> ZonedDateTime { at.to_zoned_datetime(self.zone.clone()) };
        moment(at).map_or(0, |at| zoned(at).offset().seconds())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::args::bwlimit::parse_bwlimit;
    use crate::steering::steered::Steered;
    use towpath::{Bandwidth, UsageError};

    struct Nothing;

    impl Steered for Nothing {
        fn pause(&self, _: &str) {}
        fn resume(&self, _: &str) {}
        fn set_bandwidth(&self, _: Bandwidth, _: &str) -> Result<(), UsageError> {
            Ok(())
        }
        fn stop(&self, _: bool, _: &str) {}
    }

    fn limits(timetable: &str) -> (Limits, Steering) {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let steering = Steering::new(parse_bwlimit(timetable).unwrap(), zone.clone(), Nothing);
        (Limits { steering: Some(steering.clone()), zone }, steering)
    }

    fn at(limits: &Limits, text: &str) -> (Allowed, i32) {
        let at = towpath::Timestamp::from_parts(text.parse::<Timestamp>().unwrap().as_second(), 0);
        (limits.allowed(at, Allowed::Limit(7)), limits.utc_offset_s(at))
    }

    #[test]
    fn the_timetable_holds_in_local_time() {
        let (limits, _) = limits("08:00,5M 18:00,auto:50M 22:00,off 23:00,pause");
        for (text, expected) in [
            ("2026-11-28T06:59:00Z", (Allowed::Nothing, 3600)),
            ("2026-11-28T07:00:00Z", (Allowed::Limit(5 << 20), 3600)),
            ("2026-07-28T06:00:00Z", (Allowed::Limit(5 << 20), 7200)),
            ("2026-11-28T17:00:00Z", (Allowed::Limit(50 << 20), 3600)),
            ("2026-11-28T21:30:00Z", (Allowed::Unlimited, 3600)),
        ] {
            assert_eq!(at(&limits, text), expected, "{text}");
        }
        let unsteered = Limits { steering: None, ..limits };
        assert_eq!(at(&unsteered, "2026-11-28T07:00:00Z"), (Allowed::Limit(7), 3600));
    }

    #[test]
    fn requests_hold_until_their_end() {
        let (limits, steering) = limits("20M");
        let now = Timestamp::now();
        let after = |hours: u64| {
            let at = now.checked_add(Duration::from_secs(3600 * hours)).unwrap();
            limits.allowed(towpath::Timestamp::from_parts(at.as_second(), 0), Allowed::Unlimited)
        };
        let in_hours = |hours: u64| now.checked_add(Duration::from_secs(3600 * hours)).ok();
        steering.set_limit(Rate::Fixed(1 << 20), in_hours(4), "test").unwrap();
        steering.pause(in_hours(2), "test");
        assert_eq!([1, 3, 5].map(after), [Allowed::Nothing, Allowed::Limit(1 << 20), Allowed::Limit(20 << 20)]);
        steering.pause(None, "test");
        assert_eq!(after(10_000), Allowed::Nothing);
    }
}
