//! Where a lane takes its files from, and what travels from its reader to its writer.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use towpath_backend::{Attributes, RelPath};

use super::block::Block;
use super::hole_lane::LongHoles;
use super::task::{Task, TransferResult};

/// What a reader sends to its writer. A file is one `Begin`, then whatever belongs to it, of which the last message
/// ends it: the last block, a link, a name, `NoContent` or `Abandon`.
#[derive(Debug)]
pub(crate) enum Message {
    /// The blocks that follow belong to this file.
    Begin(Arc<Task>),
    /// A block of it.
    Block(Block),
    /// Its attributes other than times.
    Attributes(Attributes),
    /// It is a symbolic link, and this is its target.
    Link(Vec<u8>),
    /// It is another name of this one.
    Name(RelPath),
    /// Nothing but its attributes is applied.
    NoContent,
    /// The reader gives the file up, with this result.
    Abandon(TransferResult),
}

/// Where a lane takes its files from.
pub(crate) enum Tasks {
    /// From the dispatchers.
    Dispatched {
        first: Queue,
        /// What it takes while there are none of the first.
        then: Option<Queue>,
    },
    /// From the files that other lanes set aside.
    LongHoles(LongHoles),
}

/// Files that several lanes take. The mutex is fair: lanes that wait get files in turn. A channel with several
/// receivers is not: the first few lanes would read ahead what idle ones could send.
pub(crate) type Queue = Arc<Mutex<mpsc::Receiver<Task>>>;

impl Tasks {
    /// The next file; `None` when there is none left.
    pub(crate) async fn take(&self) -> Option<Task> {
        let from = async |queue: &Queue| queue.lock().await.recv().await;
        match self {
            Self::Dispatched { first, then: None } => from(first).await,
            Self::Dispatched { first, then: Some(then) } => tokio::select! {
                biased;
                Some(task) = from(first) => Some(task),
                Some(task) = from(then) => Some(task),
                else => None,
            },
            Self::LongHoles(long_holes) => long_holes.take().await,
        }
    }
}
