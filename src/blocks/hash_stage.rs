//! The checksum of a large file, computed while it is read and written.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio_util::task::AbortOnDropHandle;

use crate::checksum::{Algorithm, FileHash, Hasher};
use crate::progress::{FileProgress, LaneClock};

/// Hashes blocks in order in a separate task, so that reading and writing do not wait for it. Dropping it stops the
/// task.
pub(crate) struct HashStage {
    pieces: mpsc::Sender<Piece>,
    hasher: AbortOnDropHandle<Option<Hasher>>,
}

/// A piece to hash.
enum Piece {
    Data(Bytes),
    /// A hole of this many bytes. The sender, if there is one, is dropped once it is hashed.
    Zeros(u64, Option<oneshot::Sender<Infallible>>),
}

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
/// Zeros hashed in one piece, which takes 12 to 33 ms: after each, progress is counted, and a stage that was dropped
/// ends.
const ZEROS_AT_ONCE: u64 = 16 << 20;
/// The longest hole that blocks in memory wait for: about a second of hashing.
const MAX_ZEROS_AHEAD: u64 = 1 << 30;

impl HashStage {
    /// Starts a stage with room for `capacity` blocks: with as many as the pool has slots, adding a block waits only
    /// for holes. Holes are counted in `progress` as they are hashed, and the time in `clock`.
    pub(crate) fn start(algorithm: Algorithm, capacity: usize, progress: FileProgress, clock: Arc<LaneClock>) -> Self {
        let (pieces, mut waiting) = mpsc::channel::<Piece>(capacity.max(1));
        let hasher = tokio::spawn(async move {
            let mut hasher = Hasher::new(algorithm);
            while let Some(piece) = waiting.recv().await {
                let _hashing = clock.hashing();
                hasher = match piece {
                    Piece::Data(block) => update(hasher, move |hasher| hasher.update(&block)).await?,
                    Piece::Zeros(bytes, _hashed) => zeros(hasher, bytes, &progress).await?,
                };
            }
            Some(hasher)
        });
        Self { pieces, hasher: AbortOnDropHandle::new(hasher) }
    }

    /// Adds the next block.
    pub(crate) async fn add(&self, block: Bytes) {
        // If the stage died, finish() returns none.
        let _ended = self.pieces.send(Piece::Data(block)).await;
    }

    /// Adds a hole of `bytes`, which reads as zeros. Waits until a long hole is hashed: blocks after it would hold
    /// slots that other lanes need.
    pub(crate) async fn add_zeros(&self, bytes: u64) {
        let (hashing, hashed) = oneshot::channel();
        let hashing = (bytes > MAX_ZEROS_AHEAD).then_some(hashing);
        let _ended = self.pieces.send(Piece::Zeros(bytes, hashing)).await;
        let _hashed = hashed.await;
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

async fn zeros(mut hasher: Hasher, mut bytes: u64, progress: &FileProgress) -> Option<Hasher> {
    progress.set_hashes_hole(bytes > MAX_ZEROS_AHEAD);
    while bytes > 0 {
        let piece = bytes.min(ZEROS_AT_ONCE);
        let mut left = piece;
        let add = move |hasher: &mut Hasher| {
            while left > 0 {
                // It is at most the length of ZEROS, which fits.
                let part = usize::try_from(left).unwrap_or(usize::MAX).min(ZEROS.len());
                hasher.update(&ZEROS[..part]);
                left -= part as u64;
            }
        };
        hasher = update(hasher, add).await?;
        bytes -= piece;
        progress.add_hole(piece);
    }
    progress.set_hashes_hole(false);
    Some(hasher)
}

#[cfg(test)]
mod tests {
    use towpath_backend::RelPath;

    use super::*;
    use crate::progress::Progress;

    fn progress(size_bytes: u64) -> FileProgress {
        Progress::default().of_file(&RelPath::root(), size_bytes, false)
    }

    #[tokio::test]
    async fn hashes_blocks_in_their_order() {
        for algorithm in Algorithm::ALL {
            let stage = HashStage::start(algorithm, 2, progress(0), Arc::default());
            for block in [&b"first "[..], b"second ", b"", b"third"] {
                stage.add(Bytes::from_static(block)).await;
            }
            assert_eq!(stage.finish().await, Some(Hasher::hash(algorithm, b"first second third")));
        }
    }

    #[tokio::test]
    async fn holes_are_zeros() {
        for hole in [0, 1, (64 << 10) - 1, 64 << 10, (16 << 20) + 5] {
            let progress = progress(hole + 12);
            let stage = HashStage::start(Algorithm::Sha256, 2, progress.clone(), Arc::default());
            stage.add(Bytes::from_static(b"before")).await;
            stage.add_zeros(hole).await;
            stage.add(Bytes::from_static(b"behind")).await;
            let whole = [&b"before"[..], &vec![0; hole as usize], b"behind"].concat();
            assert_eq!(stage.finish().await, Some(Hasher::hash(Algorithm::Sha256, &whole)), "{hole}");
            assert_eq!(progress.hole_bytes(), hole);
        }
    }
}
