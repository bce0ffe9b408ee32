//! The timetable of the limit, and the clock that it follows.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::doctor::{Code, info, ok, problem};
use crate::finding::Finding;
use crate::timetable::Timetable;

/// A change of the clock is worth a word within 90 days.
const SOON: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Judges the time zone, which matters only if the limit depends on the time.
pub(crate) fn time_zone(limit: &Timetable, zone: &Result<TimeZone, String>, now: Timestamp) -> Option<Finding> {
    if limit.only_rate().is_some() {
        return None;
    }
    let zone = match zone {
        Ok(zone) => zone,
        Err(error) => {
            return Some(problem(
                Code::TimeZone,
                error.clone(),
                "the timetable would apply at other hours than you mean: `towpath sync` does not start",
                "TZ=Europe/Berlin; apt install tzdata",
            ));
        }
    };
    let name = zone.iana_name().unwrap_or("that of the system");
    let until = now.checked_add(SOON).unwrap_or(now);
    let offset = zone.to_offset(now);
    let changes = zone.following(now).take_while(|change| change.timestamp() < until);
    let Some(change) = changes.into_iter().find(|change| change.offset() != offset) else {
        return Some(ok(Code::TimeZone, format!("the timetable follows the time zone {name}")));
    };
    let day = change.timestamp().to_zoned_datetime(zone.clone()).strftime("%Y-%m-%d").to_string();
    Some(info(
        Code::TimeZone,
        format!("the timetable follows the time zone {name}, whose clock is set on {day}"),
        "an hour that is left out has no limit of its own, and in one that comes twice the same limits hold again",
        "`towpath timetable` shows that day (--from)",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::bwlimit::parse_bwlimit;
    use crate::finding::Severity;

    #[test]
    fn only_a_timetable_needs_a_time_zone() {
        let now: Timestamp = "2026-09-01T00:00:00Z".parse().unwrap();
        let berlin = || Ok(TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        let judge = |limit: &str, zone: &Result<TimeZone, String>, now| {
            time_zone(&parse_bwlimit(limit).unwrap(), zone, now).map(|found| (found.severity, found.found))
        };
        assert_eq!(judge("20M", &Err("unknown".to_owned()), now), None);
        let (severity, found) = judge("08:00,5M 18:00,off", &berlin(), now).unwrap();
        assert!(severity == Severity::Info && found.ends_with("2026-10-25"), "{found}");
        let later = "2026-11-01T00:00:00Z".parse().unwrap();
        assert_eq!(judge("08:00,5M 18:00,off", &berlin(), later).unwrap().0, Severity::Ok);
        assert_eq!(judge("08:00,5M 18:00,off", &Err("unknown".to_owned()), now).unwrap().0, Severity::Problem);
    }
}
