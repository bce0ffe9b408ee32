//! The grammar of timetables: rclone's (`fs/bwtimetable.go`), and dates.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time, Weekday};

use super::rate::Rate;
use super::week::Week;

/// Dates in other years are typing errors.
const YEARS: std::ops::RangeInclusive<i16> = 1970..=2199;

const NO_VALUE: &str = "no value: use a rate such as `20M`, or a timetable such as `08:00,5M 18:00,off`";
const WEEKDAYS: [(Weekday, [&str; 2]); 7] = [
    (Weekday::Monday, ["mon", "monday"]),
    (Weekday::Tuesday, ["tue", "tuesday"]),
    (Weekday::Wednesday, ["wed", "wednesday"]),
    (Weekday::Thursday, ["thu", "thursday"]),
    (Weekday::Friday, ["fri", "friday"]),
    (Weekday::Saturday, ["sat", "saturday"]),
    (Weekday::Sunday, ["sun", "sunday"]),
];

/// When the value of an entry holds.
enum When {
    /// From this time on, on one day of the week or on all.
    From(Option<Weekday>, Time),
    On(Date),
}

type Dates = BTreeMap<Date, Rate>;
type ParseValue<'a> = &'a dyn Fn(&str) -> Result<Rate, String>;

/// The values of the week, and those of dates.
pub(super) fn timetable(text: &str, parse_value: ParseValue<'_>) -> Result<(Week, Dates), String> {
    if text.is_empty() {
        return Err(NO_VALUE.to_owned());
    }
    let is_separator = |c: char| c == ';' || c.is_ascii_whitespace();
    if !text.contains(|c: char| c == ',' || is_separator(c)) {
        return Ok((single(text, parse_value)?, Dates::new()));
    }
    let entries: Vec<_> = text.split(is_separator).filter(|entry| !entry.is_empty()).collect();
    let (mut starts, mut dates) = (Vec::new(), Dates::new());
    for (index, entry) in entries.iter().enumerate() {
        let following = entries.get(index + 1).copied();
        let (when, rate) = self::entry(entry, following, parse_value)
            .map_err(|problem| format!("entry {} `{entry}`: {problem}", index + 1))?;
        match when {
            When::On(date) => drop(dates.insert(date, rate)),
            When::From(Some(weekday), time) => starts.push((weekday, time, rate)),
            When::From(None, time) => starts.extend(WEEKDAYS.map(|(weekday, _)| (weekday, time, rate))),
        }
    }
    match Week::new(starts) {
        Some(week) => Ok((week, dates)),
        None if dates.is_empty() => Err(NO_VALUE.to_owned()),
        None => Err("only dates: add an entry for all other days, such as `00:00,off`".to_owned()),
    }
}

/// A value without a time.
fn single(text: &str, parse_value: ParseValue<'_>) -> Result<Week, String> {
    if time(text).is_ok() || weekday_and_rest(text).is_some() || date(text).is_some() {
        return Err(format!("`{text}` has no value: write `{text},VALUE`, such as `{text},5M`"));
    }
    parse_value(text).map(Week::always)
}

fn entry(entry: &str, following: Option<&str>, parse_value: ParseValue<'_>) -> Result<(When, Rate), String> {
    let (when, value) = match entry.split(',').collect::<Vec<_>>()[..] {
        [when] => return Err(without_comma(when, following, parse_value)),
        [when, value] => (when, value),
        _ => return Err("more than one comma: separate entries by a space or `;`".to_owned()),
    };
    let when = self::when(when)?;
    if value.is_empty() {
        let example = following.filter(|next| parse_value(next).is_ok()).unwrap_or("5M");
        return Err(format!("no value after the comma: write `{entry}{example}`, without a space"));
    }
    Ok((when, parse_value(value)?))
}

fn without_comma(entry: &str, following: Option<&str>, parse_value: ParseValue<'_>) -> String {
    if parse_value(entry).is_ok() {
        return format!("a value without a time: write `00:00,{entry}`");
    }
    match following.filter(|next| is_weekday(entry) && next.contains(',')) {
        Some(next) => format!("a weekday without a time: write `{entry}-{next}`"),
        None => "not a time and a value: write `08:00,5M`, `Mon-08:00,5M` or `2026-12-24,off`".to_owned(),
    }
}

fn when(text: &str) -> Result<When, String> {
    if let Some(date) = date(text) {
        return date.map(When::On);
    }
    if is_weekday(text) {
        return Err(format!("a weekday without a time: write `{text}-00:00,VALUE`"));
    }
    match weekday_and_rest(text) {
        Some((_, rest)) if is_weekday(rest) || weekday_and_rest(rest).is_some() => {
            Err("ranges of weekdays do not exist: write one entry for each, such as `Mon-08:00,5M Tue-08:00,5M`"
                .to_owned())
        }
        Some((weekday, rest)) => Ok(When::From(Some(weekday), time(rest)?)),
        None => match text.split_once('-') {
            Some((name, _)) if name.starts_with(|first: char| first.is_ascii_digit()) => Err(not_a_date(text)),
            Some((name, _)) => {
                Err(format!("`{name}` is not a weekday: use Mon, Tue, Wed, Thu, Fri, Sat or Sun, or the full name"))
            }
            None => time(text).map(|time| When::From(None, time)),
        },
    }
}

fn not_a_date(text: &str) -> String {
    format!("`{text}` is not a date: use the form 2026-12-24")
}

fn is_weekday(text: &str) -> bool {
    WEEKDAYS.iter().any(|(_, names)| names.iter().any(|name| text.eq_ignore_ascii_case(name)))
}

/// `Mon-08:00` as Monday and `08:00`.
fn weekday_and_rest(text: &str) -> Option<(Weekday, &str)> {
    let (weekday, rest) = text.split_once('-')?;
    let is_named = |names: &[&str; 2]| names.iter().any(|name| weekday.eq_ignore_ascii_case(name));
    WEEKDAYS.iter().find(|(_, names)| is_named(names)).map(|(weekday, _)| (*weekday, rest))
}

/// A date; None if the text does not begin with a year.
fn date(text: &str) -> Option<Result<Date, String>> {
    let (year, rest) = text.split_once('-')?;
    digits(year, 4).map(|year| date_in(year, rest, text))
}

fn date_in(year: i16, month_and_day: &str, text: &str) -> Result<Date, String> {
    let wrong = || not_a_date(text);
    let (month_and_day, rest) = month_and_day.split_at_checked(5).ok_or_else(wrong)?;
    let (month, day) = month_and_day.split_once('-').ok_or_else(wrong)?;
    let number = |text| digits(text, 2).and_then(|number| i8::try_from(number).ok()).ok_or_else(wrong);
    let date = Date::new(year, number(month)?, number(day)?).map_err(|_| wrong())?;
    if !YEARS.contains(&year) {
        return Err(format!("the year is not from {} to {}", YEARS.start(), YEARS.end()));
    }
    match rest {
        "" => Ok(date),
        _ => Err(format!("a date has one value for its whole day: write `{date},VALUE`")),
    }
}

/// A number of exactly so many digits.
fn digits(text: &str, count: usize) -> Option<i16> {
    let is_number = text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

fn time(text: &str) -> Result<Time, String> {
    let wrong = || format!("`{text}` is not a time of day: use the form 08:00, from 00:00 to 23:59");
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    match (digits(hour, 2), digits(minute, 2)) {
        (Some(24), Some(0)) => Err("24:00 is 00:00 of the next day: write that".to_owned()),
        (Some(hour), Some(minute)) => {
            let [hour, minute] = [hour, minute].map(|part| i8::try_from(part).unwrap_or(i8::MAX));
            Time::new(hour, minute, 0, 0).map_err(|_| wrong())
        }
        (None, Some(_)) if digits(hour, 1).is_some() => Err(format!("the hour needs two digits: write `0{text}`")),
        _ => Err(wrong()),
    }
}
