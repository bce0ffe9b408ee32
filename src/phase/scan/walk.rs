//! The state that the walkers of one side share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use towpath_backend::Tree;

use super::queue::DirQueue;
use crate::event::Side;
use crate::filter::Filter;
use crate::session::Session;

/// The state that the walkers of one side share.
pub(super) struct Walk {
    pub(super) session: Arc<Session>,
    pub(super) side: Side,
    pub(super) queue: DirQueue,
    pub(super) filter: Filter,
    pub(super) stop: CancellationToken,
    /// The file system that the walk stays on, if it is limited to one.
    pub(super) only_device: Option<u64>,
    /// Whether the entries were not counted before.
    pub(super) counts: bool,
}

impl Walk {
    pub(super) fn tree(&self) -> &dyn Tree {
        self.session.tree(self.side)
    }
}
