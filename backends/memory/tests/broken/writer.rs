//! A writer with a bug.

use std::sync::atomic::Ordering;

use towpath_backend::{
    Bytes, FileWriter, Kind, Metadata, Pacing, RelPath, Result, Sink as _, Times, Timestamp, WriteOptions, async_trait,
};

use crate::bug::Bug;
use crate::tree::{Broken, broken, seconds, wait_or_block};

pub(crate) struct BrokenWriter {
    tree: Broken,
    path: RelPath,
    /// Taken by the end.
    inner: Option<Box<dyn FileWriter>>,
    /// The previous content, if the bug needs it.
    old: Vec<u8>,
    end: u64,
    pacing: Option<Pacing>,
    /// The number of directories that existed when writing began.
    directories: usize,
}

impl BrokenWriter {
    pub(crate) fn new(
        tree: &Broken,
        path: &RelPath,
        inner: Box<dyn FileWriter>,
        old: Vec<u8>,
        pacing: Option<Pacing>,
    ) -> Self {
        tree.memory.writers.fetch_add(1, Ordering::Relaxed);
        let directories = tree.memory.paths().len();
        let inner = Some(inner);
        Self { tree: tree.clone(), path: path.clone(), inner, old, end: 0, pacing, directories }
    }
}

impl Drop for BrokenWriter {
    fn drop(&mut self) {
        self.tree.memory.writers.fetch_sub(1, Ordering::Relaxed);
        if self.inner.is_some() && self.tree.has(Bug::DroppedWriterLocks) {
            self.tree.memory.blocked.store(true, Ordering::Relaxed);
        }
    }
}

#[async_trait]
impl FileWriter for BrokenWriter {
    async fn write_at(&mut self, offset: u64, mut data: Bytes) -> Result<()> {
        match self.tree.bug {
            Some(Bug::EmptyBlocksFail) if data.is_empty() => return Err(broken(&self.path)),
            Some(Bug::CancelledWriteBlocks) => wait_or_block(&self.tree.memory).await,
            Some(Bug::LimitCutsBlocks) => {
                data.truncate(self.pacing.as_ref().map_or(usize::MAX, |pacing| pacing.in_flight_bytes() as usize));
            }
            Some(Bug::OneWriterAtATime) if self.tree.memory.writers.load(Ordering::Relaxed) > 1 => {
                data = Bytes::from(vec![0; data.len()]);
            }
            _ => {}
        }
        self.end = self.end.max(offset + data.len() as u64);
        match &mut self.inner {
            Some(inner) => inner.write_at(offset, data).await,
            None => Err(broken(&self.path)),
        }
    }

    async fn finish(mut self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        let (mut size, mut times) = (size_bytes, *times);
        match self.tree.bug {
            Some(Bug::FinishesWhatIsTooLong) => size = size.max(self.end),
            Some(Bug::ForgetsTheLastHole) => size = self.end,
            Some(Bug::StepsLoseTheTime) => times.modified = Timestamp::from_ns(0),
            Some(Bug::KeepsSecondsOnly) => times.modified = seconds(times.modified),
            _ => {}
        }
        let inner = self.inner.take().ok_or_else(|| broken(&self.path))?;
        let kept = inner.finish(size, &times).await?;
        match self.tree.bug {
            Some(Bug::ForgetsTheLastHole) => return Ok(Metadata { size_bytes, ..kept }),
            Some(Bug::FinishReportsAnotherTime) => {
                return Ok(Metadata { modified: Timestamp::from_ns(kept.modified.total_ns() as i64 + 1), ..kept });
            }
            Some(Bug::NothingWrittenKeepsTheOld) if self.end == 0 && !self.old.is_empty() => {
                let old = Metadata::new(Kind::File, self.old.len() as u64, times.modified);
                self.tree
                    .inner
                    .write_whole(&self.path, Bytes::from(std::mem::take(&mut self.old)), &old, &WriteOptions::default())
                    .await?;
            }
            Some(Bug::LosesConcurrentChanges) => {
                // The directory is restored as it was when writing this file began.
                let created = self.tree.memory.paths().clone();
                self.tree.memory.paths().truncate(self.directories);
                for dir in created.into_iter().skip(self.directories) {
                    self.tree.inner.remove_dir(&dir).await?;
                }
            }
            _ => {}
        }
        Ok(kept)
    }
}
