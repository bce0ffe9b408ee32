//! Whether the end is expected after the deadline.

use std::time::{Duration, Instant};

use jiff::{Timestamp, ZonedDateTime};

use super::notice::{DeadlineNotice, Notice};
use crate::format::ends::{after, moment};
use crate::format::rate;
use towpath::Estimate;

/// An expectation must last so long before it is reported: the first seconds of a transfer say little.
const LASTS: Duration = Duration::from_secs(10);
/// The end must be this share of the time left before the deadline to be in time again.
const MARGIN: u32 = 50;

/// Compares the end that is expected with the deadline.
#[derive(Debug)]
pub(super) struct Deadline {
    deadline: Timestamp,
    /// What was reported.
    is_late: bool,
    /// Since when the opposite is expected.
    changed: Option<Instant>,
}

impl Deadline {
    pub(super) fn new(deadline: Timestamp) -> Self {
        Self { deadline, is_late: false, changed: None }
    }

    /// What to report, if the end has changed sides. `limit`: which constant limit would do.
    pub(super) fn check(
        &mut self,
        estimate: &Estimate,
        now: (Instant, &ZonedDateTime),
        limit: impl FnOnce(towpath::Timestamp) -> Option<u64>,
    ) -> Option<Notice> {
        let p50 = estimate.p50?;
        let (since, now) = now;
        let left = Duration::try_from(self.deadline.duration_since(now.timestamp())).unwrap_or_default();
        let is_late = match self.is_late {
            _ if left.is_zero() => true,
            true => p50 + p50 / MARGIN > left,
            false => p50 > left,
        };
        if is_late == self.is_late {
            self.changed = None;
            return None;
        }
        let changed = *self.changed.get_or_insert(since);
        if !left.is_zero() && since.saturating_duration_since(changed) < LASTS {
            return None;
        }
        (self.is_late, self.changed) = (is_late, None);
        let end = after(p50, now).map_or_else(|| "in >1 year".to_owned(), |end| format!("about {end}"));
        let deadline = moment(&self.deadline.to_zoned_datetime(now.time_zone().clone()), now);
        let enough_bytes_per_s = if is_late && !left.is_zero() { limit(at(self.deadline)) } else { None };
        let text = match (is_late, left.is_zero()) {
            (true, true) => format!("the deadline, {deadline}, has passed: the end is expected {end}"),
            (true, false) => {
                let limit = enough_bytes_per_s.map_or_else(
                    || "no limit is high enough".to_owned(),
                    |limit| format!("a limit of {} would be enough", rate(limit)),
                );
                format!("the deadline is {deadline}, but the end is expected {end}; {limit}")
            }
            (false, _) => format!("in time again: the deadline is {deadline}, and the end is expected {end}"),
        };
        let p50 = now.timestamp().checked_add(p50).ok().filter(|_| p50 < Estimate::YEAR);
        let notice = DeadlineNotice { deadline: self.deadline, p50, enough_bytes_per_s, text };
        Some(if is_late { Notice::DeadlineAtRisk(notice) } else { Notice::DeadlineInTime(notice) })
    }
}

fn at(time: Timestamp) -> towpath::Timestamp {
    towpath::Timestamp::from_total_ns(time.as_nanosecond()).unwrap_or(towpath::Timestamp::from_ns(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_S: u64 = 3600;

    struct Run {
        watch: Deadline,
        begun: Instant,
        notes: Vec<String>,
    }

    impl Run {
        /// With a deadline at 08:00 on Tuesday; it begins on Saturday at 12:00.
        fn new() -> Self {
            let watch = Deadline::new("2026-12-01T08:00:00Z".parse().unwrap());
            Self { watch, begun: Instant::now(), notes: Vec::new() }
        }

        /// The end is expected after so many hours, `after_s` seconds after the start.
        fn expect(&mut self, after_s: u64, hours: u64, limit: Option<u64>) {
            let mut estimate = Estimate::default();
            estimate.p50 = Some(Duration::from_secs(hours * HOUR_S));
            estimate.p90 = estimate.p50;
            let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
            let now = now.checked_add(Duration::from_secs(after_s)).unwrap().to_zoned_datetime(jiff::tz::TimeZone::UTC);
            let since = self.begun + Duration::from_secs(after_s);
            let expected = self.watch.deadline.as_second();
            let note = self.watch.check(&estimate, (since, &now), |deadline| {
                assert_eq!(deadline.seconds(), expected);
                limit
            });
            self.notes.extend(note.map(|notice| notice.text()));
        }
    }

    #[test]
    fn each_change_of_sides_is_reported_once() {
        let mut run = Run::new();
        (0..60).for_each(|second| run.expect(second, 60, None));
        (60..90).for_each(|second| run.expect(second, 74, Some(36_700_160)));
        // Less than 2 % before the deadline is not in time again.
        (90..120).for_each(|second| run.expect(second, 67, None));
        (120..150).for_each(|second| run.expect(second, 60, None));
        (150..180).for_each(|second| run.expect(second, 9_000, None));
        insta::assert_snapshot!(run.notes.join("\n"), @"
        the deadline is Tue 08:00, but the end is expected about Tue 14:01; a limit of 35.0 MiB/s would be enough
        in time again: the deadline is Tue 08:00, and the end is expected about Tue 00:02
        the deadline is Tue 08:00, but the end is expected in >1 year; no limit is high enough
        ");
    }

    #[test]
    fn what_does_not_last_is_not_reported() {
        let mut run = Run::new();
        (0..60).for_each(|second| run.expect(second, if second % 9 == 0 { 60 } else { 100 }, None));
        assert!(run.notes.is_empty(), "{:?}", run.notes);
    }

    #[test]
    fn a_deadline_in_the_past_is_reported_at_once() {
        let mut run = Run::new();
        run.watch = Deadline::new("2026-11-20T08:00:00Z".parse().unwrap());
        run.expect(0, 3, None);
        run.expect(1, 3, None);
        // At the end nothing is left.
        run.expect(2, 0, None);
        assert_eq!(run.notes, ["the deadline, 2026-11-20 08:00, has passed: the end is expected about 15:00"]);
    }
}
