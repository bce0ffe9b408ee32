//! Reads a file and computes its checksum, within the limit and in bounded memory.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use tokio::sync::Semaphore;
use towpath_backend::{Error as BackendError, FileReader, Freshness, Metadata, RelPath, Source};

use super::session::VerifySession;
use crate::blocks::{BlockSize, HashStage, SMALL_BYTES, Slot};
use crate::checksum::{Algorithm, FileHash, Hasher};
use crate::event::Side;
use crate::pace::OpenFile;
use crate::progress::FileProgress;

/// Blocks that one lane holds at a time.
const BLOCKS_AHEAD: usize = 3;

/// What was read of a file.
#[derive(Debug)]
pub(super) enum Content {
    /// All of it, as long as expected.
    Whole { metadata: Metadata, hash: FileHash, freshness: Freshness },
    /// It has another size.
    OtherSize { metadata: Metadata, found_bytes: u64 },
}

/// Why a file was not read.
#[derive(Debug)]
pub(super) enum ReadEnd {
    Failed(BackendError),
    Stopped,
}

impl From<BackendError> for ReadEnd {
    fn from(error: BackendError) -> Self {
        Self::Failed(error)
    }
}

type Step<T> = Result<T, ReadEnd>;

/// Reads files of one lane.
pub(super) struct ContentReader<'a> {
    pub(super) session: &'a VerifySession,
    pub(super) tree: &'a dyn Source,
    pub(super) side: Side,
    pub(super) algorithm: Algorithm,
    pub(super) progress: &'a FileProgress,
}

impl ContentReader<'_> {
    /// Reads the file at `path` if it has `expected_bytes`.
    pub(super) async fn read(&self, path: &RelPath, expected_bytes: u64) -> Step<Content> {
        let session = self.session;
        self.unless_stopped(session.paces.pass_file()).await?;
        let step = session.paces.read.step_bytes().min(session.options.block_size_bytes);
        match usize::try_from(expected_bytes) {
            Ok(size) if size <= step && size <= SMALL_BYTES => self.read_small(path, size).await,
            _ => self.read_large(path, expected_bytes).await,
        }
    }

    async fn read_small(&self, path: &RelPath, size: usize) -> Step<Content> {
        let session = self.session;
        let mut slot = self.unless_stopped(session.pool.slot(size)).await?;
        self.unless_stopped(session.paces.read.pass(size)).await?;
        let buffer = std::mem::take(&mut slot.buffer);
        // A byte more than expected shows whether the file is longer.
        let limit = size + usize::from(!self.tree.capabilities().exact_sizes);
        let options = session.paces.read_options().bypassing_cache();
        let read = self.tree.read_whole(path, limit, buffer, &options);
        let whole = self.unless_stopped(read).await??;
        slot.buffer = whole.data;
        let (metadata, freshness) = (whole.metadata, whole.freshness);
        self.count(slot.buffer.len());
        if slot.buffer.len() != size || metadata.size_bytes != size as u64 {
            let found_bytes = metadata.size_bytes.max(slot.buffer.len() as u64);
            return Ok(Content::OtherSize { metadata, found_bytes });
        }
        Ok(Content::Whole { metadata, hash: Hasher::hash(self.algorithm, &slot.buffer), freshness })
    }

    async fn read_large(&self, path: &RelPath, size: u64) -> Step<Content> {
        let session = self.session;
        let options = session.paces.read_options().bypassing_cache();
        let mut file = self.unless_stopped(self.tree.open(path, &options)).await??;
        let _counted = OpenFile::new(&session.paces, Side::Source);
        let metadata = self.unless_stopped(file.metadata()).await??;
        if metadata.size_bytes != size {
            return Ok(Content::OtherSize { metadata, found_bytes: metadata.size_bytes });
        }
        let slots = session.options.queue_capacity;
        let stage = HashStage::start(self.algorithm, slots, self.progress.clone(), Arc::default());
        let ahead = Arc::new(Semaphore::new(BLOCKS_AHEAD));
        let has_holes = self.tree.capabilities().holes;
        let (mut block_size, mut offset, mut data_end) = (BlockSize::default(), 0, if has_holes { 0 } else { size });
        let mut asked_until = 0;
        while offset < size {
            if offset == data_end {
                let found = self.unless_stopped(file.next_data(offset)).await??;
                let data = found.map_or(size..size, |data| data.start.clamp(offset, size)..data.end.min(size));
                // An empty range would be looked up indefinitely.
                let data = if data.start < size && data.is_empty() { offset..size } else { data };
                self.unless_stopped(stage.add_zeros(data.start - offset)).await?;
                (offset, data_end) = (data.start, data.end);
                continue;
            }
            let most_bytes = session.paces.read.block_bytes(session.options.block_size_bytes);
            let length = session.paces.read.whole_steps(block_size.next_bytes(most_bytes)).min(data_end - offset);
            let started = Instant::now();
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            let permit =
                self.unless_stopped(Arc::clone(&ahead).acquire_owned()).await?.map_err(|_| ReadEnd::Stopped)?;
            let slot = self.unless_stopped(session.pool.slot(length)).await?.of_lane(permit);
            let slot = self.read_block(&mut *file, slot, offset, length, &mut asked_until).await?;
            let read = slot.buffer.len() as u64;
            block_size.note(read, started.elapsed());
            self.unless_stopped(stage.add(slot.into_bytes())).await?;
            offset += read;
            if (read as usize) < length {
                return Ok(Content::OtherSize { metadata, found_bytes: offset });
            }
        }
        if !self.tree.capabilities().exact_sizes {
            let beyond = self.unless_stopped(file.read_at(size, 1, Vec::with_capacity(1))).await??;
            if !beyond.is_empty() {
                return Ok(Content::OtherSize { metadata, found_bytes: size + 1 });
            }
        }
        let metadata = self.unless_stopped(file.metadata()).await??;
        let hash = self.unless_stopped(stage.finish()).await?;
        // It ends early only if the runtime does.
        Ok(Content::Whole { metadata, hash: hash.ok_or(ReadEnd::Stopped)?, freshness: file.freshness() })
    }

    /// Reads one block in paced steps, each requested ahead of the one that is read.
    async fn read_block(
        &self,
        file: &mut dyn FileReader,
        mut slot: Slot,
        start: u64,
        length: usize,
        asked_until: &mut u64,
    ) -> Step<Slot> {
        let read = &self.session.paces.read;
        let end = start + length as u64;
        slot.buffer.reserve_exact(length);
        while slot.buffer.len() < length {
            let at = start + slot.buffer.len() as u64;
            let whole_step = read.step_bytes().min(length);
            let step = whole_step.min(length - slot.buffer.len());
            let until = end.min(at + step as u64 + read.ahead_bytes(whole_step));
            *asked_until = (*asked_until).max(at);
            while *asked_until < until {
                let most = read.request_bytes().unwrap_or(whole_step) as u64;
                let bytes = (until - *asked_until).min(most);
                self.unless_stopped(read.pass(usize::try_from(bytes).unwrap_or(whole_step))).await?;
                file.prefetch(*asked_until, bytes).await;
                *asked_until += bytes;
            }
            let before = slot.buffer.len();
            let buffer = std::mem::take(&mut slot.buffer);
            slot.buffer = self.unless_stopped(file.read_at(at, step, buffer)).await??;
            let bytes = slot.buffer.len() - before;
            self.count(bytes);
            if bytes < step {
                break;
            }
        }
        Ok(slot)
    }

    fn count(&self, bytes: usize) {
        self.session.progress.engine().add_read(bytes as u64);
        if self.side == Side::Sink {
            self.progress.add_written(bytes as u64);
            self.session.read_bytes.fetch_add(bytes as u64, Relaxed);
        }
    }

    async fn unless_stopped<T>(&self, future: impl Future<Output = T>) -> Step<T> {
        tokio::select! {
            biased;
            () = self.session.stop.cancelled() => Err(ReadEnd::Stopped),
            value = future => Ok(value),
        }
    }
}
