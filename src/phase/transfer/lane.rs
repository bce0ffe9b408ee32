//! Where a lane takes its files from, and the messages from its reader to its writer.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use towpath_backend::{Attributes, ObjectMetadata, RelPath};

use super::block::Block;
use super::hole_lane::LongHoles;
use super::task::{Task, TransferResult};

/// What a reader sends to its writer. A file is one `Begin`, then its messages. The last one ends it: the last block, a
/// link, a name, `NoContent` or `Abandon`.
#[derive(Debug)]
pub(crate) enum Message {
    /// The blocks that follow belong to this file.
    Begin(Arc<Task>),
    /// A block of the file.
    Block(Block),
    /// The file's attributes other than times.
    Attributes(Attributes),
    /// What the source's object store keeps of the file beside its content.
    Object(Arc<ObjectMetadata>),
    /// The file is a symbolic link with this target.
    Link(Vec<u8>),
    /// The file is another name of this one.
    Name(RelPath),
    /// Only attributes are applied.
    NoContent,
    /// The reader ends the file with this result.
    Abandon(TransferResult),
}

/// Where a lane takes its files from.
pub(crate) enum Tasks {
    /// From the dispatchers.
    Dispatched {
        first: Queue,
        /// Where it takes files from while the first queue is empty.
        then: Option<Queue>,
    },
    /// From the files that other lanes set aside.
    LongHoles(LongHoles),
}

/// A queue of files for several lanes. The mutex is fair: waiting lanes get files in turn. A channel with several
/// receivers is not fair: the first few lanes would read ahead files that idle ones could send.
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
