//! Whether an entry is really gone: a single "not found" proves nothing.

use std::sync::Arc;

use tokio_stream::StreamExt as _;
use towpath_backend::{Error as BackendError, ErrorKind, Kind, RelPath, Tree};

use crate::error::{Error, Result, Uncertainty};
use crate::event::Side;
use crate::journal::SeenDir;
use crate::options::Links;
use crate::session::Session;

/// Whether a second request does not find `path` either. A busy server may answer "not found" for an existing entry.
pub(crate) async fn is_missing(tree: &dyn Tree, path: &RelPath) -> bool {
    tree.metadata(path).await.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Whether nothing exists at `path`, or a component above it is not a directory.
pub(crate) async fn is_vacant(tree: &dyn Tree, path: &RelPath) -> bool {
    let is_vacant = |kind| matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory);
    tree.metadata(path).await.is_err_and(|error| is_vacant(error.kind()))
}

/// Whether there is a directory at `path`. If that cannot be checked, `false`.
pub(crate) async fn is_dir_present(tree: &dyn Tree, path: &RelPath) -> bool {
    tree.metadata(path).await.is_ok_and(|now| now.kind == Kind::Dir)
}

/// Whether a path is absent from the source.
#[derive(Debug)]
pub(crate) enum Absence {
    /// The source does not have it.
    Certain,
    /// The source has an entry of this kind there.
    Present(Kind),
    /// It could not be determined, for this reason.
    Unknown(Uncertainty),
}

/// Checks an extra of the sink: whether the source does not have `path` either.
///
/// The check begins at the nearest directory that the scan saw in the source. It must still be the same directory:
/// unmounting a file system inside the tree uncovers another one. From there each component is checked until one is
/// missing, or is a file or link, which has no children.
pub(crate) async fn check_extra(session: &Session, path: &RelPath) -> Result<Absence> {
    let Some(seen) = session.journal.nearest_seen_dir(path.clone()).await? else {
        return Ok(Absence::Unknown(Uncertainty::NotScanned));
    };
    let mut below = Vec::new();
    let mut at = seen.read_path.clone();
    for name in path.components().skip(seen.path.components().count()) {
        at = at.join(name).map_err(|error| Error::Internal(format!("a component of a path is no name: {error}")))?;
        below.push(at.clone());
    }
    let _operation = session.operations().in_tree(Side::Source, "stat", Some(path));
    Ok(match check_each(session, &seen, &below).await {
        Ok(absence) => absence,
        Err(error) => Absence::Unknown(Uncertainty::SourceUnchecked(Arc::new(error))),
    })
}

/// Checks a file of the source that was not found when it was read: asks for its name again, and whether its
/// directory is still the one that the scan saw.
pub(crate) async fn check_vanished(session: &Session, path: &RelPath, read_path: &RelPath) -> Result<Absence> {
    match session.source.metadata(read_path).await {
        Ok(now) if matches!(now.kind, Kind::File | Kind::Symlink) => return Ok(Absence::Present(now.kind)),
        // Another kind of entry has its name now: the file is gone.
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
        Err(error) => return Ok(Absence::Unknown(Uncertainty::Unchecked(Arc::new(error)))),
    }
    let Some(seen) = session.journal.nearest_seen_dir(path.clone()).await? else { return Ok(Absence::Certain) };
    Ok(match check_seen_dir(session, &seen).await {
        Ok(absence) => absence,
        // A missing directory proves the absence too, unless a file system was mounted there.
        Err(error) if error.kind() == ErrorKind::NotFound && !seen.is_on_other_mount() => Absence::Certain,
        Err(error) => Absence::Unknown(Uncertainty::DirUnchecked(Arc::new(error))),
    })
}

async fn check_each(session: &Session, seen: &SeenDir, below: &[RelPath]) -> towpath_backend::Result<Absence> {
    for (n, at) in below.iter().enumerate() {
        match session.source.metadata(at).await {
            Ok(found) if n + 1 == below.len() => {
                return if is_listed(session, at).await? {
                    Ok(Absence::Present(found.kind))
                } else {
                    check_seen_dir(session, seen).await
                };
            }
            Ok(found) => match found.kind {
                Kind::Dir => {}
                Kind::File => return check_seen_dir(session, seen).await,
                Kind::Symlink if session.options.links == Links::Copy => return check_seen_dir(session, seen).await,
                kind => return Ok(Absence::Unknown(Uncertainty::Above(kind))),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => return check_seen_dir(session, seen).await,
            Err(error) => return Err(error),
        }
    }
    Ok(Absence::Present(Kind::Dir))
}

/// Whether a name that was found is listed with the same spelling. A source that folds case finds
/// a name under another spelling, which is another file to a sink that does not.
///
/// # Errors
/// The directory cannot be listed, or it has an entry that cannot be described: that may be the one.
async fn is_listed(session: &Session, at: &RelPath) -> towpath_backend::Result<bool> {
    let (Some(parent), Some(name)) = (at.parent(), at.name()) else { return Ok(true) };
    let mut pages = session.source.read_dir(&parent, &session.paces.list_options()).await?;
    let mut not_described = None;
    while let Some(page) = pages.next().await {
        for entry in page? {
            if entry.name == name {
                return Ok(true);
            }
            not_described = not_described.or(entry.error);
        }
    }
    match not_described {
        None => Ok(false),
        Some(error) => {
            let cause = format!("an entry of its directory cannot be described and may be it: {error}");
            Err(BackendError::new(ErrorKind::Other, "list", at, cause))
        }
    }
}

/// An entry counts as absent only if its directory is the one that the scan saw.
async fn check_seen_dir(session: &Session, seen: &SeenDir) -> towpath_backend::Result<Absence> {
    let root = session.source.metadata(&RelPath::root()).await?;
    let now = session.source.metadata(&seen.read_path).await?;
    Ok(if now.kind == Kind::Dir && seen.is(&now, &root) {
        Absence::Certain
    } else {
        Absence::Unknown(Uncertainty::DirReplaced(seen.path.clone()))
    })
}
