//! The checksum of a large file, computed beside reading and writing.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;

use crate::checksum::{Algorithm, FileHash, Hasher};

/// Hashes blocks in their order on a thread of its own; a block that is being
/// hashed stops neither the next read nor its own writing. Dropped, it stops.
pub(crate) struct HashStage {
    pieces: mpsc::Sender<Piece>,
    hasher: AbortOnDropHandle<Option<Hasher>>,
}

/// What is hashed next.
enum Piece {
    Data(Bytes),
    /// A hole of so many bytes.
    Zeros(u64),
}

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
/// Zeros hashed before the stage looks up: a hole of a terabyte must not keep a thread busy for ever.
const ZEROS_AT_ONCE: u64 = 64 << 20;

impl HashStage {
    /// Room for `capacity` blocks: with as many as the pool has slots, adding never waits.
    pub(crate) fn start(algorithm: Algorithm, capacity: usize) -> Self {
        let (pieces, mut waiting) = mpsc::channel::<Piece>(capacity.max(1));
        let hasher = tokio::spawn(async move {
            let mut hasher = Hasher::new(algorithm);
            while let Some(piece) = waiting.recv().await {
                hasher = match piece {
                    Piece::Data(block) => update(hasher, move |hasher| hasher.update(&block)).await?,
                    Piece::Zeros(bytes) => zeros(hasher, bytes).await?,
                };
            }
            Some(hasher)
        });
        Self { pieces, hasher: AbortOnDropHandle::new(hasher) }
    }

    /// Adds the block that follows.
    pub(crate) async fn add(&self, block: Bytes) {
        // If the stage died, finish() tells.
        let _ended = self.pieces.send(Piece::Data(block)).await;
    }

    /// Adds a hole of `bytes`, which reads as zeros.
    pub(crate) async fn add_zeros(&self, bytes: u64) {
        let _ended = self.pieces.send(Piece::Zeros(bytes)).await;
    }

    /// The checksum of all blocks; `None` if the stage died or the runtime is going down.
    pub(crate) async fn finish(self) -> Option<FileHash> {
        drop(self.pieces);
        self.hasher.await.ok().flatten().map(Hasher::finish)
    }
}

async fn update(mut hasher: Hasher, add: impl FnOnce(&mut Hasher) + Send + 'static) -> Option<Hasher> {
    let update = move || {
        add(&mut hasher);
        hasher
    };
    spawn_blocking(update).await.ok()
}

async fn zeros(mut hasher: Hasher, mut bytes: u64) -> Option<Hasher> {
    while bytes > 0 {
        let mut left = bytes.min(ZEROS_AT_ONCE);
        bytes -= left;
        let add = move |hasher: &mut Hasher| {
            while left > 0 {
                // What is no more than ZEROS fits.
                let part = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
                hasher.update(&ZEROS[..part]);
                left -= part as u64;
            }
        };
        hasher = update(hasher, add).await?;
    }
    Some(hasher)
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

    #[tokio::test]
    async fn holes_are_zeros() {
        for hole in [0, 1, (64 << 10) - 1, 64 << 10, (64 << 20) + 5] {
            let stage = HashStage::start(Algorithm::Sha256, 2);
            stage.add(Bytes::from_static(b"before")).await;
            stage.add_zeros(hole).await;
            stage.add(Bytes::from_static(b"behind")).await;
            let whole = [&b"before"[..], &vec![0; hole as usize], b"behind"].concat();
            assert_eq!(stage.finish().await, Some(Hasher::hash(Algorithm::Sha256, &whole)), "{hole}");
        }
    }
}
