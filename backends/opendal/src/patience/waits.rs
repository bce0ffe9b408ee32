//! Reports that requests wait: once, and not for pauses that nobody would notice.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use towpath_backend::{WaitObserver, WaitReason};

/// How long requests wait before that is reported.
const REPORTED_AFTER: Duration = Duration::from_secs(5);

/// What is reported of waiting requests.
#[derive(Default)]
pub(super) struct Waits(Mutex<State>);

#[derive(Default)]
struct State {
    observer: Option<Arc<dyn WaitObserver>>,
    since: Option<Instant>,
    reported: bool,
}

impl fmt::Debug for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waits").finish_non_exhaustive()
    }
}

impl Waits {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn observe(&self, observer: Arc<dyn WaitObserver>) {
        *self.state() = State { observer: Some(observer), since: None, reported: false };
    }

    pub(super) fn are_observed(&self) -> bool {
        self.state().observer.is_some()
    }

    /// A request is going to wait for `pause`.
    pub(super) fn note(&self, reason: WaitReason, pause: Duration, cause: impl FnOnce() -> String) {
        let mut state = self.state();
        let since = *state.since.get_or_insert_with(Instant::now);
        let is_long = reason == WaitReason::Credentials || since.elapsed() + pause >= REPORTED_AFTER;
        if state.reported || !is_long {
            return;
        }
        if let Some(observer) = state.observer.clone() {
            state.reported = true;
            drop(state);
            observer.waiting(reason, &cause());
        }
    }

    /// A request that waited has succeeded.
    pub(super) fn ended(&self) {
        let mut state = self.state();
        state.since = None;
        if std::mem::take(&mut state.reported)
            && let Some(observer) = state.observer.clone()
        {
            drop(state);
            observer.resumed();
        }
    }
}
