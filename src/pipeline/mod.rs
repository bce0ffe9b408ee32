//! From the backlog to the sink: lanes of reader, bounded queue and writer.
//!
//! One task pages through the backlog; each lane's reader takes files from it
//! and feeds their blocks into the lane's queue; its writer drains the queue
//! into the sink; one committer makes batches of written files durable and
//! records them. Every channel between them is bounded.

mod block;
mod commit;
mod dirs;
mod hash;
mod pool;
mod reader;
mod task;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Identity, RelPath, Sink, Source};

use crate::error::{Error, Result};
use crate::event::{Emitter, Event, FilePaths, Totals};
use crate::options::Options;
use crate::pace::Pace;
use crate::progress::Progress;
use crate::state::{DirWork, FileKey, State};
use commit::{Committer, LAST_TURN};
use task::Task;

pub(crate) use commit::Tally;
pub(crate) use pool::Pool;

/// Files of one page of the backlog.
const PAGE_FILES: usize = 1024;
/// Files that wait for a lane.
const WAITING_FILES: usize = 1024;
/// Endings that wait for the committer.
const WAITING_ENDINGS: usize = 8192;
/// The pause before what changed or failed is tried again.
const PAUSE_BEFORE_RETRY: Duration = Duration::from_secs(1);

/// What the tasks of a transfer share.
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) options: Options,
    pub(crate) progress: Progress,
    pub(crate) emitter: Emitter,
    pub(crate) state: State,
    /// Which trees were scanned.
    pub(crate) identities: [Identity; 2],
    /// How far the mtime that a sink keeps may be from the one it was given.
    pub(crate) mtime_rounding_ns: u64,
    /// Cancelled when the lanes are to stop, by the user or by an error.
    pub(crate) stop: CancellationToken,
    pub(crate) pool: Pool,
    pub(crate) read_pace: Pace,
    pub(crate) write_pace: Pace,
}

impl Shared {
    /// The full paths of a file, as users see them.
    pub(crate) fn paths(&self, path: &RelPath) -> FilePaths {
        FilePaths { source: path.under(self.source.root()), dest: path.under(self.sink.root()) }
    }
}

/// Sends the backlog, then tries again what changed or failed for a while, then
/// makes the directories that no file needed and sets the times of all.
pub(crate) async fn run(shared: Arc<Shared>, pending: Totals) -> (Tally, Result<()>) {
    let mut tally = Tally { pending, ..Tally::default() };
    for turn in 0..=LAST_TURN {
        match begins(&shared, turn).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => return (tally, Err(error)),
        }
        tracing::debug!(pass = turn + 1, pending = ?tally.pending, "pass");
        shared.emitter.emit(Event::PassStarted { pass: turn + 1, pending: tally.pending }).await;
        let result;
        (tally, result) = pass(&shared, turn, tally).await;
        if result.is_err() || shared.stop.is_cancelled() {
            return (tally, result);
        }
    }
    // Making a directory changes the time of the one above: times come last.
    for work in [DirWork::Make, DirWork::Settle] {
        if let Err(error) = dirs::run(&shared, work, &mut tally).await {
            return (tally, Err(error));
        }
    }
    (tally, Ok(()))
}

/// Whether pass `turn` has anything to do, after the pause before a retry.
async fn begins(shared: &Shared, turn: u32) -> Result<bool> {
    if !shared.state.has_turn(turn).await? {
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

/// Sends the files of one turn over all lanes.
async fn pass(shared: &Arc<Shared>, turn: u32, tally: Tally) -> (Tally, Result<()>) {
    let (tasks_in, tasks) = mpsc::channel(WAITING_FILES);
    let tasks = Arc::new(Mutex::new(tasks));
    let (endings_in, endings) = mpsc::channel(WAITING_ENDINGS);
    let mut lanes = JoinSet::new();
    for lane in 0..shared.options.lanes {
        // The pool bounds the blocks; this bounds how many of them one lane can queue.
        let (queue_in, queue) = mpsc::channel(shared.options.queue_capacity);
        lanes.spawn(reader::run(Arc::clone(shared), Arc::clone(&tasks), queue_in));
        lanes.spawn(writer::run(lane, Arc::clone(shared), queue, endings_in.clone()));
    }
    drop((tasks, endings_in));
    let committer = Committer { shared: Arc::clone(shared), turn, tally };
    let committer = tokio::spawn(committer.run(endings));
    let dispatched = dispatch(shared, turn, tasks_in).await;
    let mut panicked = false;
    while let Some(joined) = lanes.join_next().await {
        panicked |= joined.is_err();
    }
    let Ok((tally, committed)) = committer.await else {
        return (tally, Err(Error::Internal("the committer panicked".to_owned())));
    };
    let lanes = if panicked { Err(Error::Internal("a lane panicked".to_owned())) } else { Ok(()) };
    (tally, committed.and(dispatched).and(lanes))
}

/// Pages through the backlog and hands out its files.
async fn dispatch(shared: &Shared, turn: u32, tasks: mpsc::Sender<Task>) -> Result<()> {
    let mut after = FileKey::first();
    loop {
        let page = match shared.state.pending_page(turn, after.clone(), PAGE_FILES).await {
            Ok(page) => page,
            Err(error) => {
                shared.stop.cancel();
                return Err(error);
            }
        };
        let Some(last) = page.last() else { return Ok(()) };
        after = last.key.clone();
        for pending in page {
            tokio::select! {
                biased;
                () = shared.stop.cancelled() => return Ok(()),
                sent = tasks.send(Task::new(pending)) => if sent.is_err() { return Ok(()) },
            }
        }
    }
}
