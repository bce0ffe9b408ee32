//! Files with more content than their size states.

use std::time::Instant;

use towpath_backend::{Error, ErrorKind, FileReader};

use super::{Reading, Step};
use crate::blocks::{BlockSize, HashStage};

/// The most that is read beyond the size that a file states: a bound for endless files.
const MAX_BEYOND_SIZE_BYTES: u64 = 1 << 40;

impl Reading<'_> {
    /// Whether the file has content at `offset`, where its size says that it ends.
    pub(super) async fn has_content_at(&self, file: &mut dyn FileReader, offset: u64) -> Step<bool> {
        if self.session.source.capabilities().exact_sizes {
            return Ok(false);
        }
        let byte = file.read_at(offset, 1, Vec::with_capacity(1)).await.map_err(|e| self.failed(e))?;
        Ok(!byte.is_empty())
    }

    /// Reads a file with more content than its size states, as in `/proc` and on some FUSE file systems, from that size
    /// to its real end. If the size grew meanwhile, the file changed.
    pub(super) async fn read_beyond_size(&self, file: &mut dyn FileReader, stage: Option<HashStage>) -> Step<()> {
        let mut offset = self.task.metadata.size_bytes;
        let limit = offset.saturating_add(MAX_BEYOND_SIZE_BYTES);
        let mut block_size = BlockSize::default();
        while offset < limit {
            let now = file.metadata().await.map_err(|e| self.failed(e))?;
            self.task.check(&now)?;
            let most_bytes = self.session.paces.read.block_bytes(self.session.options.block_size_bytes);
            let (length, started) = (block_size.next_bytes(most_bytes), Instant::now());
            let slot = self.slot(usize::try_from(length).unwrap_or(usize::MAX)).await?;
            let block = offset..offset + length;
            let mut asked_until = offset;
            let slot = self.read_block(file, slot, block.clone(), (&mut asked_until, block.end)).await?;
            block_size.note(slot.buffer.len() as u64, started.elapsed());
            let data = slot.into_bytes();
            if let Some(stage) = &stage {
                self.blocked(stage.add(data.clone())).await?;
            }
            if (data.len() as u64) < length {
                let now = file.metadata().await.map_err(|e| self.failed(e))?;
                self.task.check(&now)?;
                let hash = self.hash(stage).await?;
                return self.send_block(data, offset, true, hash).await;
            }
            self.send_block(data, offset, false, None).await?;
            offset = block.end;
        }
        let cause = format!("did not end within {MAX_BEYOND_SIZE_BYTES} bytes beyond its size");
        Err(self.failed(Error::new(ErrorKind::Other, "read", &self.task.path, cause)))
    }
}
