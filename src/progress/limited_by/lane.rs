//! The clock of one lane: how long its parts have been in each combination of states.

use crate::lock::locked;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;

use tokio::time::Instant;

use super::presence::Presence;

/// What a lane's reader does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ReaderState {
    /// It has no file.
    #[default]
    Idle,
    /// It waits for the writer or the hash stage: for a free block, room in the queue, or the checksum.
    Blocked,
    /// It waits for the limit.
    Limit,
    /// It hashes a small file itself.
    Hash,
    /// It reads a small file.
    SmallFile,
    /// It reads a large file.
    LargeFile,
}

/// What a lane's writer does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WriterState {
    /// It waits for the reader.
    #[default]
    Idle,
    /// It waits for the limit.
    Limit,
    /// It writes a small file.
    SmallFile,
    /// It writes a large file.
    LargeFile,
    /// It waits for the committer to take its results.
    Committer,
    /// It records in the database what it is going to do.
    Database,
}

impl ReaderState {
    pub(super) const ALL: [Self; 6] =
        [Self::Idle, Self::Blocked, Self::Limit, Self::Hash, Self::SmallFile, Self::LargeFile];

    /// Reads a file of this class.
    pub(crate) fn of_file(is_small: bool) -> Self {
        if is_small { Self::SmallFile } else { Self::LargeFile }
    }
}

impl WriterState {
    pub(super) const ALL: [Self; 6] =
        [Self::Idle, Self::Limit, Self::SmallFile, Self::LargeFile, Self::Committer, Self::Database];

    /// Writes a file of this class.
    pub(crate) fn of_file(is_small: bool) -> Self {
        if is_small { Self::SmallFile } else { Self::LargeFile }
    }
}

/// The states of a lane's parts at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct States {
    pub(super) reader: ReaderState,
    pub(super) hashes: bool,
    pub(super) writer: WriterState,
}

impl States {
    const COUNT: usize = ReaderState::ALL.len() * 2 * WriterState::ALL.len();

    fn index(self) -> usize {
        (self.reader as usize * 2 + usize::from(self.hashes)) * WriterState::ALL.len() + self.writer as usize
    }

    fn is_idle(self) -> bool {
        self == Self::default()
    }
}

/// Nanoseconds for each combination of states.
#[derive(Clone, Copy, Debug)]
pub(super) struct StateTimes([u64; States::COUNT]);

impl Default for StateTimes {
    fn default() -> Self {
        Self([0; States::COUNT])
    }
}

impl StateTimes {
    pub(super) fn add(&mut self, states: States, ns: u64) {
        let sum = &mut self.0[states.index()];
        *sum = sum.saturating_add(ns);
    }

    pub(super) fn add_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, ns)| *sum = sum.saturating_add(ns));
    }

    /// The time that passed since an earlier state.
    pub(super) fn since(mut self, earlier: &Self) -> Self {
        self.0.iter_mut().zip(earlier.0).for_each(|(now, before)| *now = now.saturating_sub(before));
        self
    }

    /// The times that are not zero.
    pub(super) fn iter(&self) -> impl Iterator<Item = (States, u64)> + '_ {
        let hashes = |reader| [false, true].map(|hashes| (reader, hashes));
        let states = ReaderState::ALL
            .into_iter()
            .flat_map(hashes)
            .flat_map(|(reader, hashes)| WriterState::ALL.map(|writer| States { reader, hashes, writer }));
        states.map(|states| (states, self.0[states.index()])).filter(|(_, ns)| *ns > 0)
    }
}

/// The clock of one lane. Its lock is the lane's own, so that it is nearly always free.
#[derive(Debug)]
pub(crate) struct LaneClock {
    lane: Mutex<Lane>,
    presence: Arc<Presence>,
}

#[derive(Debug)]
struct Lane {
    reader: ReaderState,
    /// Hash stages that are hashing. The one of a file that was given up may end after the next one has begun.
    hashing: u32,
    writer: WriterState,
    since: Instant,
    times: StateTimes,
}

impl Default for LaneClock {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl LaneClock {
    pub(super) fn new(presence: Arc<Presence>) -> Self {
        let (reader, writer) = (ReaderState::Idle, WriterState::Idle);
        let lane = Lane { reader, hashing: 0, writer, since: Instant::now(), times: StateTimes::default() };
        Self { lane: Mutex::new(lane), presence }
    }

    /// The reader is in this state from now on.
    pub(crate) fn set_reader(&self, state: ReaderState) {
        self.replace_reader(state);
    }

    /// The writer is in this state from now on.
    pub(crate) fn set_writer(&self, state: WriterState) {
        self.replace_writer(state);
    }

    /// The reader is in this state until the guard is dropped.
    pub(crate) fn reader_in(&self, state: ReaderState) -> impl Drop + use<'_> {
        let before = self.replace_reader(state);
        OnDrop(move || self.set_reader(before))
    }

    /// Awaits `future`; the reader is in this state as long as that takes.
    pub(crate) async fn reader_waits<T>(&self, state: ReaderState, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        // Most waits are over at once, and cost nothing.
        if let Some(value) = poll_fn(|context| Poll::Ready(ready(future.as_mut().poll(context)))).await {
            return value;
        }
        let _waiting = self.reader_in(state);
        future.await
    }

    /// Awaits `future`; the writer is in this state as long as that takes.
    pub(crate) async fn writer_waits<T>(&self, state: WriterState, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        if let Some(value) = poll_fn(|context| Poll::Ready(ready(future.as_mut().poll(context)))).await {
            return value;
        }
        let before = self.replace_writer(state);
        let _waiting = OnDrop(move || self.set_writer(before));
        future.await
    }

    /// The hash stage is busy until the guard is dropped.
    pub(crate) fn hashing(&self) -> impl Drop + use<'_> {
        self.change(&mut self.lane(), |lane| lane.hashing += 1);
        OnDrop(|| self.change(&mut self.lane(), |lane| lane.hashing -= 1))
    }

    /// The times up to now: a wait counts before it ends.
    pub(super) fn times(&self) -> StateTimes {
        let mut lane = self.lane();
        let _now = lane.pass();
        lane.times
    }

    fn replace_reader(&self, state: ReaderState) -> ReaderState {
        let mut lane = self.lane();
        let before = lane.reader;
        if before != state {
            self.change(&mut lane, |lane| lane.reader = state);
        }
        before
    }

    fn replace_writer(&self, state: WriterState) -> WriterState {
        let mut lane = self.lane();
        let before = lane.writer;
        if before != state {
            self.change(&mut lane, |lane| lane.writer = state);
        }
        before
    }

    fn lane(&self) -> MutexGuard<'_, Lane> {
        locked(&self.lane)
    }

    fn change(&self, lane: &mut Lane, change: impl FnOnce(&mut Lane)) {
        let now = lane.pass();
        let was_idle = lane.states().is_idle();
        change(lane);
        match (was_idle, lane.states().is_idle()) {
            (true, false) => self.presence.lane_begins(now),
            (false, true) => self.presence.lane_ends(now),
            _ => {}
        }
    }
}

impl Lane {
    fn states(&self) -> States {
        States { reader: self.reader, hashes: self.hashing > 0, writer: self.writer }
    }

    /// Counts the time up to now.
    fn pass(&mut self) -> Instant {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since).as_nanos();
        self.times.add(self.states(), u64::try_from(passed).unwrap_or(u64::MAX));
        self.since = now;
        now
    }
}

fn ready<T>(poll: Poll<T>) -> Option<T> {
    match poll {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}
