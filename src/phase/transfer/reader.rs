//! The reader of a lane: takes files, and feeds their blocks into the lane's queue.

mod beyond_size;
mod holes;

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use towpath_backend::{Attributes, ErrorKind, FileReader, Kind, Metadata, ObjectMetadata, RelPath};

use super::block::Block;
use super::lane::{Message, Tasks};
use super::shared::Transfer;
use super::task::{Job, Task, TransferResult};
use crate::blocks::{BlockSize, HashStage, SMALL_BYTES, Slot};
use crate::checksum::{FileHash, Hasher};
use crate::event::Side;
use crate::pace::OpenFile;
use crate::progress::{LaneClock, ReaderState};
use crate::session::Session;
use crate::xattrs;

/// Reads files until there are none left or the run is stopped.
pub(super) async fn run(transfer: Arc<Transfer>, tasks: Tasks, queue: mpsc::Sender<Message>, clock: &Arc<LaneClock>) {
    let ahead = Arc::new(Semaphore::new(BLOCKS_AHEAD));
    let session = &transfer.session;
    while let Some(task) = clock.reader_waits(ReaderState::Idle, next(&transfer, &tasks)).await {
        let task = Arc::new(task);
        clock.set_reader(ReaderState::of_file(task.is_small()));
        let reader = Reading { transfer: &transfer, session, task: &task, queue: &queue, ahead: &ahead, clock };
        if reader.send(Message::Begin(Arc::clone(&task))).await.is_err() {
            return;
        }
        if let Err(result) = reader.read().await
            && reader.send(Message::Abandon(result)).await.is_err()
        {
            return;
        }
    }
}

/// The next file; `None` when there is none left or the run is stopped.
async fn next(transfer: &Transfer, tasks: &Tasks) -> Option<Task> {
    tokio::select! {
        biased;
        () = transfer.stop.cancelled() => None,
        () = transfer.session.finish.cancelled() => None,
        task = tasks.take() => task,
    }
}

/// One file being read. Its steps end early with the file's result.
pub(super) struct Reading<'a> {
    transfer: &'a Transfer,
    session: &'a Session,
    task: &'a Task,
    queue: &'a mpsc::Sender<Message>,
    /// The permits for blocks of this lane.
    ahead: &'a Arc<Semaphore>,
    clock: &'a Arc<LaneClock>,
}

type Step<T> = Result<T, TransferResult>;

impl Reading<'_> {
    async fn read(&self) -> Step<()> {
        match self.read_job().await {
            // Reading fails with various errors if the file became a link or a directory.
            Err(TransferResult::Failed(failure)) if failure.side == Side::Source && !failure.error.is_temporary() => {
                match self.session.source.metadata(&self.task.read_path).await {
                    Ok(now) if now.kind != self.task.metadata.kind => self.task.check(&now),
                    _ => Err(TransferResult::Failed(failure)),
                }
            }
            result => result,
        }
    }

    async fn read_job(&self) -> Step<()> {
        self.paced(self.session.paces.pass_file()).await?;
        match &self.task.job {
            Job::Content => {}
            Job::Name(of) => return self.check_name(of).await,
            Job::Attributes => return self.check_attributes().await,
        }
        self.send_attributes().await?;
        if self.task.metadata.kind == Kind::Symlink {
            return self.read_link().await;
        }
        let size = self.task.metadata.size_bytes;
        let step = self.session.paces.read.step_bytes().min(self.session.options.block_size_bytes);
        match usize::try_from(size) {
            Ok(size) if size <= step && size <= SMALL_BYTES => self.read_small(size).await,
            _ => self.read_large().await,
        }
    }

    async fn read_link(&self) -> Step<()> {
        let path = &self.task.read_path;
        let target = self.session.source.read_link(path).await.map_err(|e| self.failed(e))?;
        self.task.check(&self.stat(path).await?)?;
        self.send_message(Message::Link(target)).await
    }

    /// Checks that `of`, whose content the sink has, is still another name of this file. If that name is gone, the
    /// recorded file counts.
    async fn check_name(&self, of: &RelPath) -> Step<()> {
        let now = self.stat(&self.task.read_path).await?;
        let is_same = match self.session.source.metadata(of).await {
            Ok(first) => first.id == now.id,
            Err(error) if error.kind() == ErrorKind::NotFound => self.task.metadata.id == now.id,
            Err(_) => false,
        };
        if now.id.is_none() || !is_same || self.task.check(&now).is_err() {
            return Err(TransferResult::OtherFile);
        }
        self.send_message(Message::Name(of.clone())).await
    }

    async fn check_attributes(&self) -> Step<()> {
        self.task.check(&self.stat(&self.task.read_path).await?)?;
        self.send_attributes().await?;
        self.send_message(Message::NoContent).await
    }

    /// Sends the attributes other than times, before the content.
    async fn send_attributes(&self) -> Step<()> {
        let options = &self.session.options;
        if !options.keeps_attributes() {
            return Ok(());
        }
        let metadata = &self.task.metadata;
        let mut attributes = Attributes {
            // Links have no permissions of their own.
            permissions: metadata.permissions.filter(|_| options.keep_permissions && metadata.kind != Kind::Symlink),
            permissions_of: metadata.owner,
            owner: metadata.owner.filter(|_| options.keep_owner),
            xattrs: Vec::new(),
            removes_others: options.keep_xattrs,
        };
        if options.keep_xattrs {
            let read = xattrs::of_source(&*self.session.source, &self.task.read_path).await;
            attributes.xattrs = read.map_err(|e| self.failed(e))?;
        }
        self.send_message(Message::Attributes(attributes)).await
    }

    async fn send_object(&self, object: Option<Arc<ObjectMetadata>>) -> Step<()> {
        match object {
            Some(object) => self.send_message(Message::Object(object)).await,
            None => Ok(()),
        }
    }

    /// A file of one step: read, hashed and sent at once.
    async fn read_small(&self, size: usize) -> Step<()> {
        let mut slot = self.slot(size).await?;
        self.pace(size).await?;
        let buffer = std::mem::take(&mut slot.buffer);
        let (source, read_options) = (&self.session.source, self.session.paces.read_options());
        // One byte more than the size shows whether there is content beyond it.
        let limit = size + usize::from(!source.capabilities().exact_sizes);
        let whole = source.read_whole(&self.task.read_path, limit, buffer, &read_options).await;
        let whole = whole.map_err(|e| self.failed(e))?;
        slot.buffer = whole.data;
        let object = whole.object;
        if slot.buffer.len() > size {
            drop(slot);
            self.task.check(&whole.metadata)?;
            return self.read_large().await;
        }
        self.session.progress.add_read(slot.buffer.len() as u64);
        self.task.check_whole(&whole.metadata, slot.buffer.len() as u64)?;
        if whole.may_have_holes && self.session.keeps_holes() {
            drop(slot);
            return self.read_large().await;
        }
        self.send_object(object).await?;
        let hash = self.session.options.checksum.map(|algorithm| {
            let _hashing = self.clock.reader_in(ReaderState::Hash);
            Hasher::hash(algorithm, &slot.buffer)
        });
        self.send_block(slot.into_bytes(), 0, true, hash).await
    }

    async fn read_large(&self) -> Step<()> {
        let read_options = self.session.paces.read_options();
        let file = self.session.source.open(&self.task.read_path, &read_options).await;
        let mut file = file.map_err(|e| self.failed(e))?;
        let _counted = OpenFile::new(&self.session.paces, Side::Source);
        let size = self.task.metadata.size_bytes;
        let now = file.metadata().await.map_err(|e| self.failed(e))?;
        self.task.check_whole(&now, size)?;
        self.send_object(file.object()).await?;
        let mut holes = self.hole_map(&mut *file).await?;
        self.check_holes(&holes)?;
        let (slots, progress) = (self.session.options.queue_capacity, &self.task.progress);
        let checksum = self.session.options.checksum;
        let stage =
            checksum.map(|algorithm| HashStage::start(algorithm, slots, progress.clone(), Arc::clone(self.clock)));
        let mut block_size = BlockSize::default();
        let mut asked_until = 0;
        // Without holes the whole file is one range of data.
        let (mut offset, mut data_end) = (0, if self.session.keeps_holes() { 0 } else { size });
        loop {
            if offset == data_end && offset < size {
                let data = self.next_data(&mut *file, offset).await?;
                holes.add(offset, &data);
                self.check_holes(&holes)?;
                self.pass_hole(data.start - offset, stage.as_ref()).await?;
                (offset, data_end) = (data.start, data.end);
            }
            // An adaptive limit changes while a file is read.
            let read = &self.session.paces.read;
            let most_bytes = read.block_bytes(self.session.options.block_size_bytes);
            let length = read.whole_steps(block_size.next_bytes(most_bytes)).min(data_end - offset);
            // Includes the wait for a slot, which depends on how fast the writer takes blocks.
            let started = Instant::now();
            let slot = self.slot(usize::try_from(length).unwrap_or(usize::MAX)).await?;
            asked_until = asked_until.max(offset);
            let slot = self.read_block(&mut *file, slot, offset..offset + length, (&mut asked_until, data_end)).await?;
            block_size.note(slot.buffer.len() as u64, started.elapsed());
            let data = slot.into_bytes();
            if let Some(stage) = &stage {
                self.blocked(stage.add(data.clone())).await?;
            }
            let end = offset + data.len() as u64;
            if end == size && self.has_content_at(&mut *file, end).await? {
                self.send_block(data, offset, false, None).await?;
                return self.read_beyond_size(&mut *file, stage).await;
            }
            if (data.len() as u64) < length || end == size {
                let now = file.metadata().await.map_err(|e| self.failed(e))?;
                self.task.check_whole(&now, end)?;
                let hash = self.hash(stage).await?;
                return self.send_block(data, offset, true, hash).await;
            }
            self.send_block(data, offset, false, None).await?;
            offset = end;
        }
    }

    /// Skips a hole of `bytes`, which is counted once it is hashed.
    async fn pass_hole(&self, bytes: u64, stage: Option<&HashStage>) -> Step<()> {
        match stage {
            _ if bytes == 0 => Ok(()),
            Some(stage) => self.blocked(stage.add_zeros(bytes)).await,
            None => {
                self.task.progress.add_hole(bytes);
                Ok(())
            }
        }
    }

    /// Reads one block in paced steps. If the block is shorter, the file ends there. Each step is requested a few steps
    /// ahead, when its bytes may pass: so the link to the source is never idle between two steps.
    async fn read_block(
        &self,
        file: &mut dyn FileReader,
        mut slot: Slot,
        block: Range<u64>,
        (asked_until, data_end): (&mut u64, u64),
    ) -> Step<Slot> {
        // A block fits memory: its size is bounded by the options.
        let length = usize::try_from(block.end - block.start).unwrap_or(usize::MAX);
        slot.buffer.reserve_exact(length);
        while slot.buffer.len() < length {
            let at = block.start + slot.buffer.len() as u64;
            let (whole_step, ahead_bytes) = self.steps(block.start, length);
            let step = whole_step.min(length - slot.buffer.len());
            let until = data_end.min(at + step as u64 + ahead_bytes);
            while *asked_until < until {
                // Requests to a server are whole ones, whatever the size of the blocks.
                let bytes = match self.session.paces.read.request_bytes() {
                    Some(request) => (data_end - *asked_until).min(request as u64),
                    None => (until - *asked_until).min(whole_step as u64),
                };
                self.pace(usize::try_from(bytes).unwrap_or(whole_step)).await?;
                file.prefetch(*asked_until, bytes).await;
                *asked_until += bytes;
            }
            let before = slot.buffer.len();
            let buffer = std::mem::take(&mut slot.buffer);
            slot.buffer = file.read_at(at, step, buffer).await.map_err(|e| self.failed(e))?;
            let read = slot.buffer.len() - before;
            self.session.progress.add_read(read as u64);
            if read < step {
                break;
            }
        }
        Ok(slot)
    }

    /// How much of a block is read at once, and how much is requested ahead of it. Without a limit half a block is read
    /// at once, so that about a block is requested ahead: all other requests wait behind it. A file's first block is
    /// read at once, with nothing ahead: the sink is idle until one lane has a whole block.
    fn steps(&self, block_start: u64, block_bytes: usize) -> (usize, u64) {
        let read = &self.session.paces.read;
        if !read.is_limited() && block_start == 0 {
            return (block_bytes, 0);
        }
        let half = (block_bytes / 2).max(LEAST_STEP_BYTES).next_multiple_of(PAGE_BYTES);
        let most = if read.is_limited() { block_bytes } else { half };
        let step = read.step_bytes().min(most);
        (step, read.ahead_bytes(step))
    }

    /// The checksum of all that was read, once the hash stage has caught up.
    async fn hash(&self, stage: Option<HashStage>) -> Step<Option<FileHash>> {
        let Some(stage) = stage else { return Ok(None) };
        let hash = self.blocked(stage.finish()).await?;
        hash.map(Some).ok_or_else(|| {
            let error = towpath_backend::Error::new(ErrorKind::Other, "hash", &self.task.path, "the hash stage ended");
            TransferResult::source_failed(error)
        })
    }

    async fn send_block(&self, data: Bytes, offset: u64, is_last_block: bool, file_hash: Option<FileHash>) -> Step<()> {
        let metadata = &self.task.metadata;
        let block = Block {
            data,
            offset,
            destination_path: self.session.destination_path(&self.task.path),
            atime: metadata.accessed,
            mtime: metadata.modified,
            ctime: metadata.changed,
            permissions: metadata.permissions,
            is_last_block,
            file_hash,
        };
        self.blocked(self.queue.send(Message::Block(block))).await?.map_err(|_| TransferResult::Stopped)
    }

    /// A slot for a block of this many bytes. A lane whose sink is slower than its source must not take the slots of
    /// other lanes, nor read far ahead: at the end of a run, the blocks read ahead are written while nothing is read.
    async fn slot(&self, bytes: usize) -> Step<Slot> {
        let permit = self.blocked(Arc::clone(self.ahead).acquire_owned()).await?;
        // The semaphore is never closed.
        let permit = permit.map_err(|_| TransferResult::Stopped)?;
        Ok(self.blocked(self.transfer.pool.slot(bytes)).await?.of_lane(permit))
    }

    async fn pace(&self, bytes: usize) -> Step<()> {
        self.paced(self.session.paces.read.pass(bytes)).await
    }

    /// Waits for `future`, until the run is stopped or the writer fails.
    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Step<T> {
        tokio::select! {
            biased;
            () = self.transfer.stop.cancelled() => Err(TransferResult::Stopped),
            // The writer reports its own result.
            () = self.task.given_up.cancelled() => Err(TransferResult::Stopped),
            value = future => Ok(value),
        }
    }

    /// Waits for the limit.
    async fn paced(&self, pass: impl Future<Output = ()>) -> Step<()> {
        self.clock.reader_waits(ReaderState::Limit, self.unless_stopped(pass)).await
    }

    /// Waits for the writer or the hash stage.
    async fn blocked<T>(&self, future: impl Future<Output = T>) -> Step<T> {
        self.clock.reader_waits(ReaderState::Blocked, self.unless_stopped(future)).await
    }

    async fn stat(&self, path: &RelPath) -> Step<Metadata> {
        self.session.source.metadata(path).await.map_err(|e| self.failed(e))
    }

    async fn send_message(&self, message: Message) -> Step<()> {
        self.send(message).await.map_err(|_| TransferResult::Stopped)
    }

    async fn send(&self, message: Message) -> Result<(), mpsc::error::SendError<Message>> {
        self.clock.reader_waits(ReaderState::Blocked, self.queue.send(message)).await
    }

    fn failed(&self, error: towpath_backend::Error) -> TransferResult {
        match error.kind() {
            ErrorKind::NotFound => TransferResult::Vanished,
            _ => TransferResult::source_failed(error),
        }
    }
}

/// Blocks that one lane holds at a time: one that is read, one that is written, and one between them. A block of a
/// large file takes about a sixteenth of a second to read.
const BLOCKS_AHEAD: usize = 3;

/// Network mounts fetch whole pages.
const PAGE_BYTES: usize = 4 << 10;

/// The smallest step of reading.
const LEAST_STEP_BYTES: usize = 128 << 10;
