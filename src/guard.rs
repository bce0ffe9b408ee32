//! The guards before the first deletion.

use tokio_stream::StreamExt as _;
use towpath_backend::RelPath;

use crate::error::{Error, Result};
use crate::event::Side;
use crate::options::Mirror;
use crate::per_side::PerSide;
use crate::session::Session;

/// Checks that both trees are those that were scanned, that the source is not
/// empty, and that no more is to be deleted than may be.
///
/// # Errors
/// [`Error::Refused`], with the figures and how to go on.
pub(crate) async fn check(session: &Session, mirror: Mirror) -> Result<()> {
    session.check_trees().await?;
    check_bounds(session, mirror).await?;
    check_source_is_outside(session).await?;
    check_source_is_not_empty(session).await
}

/// Checks that no directory that would be deleted is the source itself. Paths show that where both trees are
/// mounted paths, but not where a server or a FUSE mount stands between them.
async fn check_source_is_outside(session: &Session) -> Result<()> {
    let Some(dir) = session.journal.extra_dir_like_source().await? else { return Ok(()) };
    Err(Error::Refused(format!(
        "{} would be deleted and holds all that the source {} holds: if that is the source itself, give another \
         destination; if it is an old copy, delete it by hand. Nothing was deleted",
        String::from_utf8_lossy(&dir.under(session.sink.root())),
        session.root(Side::Source),
    )))
}

/// Checks that the source was not emptied since the scan.
async fn check_source_is_not_empty(session: &Session) -> Result<()> {
    let root = session.root(Side::Source);
    let failed = |error| Error::Backend(format!("the source {root} cannot be read: {error}"));
    let mut pages = session.source.read_dir(&RelPath::root(), &session.paces.list_options()).await.map_err(failed)?;
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
pub(crate) async fn check_bounds(session: &Session, mirror: Mirror) -> Result<()> {
    let extras = session.journal.count_extras().await?;
    let PerSide { source, sink } = session.journal.counted().await?;
    if extras.files == 0 && extras.dirs == 0 {
        return Ok(());
    }
    let dest = session.root(Side::Sink);
    if source.files == 0 {
        return Err(Error::Refused(format!(
            "the source {} holds no file, and the destination {dest} has {} files that would be deleted: nothing was \
             deleted. Is the source mounted? An empty source is never mirrored; if it is meant to be empty, empty the \
             destination by hand",
            session.root(Side::Source),
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
