//! What the tasks of one verification share.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use tokio_util::sync::CancellationToken;
use towpath_backend::{Identity, RelPath, Source};

use super::options::VerifyOptions;
use super::progress::VerifyProgress;
use crate::blocks::Pool;
use crate::event::FilePaths;
use crate::event_stream::Emitter;
use crate::journal::{Journal, Roots};
use crate::pace::Paces;
use crate::reporter::Reporter;

/// What the tasks of one verification share.
pub(super) struct VerifySession {
    /// `None`: it is not checked.
    pub(super) source: Option<Arc<dyn Source>>,
    pub(super) sink: Arc<dyn Source>,
    pub(super) roots: Roots,
    /// The identity of the sink when the verification began.
    pub(super) identity: Identity,
    /// Where other file systems are mounted inside the sink.
    pub(super) mounts: Vec<RelPath>,
    pub(super) options: VerifyOptions,
    pub(super) lanes: usize,
    /// mtimes that differ by no more than this are equal. `None`: the sink keeps none.
    pub(super) tolerance_ns: Option<u64>,
    pub(super) journal: Journal,
    pub(super) reporter: Reporter,
    pub(super) emitter: Emitter,
    pub(super) progress: VerifyProgress,
    pub(super) paces: Arc<Paces>,
    pub(super) pool: Pool,
    /// Bytes read from the sink that are not recorded yet.
    pub(super) read_bytes: AtomicU64,
    pub(super) stop: CancellationToken,
}

impl VerifySession {
    /// The full paths of a file.
    pub(super) fn paths(&self, path: &RelPath) -> FilePaths {
        FilePaths { source: path.under(&self.roots.source), dest: path.under(&self.roots.sink) }
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }
}
