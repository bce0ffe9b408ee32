//! The writer of a lane: drains the lane's queue into the sink.

use std::sync::Arc;

use tokio::sync::mpsc;
use towpath_backend::{Error, ErrorKind, FileWriter, Kind, Metadata, RelPath, Times};

use super::Shared;
use super::block::Block;
use super::reader::{Message, SMALL_BYTES};
use super::task::{Ended, Ending, Failure, Task};
use crate::progress::CurrentGuard;

/// Writes blocks until the reader ends.
pub(crate) async fn run(
    lane: usize,
    shared: Arc<Shared>,
    mut queue: mpsc::Receiver<Message>,
    endings: mpsc::Sender<Ended>,
) {
    let mut current: Option<Writing> = None;
    while let Some(message) = queue.recv().await {
        let ended = match message {
            Message::Begin(task) => {
                let progress = shared.progress.start_file(lane, &task.path, task.metadata.size_bytes);
                current = Some(Writing { task, file: None, failed: None, progress });
                continue;
            }
            Message::Block(block) => {
                let Some(writing) = &mut current else { continue };
                writing.take(&shared, block).await
            }
            Message::Link(target) => {
                let Some(writing) = &current else { continue };
                Some(match link(&shared, &writing.task, &target).await {
                    Ok(()) => Ending::Written { hash: None },
                    Err(error) => Ending::Failed(Failure::sink(error)),
                })
            }
            Message::Abandon(ending) => Some(ending),
        };
        if let Some(ending) = ended
            && let Some(writing) = current.take()
        {
            // An earlier failure of this side is the cause of all that followed.
            let ending = writing.failed.unwrap_or(ending);
            if endings.send(Ended { task: writing.task, ending }).await.is_err() {
                return;
            }
        }
    }
}

/// One file being written.
struct Writing {
    task: Arc<Task>,
    file: Option<Box<dyn FileWriter>>,
    /// How it failed; blocks that still come are dropped.
    failed: Option<Ending>,
    progress: CurrentGuard,
}

impl Writing {
    /// Takes a block; tells the file's ending with its last one.
    async fn take(&mut self, shared: &Shared, mut block: Block) -> Option<Ending> {
        let last = block.is_last_block;
        if self.failed.is_none() {
            let hash = block.file_hash.take();
            match self.write(shared, block).await {
                Ok(()) => return last.then_some(Ending::Written { hash }),
                Err(ending) => {
                    self.file = None;
                    self.failed = Some(ending);
                    self.task.given_up.cancel();
                }
            }
        }
        last.then_some(Ending::Stopped)
    }

    async fn write(&mut self, shared: &Shared, block: Block) -> Result<(), Ending> {
        let failed = |error| Ending::Failed(Failure::sink(error));
        let times = Times { modified: block.mtime, accessed: block.atime };
        let whole = block.offset == 0 && block.is_last_block;
        let written = if whole && block.data.len() <= shared.write_pace.step_bytes().min(SMALL_BYTES) {
            pace(shared, block.data.len()).await?;
            let length = block.data.len();
            let written = write_whole(shared, &self.task, block).await.map_err(failed)?;
            self.progress.add_written(length as u64);
            written
        } else {
            let (last, size_bytes) = (block.is_last_block, block.offset + block.data.len() as u64);
            self.write_steps(shared, block).await?;
            if !last {
                return Ok(());
            }
            let Some(file) = self.file.take() else { return Ok(()) };
            file.finish(size_bytes, &times).await.map_err(failed)?
        };
        self.check(shared, &written).map_err(failed)
    }

    async fn write_steps(&mut self, shared: &Shared, block: Block) -> Result<(), Ending> {
        let failed = |error| Ending::Failed(Failure::sink(error));
        if self.file.is_none() {
            self.file = Some(create(shared, &self.task).await.map_err(failed)?);
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let mut from = 0;
        while from < block.data.len() {
            let to = block.data.len().min(from + shared.write_pace.step_bytes());
            pace(shared, to - from).await?;
            file.write_at(block.offset + from as u64, block.data.slice(from..to)).await.map_err(failed)?;
            self.progress.add_written((to - from) as u64);
            from = to;
        }
        Ok(())
    }

    /// Checks that the sink has what was sent, as it says itself.
    fn check(&self, shared: &Shared, written: &Metadata) -> towpath_backend::Result<()> {
        let sent = &self.task.metadata;
        let problem = if written.size_bytes != sent.size_bytes {
            format!("the destination says {} bytes, {} were written", written.size_bytes, sent.size_bytes)
        } else if written.modified.distance_ns(sent.modified) > shared.mtime_rounding_ns {
            format!("the destination did not keep the mtime: {} ns instead of {}", written.modified.0, sent.modified.0)
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Other, "close", &self.task.path, problem).with_temporary(true))
    }
}

async fn write_whole(shared: &Shared, task: &Task, block: Block) -> towpath_backend::Result<Metadata> {
    let path = &block.destination_path;
    match shared.sink.write_whole(path, block.data.clone(), &task.metadata).await {
        Err(error) => {
            make_way(shared, path, error).await?;
            shared.sink.write_whole(path, block.data, &task.metadata).await
        }
        result => result,
    }
}

async fn create(shared: &Shared, task: &Task) -> towpath_backend::Result<Box<dyn FileWriter>> {
    match shared.sink.create(&task.path, &task.metadata).await {
        Err(error) => {
            make_way(shared, &task.path, error).await?;
            shared.sink.create(&task.path, &task.metadata).await
        }
        result => result,
    }
}

/// Makes a symbolic link with its times.
async fn link(shared: &Shared, task: &Task, target: &[u8]) -> towpath_backend::Result<()> {
    let (sink, path) = (&shared.sink, &task.path);
    if let Err(error) = sink.create_symlink(path, target).await {
        make_way(shared, path, error).await?;
        sink.create_symlink(path, target).await?;
    }
    match sink.set_times(path, &task.metadata.times()).await {
        // Not every storage has times of links.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        result => result,
    }
}

/// After `error`, removes what keeps `path` from being made: missing directories
/// are made, and a symbolic link in its place, which holds no data, is removed.
/// Otherwise the error stays.
async fn make_way(shared: &Shared, path: &RelPath, error: Error) -> towpath_backend::Result<()> {
    match error.kind() {
        ErrorKind::NotFound => make_parents(shared, path).await,
        ErrorKind::Escapes | ErrorKind::AlreadyExists => match shared.sink.metadata(path).await {
            Ok(metadata) if metadata.kind == Kind::Symlink => shared.sink.remove_file(path).await,
            _ => Err(error),
        },
        _ => Err(error),
    }
}

/// Waits for the write side's limit, but no longer than the run goes on.
async fn pace(shared: &Shared, bytes: usize) -> Result<(), Ending> {
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => Err(Ending::Stopped),
        () = shared.write_pace.pass(bytes) => Ok(()),
    }
}

/// Makes the directories above `path` that are missing.
async fn make_parents(shared: &Shared, path: &RelPath) -> towpath_backend::Result<()> {
    match path.parent() {
        Some(parent) => super::dirs::make_all(&*shared.sink, &parent).await,
        None => Ok(()),
    }
}
