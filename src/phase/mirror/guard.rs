//! The guards before the first deletion.

use tokio_stream::StreamExt as _;
use towpath_backend::RelPath;

use crate::error::{Error, Result};
use crate::event::Side;
use crate::journal::Journal;
use crate::options::Mirror;
use crate::session::Shared;

/// Checks that both trees are those that were scanned, that the source is not
/// empty, and that no more is to be deleted than may be.
///
/// # Errors
/// [`Error::Refused`], with the figures and how to go on.
pub(super) async fn check(shared: &Shared, mirror: Mirror) -> Result<()> {
    for side in Side::BOTH {
        shared.check_identity(side).await?;
    }
    within_bounds(&shared.journal, shared.source.root(), shared.sink.root(), mirror).await?;
    source_is_outside(shared).await?;
    still_holds_something(shared).await
}

/// Checks that no directory that would be deleted shows the source itself: a path tells that where
/// both are mounted paths, and nothing else does where a server or a FUSE mount stands between them.
async fn source_is_outside(shared: &Shared) -> Result<()> {
    let Some(dir) = shared.journal.extra_dir_like_source().await? else { return Ok(()) };
    Err(Error::Refused(format!(
        "{} would be deleted and holds all that the source {} holds: if that is the source itself, give another \
         destination; if it is an old copy, delete it by hand. Nothing was deleted",
        String::from_utf8_lossy(&dir.under(shared.sink.root())),
        String::from_utf8_lossy(shared.source.root()),
    )))
}

/// Checks that the source was not emptied since the scan.
async fn still_holds_something(shared: &Shared) -> Result<()> {
    let root = String::from_utf8_lossy(shared.source.root()).into_owned();
    let failed = |error| Error::Backend(format!("the source {root} cannot be read: {error}"));
    let mut pages = shared.source.read_dir(&RelPath::root(), &shared.paces.list_options()).await.map_err(failed)?;
    while let Some(page) = pages.next().await {
        if !page.map_err(failed)?.is_empty() {
            return Ok(());
        }
    }
    Err(Error::Refused(format!(
        "the source {root} is empty, and was not when it was scanned: nothing was deleted. Is it mounted?"
    )))
}

/// Checks that the source is not empty, and that no more is to be deleted than may be.
pub(crate) async fn within_bounds(
    journal: &Journal,
    source_root: &[u8],
    sink_root: &[u8],
    mirror: Mirror,
) -> Result<()> {
    let extras = journal.count_extras().await?;
    let (source, sink) = journal.counted().await?;
    if extras.files == 0 && extras.dirs == 0 {
        return Ok(());
    }
    let dest = String::from_utf8_lossy(sink_root);
    if source.files == 0 {
        return Err(Error::Refused(format!(
            "the source {} holds no file, and the destination {dest} has {} files that would be deleted: nothing was \
             deleted. Is the source mounted? An empty source is never mirrored; if it is meant to be empty, empty the \
             destination by hand",
            String::from_utf8_lossy(source_root),
            extras.files,
        )));
    }
    let most = mirror.max_delete.files(sink.files);
    if extras.files > most || extras.dirs > most {
        return Err(Error::Refused(format!(
            "{} files and {} directories of the destination {dest}, which has {} files, are not in the source; more \
             than {most} may not be deleted: nothing was deleted. Look at them with --dry-run, then allow them with \
             --max-delete {}",
            extras.files,
            extras.dirs,
            sink.files,
            extras.files.max(extras.dirs),
        )));
    }
    Ok(())
}
