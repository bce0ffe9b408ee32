//! The lane for files with long holes, which sends them one at a time.
//!
//! A checksum covers the zeros of holes, and no algorithm has a shortcut for them: a core hashes 0.5 to 1.4 GB/s. A few
//! sparse files of an exbibyte would keep all lanes busy for years. So a lane that opens such a file sets it aside and
//! continues with others; the lane for long holes takes the smallest first.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::shared::Transfer;
use super::task::Task;

/// The largest file that is sent beside others, in terms of [`crate::Options::long_holes_bytes`]: 1 TiB by default,
/// which takes 12 (SHA-256) to 35 minutes (MD5). Larger ones are sent after all others, so that a file that never ends
/// delays no other.
const MAX_BESIDE_OTHERS_TIMES: u64 = 128;

/// Which files the lane for long holes takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HoleLane {
    /// No very large files, and only while other lanes have work.
    BesideOthers,
    /// All files.
    All,
}

/// Where the lane for long holes takes its files from.
pub(super) struct LongHoles {
    pub(super) transfer: Arc<Transfer>,
    pub(super) takes: HoleLane,
    /// Cancelled once the other lanes have ended.
    pub(super) others_ended: CancellationToken,
}

impl LongHoles {
    /// The next file; `None` when there is none left for this lane.
    pub(super) async fn take(&self) -> Option<Task> {
        let (transfer, session) = (&self.transfer, &self.transfer.session);
        let max_bytes = match self.takes {
            HoleLane::BesideOthers => session.options.long_holes_bytes.saturating_mul(MAX_BESIDE_OTHERS_TIMES),
            HoleLane::All => u64::MAX,
        };
        loop {
            let others_ended = self.others_ended.is_cancelled();
            if others_ended && self.takes == HoleLane::BesideOthers {
                return None;
            }
            let set_aside = transfer.set_aside.notified();
            // The committer gets the same error.
            let taken =
                session.journal.take_long_holes(max_bytes).await.inspect_err(|_| transfer.stop.cancel()).ok()?;
            if let Some(pending) = taken {
                return Some(Task::with_long_holes(pending, &session.progress));
            }
            if others_ended {
                return None;
            }
            tokio::select! {
                () = set_aside => {}
                () = self.others_ended.cancelled() => {}
            }
        }
    }
}
