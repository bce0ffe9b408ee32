//! When the migration will end, as text.

use std::time::Duration;

use jiff::ZonedDateTime;

use super::duration;
use towpath::Estimate;

/// Below this, times are shown as durations.
const SOON: Duration = Duration::from_secs(3600);
/// A weekday alone is clear for so many days.
const WEEKDAY_DAYS: i32 = 6;

/// `all done in 04:12, with 90 % in 05:30`; `ends about Tue 14:10, with 90 % by Wed 02:00`. `None`: unknown.
pub(crate) fn ends(estimate: &Estimate, now: &ZonedDateTime) -> Option<String> {
    let (p50, p90) = (estimate.p50?, estimate.p90?);
    if p50 < SOON {
        return Some(format!("all done in {}, with 90 % in {}", duration(p50), duration(p90)));
    }
    let about =
        after(p50, now).map_or_else(|| format!("ends in {}", duration(p50)), |time| format!("ends about {time}"));
    let by = after(p90, now).map_or_else(|| format!("in {}", duration(p90)), |time| format!("by {time}"));
    Some(if p50 >= Estimate::YEAR { about } else { format!("{about}, with 90 % {by}") })
}

/// A moment after now; `None` from a year on.
pub(crate) fn after(time: Duration, now: &ZonedDateTime) -> Option<String> {
    let then = now.timestamp().checked_add(time).ok().filter(|_| time < Estimate::YEAR)?;
    Some(moment(&then.to_zoned_datetime(now.time_zone().clone()), now))
}

/// `14:10` today, `Tue 14:10` in the coming days, else `2026-12-18 14:10`.
pub(crate) fn moment(then: &ZonedDateTime, now: &ZonedDateTime) -> String {
    let (today, date) = (now.datetime().date(), then.datetime().date());
    let days = (date - today).get_days();
    let format = match days {
        0 => "%H:%M",
        1..=WEEKDAY_DAYS => "%a %H:%M",
        _ => "%Y-%m-%d %H:%M",
    };
    then.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Saturday.
    fn now() -> ZonedDateTime {
        let zone = jiff::tz::TimeZone::get("Europe/Berlin").unwrap();
        "2026-11-28T11:00:00Z".parse::<jiff::Timestamp>().unwrap().to_zoned_datetime(zone)
    }

    fn shown(p50_s: u64, p90_s: u64) -> String {
        let mut estimate = Estimate::default();
        estimate.p50 = Some(Duration::from_secs(p50_s));
        estimate.p90 = Some(Duration::from_secs(p90_s));
        ends(&estimate, &now()).unwrap()
    }

    #[test]
    fn the_end_is_a_duration_a_time_of_day_a_weekday_or_a_date() {
        const HOUR_S: u64 = 3600;
        let year_s = Estimate::YEAR.as_secs();
        let shown: Vec<_> = [
            (252, 330),
            (3_000, 5 * HOUR_S),
            (2 * HOUR_S, 3 * HOUR_S),
            (74 * HOUR_S, 86 * HOUR_S),
            (160 * HOUR_S, 200 * HOUR_S),
            (500 * HOUR_S, 700 * HOUR_S),
            (500 * HOUR_S, year_s),
            (year_s, year_s),
        ]
        .map(|(p50_s, p90_s)| shown(p50_s, p90_s))
        .into();
        insta::assert_snapshot!(shown.join("\n"), @"
        all done in 04:12, with 90 % in 05:30
        all done in 50:00, with 90 % in 5:00:00
        ends about 14:00, with 90 % by 15:00
        ends about Tue 14:00, with 90 % by Wed 02:00
        ends about 2026-12-05 04:00, with 90 % by 2026-12-06 20:00
        ends about 2026-12-19 08:00, with 90 % by 2026-12-27 16:00
        ends about 2026-12-19 08:00, with 90 % in >1 year
        ends in >1 year
        ");
    }

    #[test]
    fn an_unknown_end_is_not_shown() {
        assert_eq!(ends(&Estimate::default(), &now()), None);
    }
}
