//! A rate that changes while it is used, and the bytes that passed.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::controller::MIN_BYTES_PER_S;
use crate::event::Side;
use crate::per_side::PerSide;

/// Shared by the paces, which use it, and the task that sets it.
#[derive(Debug)]
pub(crate) struct Rate {
    bytes_per_s: AtomicU64,
    max_bytes_per_s: u64,
    passed_bytes: PerSide<AtomicU64>,
}

impl Rate {
    /// The lowest rate, until more is known.
    pub(super) fn new(max_bytes_per_s: Option<u64>) -> Self {
        let max_bytes_per_s = max_bytes_per_s.unwrap_or(u64::MAX);
        let first = MIN_BYTES_PER_S.min(max_bytes_per_s);
        Self { bytes_per_s: AtomicU64::new(first), max_bytes_per_s, passed_bytes: PerSide::default() }
    }

    pub(super) fn bytes_per_s(&self) -> u64 {
        self.bytes_per_s.load(Relaxed)
    }

    pub(super) fn max_bytes_per_s(&self) -> u64 {
        self.max_bytes_per_s
    }

    pub(super) fn set(&self, bytes_per_s: u64) {
        self.bytes_per_s.store(bytes_per_s, Relaxed);
    }

    /// Notes bytes that passed from the source, or to the sink.
    pub(super) fn add_passed(&self, side: Side, bytes: u64) {
        self.passed_bytes[side].fetch_add(bytes, Relaxed);
    }

    /// Bytes that passed since the last call, in the direction in which more did.
    pub(super) fn take_passed(&self) -> u64 {
        self.passed_bytes.iter().map(|(_, passed)| passed.swap(0, Relaxed)).max().unwrap_or(0)
    }
}
