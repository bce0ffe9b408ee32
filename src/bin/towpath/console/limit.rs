//! The bandwidth limit as text.

use jiff::{SignedDuration, ZonedDateTime};

use crate::format::{duration, rate};
use crate::timetable::Rate;

/// The limit in force and the next one, on one line.
pub(crate) fn limit_line(limit: Rate, next: Option<&(ZonedDateTime, Rate)>) -> String {
    let next = next.map_or_else(String::new, |(time, next)| {
        format!("; from {} on: {}", time.strftime("%a %Y-%m-%d %H:%M %Z"), limit_of(*next))
    });
    format!("limit: {}{next}", limit_of(limit))
}

/// A limit in words.
pub(crate) fn limit_of(limit: Rate) -> String {
    let each_way = |limit| format!("{} each way", rate(limit).replace(".0 ", " "));
    match limit {
        Rate::Off => "none".to_owned(),
        Rate::Fixed(limit) => each_way(limit),
        Rate::Auto { max } => {
            let at_most = max.map_or_else(String::new, |max| format!(", at most {}", each_way(max)));
            format!("auto, adapts to other traffic{at_most}")
        }
        Rate::Pause => "paused".to_owned(),
    }
}

/// That the clock was set, or seems so.
pub(super) fn clock_line(jump: SignedDuration) -> String {
    let time = duration(jump.unsigned_abs());
    if jump.is_negative() {
        format!("the clock was set back by {time}")
    } else {
        format!("the clock was set forward by {time}, or the machine was suspended")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_reported_as_it_is_typed() {
        let line = |limit| limit_line(limit, None);
        assert_eq!(line(Rate::Off), "limit: none");
        assert_eq!(line(Rate::Fixed(20 << 20)), "limit: 20 MiB/s each way");
        assert_eq!(line(Rate::Fixed(1536)), "limit: 1.5 KiB/s each way");
        assert_eq!(line(Rate::Pause), "limit: paused");
        assert!(line(Rate::Auto { max: None }).starts_with("limit: auto"));
        let auto = line(Rate::Auto { max: Some(2 << 20) });
        assert!(auto.starts_with("limit: auto") && auto.ends_with("at most 2 MiB/s each way"), "{auto}");
    }

    #[test]
    fn the_next_limit_is_reported_with_its_local_time() {
        let next = ("2026-11-28T18:00:00+01:00[Europe/Berlin]".parse().unwrap(), Rate::Off);
        let line = limit_line(Rate::Fixed(5 << 20), Some(&next));
        assert_eq!(line, "limit: 5 MiB/s each way; from Sat 2026-11-28 18:00 CET on: none");
    }

    #[test]
    fn a_jump_is_shown_in_words() {
        let back = clock_line(SignedDuration::from_secs(-3600));
        assert_eq!(back, "the clock was set back by 1:00:00");
        let forward = clock_line(SignedDuration::from_secs(90));
        assert_eq!(forward, "the clock was set forward by 01:30, or the machine was suspended");
    }
}
