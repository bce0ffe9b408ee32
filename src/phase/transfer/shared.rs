//! The state that the tasks of a transfer share.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::blocks::{Pool, SMALL_BYTES};
use crate::session::Session;

/// The number of the last attempt, counted from 0. Files that do not succeed in it have failed.
pub(crate) const LAST_ATTEMPT: u32 = 3;

/// The state that the tasks of a transfer share.
pub(crate) struct Transfer {
    pub(super) session: Arc<Session>,
    /// Whether this run scans afterwards and then retries the files that fail now.
    pub(super) scan_follows: bool,
    pub(super) pool: Pool,
    /// Notified when files with long holes were set aside.
    pub(super) set_aside: Notify,
    /// Cancelled when the lanes are to stop, by the user or by an error.
    pub(super) stop: CancellationToken,
}

impl Transfer {
    /// A transfer of the backlog. If `scan_follows`, each file has one attempt, and failed files are left to the
    /// transfer after the scan.
    pub(crate) fn new(session: &Arc<Session>, scan_follows: bool) -> Arc<Self> {
        let options = &session.options;
        let pool = Pool::new(options.queue_capacity, options.block_size_bytes, SMALL_BYTES);
        pool.show_in(&session.progress);
        Arc::new(Self {
            pool,
            set_aside: Notify::new(),
            stop: session.stop.child_token(),
            scan_follows,
            session: Arc::clone(session),
        })
    }
}
