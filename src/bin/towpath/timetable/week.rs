//! The values of a week, which repeats.

use jiff::civil::{DateTime, Time, Weekday};

use super::rate::Rate;

const MINUTES_OF_DAY: u16 = 24 * 60;

/// Which value begins at which minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Week {
    /// By minute since Monday 00:00, in order, each minute once; at least one.
    starts: Vec<(u16, Rate)>,
}

impl Week {
    pub(super) fn always(rate: Rate) -> Self {
        Self { starts: vec![(0, rate)] }
    }

    /// None if there are no starts. Of two values for the same minute the later one counts, as in rclone.
    pub(super) fn new(starts: impl IntoIterator<Item = (Weekday, Time, Rate)>) -> Option<Self> {
        let by_minute: std::collections::BTreeMap<_, _> =
            starts.into_iter().map(|(weekday, time, rate)| (minute(weekday, time), rate)).collect();
        (!by_minute.is_empty()).then(|| Self { starts: by_minute.into_iter().collect() })
    }

    pub(super) fn rates(&self) -> impl Iterator<Item = Rate> {
        self.starts.iter().map(|(_, rate)| *rate)
    }

    pub(super) fn rates_mut(&mut self) -> impl Iterator<Item = &mut Rate> {
        self.starts.iter_mut().map(|(_, rate)| rate)
    }

    /// The value of the last start; before the first one of a week, that is the last one of the week before.
    pub(super) fn at(&self, civil: DateTime) -> Rate {
        let now = minute(civil.weekday(), civil.time());
        let begun = self.starts.partition_point(|(start, _)| *start <= now);
        let last = if begun == 0 { self.starts.len() } else { begun };
        self.starts[last - 1].1
    }

    /// The times of a day, in order, at which a value begins.
    pub(super) fn times(&self, weekday: Weekday) -> Vec<Time> {
        let first = minute(weekday, Time::midnight());
        let of_day = self.starts.iter().filter_map(|(start, _)| start.checked_sub(first));
        of_day.take_while(|minute| *minute < MINUTES_OF_DAY).filter_map(time).collect()
    }
}

fn minute(weekday: Weekday, time: Time) -> u16 {
    let day = u16::from(weekday.to_monday_zero_offset().unsigned_abs());
    let [hour, minute] = [time.hour(), time.minute()].map(|part| u16::from(part.unsigned_abs()));
    day * MINUTES_OF_DAY + hour * 60 + minute
}

fn time(minute_of_day: u16) -> Option<Time> {
    let [hour, minute] = [minute_of_day / 60, minute_of_day % 60].map(|part| i8::try_from(part).ok());
    Time::new(hour?, minute?, 0, 0).ok()
}
