//! The time in which any lane has work, and what the committer does meanwhile.

use crate::lock::locked;
use std::sync::Mutex;

use tokio::time::Instant;

/// What the committer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CommitterState {
    /// It waits for finished files.
    #[default]
    Waiting,
    /// It makes files durable at the sink.
    Flushing,
    /// It records them in the database.
    Recording,
}

/// Nanoseconds, by the committer's state.
pub(super) type ByCommitter = [u64; 3];

/// The time that passed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct PresenceTimes {
    /// While no lane has a file.
    pub(super) without_lanes: ByCommitter,
    pub(super) with_lanes: ByCommitter,
}

/// Counts the lanes that have a file.
#[derive(Debug)]
pub(super) struct Presence(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    busy_lanes: u32,
    committer: CommitterState,
    since: Instant,
    times: PresenceTimes,
}

impl Default for Presence {
    fn default() -> Self {
        let (since, times) = (Instant::now(), PresenceTimes::default());
        Self(Mutex::new(Inner { busy_lanes: 0, committer: CommitterState::Waiting, since, times }))
    }
}

impl Presence {
    /// A lane has had a file since `now`.
    pub(super) fn lane_begins(&self, now: Instant) {
        self.change(now, |inner| inner.busy_lanes += 1);
    }

    pub(super) fn lane_ends(&self, now: Instant) {
        self.change(now, |inner| inner.busy_lanes = inner.busy_lanes.saturating_sub(1));
    }

    pub(super) fn set_committer(&self, committer: CommitterState) {
        self.change(Instant::now(), |inner| inner.committer = committer);
    }

    /// The times up to now.
    pub(super) fn times(&self) -> PresenceTimes {
        let mut times = PresenceTimes::default();
        self.change(Instant::now(), |inner| times = inner.times);
        times
    }

    fn change(&self, now: Instant, change: impl FnOnce(&mut Inner)) {
        let mut inner = locked(&self.0);
        // Of two lanes that change at the same time, the later one may come first.
        let now = now.max(inner.since);
        let passed = u64::try_from(now.duration_since(inner.since).as_nanos()).unwrap_or(u64::MAX);
        let at = inner.committer as usize;
        let has_lanes = inner.busy_lanes > 0;
        let times = &mut inner.times;
        let by_committer = if has_lanes { &mut times.with_lanes } else { &mut times.without_lanes };
        by_committer[at] = by_committer[at].saturating_add(passed);
        inner.since = now;
        change(&mut inner);
    }
}

impl PresenceTimes {
    /// The time that passed since an earlier state.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let since = |now: ByCommitter, before: ByCommitter| [0, 1, 2].map(|at| now[at].saturating_sub(before[at]));
        Self {
            without_lanes: since(self.without_lanes, earlier.without_lanes),
            with_lanes: since(self.with_lanes, earlier.with_lanes),
        }
    }
}
