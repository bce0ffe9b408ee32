//! The control law of the adaptive limit. If a small request takes longer than the minimum, the difference is the time
//! that it waited in queues: of a full link or of a busy server. LEDBAT (RFC 6817) and LEDBAT++ keep that delay near a
//! target, and so yield to all traffic that fills queues until packets are lost, as nearly all other traffic does.
//! Twenty times a second:
//!
//! - The *delay* is the shorter one of the last two round trips, minus the *base*, the minimum of ten minutes. The
//!   shorter one, because a queue delays every request and noise only some; of the slower side, because either can be
//!   the bottleneck. It *lasts* if the interval before had it too. The rate reacts to any delay at once, for one
//!   interval; only a lasting one is remembered.
//! - *Start*: below a *slight* delay the rate grows by up to [`START_GAIN`], the less the longer the delay, so that it
//!   slows down before it gets there. The first lasting delay above it ends the start, at the throughput until then. A
//!   slight delay is a quarter of the target; where the times of requests vary before anything is sent, up to half
//!   of it.
//! - *Adapt*: below the target the rate grows by up to [`GAIN`] of itself. Above the target, if the delay lasts, it
//!   falls by [`BACK_OFF`] for each further target of delay, by [`MOST_BACK_OFF`] at most. The queue of a full link
//!   takes it from any rate to the lowest in about a second.
//! - Two seconds without a lasting delay end the fall: the start begins again.
//! - *Hold*: a queue that disappeared as soon as the rate fell a little was the migration's own. The throughput then is
//!   the capacity of the link, and the rate stays a little below it ([`HOLD_SHARE`]), where other traffic does not
//!   wait. At growing intervals it probes whether there is more room now.
//! - An unused rate does not grow: nothing is known about it.
//!
//! A server that answers from object storage takes a time of its own for each request, and not always the same: there the
//! target is longer than that time varies ([`Target::of_requests`]).

use std::collections::VecDeque;
use std::time::Duration;

/// The target of the delay. At 100 Mbit/s a queue of 25 KiB: far less than anyone
/// notices, and above the jitter of a machine's timers.
const TARGET: Duration = Duration::from_millis(2);
/// The longest target: that of LEDBAT (RFC 6817).
const LONGEST_TARGET: Duration = Duration::from_millis(100);
/// The target of requests to a server, in times that their answers varied by before anything was sent, and as a share of
/// the time that they take.
const TARGET_NOISES: u32 = 3;
const TARGET_ROUND_TRIPS: u32 = 4;
/// How often the rate is set.
pub(super) const INTERVAL: Duration = Duration::from_millis(50);
/// The lowest rate: a migration always makes progress.
pub(super) const MIN_BYTES_PER_S: u64 = 256 << 10;
/// Growth at each interval while starting: twice the rate in 1.4 s. The overshoot waits no longer than a twentieth of
/// the time until it is seen.
const START_GAIN: f64 = 0.025;
/// The share of the rate that is left after the start or a probe: low enough for the queue to be gone an interval
/// later.
const DRAIN_SHARE: f64 = 0.8;
/// Growth at each interval while adapting: a fifth in a second at most.
const GAIN: f64 = 0.01;
/// Fall at each interval, for each target of delay above the target.
const BACK_OFF: f64 = 0.08;
/// The largest fall in one interval.
const MOST_BACK_OFF: f64 = 0.16;
/// Intervals without a lasting delay after which the start begins again.
const QUIET_INTERVALS: u32 = 40;
/// The highest rate, as a multiple of the throughput.
const UNUSED_SHARE: f64 = 1.5;
/// Intervals over which the throughput is averaged.
const PASSED_INTERVALS: usize = 20;
/// How many in a row of these are averaged.
const FEW_INTERVALS: usize = 4;
/// The capacity is measured in the best few of this many intervals: the reaction to a delay may have left the link
/// idle.
const CARRIED_INTERVALS: usize = 8;
/// The share of the capacity that is used during a hold: evenly spaced steps have a short queue until nearly all of it
/// is used.
const HOLD_SHARE: f64 = 0.97;
/// Intervals until a probe for more room: the first, and the longest after probes that found none.
const FIRST_HOLD: u32 = 400;
const LONGEST_HOLD: u32 = 1200;
/// As a share of the capacity: a rate this high without a delay shows that there is more room.
const MORE_ROOM_SHARE: f64 = 1.1;
/// Intervals from the start of a probe until a queue shows.
const PROBE_LATE_INTERVALS: f64 = 4.0;
/// Growth at each interval of a probe: small, so that the excess by then is small.
const PROBE_GAIN: f64 = 0.005;
/// Intervals after a probe in which a queue is its own.
const PROBE_DRAIN_INTERVALS: u32 = 20;
/// A slight delay, in targets: at least, and at most.
const SLIGHT: (f64, f64) = (0.25, 0.5);
/// The share of the estimated capacity that is left after a queue appeared during a hold.
const DOUBTED_SHARE: f64 = 0.97;
/// A queue that stays when this share of the rate is left belongs to others.
const OWN_QUEUE_SHARE: f64 = 0.6;

/// The shortest round trip of the last ten minutes, in pieces of one minute. Older ones are dropped, so that a path
/// that became longer does not count as a queue indefinitely.
#[derive(Debug, Default)]
pub(super) struct Base {
    minutes: VecDeque<Duration>,
    samples_in_minute: u32,
}

impl Base {
    const MINUTES: usize = 10;
    const SAMPLES_PER_MINUTE: u32 = 1200;

    /// Adds the shortest round trip of an interval; returns how much longer it is than the base.
    pub(super) fn delay(&mut self, round_trip: Duration) -> Duration {
        if self.minutes.is_empty() || self.samples_in_minute >= Self::SAMPLES_PER_MINUTE {
            self.samples_in_minute = 0;
            self.minutes.push_back(round_trip);
            if self.minutes.len() > Self::MINUTES {
                self.minutes.pop_front();
            }
        }
        self.samples_in_minute += 1;
        if let Some(minute) = self.minutes.back_mut() {
            *minute = (*minute).min(round_trip);
        }
        round_trip.saturating_sub(self.round_trip())
    }

    /// The base itself.
    pub(super) fn round_trip(&self) -> Duration {
        self.minutes.iter().min().copied().unwrap_or_default()
    }
}

/// The delay that is aimed at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Target(Duration);

impl Target {
    /// Where small requests are answered at once.
    pub(super) const SHORT: Self = Self(TARGET);

    /// Where each request is one to a server, whose answers take as long as `round_trip` and vary by `noise`.
    pub(super) fn of_requests(round_trip: Duration, noise: Duration) -> Self {
        let varies = (noise * TARGET_NOISES).max(round_trip / TARGET_ROUND_TRIPS);
        Self(varies.clamp(TARGET, LONGEST_TARGET))
    }

    /// How often it contains the short one.
    pub(super) fn in_short_ones(self) -> f64 {
        self.0.as_secs_f64() / TARGET.as_secs_f64()
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Starting,
    /// The number of intervals since the last lasting delay.
    Adapting {
        quiet: u32,
    },
}

/// The estimated capacity of the link.
#[derive(Clone, Copy, Debug)]
struct Ceiling {
    bytes_per_s: f64,
    /// Intervals of the hold, and how many are left of it.
    hold: u32,
    left: u32,
}

impl Ceiling {
    /// The rate that is held below it.
    fn held_per_s(&self) -> f64 {
        self.bytes_per_s * HOLD_SHARE
    }
}

/// Sets the rate.
#[derive(Debug)]
pub(super) struct Controller {
    bytes_per_s: f64,
    max_bytes_per_s: f64,
    target: Target,
    /// The delay, in targets, that indicates a queue.
    slight: f64,
    phase: Phase,
    ceiling: Option<Ceiling>,
    /// The throughput when the present delay began.
    full_at: Option<f64>,
    last: VecDeque<Interval>,
}

/// The measurements of one interval.
#[derive(Clone, Copy, Debug)]
struct Interval {
    passed_per_s: f64,
    /// In targets.
    delay: f64,
}

impl Controller {
    /// `noise` is the longest delay that was seen while nothing was sent.
    pub(super) fn new(max_bytes_per_s: u64, target: Target, noise: Duration) -> Self {
        let slight = (noise.as_secs_f64() / target.0.as_secs_f64() * 2.0).clamp(SLIGHT.0, SLIGHT.1);
        let max_bytes_per_s = max_bytes_per_s as f64;
        let bytes_per_s = (MIN_BYTES_PER_S as f64).min(max_bytes_per_s);
        let (phase, last) = (Phase::Starting, VecDeque::new());
        Self { bytes_per_s, max_bytes_per_s, target, slight, phase, ceiling: None, full_at: None, last }
    }

    /// The rate for the next interval, from the delay and the throughput of the last one (in the direction with more
    /// bytes).
    pub(super) fn next(&mut self, delay: Duration, passed_per_s: f64) -> u64 {
        let delay = delay.as_secs_f64() / self.target.0.as_secs_f64();
        let before = self.last.back().map_or(0.0, |last| last.delay);
        let (lasting, longest) = (delay.min(before), delay.max(before));
        self.last.push_back(Interval { passed_per_s, delay });
        if self.last.len() > PASSED_INTERVALS {
            self.last.pop_front();
        }
        self.learn_ceiling(lasting);
        let probing = self.is_probing();
        match self.phase {
            _ if probing => self.probe(delay),
            Phase::Starting if lasting < self.slight => self.grow(START_GAIN * (1.0 - longest / self.slight)),
            Phase::Starting => {
                self.bytes_per_s = self.bytes_per_s.min(self.passed_per_s()) * DRAIN_SHARE;
                self.phase = Phase::Adapting { quiet: 0 };
            }
            Phase::Adapting { quiet } => {
                if lasting > 1.0 {
                    self.bytes_per_s *= share_left(lasting);
                } else {
                    self.grow(GAIN * (1.0 - longest));
                }
                let quiet = if lasting < 0.5 { quiet + 1 } else { 0 };
                self.phase = if quiet >= QUIET_INTERVALS { Phase::Starting } else { Phase::Adapting { quiet } };
            }
        }
        self.bytes_per_s = self.within_bounds(self.bytes_per_s);
        // If the delay lasts, this was right; otherwise only this interval is lost.
        let share = if probing && delay >= self.slight {
            DRAIN_SHARE
        } else if lasting > 1.0 {
            1.0
        } else {
            share_left(delay / self.full())
        };
        self.within_bounds(self.bytes_per_s * share) as u64
    }

    /// The delay, in targets, from which on the link counts as full.
    fn full(&self) -> f64 {
        if self.phase == Phase::Starting { self.slight } else { 1.0 }
    }

    /// Estimates the capacity of the link from a delay that appeared and disappeared.
    fn learn_ceiling(&mut self, lasting: f64) {
        if let Some(ceiling) = &mut self.ceiling {
            ceiling.left = ceiling.left.saturating_sub(1);
        }
        if lasting >= self.full() {
            self.full_at = Some(self.full_at.unwrap_or_else(|| self.carried_per_s()));
        } else if lasting < 0.5
            && let Some(carried) = self.full_at.take()
            && self.bytes_per_s >= carried * OWN_QUEUE_SHARE
        {
            match &mut self.ceiling {
                // Other traffic came during the hold, or the estimate of the link was a little too high.
                Some(known) if known.left > 0 && carried < known.bytes_per_s => {
                    if known.hold - known.left > PROBE_DRAIN_INTERVALS {
                        known.bytes_per_s = carried.max(known.bytes_per_s * DOUBTED_SHARE);
                    }
                }
                ceiling => *ceiling = Some(Ceiling { bytes_per_s: carried, hold: FIRST_HOLD, left: FIRST_HOLD }),
            }
        }
    }

    /// Whether it is probing for more room.
    fn is_probing(&self) -> bool {
        let at = |ceiling: Ceiling| ceiling.left == 0 && self.bytes_per_s >= ceiling.held_per_s() * 0.99;
        self.ceiling.is_some_and(at)
    }

    /// Takes a step of the probe. Any delay means that there is no more room, whether or not it lasts.
    fn probe(&mut self, delay: f64) {
        let carried = self.carried_per_s();
        let Some(ceiling) = &mut self.ceiling else { return };
        if delay >= self.slight {
            // No more than the throughput without a delay a little before.
            let seen = self.bytes_per_s * (1.0 - PROBE_GAIN * PROBE_LATE_INTERVALS);
            ceiling.bytes_per_s = carried.min(seen).max(ceiling.bytes_per_s);
            self.bytes_per_s = ceiling.held_per_s();
            ceiling.hold = (ceiling.hold * 2).min(LONGEST_HOLD);
            ceiling.left = ceiling.hold;
        } else if self.bytes_per_s >= ceiling.bytes_per_s * MORE_ROOM_SHARE {
            self.ceiling = None;
            self.phase = Phase::Starting;
        } else {
            self.bytes_per_s *= 1.0 + PROBE_GAIN;
        }
    }

    /// The most that the rate may grow to.
    fn room(&self) -> f64 {
        match self.ceiling {
            Some(ceiling) if ceiling.left > 0 => ceiling.held_per_s(),
            _ => f64::INFINITY,
        }
    }

    fn within_bounds(&self, bytes_per_s: f64) -> f64 {
        bytes_per_s.max(MIN_BYTES_PER_S as f64).min(self.max_bytes_per_s)
    }

    /// Grows by a share, unless the delay made it negative.
    fn grow(&mut self, share: f64) {
        let near = self.ceiling.is_some_and(|ceiling| self.bytes_per_s > ceiling.held_per_s() * 0.9);
        let share = share.clamp(0.0, if near { GAIN } else { START_GAIN });
        let most = (self.passed_per_s() * UNUSED_SHARE).min(self.room()).max(self.bytes_per_s);
        self.bytes_per_s = (self.bytes_per_s * (1.0 + share)).min(most);
    }

    /// The throughput per second, in the fastest few of the last intervals.
    fn passed_per_s(&self) -> f64 {
        if self.last.len() < FEW_INTERVALS {
            return self.bytes_per_s;
        }
        let in_a_row = |from: usize| self.last.iter().skip(from).take(FEW_INTERVALS).map(|last| last.passed_per_s);
        let passed = (0..=self.last.len() - FEW_INTERVALS).map(|from| in_a_row(from).sum::<f64>());
        passed.fold(0.0, f64::max) / FEW_INTERVALS as f64
    }

    /// The capacity per second of a link that has a queue now, from the best few of the last intervals: the throughput,
    /// minus what only lengthened the queue.
    fn carried_per_s(&self) -> f64 {
        let target_intervals = self.target.0.as_secs_f64() / INTERVAL.as_secs_f64();
        let last: Vec<_> = self.last.iter().rev().take(CARRIED_INTERVALS).collect();
        let carried = |few: &[&Interval]| {
            let (Some(newest), Some(oldest)) = (few.first(), few.last()) else { return 0.0 };
            let grown = ((newest.delay - oldest.delay) * target_intervals).max(0.0);
            few.iter().map(|interval| interval.passed_per_s).sum::<f64>() / (few.len() as f64 + grown)
        };
        last.windows(FEW_INTERVALS.min(last.len())).map(carried).fold(0.0, f64::max)
    }
}

/// The share of the rate that is left after a delay, in targets.
fn share_left(delay: f64) -> f64 {
    1.0 - (BACK_OFF * (delay - 1.0)).clamp(0.0, MOST_BACK_OFF)
}

#[cfg(test)]
mod tests;
