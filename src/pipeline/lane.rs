//! Where a lane takes its files from, and what travels from its reader to its writer.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use towpath_backend::{Attributes, RelPath};

use super::block::Block;
use super::task::{Ending, Task};

/// What travels through a lane's queue.
#[derive(Debug)]
pub(crate) enum Message {
    /// The blocks that follow belong to this file.
    Begin(Arc<Task>),
    /// A block of it.
    Block(Block),
    /// What is to be applied to it beside its content and times.
    Attributes(Attributes),
    /// It is a symbolic link, and this is its target.
    Link(Vec<u8>),
    /// It is another name of this one.
    Name(RelPath),
    /// Nothing but its attributes is to be applied.
    NoContent,
    /// No more blocks of it come; this is why.
    Abandon(Ending),
}

/// Where a lane takes its files from.
#[derive(Debug)]
pub(crate) struct Tasks {
    pub(crate) first: Arc<Mutex<mpsc::Receiver<Task>>>,
    /// What it takes while there are none of the first.
    pub(crate) then: Option<Arc<Mutex<mpsc::Receiver<Task>>>>,
}

impl Tasks {
    /// The next file; `None` when there is none left.
    pub(crate) async fn take(&self) -> Option<Task> {
        let from = async |queue: &Mutex<mpsc::Receiver<Task>>| queue.lock().await.recv().await;
        let Some(then) = &self.then else { return from(&self.first).await };
        tokio::select! {
            biased;
            Some(task) = from(&self.first) => Some(task),
            Some(task) = from(then) => Some(task),
            else => None,
        }
    }
}
