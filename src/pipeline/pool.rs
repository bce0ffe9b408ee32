//! The slots for blocks: as many as the queue's capacity, shared by all lanes.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The most that a buffer is allocated with at once, rather than when it grows. What
/// is not used of it is no memory yet; growing moves all that it holds.
const MAX_FIRST_BYTES: usize = 8 << 20;

/// Hands out slots and takes their buffers back, so that the memory for blocks
/// is bounded by slots × block size and is allocated once.
#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    slots: Arc<Semaphore>,
    /// Buffers between two uses; never more than there are slots.
    buffers: Mutex<Vec<Vec<u8>>>,
    buffer_bytes: usize,
}

/// A slot: the right to hold one block in memory.
#[derive(Debug)]
pub(crate) struct Slot {
    /// Empty when handed out.
    pub(crate) buffer: Vec<u8>,
    pool: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
    _lane: Option<OwnedSemaphorePermit>,
}

impl Pool {
    /// `slots` slots for blocks of up to `block_bytes`.
    pub(crate) fn new(slots: usize, block_bytes: usize) -> Self {
        let buffer_bytes = block_bytes.min(MAX_FIRST_BYTES);
        Self(Arc::new(Inner { slots: Arc::new(Semaphore::new(slots)), buffers: Mutex::default(), buffer_bytes }))
    }

    /// Waits for a free slot. Waiting lanes are served in turn.
    pub(crate) async fn slot(&self) -> Slot {
        let permit = Arc::clone(&self.0.slots).acquire_owned().await;
        // The semaphore is never closed.
        let permit = permit.unwrap_or_else(|_| unreachable!("the pool's semaphore is never closed"));
        let buffer = self.0.buffers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let buffer = buffer.unwrap_or_else(|| Vec::with_capacity(self.0.buffer_bytes));
        Slot { buffer, pool: Arc::clone(&self.0), _permit: permit, _lane: None }
    }
}

impl Slot {
    /// Counts as one of a lane's blocks too, for as long as it is held.
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
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        // The permit goes after this: a buffer is back before its slot is free.
        self.pool.buffers.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test(start_paused = true)]
    async fn a_slot_is_free_only_when_the_last_clone_is_gone() {
        let pool = Pool::new(1, 64);
        let mut slot = pool.slot().await;
        slot.buffer.extend_from_slice(b"block");
        let data = slot.into_bytes();
        let part = data.slice(1..3);
        drop(data);
        assert!(timeout(Duration::from_secs(1), pool.slot()).await.is_err());
        drop(part);
        assert!(timeout(Duration::from_secs(1), pool.slot()).await.is_ok());
    }

    #[tokio::test]
    async fn buffers_are_used_again_and_come_empty() {
        let pool = Pool::new(2, 64);
        let mut slot = pool.slot().await;
        slot.buffer.extend_from_slice(&[7; 1000]);
        let address = slot.buffer.as_ptr();
        drop(slot.into_bytes());
        let slot = pool.slot().await;
        assert_eq!((slot.buffer.as_ptr(), slot.buffer.len()), (address, 0));
        assert!(slot.buffer.capacity() >= 1000);
    }

    #[tokio::test]
    async fn there_are_never_more_buffers_than_slots() {
        let pool = Pool::new(3, 64);
        for _ in 0..10 {
            let slots = [pool.slot().await, pool.slot().await, pool.slot().await];
            drop(slots);
        }
        assert_eq!(pool.0.buffers.lock().unwrap().len(), 3);
    }
}
