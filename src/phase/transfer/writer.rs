//! The writer of a lane: drains the lane's queue into the sink.

mod create;

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use towpath_backend::{
    Attributes, Error as BackendError, ErrorKind, FileWriter, Kind, Metadata, ObjectMetadata, RelPath, Times,
};

use super::block::Block;
use super::in_place;
use super::lane::Message;
use super::shared::Transfer;
use super::task::{FinishedTask, Task, TransferResult, Written};
use crate::attributes::{self, ReadBack};
use crate::blocks::SMALL_BYTES;
use crate::conflict;
use crate::error::{Error, Result};
use crate::event::Side;
use crate::journal::{Begin, Replaced};
use crate::pace::OpenFile;
use crate::progress::{LaneClock, WriterState};
use crate::removal;
use crate::session::Session;

/// Writes blocks until the reader ends.
///
/// # Errors
/// [`Error::Internal`] if the reader sends messages in a wrong order.
pub(super) async fn run(
    lane: usize,
    transfer: Arc<Transfer>,
    queue: mpsc::Receiver<Message>,
    results: mpsc::Sender<FinishedTask>,
    clock: &Arc<LaneClock>,
) -> Result<()> {
    write_files(lane, &transfer, queue, results, clock).await.inspect_err(|_| transfer.stop.cancel())
}

async fn write_files(
    lane: usize,
    transfer: &Arc<Transfer>,
    mut queue: mpsc::Receiver<Message>,
    results: mpsc::Sender<FinishedTask>,
    clock: &Arc<LaneClock>,
) -> Result<()> {
    while let Some(message) = clock.writer_waits(WriterState::Idle, queue.recv()).await {
        let Message::Begin(task) = message else {
            return Err(Error::Internal("a lane's queue has a message of a file that was not begun".to_owned()));
        };
        clock.set_writer(WriterState::of_file(task.is_small()));
        let shown = transfer.session.progress.show_file(lane, task.progress.clone());
        let finished = Writing::new(transfer, task, clock).write_file(&mut queue).await?;
        drop(shown);
        // Without a result the reader has ended; without a committer the run has failed.
        let Some(finished) = finished else { return Ok(()) };
        if clock.writer_waits(WriterState::Committer, results.send(finished)).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

type Step<T> = std::result::Result<T, TransferResult>;

/// One file being written.
struct Writing {
    transfer: Arc<Transfer>,
    task: Arc<Task>,
    clock: Arc<LaneClock>,
    /// Where it is written: its own path, or that of its partial file.
    at: RelPath,
    file: Option<StepFile>,
    attributes: Attributes,
    object: Option<Arc<ObjectMetadata>>,
    /// The offset up to which it is written.
    position: u64,
    /// How it failed; further blocks are dropped.
    failed: Option<TransferResult>,
    begun: Instant,
}

/// A file that is written in steps.
struct StepFile {
    writer: Box<dyn FileWriter>,
    _counted: OpenFile,
}

impl Writing {
    fn new(transfer: &Arc<Transfer>, task: Arc<Task>, clock: &Arc<LaneClock>) -> Self {
        let at = transfer.session.destination_path(&task.path);
        let transfer = Arc::clone(transfer);
        Self {
            transfer,
            task,
            clock: Arc::clone(clock),
            at,
            file: None,
            attributes: Attributes::default(),
            object: None,
            position: 0,
            failed: None,
            begun: Instant::now(),
        }
    }

    /// Takes the file's messages; `None` if the reader ended before the last one.
    async fn write_file(mut self, queue: &mut mpsc::Receiver<Message>) -> Result<Option<FinishedTask>> {
        while let Some(message) = self.clock.writer_waits(WriterState::Idle, queue.recv()).await {
            if let Some(result) = self.take(message).await? {
                return Ok(Some(self.finish(result).await));
            }
        }
        Ok(None)
    }

    /// Takes a message; returns the file's result with the last message.
    async fn take(&mut self, message: Message) -> Result<Option<TransferResult>> {
        let done = match message {
            Message::Begin(_) => {
                return Err(Error::Internal("a lane's queue begins a file before the end of another one".to_owned()));
            }
            Message::Attributes(attributes) => {
                self.attributes = attributes;
                return Ok(None);
            }
            Message::Object(object) => {
                self.object = Some(object);
                return Ok(None);
            }
            Message::Block(block) => return Ok(self.take_block(block).await),
            Message::Link(target) => self.create_link(&target).await,
            Message::Name(of) => self.create_name(&of).await,
            Message::NoContent => {
                let path = self.task.path.clone();
                self.apply_attributes(&path).await
            }
            Message::Abandon(result) => return Ok(Some(result)),
        };
        Ok(Some(match done {
            Ok(ReadBack { sent, kept, not_accepted }) => {
                TransferResult::Written(Box::new(Written { sent, kept, not_accepted, ..Written::default() }))
            }
            Err(result) => result,
        }))
    }

    async fn take_block(&mut self, mut block: Block) -> Option<TransferResult> {
        let last = block.is_last_block;
        if self.failed.is_none() {
            let hash = block.file_hash.take();
            match self.write(block).await {
                Ok(Some(ReadBack { sent, kept, not_accepted })) => {
                    let stated_bytes = self.task.metadata.size_bytes;
                    let unstated_size_bytes = Some(self.position).filter(|size| *size != stated_bytes);
                    let progress = &self.task.progress;
                    let (written_bytes, hole_bytes) = (progress.written_bytes(), progress.hole_bytes());
                    let written =
                        Written { hash, sent, not_accepted, kept, unstated_size_bytes, written_bytes, hole_bytes };
                    return Some(TransferResult::Written(Box::new(written)));
                }
                Ok(None) => return None,
                Err(result) => {
                    self.file = None;
                    self.failed = Some(result);
                    self.task.given_up.cancel();
                }
            }
        }
        last.then_some(TransferResult::Stopped)
    }

    /// Applies the attributes other than times, after content and times.
    async fn apply_attributes(&mut self, at: &RelPath) -> Step<ReadBack> {
        attributes::apply(&self.transfer.session, at, &self.attributes).await.map_err(sink_failed)
    }

    /// Ends the file. If it failed, its partial file is removed.
    async fn finish(self, result: TransferResult) -> FinishedTask {
        let (is_partial, Self { transfer, task, at, file, failed, begun, .. }) = (self.is_partial(), self);
        drop(file);
        // An earlier failure of the writer is the cause of all that followed.
        let result = failed.unwrap_or(result);
        if is_partial && !matches!(result, TransferResult::Written(_) | TransferResult::Stopped) {
            // If it cannot be removed now, the next scan finds it.
            let _best_effort = removal::remove_own_file(&*transfer.session.sink, &at).await;
        }
        FinishedTask { task, result, took: begun.elapsed() }
    }

    /// Writes a block; after the last one, returns which attributes the sink kept.
    async fn write(&mut self, block: Block) -> Step<Option<ReadBack>> {
        let (times, last) = (Times { modified: block.mtime, accessed: block.atime }, block.is_last_block);
        let end = block.offset + block.data.len() as u64;
        let whole = block.offset == 0 && last;
        if self.position == 0 && self.file.is_none() {
            self.remove_virtual_dir().await?;
        }
        let written = if whole && block.data.len() <= self.transfer.session.paces.write.step_bytes().min(SMALL_BYTES) {
            pace(&self.clock, &self.transfer, block.data.len()).await?;
            let written = self.write_whole(block).await?;
            self.task.progress.add_written(end);
            written
        } else {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => self.open(&block.destination_path).await?,
            };
            self.write_steps(&mut *file.writer, block).await?;
            if !last {
                self.position = end;
                self.file = Some(file);
                return Ok(None);
            }
            file.writer.finish(end, &times).await.map_err(sink_failed)?
        };
        self.position = end;
        let times_kept = match self.check(&written, end, &times).await {
            Ok(times_kept) => times_kept,
            Err(error) => {
                begin(&self.clock, &self.transfer.session, &self.task, &self.at, Begin::Over).await?;
                return Err(sink_failed(error));
            }
        };
        self.complete(times_kept).await.map(Some)
    }

    /// Removes a virtual directory with the file's name, which does not prevent the write: otherwise both would exist.
    async fn remove_virtual_dir(&mut self) -> Step<()> {
        let session = &self.transfer.session;
        if !session.sink.capabilities().virtual_directories {
            return Ok(());
        }
        let has_conflict = match self.task.replaces {
            Replaced::OtherKind => true,
            Replaced::Nothing => {
                in_place::recorded(&self.task, session.journal.has_sink_dir(self.task.path.clone()).await)?
            }
            Replaced::SameKind { .. } => false,
        };
        if has_conflict {
            conflict::remove_other_kind(session, &self.task.path, self.task.metadata.kind).await?;
        }
        Ok(())
    }

    /// Completes the written file; returns which attributes the sink kept.
    async fn complete(&mut self, mut read_back: ReadBack) -> Step<ReadBack> {
        let at = self.at.clone();
        read_back.add(self.apply_attributes(&at).await?);
        self.rename_partial().await?;
        Ok(read_back)
    }

    fn is_partial(&self) -> bool {
        self.at != self.task.path
    }

    async fn open(&mut self, at: &RelPath) -> Step<StepFile> {
        let writer = self.create(at).await?;
        Ok(StepFile { writer, _counted: OpenFile::new(&self.transfer.session.paces, Side::Sink) })
    }

    async fn write_steps(&mut self, file: &mut dyn FileWriter, block: Block) -> Step<()> {
        let (transfer, task) = (&self.transfer, &self.task);
        let limit = &transfer.session.paces.write;
        let mut from = 0;
        while from < block.data.len() {
            let to = block.data.len().min(from + limit.step_bytes());
            pace(&self.clock, transfer, to - from).await?;
            transfer.session.paces.bound_in_flight();
            file.write_at(block.offset + from as u64, block.data.slice(from..to)).await.map_err(sink_failed)?;
            task.progress.add_written((to - from) as u64);
            from = to;
        }
        Ok(())
    }

    /// Renames a complete partial file to its file's name.
    async fn rename_partial(&mut self) -> Step<()> {
        let (session, path) = (&self.transfer.session, &self.task.path);
        if !self.is_partial() {
            return Ok(());
        }
        if self.task.replaces == Replaced::OtherKind {
            // Renaming would replace it too, but without a record of the deletion.
            conflict::remove_other_kind(session, path, self.task.metadata.kind).await?;
        }
        failpoint!("before-rename");
        if let Err(error) = session.sink.rename(&self.at, path).await {
            conflict::resolve(session, path, Kind::File, error).await?;
            session.sink.rename(&self.at, path).await.map_err(sink_failed)?;
        }
        Ok(())
    }

    /// Creates a symbolic link with its times.
    async fn create_link(&mut self, target: &[u8]) -> Step<ReadBack> {
        let (session, at) = (&self.transfer.session, &self.at);
        let mut kept = create_symlink(session, at, target).await?;
        if kept.is_some() {
            // Retry once: somebody may have replaced the link between creating and reading it.
            let again = create_symlink(session, at, target).await?;
            if again.is_some() && again != kept {
                let cause = "the destination has another target than was set, and had a third one before";
                let error = BackendError::new(ErrorKind::Other, "create link", at, cause);
                return Err(sink_failed(error.with_temporary(true)));
            }
            kept = again;
        }
        let mut read_back = attributes::link_read_back(&self.task.path, target, kept);
        let times = self.task.metadata.times();
        read_back.add(attributes::set_times(session, at, &times).await.map_err(sink_failed)?);
        self.complete(read_back).await
    }

    /// Creates another name (hard link) of an existing file.
    async fn create_name(&mut self, of: &RelPath) -> Step<ReadBack> {
        let session = &self.transfer.session;
        if let Err(error) = session.sink.create_hard_link(of, &self.at).await {
            use ErrorKind::{AlreadyExists, Escapes, NotADirectory, NotFound};
            if !matches!(error.kind(), AlreadyExists | NotFound | NotADirectory | Escapes) {
                return Err(cannot_name(error));
            }
            conflict::resolve(session, &self.at, Kind::File, error).await?;
            session.sink.create_hard_link(of, &self.at).await.map_err(cannot_name)?;
        }
        self.rename_partial().await?;
        // The attributes of the file were read back when it was sent.
        Ok(ReadBack { kept: self.task.kept.clone(), ..ReadBack::default() })
    }

    /// Checks that the sink reports the size and mtime that were sent.
    async fn check(&mut self, written: &Metadata, sent_bytes: u64, times: &Times) -> towpath_backend::Result<ReadBack> {
        if written.size_bytes != sent_bytes {
            let cause = format!("the destination reports {} bytes, but {sent_bytes} were written", written.size_bytes);
            return Err(BackendError::new(ErrorKind::Other, "close", &self.task.path, cause).with_temporary(true));
        }
        attributes::check_mtime(&self.transfer.session, &self.at, times, written.modified).await
    }
}

/// Creates a symbolic link, or replaces one; returns the target that the sink has instead.
async fn create_symlink(session: &Session, at: &RelPath, target: &[u8]) -> Step<Option<Vec<u8>>> {
    if let Err(error) = session.sink.create_symlink(at, target).await {
        conflict::resolve(session, at, Kind::Symlink, error).await?;
        session.sink.create_symlink(at, target).await.map_err(sink_failed)?;
    }
    attributes::other_target(session, at, target).await.map_err(sink_failed)
}

/// Waits for the limit of writing, until the run is stopped.
async fn pace(clock: &LaneClock, transfer: &Transfer, bytes: usize) -> Step<()> {
    let passed = async {
        tokio::select! {
            biased;
            () = transfer.stop.cancelled() => Err(TransferResult::Stopped),
            () = transfer.session.paces.write.pass(bytes) => Ok(()),
        }
    };
    clock.writer_waits(WriterState::Limit, passed).await
}

/// Records that the file at the sink is incomplete from now on; see [`in_place::begin`].
async fn begin(clock: &LaneClock, session: &Session, task: &Task, at: &RelPath, begin: Begin) -> Step<bool> {
    clock.writer_waits(WriterState::Database, in_place::begin(session, task, at, begin)).await
}

fn sink_failed(error: BackendError) -> TransferResult {
    TransferResult::sink_failed(error)
}

/// If a hard link cannot be created, the file is sent as a separate file.
fn cannot_name(error: BackendError) -> TransferResult {
    match error.kind() {
        ErrorKind::NoSpace | ErrorKind::ReadOnly | ErrorKind::Unavailable => sink_failed(error),
        _ if error.is_temporary() => sink_failed(error),
        _ => TransferResult::NoSuchName(Arc::new(error)),
    }
}
