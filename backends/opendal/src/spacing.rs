//! The schedule of sent data under a bandwidth limit.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use towpath_backend::Pacing;

/// The largest piece that leaves at once: what a client takes from memory without a limit.
const MOST_BYTES: usize = 512 << 10;
const LEAST_BYTES: usize = 4 << 10;
/// A piece takes this fraction of a second.
const PIECES_PER_S: u64 = 128;
/// How much delay of a timer is compensated.
const CATCH_UP: Duration = Duration::from_millis(5);

/// One schedule for all that is sent to one storage.
///
/// The engine passes content on at the rate of the limit, but a multipart part is sent when it is complete: all of it
/// would leave at once.
#[derive(Debug, Default)]
pub(crate) struct Spacing {
    /// The limit of the last call that was given one.
    pacing: Mutex<Option<Pacing>>,
    next: Mutex<Option<Instant>>,
}

impl Spacing {
    /// Keeps to this limit from now on, or to none.
    pub(crate) fn follow(&self, pacing: Option<&Pacing>) {
        *self.pacing.lock().unwrap_or_else(PoisonError::into_inner) = pacing.cloned();
    }

    /// The rate, if there is a limit.
    fn bytes_per_s(&self) -> Option<u64> {
        let pacing = self.pacing.lock().unwrap_or_else(PoisonError::into_inner);
        pacing.as_ref().filter(|pacing| pacing.is_limited()).map(Pacing::bytes_per_s).filter(|per_s| *per_s > 0)
    }

    /// The most bytes to be sent at once, if there is a limit.
    pub(crate) fn piece_bytes(&self) -> Option<usize> {
        let per_s = self.bytes_per_s()?;
        Some(usize::try_from(per_s / PIECES_PER_S).unwrap_or(MOST_BYTES).clamp(LEAST_BYTES, MOST_BYTES))
    }

    /// Takes the next place in the schedule: when `bytes` may leave, if there is a limit.
    pub(crate) fn reserve(&self, now: Instant, bytes: usize) -> Option<Instant> {
        let per_s = self.bytes_per_s()?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let earliest = now.checked_sub(CATCH_UP).unwrap_or(now);
        let at = next.unwrap_or(now).max(earliest);
        *next = Some(at + Duration::from_secs_f64(bytes as f64 / per_s as f64));
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_a_limit_nothing_waits() {
        let spacing = Spacing::default();
        assert_eq!(spacing.piece_bytes(), None);
        assert_eq!(spacing.reserve(Instant::now(), 1 << 30), None);
    }

    #[test]
    fn a_new_limit_holds_from_the_next_piece_on() {
        let (spacing, now, pacing) = (Spacing::default(), Instant::now(), Pacing::new(1000));
        spacing.follow(Some(&pacing));
        assert_eq!(spacing.reserve(now, 1000), Some(now));
        pacing.set_bytes_per_s(10_000);
        assert_eq!(spacing.reserve(now, 1000), Some(now + Duration::from_secs(1)));
        assert_eq!(spacing.reserve(now, 1000), Some(now + Duration::from_millis(1100)));
    }

    proptest! {
        #[test]
        fn no_second_takes_more_than_the_limit_and_a_piece(
            per_s in 64u64 << 10..100 << 20,
            pauses in prop::collection::vec(0u64..30, 50..300),
        ) {
            let spacing = Spacing::default();
            spacing.follow(Some(&Pacing::new(per_s)));
            let piece = spacing.piece_bytes().unwrap();
            let mut now = Instant::now();
            let mut left = Vec::new();
            for pause in pauses {
                now += Duration::from_millis(pause);
                let at = spacing.reserve(now, piece).unwrap().max(now);
                left.push(at);
            }
            for (i, from) in left.iter().enumerate() {
                let within = left[i..].iter().take_while(|at| **at < *from + Duration::from_secs(1)).count();
                let most = per_s as f64 * 1.005 + 2.0 * piece as f64;
                prop_assert!((within * piece) as f64 <= most, "{within} of {piece} at {per_s}");
            }
        }
    }
}
