//! Notices when the wall clock is set, or the machine was suspended.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// Smaller differences are those of a clock that is adjusted gradually.
const LEAST_JUMP: SignedDuration = SignedDuration::from_secs(2);

/// Both clocks at one moment. The monotonic one is never set, and stands still while the machine is suspended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Instant,
}

impl Reading {
    pub(super) fn now() -> Self {
        /// If reading takes longer, the process was not running in between.
        const MOST: Duration = Duration::from_millis(100);
        let read = || {
            let before = Instant::now();
            (Self { wall: Timestamp::now(), monotonic: before }, before.elapsed())
        };
        let readings = std::iter::repeat_with(read).take(3);
        readings
            .reduce(|first, next| if first.1 <= MOST { first } else { next })
            .map_or_else(|| read().0, |best| best.0)
    }
}

/// Compares each reading with the one before.
#[derive(Debug)]
pub(super) struct ClockWatch {
    last: Reading,
}

impl ClockWatch {
    pub(super) fn new(first: Reading) -> Self {
        Self { last: first }
    }

    /// By how much the wall clock went forward or back more than the monotonic clock since the last reading.
    pub(super) fn jump(&mut self, now: Reading) -> Option<SignedDuration> {
        let last = std::mem::replace(&mut self.last, now);
        let passed = SignedDuration::try_from(now.monotonic.saturating_duration_since(last.monotonic)).ok()?;
        let jump = now.wall.duration_since(last.wall) - passed;
        (jump.abs() >= LEAST_JUMP).then_some(jump)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is noticed when both clocks advance by these times.
    fn noticed(wall: SignedDuration, monotonic: Duration) -> Option<SignedDuration> {
        let first = Reading::now();
        let mut watch = ClockWatch::new(first);
        let next = Reading { wall: first.wall + wall, monotonic: first.monotonic + monotonic };
        let jump = watch.jump(next);
        // Once.
        let later = Reading {
            wall: next.wall + SignedDuration::from_secs(1),
            monotonic: next.monotonic + Duration::from_secs(1),
        };
        assert_eq!(watch.jump(later), None);
        jump
    }

    #[test]
    fn a_clock_that_is_set_is_noticed_once() {
        let second = Duration::from_secs(1);
        assert_eq!(noticed(SignedDuration::from_secs(1), second), None);
        // It is adjusted by a tenth, and the next tick is late.
        assert_eq!(noticed(SignedDuration::from_millis(1100), second), None);
        assert_eq!(noticed(SignedDuration::from_secs(60), 60 * second), None);
        let (hour, two) = (SignedDuration::from_hours(1), SignedDuration::from_secs(2));
        assert_eq!(noticed(hour + SignedDuration::from_secs(1), second), Some(hour));
        assert_eq!(noticed(-hour, second), Some(-hour - SignedDuration::from_secs(1)));
        assert_eq!(noticed(SignedDuration::from_secs(3), second), Some(two));
        // While the machine is suspended, the monotonic clock stands still.
        assert_eq!(noticed(8 * hour, Duration::ZERO), Some(8 * hour));
    }
}
