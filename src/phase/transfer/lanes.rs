//! Runs all lanes over one kind of work, with the dispatchers that feed them and the committer that records their
//! results.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::commit::Committer;
use super::dispatch::dispatch;
use super::hole_lane::{HoleLane, LongHoles};
use super::lane::{Queue, Tasks};
use super::lane_role::LaneRole;
use super::shared::Transfer;
use super::task::FinishedTask;
use super::{reader, writer};
use crate::error::{Error, Result};
use crate::journal::{Sizes, Work};
use crate::progress::{LaneClock, ReaderState, WriterState};
use crate::tally::Tally;

/// Files that wait for a lane.
const WAITING_FILES: usize = 1024;
/// Finished files that wait for the committer.
const WAITING_RESULTS: usize = 8192;

/// Runs one kind of work of one attempt; returns the updated tally.
pub(super) async fn run(
    transfer: &Arc<Transfer>,
    work: Work,
    attempt: u32,
    hole_lane: HoleLane,
    tally: Tally,
) -> (Tally, Result<()>) {
    let before = tally.clone();
    transfer.session.is_sending.store(true, Relaxed);
    let (large_in, large) = mpsc::channel(WAITING_FILES);
    let (small_in, small) = mpsc::channel(WAITING_FILES);
    let (large, small) = (Arc::new(Mutex::new(large)), Arc::new(Mutex::new(small)));
    let (results_in, results) = mpsc::channel(WAITING_RESULTS);
    let session = &transfer.session;
    let clocks = Arc::new(session.progress.lane_clocks(session.lanes + 1));
    let mut lanes = JoinSet::new();
    for lane in 0..session.lanes {
        let tasks = tasks_of(LaneRole::of(lane, session.options.queue_capacity), &large, &small);
        spawn_lane(&mut lanes, (lane, clocks.of_lane(lane)), transfer, tasks, results_in.clone());
    }
    let others_ended = CancellationToken::new();
    let mut lane_of_holes = JoinSet::new();
    // With a single lane, files with long holes are sent last.
    if work == Work::Content && (session.lanes > 1 || hole_lane == HoleLane::All) {
        let others_ended = others_ended.clone();
        let tasks = Tasks::LongHoles(LongHoles { transfer: Arc::clone(transfer), takes: hole_lane, others_ended });
        let lane = (session.lanes, clocks.of_lane(session.lanes));
        spawn_lane(&mut lane_of_holes, lane, transfer, tasks, results_in.clone());
    }
    drop((large, small, results_in));
    let committer = tokio::spawn(Committer::new(transfer, attempt, tally, Arc::clone(&clocks)).run(results));
    let (large, small) = tokio::join!(
        dispatch(transfer, work, attempt, Sizes::Large, large_in),
        dispatch(transfer, work, attempt, Sizes::Small, small_in)
    );
    let dispatched = large.and(small);
    let lanes_ended = join(lanes).await;
    others_ended.cancel();
    let lanes_ended = join(lane_of_holes).await.and(lanes_ended);
    session.is_sending.store(false, Relaxed);
    if session.finish.is_cancelled() {
        // The files that were in flight are done.
        session.stop.cancel();
    }
    let Ok((tally, committed)) = committer.await else {
        return (before, Err(Error::Internal("the committer panicked".to_owned())));
    };
    (tally, committed.and(dispatched).and(lanes_ended))
}

/// Where a lane of this role takes its files from.
fn tasks_of(role: LaneRole, large: &Queue, small: &Queue) -> Tasks {
    let (first, then) = match role {
        LaneRole::LargeFirst => (large, Some(small)),
        LaneRole::SmallFirst => (small, Some(large)),
        LaneRole::SmallOnly => (small, None),
    };
    Tasks::Dispatched { first: Arc::clone(first), then: then.map(Arc::clone) }
}

/// Starts a lane's reader and writer.
fn spawn_lane(
    tasks_of_lanes: &mut JoinSet<Result<()>>,
    (lane, clock): (usize, Arc<LaneClock>),
    transfer: &Arc<Transfer>,
    tasks: Tasks,
    results: mpsc::Sender<FinishedTask>,
) {
    // The pool bounds the blocks; this bounds how many of them one lane can queue.
    let (queue_in, queue) = mpsc::channel(transfer.session.options.queue_capacity);
    let (of_reader, of_writer) = (Arc::clone(transfer), Arc::clone(transfer));
    let reader_clock = Arc::clone(&clock);
    tasks_of_lanes.spawn(async move {
        reader::run(of_reader, tasks, queue_in, &reader_clock).await;
        reader_clock.set_reader(ReaderState::Idle);
        Ok(())
    });
    tasks_of_lanes.spawn(async move {
        let ended = writer::run(lane, of_writer, queue, results, &clock).await;
        clock.set_writer(WriterState::Idle);
        ended
    });
}

/// Waits for readers and writers.
async fn join(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    let mut result = Ok(());
    while let Some(joined) = tasks.join_next().await {
        let panicked = |_| Err(Error::Internal("a lane panicked".to_owned()));
        result = result.and(joined.unwrap_or_else(panicked));
    }
    result
}
