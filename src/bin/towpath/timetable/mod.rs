//! The timetable of `--bwlimit`: which value holds at which local time.
//!
//! The local clock alone decides: each local time of a week has one value, and a date may have a value for its whole
//! day. An hour that daylight saving leaves out is left out here, too; in an hour that comes twice, the same values hold
//! again.

mod parse;
mod rate;
#[cfg(test)]
mod tests;
mod week;

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, DateTime, Time};
use jiff::{ToSpan as _, ZonedDateTime};

pub(crate) use rate::Rate;
use week::Week;

/// Values by local time; a single value is a timetable that never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Timetable {
    week: Week,
    /// Dates on which another value holds all day.
    dates: BTreeMap<Date, Rate>,
}

impl Timetable {
    /// Parses a single value, or entries such as `08:00,5M Sat-00:00,off 2026-12-24,pause`; `parse_value` parses the
    /// values.
    ///
    /// # Errors
    /// One line that says which entry is invalid, why, and what is accepted.
    pub(crate) fn parse(text: &str, parse_value: impl Fn(&str) -> Result<Rate, String>) -> Result<Self, String> {
        let (week, dates) = parse::timetable(text, &parse_value)?;
        Ok(Self { week, dates })
    }

    /// Always the same value.
    pub(crate) fn always(rate: Rate) -> Self {
        Self { week: Week::always(rate), dates: BTreeMap::new() }
    }

    /// The only value, if there is only one.
    pub(crate) fn only_rate(&self) -> Option<Rate> {
        let mut rates = self.rates();
        let first = rates.next()?;
        rates.all(|rate| rate == first).then_some(first)
    }

    /// All values, some of them several times.
    fn rates(&self) -> impl Iterator<Item = Rate> {
        self.week.rates().chain(self.dates.values().copied())
    }

    /// Gives a maximum to each `auto` that has none; returns whether there is one.
    pub(crate) fn set_auto_max(&mut self, max_bytes_per_s: u64) -> bool {
        let mut is_set = false;
        for rate in self.week.rates_mut().chain(self.dates.values_mut()) {
            if let Rate::Auto { max: max @ None } = rate {
                (*max, is_set) = (Some(max_bytes_per_s), true);
            }
        }
        is_set
    }

    /// The value that holds at a moment.
    pub(crate) fn at(&self, now: &ZonedDateTime) -> Rate {
        self.at_civil(now.datetime())
    }

    /// The first later moment at which another value holds, and that value.
    pub(crate) fn next_change(&self, now: &ZonedDateTime) -> Option<(ZonedDateTime, Rate)> {
        if self.only_rate().is_some() {
            return None;
        }
        let zone = now.time_zone();
        let rate = self.at(now);
        let (mut civil, mut offset) = (now.datetime(), now.offset());
        let mut transitions = zone.following(now.timestamp());
        // Between two transitions the local clock runs evenly.
        loop {
            let change = self.next_civil_change(civil);
            if change.is_none() && self.is_past_dates(civil.date()) {
                return None;
            }
            let change = change.and_then(|(at, next)| Some((offset.to_timestamp(at).ok()?, next)));
            let transition = transitions.next();
            let Some(transition) = transition.filter(|next| change.is_none_or(|(at, _)| next.timestamp() <= at)) else {
                return change.map(|(at, next)| (at.to_zoned_datetime(zone.clone()), next));
            };
            // The clock is set forward or back.
            offset = transition.offset();
            civil = offset.to_datetime(transition.timestamp());
            let next = self.at_civil(civil);
            if next != rate {
                return Some((transition.timestamp().to_zoned_datetime(zone.clone()), next));
            }
        }
    }

    fn at_civil(&self, civil: DateTime) -> Rate {
        self.dates.get(&civil.date()).copied().unwrap_or_else(|| self.week.at(civil))
    }

    /// Whether no clock that is set back can return to one of the dates: it is set back by a day at most.
    fn is_past_dates(&self, date: Date) -> bool {
        self.dates.last_key_value().is_none_or(|(last, _)| last.saturating_add(2.days()) < date)
    }

    /// The first later local time at which another value holds, on a clock that is never set.
    fn next_civil_change(&self, now: DateTime) -> Option<(DateTime, Rate)> {
        let rate = self.at_civil(now);
        let days = self.days_with_changes(now.date());
        let starts = days.into_iter().flat_map(|day| self.starts(day)).filter(|start| *start > now);
        starts.map(|start| (start, self.at_civil(start))).find(|(_, next)| *next != rate)
    }

    /// Days on which the next change can be: those of a week, and of the week after each date.
    fn days_with_changes(&self, first: Date) -> BTreeSet<Date> {
        let dates = self.dates.range(first..).map(|(date, _)| *date);
        let weeks = std::iter::once(first).chain(dates);
        weeks.flat_map(|date| (0..=8).filter_map(move |days: i64| date.checked_add(days.days()).ok())).collect()
    }

    /// The times of a day, in order, at which a value begins.
    fn starts(&self, day: Date) -> impl Iterator<Item = DateTime> {
        let times = if self.dates.contains_key(&day) { Vec::new() } else { self.week.times(day.weekday()) };
        std::iter::once(Time::midnight()).chain(times).map(move |time| day.to_datetime(time))
    }
}
