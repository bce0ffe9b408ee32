//! Locking counters.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks the counters, even if a thread panicked while it held the lock: plain counters are never half written.
pub(super) fn locked<T>(counters: &Mutex<T>) -> MutexGuard<'_, T> {
    counters.lock().unwrap_or_else(PoisonError::into_inner)
}
