//! The guards before the first deletion.

use tokio_stream::StreamExt as _;
use towpath_backend::RelPath;

use crate::error::{Error, GuardRefusal, Result, TreeFailure};
use crate::event::Side;
use crate::options::Mirror;
use crate::per_side::PerSide;
use crate::session::Session;

/// Checks that both trees are those that were scanned, that the source is not empty, and that the number of deletions
/// is allowed.
///
/// # Errors
/// [`Error::Refused`], with the figures and what to do.
pub(crate) async fn check(session: &Session, mirror: Mirror) -> Result<()> {
    session.check_trees().await?;
    check_bounds(session, mirror).await?;
    check_source_is_outside(session).await?;
    check_source_is_not_empty(session).await
}

/// Checks that no directory that would be deleted is the source itself. Paths do not show that through a server or a
/// FUSE mount.
async fn check_source_is_outside(session: &Session) -> Result<()> {
    let Some(dir) = session.journal.extra_dir_like_source().await? else { return Ok(()) };
    let (dir, source_root) = (dir.under(session.sink.root()), session.source.root().to_vec());
    Err(GuardRefusal::DeletesSource { dir, source_root }.into())
}

/// Checks that the source was not emptied since the scan.
async fn check_source_is_not_empty(session: &Session) -> Result<()> {
    let root = session.source.root();
    let failed = |error| Error::tree(Side::Source, root, TreeFailure::Unreadable, error);
    let mut pages = session.source.read_dir(&RelPath::root(), &session.paces.list_options()).await.map_err(failed)?;
    while let Some(page) = pages.next().await {
        if !page.map_err(failed)?.is_empty() {
            return Ok(());
        }
    }
    Err(GuardRefusal::SourceEmptied { source_root: root.to_vec() }.into())
}

/// Checks that the source is not empty, and that the number of deletions is allowed.
pub(crate) async fn check_bounds(session: &Session, mirror: Mirror) -> Result<()> {
    let extras = session.journal.count_extras().await?;
    let PerSide { source, sink } = session.journal.counted().await?;
    if extras.files == 0 && extras.dirs == 0 {
        return Ok(());
    }
    let (source_root, sink_root) = (session.source.root().to_vec(), session.sink.root().to_vec());
    if source.files == 0 {
        return Err(GuardRefusal::EmptySource { source_root, sink_root, extra_files: extras.files }.into());
    }
    let max_delete = mirror.max_delete.files(sink.files);
    if extras.files > max_delete || extras.dirs > max_delete {
        let (extra_files, extra_dirs) = (extras.files, extras.dirs);
        let refusal =
            GuardRefusal::TooManyExtras { sink_root, sink_files: sink.files, extra_files, extra_dirs, max_delete };
        return Err(refusal.into());
    }
    Ok(())
}
