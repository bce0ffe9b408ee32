//! File systems that are mounted inside the sink.

use towpath_backend::{ErrorKind, RelPath, Tree};

use crate::error::{Error, GuardRefusal, Result, TreeFailure};
use crate::event::Side;
use crate::progress::Operations;

/// The most mount points of the sink that are checked: each check stats all of them.
pub(crate) const MAX_SINK_MOUNTS: usize = 256;

/// Checks that other file systems still are where they were: without them, files would be written to or looked for in
/// the wrong place.
pub(crate) async fn check(sink: &dyn Tree, mounts: &[RelPath], operations: &Operations) -> Result<()> {
    if mounts.is_empty() {
        return Ok(());
    }
    let failed = |error| Error::tree(Side::Sink, sink.root(), TreeFailure::Unreadable, error);
    let root = sink.metadata(&RelPath::root()).await.map_err(failed)?;
    for dir in mounts {
        let _operation = operations.in_tree(Side::Sink, "stat", Some(dir));
        let is_mounted = match sink.metadata(dir).await {
            Ok(now) => now.is_mounted_elsewhere_than(&root),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
            Err(error) => return Err(failed(error)),
        };
        if !is_mounted {
            return Err(GuardRefusal::LostMount { mount_point: dir.under(sink.root()) }.into());
        }
    }
    Ok(())
}
