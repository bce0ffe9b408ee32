//! From the states of lanes to causes: a pure function.
//!
//! While one part of a lane works and the others wait for it, this part limits the lane. While several work at once,
//! none waits: this time is divided as the time in which one of them worked alone. So a reader that needs 30 ms for
//! each block is no cause if the writer needs 50 ms and never waits for it.

use std::time::Duration;

use super::cause::{Cause, LimitedBy};
use super::lane::{ReaderState, StateTimes, States, WriterState};
use super::limit_mode::LimitMode;
use super::presence::PresenceTimes;

/// The parts of the engine that can limit a lane.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Limit,
    Source,
    SmallFilesAtSource,
    Hash,
    Destination,
    SmallFilesAtDestination,
    Committer,
    Database,
}

const PARTS: [Part; 8] = [
    Part::Limit,
    Part::Source,
    Part::SmallFilesAtSource,
    Part::Hash,
    Part::Destination,
    Part::SmallFilesAtDestination,
    Part::Committer,
    Part::Database,
];

/// The weight of a part that never works alone, as a share of the time: parts that hardly ever wait for one another are
/// causes alike.
const LEAST_WEIGHT: f64 = 0.01;

/// The causes of the time that passed. Each lane that has a file counts alike; all causes together are the time that
/// passed on the clock.
pub(super) fn attribute(lanes: &StateTimes, presence: &PresenceTimes, mode: LimitMode) -> LimitedBy {
    let [_, flushing, recording] = [0, 1, 2].map(|at| ns(presence.with_lanes[at]));
    let mut limited_by = LimitedBy::default();
    let mut add = |cause, ns: f64| limited_by.add(cause, Duration::from_nanos(ns as u64));
    let by_part = by_part(lanes);
    let all_parts: f64 = by_part.iter().sum();
    if all_parts > 0.0 {
        let per_part = presence.with_lanes.iter().map(|time| ns(*time)).sum::<f64>() / all_parts;
        for (part, time) in PARTS.into_iter().zip(by_part.map(|time| time * per_part)) {
            match part {
                Part::Limit => add(mode.cause(), time),
                Part::Source => add(Cause::Source, time),
                Part::SmallFilesAtSource => add(Cause::SmallFilesAtSource, time),
                Part::Hash => add(Cause::Hash, time),
                Part::Destination => add(Cause::Destination, time),
                Part::SmallFilesAtDestination => add(Cause::SmallFilesAtDestination, time),
                Part::Committer if flushing > 0.0 => {
                    let flush = time * flushing / (flushing + recording);
                    add(Cause::Flush, flush);
                    add(Cause::Database, time - flush);
                }
                Part::Committer | Part::Database => add(Cause::Database, time),
            }
        }
    }
    // Without a lane that has a file, the last ones are recorded, or the backlog is read.
    let [reading, flushing, recording] = presence.without_lanes.map(ns);
    add(Cause::Flush, flushing);
    add(Cause::Database, reading + recording);
    limited_by
}

/// The lanes' time by the part that limited them.
fn by_part(lanes: &StateTimes) -> [f64; PARTS.len()] {
    let mut alone = [0.0; PARTS.len()];
    let mut together = Vec::new();
    for (states, time) in lanes.iter() {
        let busy = busy(states);
        match busy.iter().filter(|is_busy| **is_busy).count() {
            // The reader waits for blocks of other lanes: what limits those counts.
            0 => {}
            1 => alone.iter_mut().zip(busy).filter(|(_, is_busy)| *is_busy).for_each(|(sum, _)| *sum += ns(time)),
            _ => together.push((busy, ns(time))),
        }
    }
    let all: f64 = alone.iter().sum::<f64>() + together.iter().map(|(_, time)| time).sum::<f64>();
    let weights = alone.map(|time| time + all * LEAST_WEIGHT);
    let mut sums = alone;
    for (busy, time) in together {
        let of_busy = |(weight, is_busy): (f64, bool)| if is_busy { weight } else { 0.0 };
        let all: f64 = weights.into_iter().zip(busy).map(of_busy).sum();
        let parts = weights.into_iter().zip(busy).map(of_busy);
        sums.iter_mut().zip(parts).for_each(|(sum, weight)| *sum += time * (weight / all));
    }
    sums
}

/// Which parts work in this combination of states.
fn busy(states: States) -> [bool; PARTS.len()] {
    let reader = match states.reader {
        ReaderState::Idle | ReaderState::Blocked => None,
        ReaderState::Limit => Some(Part::Limit),
        ReaderState::Hash => Some(Part::Hash),
        ReaderState::SmallFile => Some(Part::SmallFilesAtSource),
        ReaderState::LargeFile => Some(Part::Source),
    };
    let writer = match states.writer {
        WriterState::Idle => None,
        WriterState::Limit => Some(Part::Limit),
        WriterState::SmallFile => Some(Part::SmallFilesAtDestination),
        WriterState::LargeFile => Some(Part::Destination),
        WriterState::Committer => Some(Part::Committer),
        WriterState::Database => Some(Part::Database),
    };
    let hash = states.hashes.then_some(Part::Hash);
    PARTS.map(|part| [reader, writer, hash].contains(&Some(part)))
}

fn ns(time: u64) -> f64 {
    time as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITH_LANES: PresenceTimes = PresenceTimes { without_lanes: [0; 3], with_lanes: [1_000, 0, 0] };

    fn times(times: &[(ReaderState, bool, WriterState, u64)]) -> StateTimes {
        let mut sum = StateTimes::default();
        for (reader, hashes, writer, ns) in times {
            sum.add(States { reader: *reader, hashes: *hashes, writer: *writer }, *ns);
        }
        sum
    }

    fn causes(lanes: &StateTimes, presence: &PresenceTimes, mode: LimitMode) -> Vec<(Cause, u8)> {
        attribute(lanes, presence, mode).shares().iter().map(|share| (share.cause, share.percent)).collect()
    }

    fn of_lanes(lanes: &[(ReaderState, bool, WriterState, u64)]) -> Vec<(Cause, u8)> {
        causes(&times(lanes), &WITH_LANES, LimitMode::Fixed)
    }

    #[test]
    fn the_part_that_the_others_wait_for_is_the_cause() {
        use Cause::*;
        let of = |reader, hashes, writer| of_lanes(&[(reader, hashes, writer, 5)]);
        assert_eq!(of(ReaderState::LargeFile, false, WriterState::Idle), [(Source, 100)]);
        assert_eq!(of(ReaderState::SmallFile, false, WriterState::Idle), [(SmallFilesAtSource, 100)]);
        assert_eq!(of(ReaderState::Blocked, false, WriterState::LargeFile), [(Destination, 100)]);
        assert_eq!(of(ReaderState::Idle, false, WriterState::SmallFile), [(SmallFilesAtDestination, 100)]);
        assert_eq!(of(ReaderState::Blocked, true, WriterState::Idle), [(Hash, 100)]);
        assert_eq!(of(ReaderState::Hash, false, WriterState::Idle), [(Hash, 100)]);
        assert_eq!(of(ReaderState::Limit, false, WriterState::Idle), [(Limit, 100)]);
        assert_eq!(of(ReaderState::Blocked, false, WriterState::Limit), [(Limit, 100)]);
        assert_eq!(of(ReaderState::Limit, false, WriterState::Limit), [(Limit, 100)]);
        assert_eq!(of(ReaderState::Blocked, false, WriterState::Database), [(Database, 100)]);
        assert_eq!(of(ReaderState::Blocked, false, WriterState::Idle), [], "it waits for other lanes");
        assert_eq!(of(ReaderState::Idle, false, WriterState::Idle), []);
    }

    #[test]
    fn a_part_that_never_waits_for_the_others_is_the_cause() {
        // Reading takes 30, writing 50, hashing 20.
        let slow_sink = [
            (ReaderState::LargeFile, true, WriterState::LargeFile, 20),
            (ReaderState::LargeFile, false, WriterState::LargeFile, 10),
            (ReaderState::Blocked, false, WriterState::LargeFile, 20),
        ];
        let of_sink = of_lanes(&slow_sink)[0];
        assert!(of_sink.0 == Cause::Destination && of_sink.1 > 95, "{of_sink:?}");
        // Reading takes 30, hashing 50, writing 5.
        let slow_hash = [
            (ReaderState::LargeFile, true, WriterState::LargeFile, 5),
            (ReaderState::LargeFile, true, WriterState::Idle, 25),
            (ReaderState::Blocked, true, WriterState::Idle, 20),
        ];
        let of_hash = of_lanes(&slow_hash)[0];
        assert!(of_hash.0 == Cause::Hash && of_hash.1 > 95, "{of_hash:?}");
    }

    #[test]
    fn parts_that_wait_for_one_another_share() {
        let both = (ReaderState::LargeFile, false, WriterState::LargeFile, 60);
        assert_eq!(of_lanes(&[both]), [(Cause::Source, 50), (Cause::Destination, 50)]);
        let alone = [
            both,
            (ReaderState::LargeFile, false, WriterState::Idle, 10),
            (ReaderState::Blocked, false, WriterState::LargeFile, 30),
        ];
        assert_eq!(of_lanes(&alone), [(Cause::Destination, 74), (Cause::Source, 26)]);
    }

    #[test]
    fn the_wait_for_the_limit_has_the_cause_of_the_limit() {
        let lanes = times(&[(ReaderState::Limit, false, WriterState::Idle, 5)]);
        assert_eq!(causes(&lanes, &WITH_LANES, LimitMode::Adaptive), [(Cause::OtherTraffic, 100)]);
        assert_eq!(causes(&lanes, &WITH_LANES, LimitMode::Paused), [(Cause::Paused, 100)]);
    }

    #[test]
    fn the_time_without_lanes_is_that_of_the_committer_or_of_the_backlog() {
        let presence = PresenceTimes { without_lanes: [10, 60, 10], with_lanes: [20, 0, 0] };
        let lanes = times(&[(ReaderState::LargeFile, false, WriterState::Idle, 12_345)]);
        let expected = [(Cause::Flush, 60), (Cause::Source, 20), (Cause::Database, 20)];
        assert_eq!(causes(&lanes, &presence, LimitMode::Fixed), expected);
    }

    #[test]
    fn waits_for_the_committer_are_those_for_flush_and_database() {
        let presence = PresenceTimes { without_lanes: [0; 3], with_lanes: [50, 30, 10] };
        let lanes = times(&[(ReaderState::Blocked, false, WriterState::Committer, 5)]);
        assert_eq!(causes(&lanes, &presence, LimitMode::Fixed), [(Cause::Flush, 75), (Cause::Database, 25)]);
    }
}
