//! What limits a run, in words, and what would help.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use towpath::{Cause, LimitedBy};

/// Causes with less than this are left out.
const LEAST_PERCENT: u8 = 5;
/// From here on a cause is worth an advice.
pub(crate) const ADVICE_PERCENT: u8 = 25;
/// The shortest time of sending files about which the end of a run says something.
const LEAST_TIME: Duration = Duration::from_secs(5);

/// The causes, the largest first: `limited by: the limit 62 %, the source 38 %`. `None` before anything was sent.
pub(crate) fn sentence(limited_by: &LimitedBy) -> Option<String> {
    let shares = limited_by.shares();
    let shares = shares.iter().filter(|share| share.percent >= LEAST_PERCENT);
    let shares: Vec<_> = shares.map(|share| format!("{} {} %", words(share.cause), share.percent)).collect();
    (!shares.is_empty()).then(|| format!("limited by: {}", shares.join(", ")))
}

/// Like [`with_advice`], for the end of a run. `None` if it sent files for a moment only: that says nothing.
pub(crate) fn of_run(limited_by: &LimitedBy) -> Option<String> {
    with_advice(limited_by).filter(|_| limited_by.total() >= LEAST_TIME)
}

/// The sentence, and below it what would help against the largest causes.
pub(crate) fn with_advice(limited_by: &LimitedBy) -> Option<String> {
    Some(sentence(limited_by)? + &advice_lines(limited_by))
}

/// What would help against the largest causes, each on a line that begins with a line break.
pub(crate) fn advice_lines(limited_by: &LimitedBy) -> String {
    let large = limited_by.shares().into_iter().filter(|share| share.percent >= ADVICE_PERCENT);
    let line = |cause| advice(cause).map(|advice| format!("\n  {}: {advice}", words(cause)));
    large.filter_map(|share| line(share.cause)).collect()
}

pub(crate) fn words(cause: Cause) -> &'static str {
    match cause {
        Cause::Limit => "the limit",
        Cause::OtherTraffic => "other traffic on the link",
        Cause::Paused => "a pause",
        Cause::Source => "the source",
        Cause::SmallFilesAtSource => "small files at the source",
        Cause::Destination => "the destination",
        Cause::SmallFilesAtDestination => "small files at the destination",
        Cause::Hash => "the checksum",
        Cause::Flush => "making files durable at the destination",
        Cause::Database => "the database",
        _ => cause.name(),
    }
}

/// What would help; `None` where nothing does.
pub(crate) fn advice(cause: Cause) -> Option<&'static str> {
    Some(match cause {
        Cause::Limit => "nothing is slow; a higher --bwlimit would be faster",
        Cause::OtherTraffic => "`--bwlimit auto` gives way to it; a fixed --bwlimit would not",
        Cause::Source => "its storage, or the link to it, is the slowest part",
        Cause::Destination => "its storage, or the link to it, is the slowest part",
        Cause::SmallFilesAtSource | Cause::SmallFilesAtDestination => {
            "more --lanes; on NFS the mount option nconnect=, on SMB multichannel"
        }
        Cause::Hash => "another --checksum may be faster on this processor",
        Cause::Flush => "storage that syncs faster",
        Cause::Database => "--database on a faster disk",
        _ => return None,
    })
}

/// Remembers what limited the run, to tell what limits it now.
#[derive(Debug, Default)]
pub(crate) struct Recent(VecDeque<(Instant, LimitedBy)>);

impl Recent {
    /// How far back "now" reaches.
    const WINDOW: Duration = Duration::from_mins(1);
    const BETWEEN: Duration = Duration::from_secs(1);

    /// Notes the state at this time; returns what limited the run in the minute before, or since the run began.
    pub(crate) fn note(&mut self, now: Instant, limited_by: &LimitedBy) -> LimitedBy {
        if self.0.is_empty() {
            self.0.push_back((now, LimitedBy::default()));
        }
        if self.0.back().is_none_or(|(last, _)| now.duration_since(*last) >= Self::BETWEEN) {
            self.0.push_back((now, *limited_by));
        }
        while self.0.get(1).is_some_and(|(next, _)| now.duration_since(*next) >= Self::WINDOW) {
            self.0.pop_front();
        }
        self.0.front().map_or(*limited_by, |(_, first)| limited_by.since(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited_by(seconds: &[(Cause, u64)]) -> LimitedBy {
        seconds.iter().map(|(cause, seconds)| (*cause, Duration::from_secs(*seconds))).collect()
    }

    #[test]
    fn the_sentence_has_the_largest_causes_first_and_no_small_ones() {
        let causes =
            [(Cause::Source, 8), (Cause::Limit, 59), (Cause::SmallFilesAtDestination, 30), (Cause::Database, 3)];
        insta::assert_snapshot!(with_advice(&limited_by(&causes)).unwrap(), @"
        limited by: the limit 59 %, small files at the destination 30 %, the source 8 %
          the limit: nothing is slow; a higher --bwlimit would be faster
          small files at the destination: more --lanes; on NFS the mount option nconnect=, on SMB multichannel
        ");
        assert_eq!(sentence(&LimitedBy::default()), None);
        assert_eq!(of_run(&limited_by(&[(Cause::Flush, 4)])), None);
        assert!(of_run(&limited_by(&[(Cause::Flush, 5)])).is_some());
    }

    #[test]
    fn each_cause_that_something_helps_against_has_an_advice() {
        let advised = |cause: &Cause| advice(*cause).is_some();
        let without: Vec<_> = Cause::ALL.into_iter().filter(|cause| !advised(cause)).collect();
        assert_eq!(without, [Cause::Paused]);
        assert!(Cause::ALL.iter().all(|cause| words(*cause) != cause.name() || *cause == Cause::Limit));
    }

    #[test]
    fn now_is_the_last_minute() {
        let (mut recent, start) = (Recent::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(recent.note(start, &LimitedBy::default()), LimitedBy::default());
        assert_eq!(recent.note(at(30), &limited_by(&[(Cause::Source, 30)])), limited_by(&[(Cause::Source, 30)]));
        assert_eq!(recent.note(at(60), &limited_by(&[(Cause::Source, 60)])), limited_by(&[(Cause::Source, 60)]));
        let later = limited_by(&[(Cause::Source, 60), (Cause::Limit, 60)]);
        assert_eq!(recent.note(at(120), &later), limited_by(&[(Cause::Limit, 60)]));
    }
}
