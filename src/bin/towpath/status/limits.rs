//! What steers a run, in its status.

use jiff::Timestamp;

use super::model::{LimitSetBy, NextLimit};
use crate::steering::{InForce, SetBy};
use crate::timetable::Rate;

/// What steers a run, besides the limit itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Limits {
    pub(crate) set_by: LimitSetBy,
    pub(crate) until: Option<Timestamp>,
    pub(crate) next: Option<NextLimit>,
    /// Who paused it.
    pub(crate) paused_by: Option<String>,
}

impl Limits {
    /// What is in force.
    pub(crate) fn of(in_force: InForce) -> Self {
        let InForce { rate, set_by, until, next, pause } = in_force;
        let by_timetable = (rate == Rate::Pause && set_by == SetBy::Timetable).then(|| "timetable".to_owned());
        Self {
            set_by: match set_by {
                SetBy::Option => LimitSetBy::Option,
                SetBy::Timetable => LimitSetBy::Timetable,
                SetBy::Control => LimitSetBy::Control,
            },
            until,
            next: next.map(|(at, rate)| NextLimit { at, value: value(rate), bytes_per_s: bytes_per_s(rate) }),
            paused_by: pause.map(|pause| pause.by).or(by_timetable),
        }
    }
}

/// As `--bwlimit` takes it.
fn value(rate: Rate) -> String {
    match rate {
        Rate::Off => "off".to_owned(),
        Rate::Fixed(bytes_per_s) => bytes_per_s.to_string(),
        Rate::Auto { max: None } => "auto".to_owned(),
        Rate::Auto { max: Some(max) } => format!("auto:{max}"),
        Rate::Pause => "pause".to_owned(),
    }
}

fn bytes_per_s(rate: Rate) -> Option<u64> {
    match rate {
        Rate::Fixed(bytes_per_s) => Some(bytes_per_s),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_value_is_one_of_the_option() {
        let next = Some((Timestamp::UNIX_EPOCH, Rate::Auto { max: Some(5) }));
        let in_force = InForce { rate: Rate::Pause, set_by: SetBy::Timetable, until: None, next, pause: None };
        let limits = Limits::of(in_force);
        assert_eq!(limits.paused_by.as_deref(), Some("timetable"));
        assert_eq!(limits.next.unwrap().value, "auto:5");
        assert_eq!([Rate::Off, Rate::Fixed(7), Rate::Pause].map(value), ["off", "7", "pause"]);
        assert_eq!(bytes_per_s(Rate::Fixed(7)), Some(7));
    }
}
