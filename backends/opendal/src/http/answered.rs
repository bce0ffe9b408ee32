//! Whether the storage has just answered: then it need not be asked again whether it is there.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How long an answer shows that the storage is there.
const RECENT: Duration = Duration::from_secs(1);

/// When requests to one storage started that succeeded or failed. A success shows that the bucket is there, and that it
/// can be accessed; until a later request fails, or for a second.
#[derive(Debug, Default)]
pub(crate) struct Answered(Mutex<Started>);

#[derive(Debug, Default)]
struct Started {
    succeeded: Option<Instant>,
    failed: Option<Instant>,
}

impl Answered {
    fn started(&self) -> std::sync::MutexGuard<'_, Started> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a request ended that started at `started`.
    pub(crate) fn note(&self, started: Instant, is_success: bool) {
        let mut known = self.started();
        let last = if is_success { &mut known.succeeded } else { &mut known.failed };
        *last = (*last).max(Some(started));
    }

    /// Whether a request succeeded within the last second that started no earlier than the last one that failed.
    pub(crate) fn is_recent(&self) -> bool {
        let known = self.started();
        known.succeeded.is_some_and(|at| at.elapsed() < RECENT) && known.succeeded >= known.failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn a_success_counts_for_a_second_or_until_a_later_request_fails() {
        let (answered, began) = (Answered::default(), Instant::now());
        assert!(!answered.is_recent(), "nothing is known");
        answered.note(began, true);
        assert!(answered.is_recent());
        advance(RECENT / 2).await;
        answered.note(Instant::now(), false);
        assert!(!answered.is_recent());
        answered.note(began, true);
        assert!(!answered.is_recent(), "it started before the one that failed");
        answered.note(Instant::now(), true);
        assert!(answered.is_recent());
        advance(RECENT).await;
        assert!(!answered.is_recent());
    }
}
