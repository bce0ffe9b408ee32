//! Runs all lanes over one kind of work, with the dispatchers that feed them and the committer that records their
//! results.

use std::sync::Arc;

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
    let (large_in, large) = mpsc::channel(WAITING_FILES);
    let (small_in, small) = mpsc::channel(WAITING_FILES);
    let (large, small) = (Arc::new(Mutex::new(large)), Arc::new(Mutex::new(small)));
    let (results_in, results) = mpsc::channel(WAITING_RESULTS);
    let session = &transfer.session;
    let mut lanes = JoinSet::new();
    for lane in 0..session.lanes {
        let tasks = tasks_of(LaneRole::of(lane, session.options.queue_capacity), &large, &small);
        spawn_lane(&mut lanes, lane, transfer, tasks, results_in.clone());
    }
    let others_ended = CancellationToken::new();
    let mut lane_of_holes = JoinSet::new();
    // With a single lane, files with long holes are sent last.
    if work == Work::Content && (session.lanes > 1 || hole_lane == HoleLane::All) {
        let others_ended = others_ended.clone();
        let tasks = Tasks::LongHoles(LongHoles { transfer: Arc::clone(transfer), takes: hole_lane, others_ended });
        spawn_lane(&mut lane_of_holes, session.lanes, transfer, tasks, results_in.clone());
    }
    drop((large, small, results_in));
    let committer = tokio::spawn(Committer::new(transfer, attempt, tally).run(results));
    let (large, small) = tokio::join!(
        dispatch(transfer, work, attempt, Sizes::Large, large_in),
        dispatch(transfer, work, attempt, Sizes::Small, small_in)
    );
    let dispatched = large.and(small);
    let lanes_ended = join(lanes).await;
    others_ended.cancel();
    let lanes_ended = join(lane_of_holes).await.and(lanes_ended);
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
    lane: usize,
    transfer: &Arc<Transfer>,
    tasks: Tasks,
    results: mpsc::Sender<FinishedTask>,
) {
    // The pool bounds the blocks; this bounds how many of them one lane can queue.
    let (queue_in, queue) = mpsc::channel(transfer.session.options.queue_capacity);
    let (of_reader, of_writer) = (Arc::clone(transfer), Arc::clone(transfer));
    tasks_of_lanes.spawn(async move {
        reader::run(of_reader, tasks, queue_in).await;
        Ok(())
    });
    tasks_of_lanes.spawn(writer::run(lane, of_writer, queue, results));
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
