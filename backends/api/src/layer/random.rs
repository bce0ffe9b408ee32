//! Pseudo-random numbers (SplitMix64) for jitter and fault injection, not for secrets.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// A sequence of numbers determined by its seed; shared between threads without a lock.
#[derive(Debug)]
pub(crate) struct Random(AtomicU64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    /// A generator with a different seed each time.
    pub(crate) fn unseeded() -> Self {
        Self::new(RandomState::new().hash_one(0))
    }

    /// The next number, from 0 to less than 1.
    pub(crate) fn next(&self) -> f64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut x = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly_and_the_seed_decides() {
        let (random, again) = (Random::new(7), Random::new(7));
        let numbers: Vec<_> = (0..10_000).map(|_| random.next()).collect();
        assert!(numbers.iter().all(|x| (0.0..1.0).contains(x) && *x == again.next()));
        let below = numbers.iter().filter(|x| **x < 0.1).count();
        assert!((900..1100).contains(&below), "{below}");
    }
}
