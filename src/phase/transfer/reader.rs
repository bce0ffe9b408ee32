//! The reader of a lane: takes files, and feeds their blocks into the lane's queue.

mod beyond_size;

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc};
use towpath_backend::{Attributes, ErrorKind, FileReader, Kind, Metadata, RelPath};

use super::block::Block;
use super::block_size::BlockSize;
use super::hash::HashStage;
use super::lane::{Message, Tasks};
use super::pool::Slot;
use super::task::{Ending, Failure, Job, Task};
use crate::checksum::{FileHash, Hasher};
use crate::event::Side;
use crate::session::Shared;

/// Reads files until there are none left or the run is stopped.
pub(crate) async fn run(shared: Arc<Shared>, tasks: Tasks, queue: mpsc::Sender<Message>) {
    let ahead = Arc::new(Semaphore::new(BLOCKS_AHEAD));
    while let Some(task) = next(&shared, &tasks).await {
        let task = Arc::new(task);
        if queue.send(Message::Begin(Arc::clone(&task))).await.is_err() {
            return;
        }
        let reader = Reading { shared: &shared, task: &task, queue: &queue, ahead: &ahead };
        if let Err(ending) = reader.read().await
            && queue.send(Message::Abandon(ending)).await.is_err()
        {
            return;
        }
    }
}

/// The next file; `None` when there is none left or the run is stopped.
async fn next(shared: &Shared, tasks: &Tasks) -> Option<Task> {
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => None,
        task = tasks.take() => task,
    }
}

/// One file being read. Its steps end early with the file's ending.
pub(super) struct Reading<'a> {
    pub(super) shared: &'a Shared,
    pub(super) task: &'a Task,
    queue: &'a mpsc::Sender<Message>,
    /// The blocks that this lane may still take up.
    ahead: &'a Arc<Semaphore>,
}

pub(super) type Step<T> = Result<T, Ending>;

impl Reading<'_> {
    async fn read(&self) -> Step<()> {
        match self.read_job().await {
            // A file that became a link or a directory fails in many ways to be read as one.
            Err(Ending::Failed(failure)) if failure.side == Side::Source && !failure.error.is_temporary() => {
                match self.shared.source.metadata(&self.task.read_path).await {
                    Ok(now) if now.kind != self.task.metadata.kind => self.task.check(&now),
                    _ => Err(Ending::Failed(failure)),
                }
            }
            result => result,
        }
    }

    async fn read_job(&self) -> Step<()> {
        self.unless_stopped(self.shared.paces.pass_file()).await?;
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
        let step = self.shared.paces.read.step_bytes().min(self.shared.options.block_size_bytes);
        match usize::try_from(size) {
            Ok(size) if size <= step && size <= SMALL_BYTES => self.read_small(size).await,
            _ => self.read_large().await,
        }
    }

    async fn read_link(&self) -> Step<()> {
        let path = &self.task.read_path;
        let target = self.shared.source.read_link(path).await.map_err(|e| self.failed(e))?;
        self.task.check(&self.look(path).await?)?;
        self.tell(Message::Link(target)).await
    }

    /// Checks that `of`, whose content the sink has, is still the same file under another name. If
    /// that name is gone, its file is the one that was recorded.
    async fn check_name(&self, of: &RelPath) -> Step<()> {
        let now = self.look(&self.task.read_path).await?;
        let is_same = match self.shared.source.metadata(of).await {
            Ok(first) => first.id == now.id,
            Err(error) if error.kind() == ErrorKind::NotFound => self.task.metadata.id == now.id,
            Err(_) => false,
        };
        if now.id.is_none() || !is_same || self.task.check(&now).is_err() {
            return Err(Ending::OtherFile);
        }
        self.tell(Message::Name(of.clone())).await
    }

    async fn check_attributes(&self) -> Step<()> {
        self.task.check(&self.look(&self.task.read_path).await?)?;
        self.send_attributes().await?;
        self.tell(Message::NoContent).await
    }

    /// Sends what is to be applied beside content and times, before the content.
    async fn send_attributes(&self) -> Step<()> {
        let options = &self.shared.options;
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
            attributes.xattrs = self.shared.source.xattrs(&self.task.read_path).await.map_err(|e| self.failed(e))?;
        }
        self.tell(Message::Attributes(attributes)).await
    }

    /// A file of one step: read, hashed and sent at once.
    async fn read_small(&self, size: usize) -> Step<()> {
        let mut slot = self.slot(size).await?;
        self.pace(size).await?;
        let buffer = std::mem::take(&mut slot.buffer);
        let (source, read_options) = (&self.shared.source, self.shared.paces.read_options());
        // One byte more than the size shows whether there is content beyond it.
        let limit = size + usize::from(!source.capabilities().exact_sizes);
        let whole =
            source.read_whole(&self.task.read_path, limit, buffer, &read_options).await.map_err(|e| self.failed(e))?;
        slot.buffer = whole.data;
        if slot.buffer.len() > size {
            drop(slot);
            self.task.check(&whole.metadata)?;
            return self.read_large().await;
        }
        self.shared.progress.add_read(slot.buffer.len() as u64);
        self.task.check_whole(&whole.metadata, slot.buffer.len() as u64)?;
        if whole.may_have_holes && self.shared.keeps_holes() {
            drop(slot);
            return self.read_large().await;
        }
        let hash = self.shared.options.checksum.map(|algorithm| Hasher::hash(algorithm, &slot.buffer));
        self.send(slot.into_bytes(), 0, true, hash).await
    }

    async fn read_large(&self) -> Step<()> {
        let read_options = self.shared.paces.read_options();
        let file = self.shared.source.open(&self.task.read_path, &read_options).await;
        let mut file = file.map_err(|e| self.failed(e))?;
        let size = self.task.metadata.size_bytes;
        let now = file.metadata().await.map_err(|e| self.failed(e))?;
        self.task.check_whole(&now, size)?;
        let mut holes = self.hole_map(&mut *file).await?;
        self.check_holes(&holes)?;
        let (slots, progress) = (self.shared.options.queue_capacity, &self.task.progress);
        let checksum = self.shared.options.checksum;
        let stage = checksum.map(|algorithm| HashStage::start(algorithm, slots, progress.clone()));
        let mut block_size = BlockSize::default();
        let mut asked_until = 0;
        // Without holes all is one stretch of data.
        let (mut offset, mut data_end) = (0, if self.shared.keeps_holes() { 0 } else { size });
        loop {
            if offset == data_end && offset < size {
                let data = self.next_data(&mut *file, offset).await?;
                holes.add(offset, &data);
                self.check_holes(&holes)?;
                self.pass_hole(data.start - offset, stage.as_ref()).await?;
                (offset, data_end) = (data.start, data.end);
            }
            // A limit that follows the others changes while a file is read.
            let read = &self.shared.paces.read;
            let most_bytes = read.block_bytes(self.shared.options.block_size_bytes);
            let length = read.whole_steps(block_size.next_bytes(most_bytes)).min(data_end - offset);
            // From here, as waiting for a slot says how fast blocks are wanted.
            let started = Instant::now();
            let slot = self.slot(usize::try_from(length).unwrap_or(usize::MAX)).await?;
            asked_until = asked_until.max(offset);
            let slot = self.read_block(&mut *file, slot, offset..offset + length, (&mut asked_until, data_end)).await?;
            block_size.note(slot.buffer.len() as u64, started.elapsed());
            let data = slot.into_bytes();
            if let Some(stage) = &stage {
                self.unless_stopped(stage.add(data.clone())).await?;
            }
            let end = offset + data.len() as u64;
            if end == size && self.has_content_at(&mut *file, end).await? {
                self.send(data, offset, false, None).await?;
                return self.read_beyond_size(&mut *file, stage).await;
            }
            if (data.len() as u64) < length || end == size {
                let now = file.metadata().await.map_err(|e| self.failed(e))?;
                self.task.check_whole(&now, end)?;
                let hash = self.hash(stage).await?;
                return self.send(data, offset, true, hash).await;
            }
            self.send(data, offset, false, None).await?;
            offset = end;
        }
    }

    /// Passes over a hole of `bytes`, which is counted once it is hashed.
    async fn pass_hole(&self, bytes: u64, stage: Option<&HashStage>) -> Step<()> {
        match stage {
            _ if bytes == 0 => Ok(()),
            Some(stage) => self.unless_stopped(stage.add_zeros(bytes)).await,
            None => {
                self.task.progress.add_hole(bytes);
                Ok(())
            }
        }
    }

    /// The next stretch of data inside the file; an empty one at its end if only a hole is left.
    pub(super) async fn next_data(&self, file: &mut dyn FileReader, offset: u64) -> Step<Range<u64>> {
        let size = self.task.metadata.size_bytes;
        let found = file.next_data(offset).await.map_err(|e| self.failed(e))?;
        let data = found.map_or(size..size, |data| data.start.clamp(offset, size)..data.end.min(size));
        // Data that end where they begin would be looked for for ever.
        Ok(if data.start < size && data.is_empty() { offset..size } else { data })
    }

    /// Reads one block in paced steps. A shorter one means the file ends there.
    ///
    /// What a step needs is asked for a few steps ahead, when its bytes may pass:
    /// so the way to the source is never idle between two steps.
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
                let bytes = (until - *asked_until).min(whole_step as u64);
                self.pace(usize::try_from(bytes).unwrap_or(whole_step)).await?;
                file.prefetch(*asked_until, bytes).await;
                *asked_until += bytes;
            }
            let before = slot.buffer.len();
            let buffer = std::mem::take(&mut slot.buffer);
            slot.buffer = file.read_at(at, step, buffer).await.map_err(|e| self.failed(e))?;
            let read = slot.buffer.len() - before;
            self.shared.progress.add_read(read as u64);
            if read < step {
                break;
            }
        }
        Ok(slot)
    }

    /// How much of a block is read at once, and how much is asked for ahead of it.
    ///
    /// Without a limit a half, so that what is asked for ahead is about a block: all other
    /// requests wait behind it. And of a file's first block all, and nothing ahead: the
    /// sink has nothing to do until the first of the lanes has a whole block.
    fn steps(&self, block_start: u64, block_bytes: usize) -> (usize, u64) {
        let read = &self.shared.paces.read;
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
        let hash = self.unless_stopped(stage.finish()).await?;
        hash.map(Some).ok_or_else(|| {
            let error = towpath_backend::Error::new(ErrorKind::Other, "hash", &self.task.path, "the hash stage ended");
            Ending::Failed(Failure::source(error))
        })
    }

    async fn send(&self, data: Bytes, offset: u64, is_last_block: bool, file_hash: Option<FileHash>) -> Step<()> {
        let metadata = &self.task.metadata;
        let block = Block {
            data,
            offset,
            destination_path: self.shared.destination_path(&self.task.path),
            atime: metadata.accessed,
            mtime: metadata.modified,
            ctime: metadata.changed,
            permissions: metadata.permissions,
            is_last_block,
            file_hash,
        };
        self.unless_stopped(self.queue.send(Message::Block(block))).await?.map_err(|_| Ending::Stopped)
    }

    /// A slot for a block of so many bytes. A lane whose sink is slower than its source
    /// must not take up what the others could use, nor run far ahead: what is read last is
    /// written last, and the whole lead of a run is idle time at its end.
    async fn slot(&self, bytes: usize) -> Step<Slot> {
        let permit = self.unless_stopped(Arc::clone(self.ahead).acquire_owned()).await?;
        // The semaphore is never closed.
        let permit = permit.map_err(|_| Ending::Stopped)?;
        Ok(self.unless_stopped(self.shared.pool.slot(bytes)).await?.of_lane(permit))
    }

    async fn pace(&self, bytes: usize) -> Step<()> {
        self.unless_stopped(self.shared.paces.read.pass(bytes)).await
    }

    /// Waits for `future`, but no longer than the run goes on and the writer wants more.
    pub(super) async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Step<T> {
        tokio::select! {
            biased;
            () = self.shared.stop.cancelled() => Err(Ending::Stopped),
            // The writer has its own ending to tell.
            () = self.task.given_up.cancelled() => Err(Ending::Stopped),
            value = future => Ok(value),
        }
    }

    async fn look(&self, path: &RelPath) -> Step<Metadata> {
        self.shared.source.metadata(path).await.map_err(|e| self.failed(e))
    }

    async fn tell(&self, message: Message) -> Step<()> {
        self.queue.send(message).await.map_err(|_| Ending::Stopped)
    }

    fn failed(&self, error: towpath_backend::Error) -> Ending {
        match error.kind() {
            ErrorKind::NotFound => Ending::Vanished,
            _ => Ending::Failed(Failure::source(error)),
        }
    }
}

/// Blocks that one lane holds at a time: one that is read, one that is written, and one
/// that makes up for their different times. A large file's is a sixteenth of a second's
/// reading.
const BLOCKS_AHEAD: usize = 3;

/// Network mounts fetch whole pages.
const PAGE_BYTES: usize = 4 << 10;

/// What is read at once of a small block.
const LEAST_STEP_BYTES: usize = 128 << 10;

/// The largest file that is read, hashed and written in one call each: up to
/// here a further hop between threads would cost more than it overlaps.
pub(crate) const SMALL_BYTES: usize = 256 << 10;
