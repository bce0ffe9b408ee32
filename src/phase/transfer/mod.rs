//! From the backlog to the sink: lanes of reader, bounded queue and writer.
//!
//! Two tasks page through the backlog, for small files and for large ones; each lane's reader takes files from it
//! and feeds their blocks into the lane's queue; its writer drains the queue
//! into the sink; one committer makes batches of written files durable and
//! records them. Every channel between them is bounded.

mod block;
mod block_size;
pub(crate) mod commit;
mod dispatch;
mod hash;
mod lane;
mod long_holes;
mod pool;
mod reader;
pub(crate) mod task;
mod unfinished;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::event::{Event, Side};
use crate::journal::{DirWork, ImpossibleKey, Sizes, Work};
use crate::phase::{directories, mirror, recovery, respell};
use commit::{Committer, LAST_TURN};
use dispatch::dispatch;
use lane::Tasks;
use long_holes::{HoleLane, LongHoles};
use task::Ended;

use crate::session::Shared;
pub(crate) use commit::Tally;
pub(crate) use pool::Pool;
pub(crate) use reader::SMALL_BYTES;

/// Files of one page of the backlog.
const PAGE_FILES: usize = 1024;
/// Files that wait for a lane.
const WAITING_FILES: usize = 1024;
/// Endings that wait for the committer.
const WAITING_ENDINGS: usize = 8192;
/// The pause before what changed or failed is tried again.
const PAUSE_BEFORE_RETRY: Duration = Duration::from_secs(1);

/// Sends the backlog, then tries again what changed or failed for a while, then
/// deletes what the source does not have if asked to, then makes the
/// directories that no file needed and sets the times of all. If a scan follows, each file has one
/// attempt, and all the rest is left to what comes after the scan.
///
/// `tally` has what the run did before, and what is pending now.
pub(crate) async fn run(shared: &Arc<Shared>, tally: &mut Tally) -> Result<()> {
    recovery::remove_leftovers(shared).await?;
    respell::run(shared).await?;
    turns(shared, HoleLane::BesideOthers, tally).await?;
    let goes_on = !shared.scan_follows && !shared.stop.is_cancelled();
    if goes_on && shared.journal.has_long_holes().await? {
        shared.journal.restart_names().await?;
        turns(shared, HoleLane::All, tally).await?;
    }
    // Only the scan shows what is extra, what is gone, and what else the directories need.
    if shared.scan_follows || shared.stop.is_cancelled() {
        return Ok(());
    }
    if let Some(mirror) = shared.options.mirror {
        match mirror::run(shared, mirror, tally).await {
            // What was sent is sent all the same.
            Err(Error::Refused(reason)) => tally.refusal = Some(reason),
            result => result?,
        }
        if shared.journal.unblock(LAST_TURN + 1).await? && !shared.stop.is_cancelled() {
            shared.journal.begin_names(LAST_TURN + 1).await?;
            turn_pass(shared, LAST_TURN + 1, HoleLane::All, tally).await?;
        }
    }
    if shared.stop.is_cancelled() {
        return Ok(());
    }
    give_up_names(shared, tally).await?;
    tell_impossible(shared, tally).await?;
    unfinished::report(shared, tally).await?;
    // Making a directory changes the time of the one above: times come last.
    for work in [DirWork::Create, DirWork::Finalize] {
        directories::run(shared, work, tally).await?;
    }
    Ok(())
}

/// The first pass, and those that try again what changed or failed.
async fn turns(shared: &Arc<Shared>, hole_lane: HoleLane, tally: &mut Tally) -> Result<()> {
    let last_turn = if shared.scan_follows { 0 } else { LAST_TURN };
    for turn in 0..=last_turn {
        if !begins(shared, turn, hole_lane).await? {
            break;
        }
        turn_pass(shared, turn, hole_lane, tally).await?;
    }
    Ok(())
}

/// Whether pass `turn` has anything to do, after the pause before a retry.
async fn begins(shared: &Shared, turn: u32, hole_lane: HoleLane) -> Result<bool> {
    shared.journal.begin_names(turn).await?;
    let mut has_work = false;
    for work in Work::ALL {
        has_work |= has_work_of(shared, work, turn, hole_lane).await?;
    }
    if !has_work {
        return Ok(false);
    }
    if turn > 0 {
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE_BEFORE_RETRY * turn) => {}
        }
    }
    Ok(!shared.stop.is_cancelled())
}

/// Whether there is this kind of work in pass `turn`.
async fn has_work_of(shared: &Shared, work: Work, turn: u32, hole_lane: HoleLane) -> Result<bool> {
    let takes_long_holes = work == Work::Content && hole_lane == HoleLane::All;
    Ok(shared.journal.has_work(work, turn).await? || (takes_long_holes && shared.journal.has_long_holes().await?))
}

/// Does all the work of one turn. Names come after the content that they name.
async fn turn_pass(shared: &Arc<Shared>, turn: u32, hole_lane: HoleLane, tally: &mut Tally) -> Result<()> {
    tracing::debug!(pass = turn + 1, pending = ?tally.pending, "pass");
    shared.emitter.emit(Event::PassStarted { pass: turn + 1, pending: tally.pending }).await;
    for work in Work::ALL {
        if shared.stop.is_cancelled() || !has_work_of(shared, work, turn, hole_lane).await? {
            continue;
        }
        // Where the first of a file's names fails the next one carries its content: each time at
        // least one name is given up, so that this ends.
        loop {
            let result;
            (*tally, result) = pass(shared, work, turn, hole_lane, tally.clone()).await;
            result?;
            if work != Work::Content || shared.stop.is_cancelled() {
                break;
            }
            // The lane for long holes ends before what other lanes set aside last is recorded.
            let has_long_holes = hole_lane == HoleLane::All && shared.journal.has_long_holes().await?;
            if !shared.journal.take_over_names(turn).await? && !has_long_holes {
                break;
            }
        }
    }
    Ok(())
}

/// Reports the names whose file did not arrive.
async fn give_up_names(shared: &Shared, tally: &mut Tally) -> Result<()> {
    const ERROR: &str = "the file that it is another name of (hard link) was not sent";
    loop {
        let names = shared.journal.give_up_names(PAGE_FILES, ERROR).await?;
        if names.is_empty() {
            return Ok(());
        }
        for path in names {
            tally.failed_files += 1;
            shared.tell_failed(&path, ERROR.to_owned()).await?;
        }
    }
}

/// Reports the files whose names the sink cannot hold.
async fn tell_impossible(shared: &Shared, tally: &mut Tally) -> Result<()> {
    let mut after = ImpossibleKey::first();
    loop {
        let page = shared.journal.impossible(after, PAGE_FILES).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.clone();
        for (_, file) in page {
            tally.failed_files += 1;
            shared.tell_failed(&file.path, format!("{}: {}", Side::Sink, file.problem)).await?;
        }
    }
}

/// Does one kind of work of one turn over all lanes.
async fn pass(shared: &Arc<Shared>, work: Work, turn: u32, hole_lane: HoleLane, tally: Tally) -> (Tally, Result<()>) {
    let before = tally.clone();
    let (large_in, large) = mpsc::channel(WAITING_FILES);
    let (small_in, small) = mpsc::channel(WAITING_FILES);
    let (large, small) = (Arc::new(Mutex::new(large)), Arc::new(Mutex::new(small)));
    let (endings_in, endings) = mpsc::channel(WAITING_ENDINGS);
    let mut lanes = JoinSet::new();
    for lane in 0..shared.lanes {
        // Large files fill the link, and small ones wait for answers: a quarter of the lanes
        // prefers the large ones, and a half takes no other than small ones. More large ones
        // at a time than there are blocks would only be open.
        let (first, then) = match lane % 4 {
            _ if lane / 2 >= shared.options.queue_capacity => (&small, None),
            0 => (&large, Some(&small)),
            2 => (&small, Some(&large)),
            _ => (&small, None),
        };
        let tasks = Tasks::Dispatched { first: Arc::clone(first), then: then.map(Arc::clone) };
        spawn_lane(&mut lanes, lane, shared, tasks, endings_in.clone());
    }
    let others_ended = CancellationToken::new();
    let mut lane_of_holes = JoinSet::new();
    // A single lane sends one file at a time: those with long holes come last.
    if work == Work::Content && (shared.lanes > 1 || hole_lane == HoleLane::All) {
        let others_ended = others_ended.clone();
        let tasks = Tasks::LongHoles(LongHoles { shared: Arc::clone(shared), takes: hole_lane, others_ended });
        spawn_lane(&mut lane_of_holes, shared.lanes, shared, tasks, endings_in.clone());
    }
    drop((large, small, endings_in));
    let committer = Committer { shared: Arc::clone(shared), turn, tally };
    let committer = tokio::spawn(committer.run(endings));
    let (large, small) = tokio::join!(
        dispatch(shared, work, turn, Sizes::Large, large_in),
        dispatch(shared, work, turn, Sizes::Small, small_in)
    );
    let dispatched = large.and(small);
    let mut panicked = !ended_well(lanes).await;
    others_ended.cancel();
    panicked |= !ended_well(lane_of_holes).await;
    let Ok((tally, committed)) = committer.await else {
        return (before, Err(Error::Internal("the committer panicked".to_owned())));
    };
    let lanes = if panicked { Err(Error::Internal("a lane panicked".to_owned())) } else { Ok(()) };
    (tally, committed.and(dispatched).and(lanes))
}

/// Starts a lane's reader and writer.
fn spawn_lane(
    tasks_of_lanes: &mut JoinSet<()>,
    lane: usize,
    shared: &Arc<Shared>,
    tasks: Tasks,
    endings: mpsc::Sender<Ended>,
) {
    // The pool bounds the blocks; this bounds how many of them one lane can queue.
    let (queue_in, queue) = mpsc::channel(shared.options.queue_capacity);
    tasks_of_lanes.spawn(reader::run(Arc::clone(shared), tasks, queue_in));
    tasks_of_lanes.spawn(writer::run(lane, Arc::clone(shared), queue, endings));
}

/// Waits for tasks; returns whether none panicked.
async fn ended_well(mut tasks: JoinSet<()>) -> bool {
    let mut ended_well = true;
    while let Some(joined) = tasks.join_next().await {
        ended_well &= joined.is_ok();
    }
    ended_well
}
