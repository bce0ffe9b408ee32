//! The checksum of a large file, computed beside reading and writing.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use crate::checksum::{Algorithm, FileHash, Hasher};

/// Hashes blocks in their order on a thread of its own; a block that is being
/// hashed stops neither the next read nor its own writing.
pub(crate) struct HashStage {
    blocks: mpsc::Sender<Bytes>,
    hasher: JoinHandle<Option<Hasher>>,
}

impl HashStage {
    /// Room for `capacity` blocks: with as many as the pool has slots, adding never waits.
    pub(crate) fn start(algorithm: Algorithm, capacity: usize) -> Self {
        let (blocks, mut waiting) = mpsc::channel::<Bytes>(capacity.max(1));
        let hasher = tokio::spawn(async move {
            let mut hasher = Hasher::new(algorithm);
            while let Some(block) = waiting.recv().await {
                let update = move || {
                    hasher.update(&block);
                    hasher
                };
                hasher = spawn_blocking(update).await.ok()?;
            }
            Some(hasher)
        });
        Self { blocks, hasher }
    }

    /// Adds the block that follows.
    pub(crate) async fn add(&self, block: Bytes) {
        // If the stage died, finish() tells.
        let _ended = self.blocks.send(block).await;
    }

    /// The checksum of all blocks; `None` if the stage died or the runtime is going down.
    pub(crate) async fn finish(self) -> Option<FileHash> {
        drop(self.blocks);
        self.hasher.await.ok().flatten().map(Hasher::finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn hashes_blocks_in_their_order() {
        for algorithm in Algorithm::ALL {
            let stage = HashStage::start(algorithm, 2);
            for block in [&b"first "[..], b"second ", b"", b"third"] {
                stage.add(Bytes::from_static(block)).await;
            }
            assert_eq!(stage.finish().await, Some(Hasher::hash(algorithm, b"first second third")));
        }
    }
}
