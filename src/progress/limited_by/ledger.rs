//! The clocks of all lanes, and what has been attributed so far.

use crate::lock::locked;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::time::Instant;

use super::attribution::attribute;
use super::cause::LimitedBy;
use super::lane::{LaneClock, StateTimes};
use super::limit_mode::LimitMode;
use super::presence::{CommitterState, Presence, PresenceTimes};

/// How often time is attributed for good: often enough that what limited the run at first does not decide over what
/// limits it later, and seldom enough that one step of reading or writing is a part of it.
const FOR_GOOD_EVERY: Duration = Duration::from_secs(10);

/// The time of a run's lanes; clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    mode: LimitMode,
    /// What has been attributed for good.
    limited_by: LimitedBy,
    /// The lanes that are at work.
    lanes: Option<Lanes>,
}

#[derive(Debug)]
struct Lanes {
    clocks: Vec<Arc<LaneClock>>,
    presence: Arc<Presence>,
    /// Up to where time is attributed for good.
    until: Attributed,
}

#[derive(Clone, Copy, Debug)]
struct Attributed {
    at: Instant,
    lanes: StateTimes,
    presence: PresenceTimes,
}

/// The clocks of the lanes that are at work, until it is dropped.
#[derive(Debug)]
pub(crate) struct LaneClocks {
    ledger: Ledger,
    clocks: Vec<Arc<LaneClock>>,
    presence: Arc<Presence>,
}

impl Ledger {
    /// Starts the clocks of this many lanes.
    pub(crate) fn begin(&self, count: usize) -> LaneClocks {
        let presence = Arc::<Presence>::default();
        let clocks: Vec<_> = (0..count).map(|_| Arc::new(LaneClock::new(Arc::clone(&presence)))).collect();
        let until = Attributed { at: Instant::now(), lanes: StateTimes::default(), presence: PresenceTimes::default() };
        let lanes = Lanes { clocks: clocks.clone(), presence: Arc::clone(&presence), until };
        self.inner().lanes = Some(lanes);
        LaneClocks { ledger: self.clone(), clocks, presence }
    }

    /// From now on the wait for the limit means this.
    pub(crate) fn set_mode(&self, mode: LimitMode) {
        let mut inner = self.inner();
        if inner.mode != mode {
            inner.attribute_for_good();
            inner.mode = mode;
        }
    }

    /// What limited the run up to now.
    pub(crate) fn limited_by(&self) -> LimitedBy {
        let mut inner = self.inner();
        inner.attribute_if_due();
        let mut limited_by = inner.limited_by;
        if let Some((since, _)) = inner.since_attributed() {
            limited_by.add_all(&since);
        }
        limited_by
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        locked(&self.0)
    }
}

impl Inner {
    /// What limited the run since time was last attributed for good.
    fn since_attributed(&self) -> Option<(LimitedBy, Attributed)> {
        let lanes = self.lanes.as_ref()?;
        let mut times = StateTimes::default();
        lanes.clocks.iter().for_each(|clock| times.add_all(&clock.times()));
        let now = Attributed { at: Instant::now(), lanes: times, presence: lanes.presence.times() };
        let until = &lanes.until;
        let since = attribute(&now.lanes.since(&until.lanes), &now.presence.since(&until.presence), self.mode);
        Some((since, now))
    }

    fn attribute_if_due(&mut self) {
        if self.lanes.as_ref().is_some_and(|lanes| lanes.until.at.elapsed() >= FOR_GOOD_EVERY) {
            self.attribute_for_good();
        }
    }

    fn attribute_for_good(&mut self) {
        let Some((since, now)) = self.since_attributed() else { return };
        self.limited_by.add_all(&since);
        if let Some(lanes) = &mut self.lanes {
            lanes.until = now;
        }
    }
}

impl LaneClocks {
    /// The clock of the lane with this number.
    pub(crate) fn of_lane(&self, lane: usize) -> Arc<LaneClock> {
        self.clocks.get(lane).map_or_else(Arc::default, Arc::clone)
    }

    /// The committer is in this state from now on.
    pub(crate) fn set_committer(&self, state: CommitterState) {
        self.presence.set_committer(state);
        if state == CommitterState::Waiting {
            self.ledger.inner().attribute_if_due();
        }
    }
}

impl Drop for LaneClocks {
    fn drop(&mut self) {
        let mut inner = self.ledger.inner();
        inner.attribute_for_good();
        inner.lanes = None;
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::super::cause::Cause;
    use super::super::lane::{ReaderState, WriterState};
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    fn times(ledger: &Ledger) -> Vec<(Cause, u64)> {
        let limited_by = ledger.limited_by();
        let times = Cause::ALL.map(|cause| (cause, limited_by.time(cause).as_micros() as u64));
        times.into_iter().filter(|(_, us)| *us > 0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_counts_before_it_ends() {
        let ledger = Ledger::default();
        let clocks = ledger.begin(2);
        let clock = clocks.of_lane(1);
        clock.set_reader(ReaderState::LargeFile);
        let hour = Duration::from_secs(3600);
        tokio::select! {
            () = clock.reader_waits(ReaderState::Limit, sleep(2 * hour)) => unreachable!(),
            () = sleep(hour) => assert_eq!(times(&ledger), [(Cause::Limit, 3_600_000_000)]),
        }
        assert_eq!(ledger.limited_by(), ledger.limited_by(), "asking changes nothing");
        sleep(MS(5)).await;
        let expected = [(Cause::Limit, 3_600_000_000), (Cause::Source, 5_000)];
        assert_eq!(times(&ledger), expected, "the wait was cancelled, and the reader reads on");
    }

    #[tokio::test(start_paused = true)]
    async fn each_lane_with_a_file_counts_alike_and_idle_ones_do_not() {
        let ledger = Ledger::default();
        let clocks = ledger.begin(8);
        clocks.of_lane(0).set_reader(ReaderState::LargeFile);
        clocks.of_lane(1).set_writer(WriterState::SmallFile);
        sleep(MS(10)).await;
        assert_eq!(times(&ledger), [(Cause::Source, 5_000), (Cause::SmallFilesAtDestination, 5_000)]);
        clocks.of_lane(0).set_reader(ReaderState::Idle);
        clocks.of_lane(1).set_writer(WriterState::Idle);
        clocks.set_committer(CommitterState::Flushing);
        sleep(MS(7)).await;
        let flushed = [(Cause::Source, 5_000), (Cause::SmallFilesAtDestination, 5_000), (Cause::Flush, 7_000)];
        assert_eq!(times(&ledger), flushed);
        drop(clocks);
        sleep(MS(7)).await;
        assert_eq!(times(&ledger), flushed, "without lanes no time passes");
    }

    #[tokio::test(start_paused = true)]
    async fn a_lane_alone_at_the_end_counts_as_much_as_all_before() {
        let ledger = Ledger::default();
        let clocks = ledger.begin(8);
        (0..8).for_each(|lane| clocks.of_lane(lane).set_reader(ReaderState::SmallFile));
        sleep(FOR_GOOD_EVERY).await;
        clocks.set_committer(CommitterState::Waiting);
        (1..8).for_each(|lane| clocks.of_lane(lane).set_reader(ReaderState::Idle));
        clocks.of_lane(0).set_reader(ReaderState::LargeFile);
        sleep(FOR_GOOD_EVERY).await;
        assert_eq!(times(&ledger), [(Cause::Source, 10_000_000), (Cause::SmallFilesAtSource, 10_000_000)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_and_the_limit_are_told_apart_while_the_same_wait_lasts() {
        let ledger = Ledger::default();
        let clocks = ledger.begin(1);
        clocks.of_lane(0).set_reader(ReaderState::Limit);
        sleep(MS(3)).await;
        ledger.set_mode(LimitMode::Paused);
        sleep(MS(4)).await;
        ledger.set_mode(LimitMode::Adaptive);
        sleep(MS(5)).await;
        let expected = [(Cause::Limit, 3_000), (Cause::OtherTraffic, 5_000), (Cause::Paused, 4_000)];
        assert_eq!(times(&ledger), expected);
    }

    #[tokio::test(start_paused = true)]
    async fn the_hash_stage_counts_while_the_reader_waits_for_it() {
        let ledger = Ledger::default();
        let clocks = ledger.begin(1);
        let clock = clocks.of_lane(0);
        clock.set_reader(ReaderState::LargeFile);
        let hashing = clock.hashing();
        clock.reader_waits(ReaderState::Blocked, sleep(MS(9))).await;
        drop(hashing);
        sleep(MS(1)).await;
        assert_eq!(times(&ledger), [(Cause::Source, 1_000), (Cause::Hash, 9_000)]);
    }
}
