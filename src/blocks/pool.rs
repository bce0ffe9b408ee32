//! The slots for blocks: as many as the queue's capacity, shared by all lanes. Small blocks share one.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::lock::locked;
use crate::progress::Progress;

/// The largest initial capacity of a buffer. Unused capacity takes no memory yet, and growing copies the content.
const MAX_FIRST_BYTES: usize = 8 << 20;

/// Hands out slots and reuses their buffers, so that the memory for blocks is bounded by slots × block size and is
/// allocated once. A small block takes a fraction of a slot: with a whole slot each, few small files would be in flight
/// at a time.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// [`Inner::parts_per_slot`] permits for each slot.
    parts: Arc<Semaphore>,
    parts_per_slot: u32,
    all_parts: usize,
    /// The largest block that takes one part.
    small_bytes: usize,
    /// Unused buffers of whole slots; never more than there are slots.
    buffers: Mutex<Vec<Vec<u8>>>,
    buffer_bytes: usize,
}

/// A slot, or a fraction of one: the permit to hold one block in memory.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Empty when handed out.
    pub(crate) buffer: Vec<u8>,
    /// The pool that the buffer returns to.
    pool: Option<Arc<Inner>>,
    _permit: OwnedSemaphorePermit,
    _lane: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// `slots` slots for blocks of up to `block_bytes`, shared by blocks of up to `small_bytes`.
    pub(crate) fn new(slots: usize, block_bytes: usize, small_bytes: usize) -> Self {
        let parts_per_slot = u32::try_from(block_bytes / small_bytes).unwrap_or(u32::MAX).max(1);
        let all_parts = slots.saturating_mul(parts_per_slot as usize).min(Semaphore::MAX_PERMITS);
        let buffer_bytes = block_bytes.min(MAX_FIRST_BYTES);
        Self(Arc::new(Inner {
            parts: Arc::new(Semaphore::new(all_parts)),
            parts_per_slot,
            all_parts,
            small_bytes,
            buffers: Mutex::default(),
            buffer_bytes,
        }))
    }

    /// Shows how full the pool is, for as long as it exists.
    pub(crate) fn show_in(&self, progress: &Progress) {
        progress.set_queue(&self.0.parts, self.0.all_parts);
    }

    /// Waits for room for a block of `bytes`. Waiting lanes are served in turn.
    pub(crate) async fn slot(&self, bytes: usize) -> Slot {
        if bytes <= self.0.small_bytes {
            let permit = self.parts(1).await;
            return Slot { buffer: Vec::with_capacity(bytes), pool: None, _permit: permit, _lane: None };
        }
        let permit = self.parts(self.0.parts_per_slot).await;
        let buffer = locked(&self.0.buffers).pop();
        let buffer = buffer.unwrap_or_else(|| Vec::with_capacity(self.0.buffer_bytes));
        Slot { buffer, pool: Some(Arc::clone(&self.0)), _permit: permit, _lane: None }
    }

    async fn parts(&self, count: u32) -> OwnedSemaphorePermit {
        let permit = Arc::clone(&self.0.parts).acquire_many_owned(count).await;
        permit.unwrap_or_else(|_| unreachable!("the pool's semaphore is never closed"))
    }
}

impl Slot {
    /// Also counts as one of a lane's blocks, as long as it is held.
    pub(crate) fn of_lane(mut self, permit: OwnedSemaphorePermit) -> Self {
        self._lane = Some(permit);
        self
    }

    /// The buffer's content as shared bytes. The slot is free again when the
    /// last clone is gone.
    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Slot {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let Some(pool) = &self.pool else { return };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        // The permit is dropped after this: the buffer is back before the slot is free.
        locked(&pool.buffers).push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn its_fill_is_shown_while_it_exists() {
        let (pool, progress) = (Pool::new(4, 64, 16), Progress::default());
        let fill = || progress.snapshot().queue_fill;
        assert_eq!(fill(), None);
        pool.show_in(&progress);
        assert_eq!(fill(), Some(0.0));
        let (large, small) = (pool.slot(64).await, pool.slot(8).await);
        assert_eq!(fill(), Some(5.0 / 16.0));
        drop(large);
        assert_eq!(fill(), Some(1.0 / 16.0));
        drop((small, pool));
        assert_eq!(fill(), None, "no files are sent");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_only_when_the_last_clone_is_gone() {
        let pool = Pool::new(1, 64, 16);
        let mut slot = pool.slot(64).await;
        slot.buffer.extend_from_slice(b"block");
        let data = slot.into_bytes();
        let part = data.slice(1..3);
        drop(data);
        assert!(timeout(Duration::from_secs(1), pool.slot(64)).await.is_err());
        drop(part);
        assert!(timeout(Duration::from_secs(1), pool.slot(64)).await.is_ok());
    }

    #[tokio::test]
    async fn buffers_are_reused_and_empty() {
        let pool = Pool::new(2, 64, 16);
        let mut slot = pool.slot(64).await;
        slot.buffer.extend_from_slice(&[7; 1000]);
        let address = slot.buffer.as_ptr();
        drop(slot.into_bytes());
        let slot = pool.slot(64).await;
        assert_eq!((slot.buffer.as_ptr(), slot.buffer.len()), (address, 0));
        assert!(slot.buffer.capacity() >= 1000);
    }

    #[tokio::test]
    async fn there_are_never_more_buffers_than_slots() {
        let pool = Pool::new(3, 64, 16);
        for _ in 0..10 {
            let slots = [pool.slot(64).await, pool.slot(64).await, pool.slot(64).await];
            drop(slots);
        }
        assert_eq!(pool.0.buffers.lock().unwrap().len(), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn small_blocks_share_a_slot() {
        let pool = Pool::new(2, 64, 16);
        let slot = pool.slot(64).await;
        let mut parts = Vec::new();
        for _ in 0..4 {
            parts.push(timeout(Duration::from_secs(1), pool.slot(10)).await.expect("a quarter of a slot"));
        }
        assert!(timeout(Duration::from_secs(1), pool.slot(10)).await.is_err(), "all memory is taken");
        assert!(timeout(Duration::from_secs(1), pool.slot(64)).await.is_err());
        drop(slot);
        assert!(timeout(Duration::from_secs(1), pool.slot(10)).await.is_ok());
        parts.truncate(1);
        assert!(timeout(Duration::from_secs(1), pool.slot(64)).await.is_ok());
        drop(parts);
        let _both = (pool.slot(64).await, pool.slot(64).await);
        assert!(timeout(Duration::from_secs(1), pool.slot(1)).await.is_err());
    }

    #[tokio::test]
    async fn a_block_smaller_than_a_small_one_is_a_slot() {
        let pool = Pool::new(1, 16, 64);
        let _part = pool.slot(16).await;
        assert_eq!(pool.0.parts.available_permits(), 0);
    }
}
