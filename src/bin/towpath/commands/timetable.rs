//! `towpath timetable`: shows what a timetable means.

use std::time::Duration;

use jiff::tz::Offset;
use jiff::{SignedDuration, Span, Timestamp, ZonedDateTime};

use crate::args::bwlimit::{TimetableArguments, local_zone};
use crate::console::{limit_of, output};
use crate::exit::USAGE_ERROR;
use crate::timetable::{Rate, Timetable};

/// Runs the command and returns the exit status.
pub(crate) fn run(arguments: &TimetableArguments) -> u8 {
    let shown = local_zone().and_then(|zone| {
        let from = match arguments.from {
            Some(start) => start.in_zone(&zone)?,
            None => Timestamp::now().to_zoned_datetime(zone),
        };
        Ok((end_of(&from, arguments.show)?, from))
    });
    match shown {
        Ok((end, from)) => {
            let zone = from.time_zone();
            output::line(&format!("time zone: {}", zone.iana_name().unwrap_or("that of the system")));
            show(&arguments.timetable, from, &end, output::line);
            0
        }
        Err(problem) => {
            output::error(&problem);
            USAGE_ERROR
        }
    }
}

/// Whole days are days of the calendar: with daylight saving not all have 24 hours.
fn end_of(from: &ZonedDateTime, show: Duration) -> Result<ZonedDateTime, String> {
    const DAY_S: u64 = 24 * 60 * 60;
    let end = if show.subsec_nanos() == 0 && show.as_secs().is_multiple_of(DAY_S) {
        let days = i64::try_from(show.as_secs() / DAY_S).unwrap_or(i64::MAX);
        Span::new().try_days(days).and_then(|days| from.checked_add(days))
    } else {
        SignedDuration::try_from(show).and_then(|time| from.checked_add(time))
    };
    end.map_err(|error| format!("--show: {error}"))
}

/// Prints a line for the start, for each change of the limit, and for each change of the clock.
fn show(timetable: &Timetable, from: ZonedDateTime, end: &ZonedDateTime, print: impl Fn(&str)) {
    let line = |time: &ZonedDateTime, note: &str| {
        let moment = time.strftime("%a %Y-%m-%d %H:%M %:z");
        let limit = match timetable.at(time) {
            Rate::Off => "no limit".to_owned(),
            rate => limit_of(rate),
        };
        print(&format!("{moment}  {limit}{note}"));
    };
    line(&from, "");
    let mut now = from;
    loop {
        let change = timetable.next_change(&now).map(|(time, _)| time).filter(|time| time < end);
        let clock = next_clock_change(&now, end).filter(|clock| change.as_ref().is_none_or(|time| clock <= time));
        let Some(next) = clock.clone().or(change) else { return };
        line(&next, &clock.map_or_else(String::new, |clock| clock_note(now.offset(), &clock)));
        now = next;
    }
}

/// The next time that the local clock is set, as for daylight saving.
fn next_clock_change(now: &ZonedDateTime, end: &ZonedDateTime) -> Option<ZonedDateTime> {
    let zone = now.time_zone();
    let transitions = zone.following(now.timestamp()).take_while(|next| next.timestamp() < end.timestamp());
    let next = transitions.into_iter().find(|next| next.offset() != now.offset())?;
    Some(next.timestamp().to_zoned_datetime(zone.clone()))
}

/// Which local times do not exist, or come twice.
fn clock_note(before: Offset, now: &ZonedDateTime) -> String {
    let (old, new) = (before.to_datetime(now.timestamp()), now.datetime());
    let form = if old.date() == new.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let direction = if new > old { "forward" } else { "back" };
    format!("  (clock set {direction} from {} to {})", old.strftime(form), new.strftime(form))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::args::bwlimit::parse_bwlimit;

    fn shown(timetable: &str, from: &str, days: u64) -> String {
        let lines = RefCell::new(Vec::new());
        let from: ZonedDateTime = from.parse().unwrap();
        let end = end_of(&from, Duration::from_secs(days * 24 * 60 * 60)).unwrap();
        show(&parse_bwlimit(timetable).unwrap(), from, &end, |line| lines.borrow_mut().push(line.to_owned()));
        lines.into_inner().join("\n")
    }

    #[test]
    fn each_change_has_a_line() {
        let timetable = "Mon-08:00,5M Mon-18:00,auto:20M Sat-00:00,off 2026-12-25,pause";
        insta::assert_snapshot!(shown(timetable, "2026-12-20T12:00:00+01:00[Europe/Berlin]", 7), @r"
        Sun 2026-12-20 12:00 +01:00  no limit
        Mon 2026-12-21 08:00 +01:00  5 MiB/s each way
        Mon 2026-12-21 18:00 +01:00  auto, adapts to other traffic, at most 20 MiB/s each way
        Fri 2026-12-25 00:00 +01:00  paused
        Sat 2026-12-26 00:00 +01:00  no limit
        ");
    }

    #[test]
    fn changes_of_the_clock_are_marked() {
        let timetable = "00:00,off 02:30,5M";
        insta::assert_snapshot!(shown(timetable, "2026-03-28T12:00:00+01:00[Europe/Berlin]", 2), @r"
        Sat 2026-03-28 12:00 +01:00  5 MiB/s each way
        Sun 2026-03-29 00:00 +01:00  no limit
        Sun 2026-03-29 03:00 +02:00  5 MiB/s each way  (clock set forward from 02:00 to 03:00)
        Mon 2026-03-30 00:00 +02:00  no limit
        Mon 2026-03-30 02:30 +02:00  5 MiB/s each way
        ");
        insta::assert_snapshot!(shown(timetable, "2026-10-25T00:00:00+02:00[Europe/Berlin]", 1), @r"
        Sun 2026-10-25 00:00 +02:00  no limit
        Sun 2026-10-25 02:30 +02:00  5 MiB/s each way
        Sun 2026-10-25 02:00 +01:00  no limit  (clock set back from 03:00 to 02:00)
        Sun 2026-10-25 02:30 +01:00  5 MiB/s each way
        ");
        // No change of the limit.
        insta::assert_snapshot!(shown("20M", "2011-12-29T00:00:00-10:00[Pacific/Apia]", 7), @r"
        Thu 2011-12-29 00:00 -10:00  20 MiB/s each way
        Sat 2011-12-31 00:00 +14:00  20 MiB/s each way  (clock set forward from 2011-12-30 00:00 to 2011-12-31 00:00)
        ");
    }
}
