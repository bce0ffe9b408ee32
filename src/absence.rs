//! Whether the source surely does not have something, found out now.

use tokio_stream::StreamExt as _;
use towpath_backend::{ErrorKind, Kind, RelPath};

use crate::error::Result;
use crate::journal::SeenDir;
use crate::options::Links;
use crate::session::Shared;

/// What looking for a path in the source tells.
#[derive(Debug)]
pub(crate) enum Absence {
    /// It is not there.
    Certain,
    /// It is there, as a thing of this kind.
    Present(Kind),
    /// It could not be found out, and why.
    Unknown(String),
}

/// Looks for `path` in the source.
///
/// From the nearest directory that the scan saw in the source downwards: that
/// directory must still be the same one (a file system that was unmounted inside
/// the tree leaves another in its place), and of what lies below it each part is
/// looked at until one is missing, or is a file or link, which holds nothing.
pub(crate) async fn look_for(shared: &Shared, path: &RelPath) -> Result<Absence> {
    let Some(seen) = shared.journal.nearest_seen_dir(path.clone()).await? else {
        return Ok(Absence::Unknown("the scan saw no directory of the source above it".to_owned()));
    };
    let mut below = Vec::new();
    let mut at = seen.read_path.clone();
    for name in path.components().skip(seen.path.components().count()) {
        // Names of a path are names.
        let Ok(next) = at.join(name) else { return Ok(Absence::Unknown("it has no name".to_owned())) };
        at = next;
        below.push(at.clone());
    }
    Ok(match look_at_each(shared, &seen, &below).await {
        Ok(absence) => absence,
        Err(error) => Absence::Unknown(format!("the source could not be checked: {error}")),
    })
}

/// The result of re-checking a file that was not found when it was read.
#[derive(Debug)]
pub(crate) enum Vanished {
    /// The source does not have it any more.
    Certain,
    /// The source has it: that it was not found was passing.
    Present,
    /// It could not be found out, and why.
    Unknown(String),
}

/// Whether a file that was not found is absent from the source: looked for again by its name, which
/// a server that is busy may not have found, and in the directory that the scan saw.
pub(crate) async fn confirm_absence(shared: &Shared, path: &RelPath, read_path: &RelPath) -> Result<Vanished> {
    match shared.source.metadata(read_path).await {
        Ok(now) if matches!(now.kind, Kind::File | Kind::Symlink) => return Ok(Vanished::Present),
        // Something else has its name now: the file is gone.
        Ok(_) => {}
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
        Err(error) => return Ok(Vanished::Unknown(format!("it could not be checked: {error}"))),
    }
    let Some(seen) = shared.journal.nearest_seen_dir(path.clone()).await? else { return Ok(Vanished::Certain) };
    Ok(match confirm(shared, &seen).await {
        Ok(Absence::Unknown(reason)) => Vanished::Unknown(reason),
        // That its directory went too is an answer, unless a file system was mounted there.
        Err(error) if error.kind() == ErrorKind::NotFound && !seen.is_on_other_mount() => Vanished::Certain,
        Err(error) => Vanished::Unknown(format!("its directory could not be checked: {error}")),
        Ok(_) => Vanished::Certain,
    })
}

async fn look_at_each(shared: &Shared, seen: &SeenDir, below: &[RelPath]) -> towpath_backend::Result<Absence> {
    for (n, at) in below.iter().enumerate() {
        match shared.source.metadata(at).await {
            Ok(found) if n + 1 == below.len() => {
                return if is_listed(shared, at).await? {
                    Ok(Absence::Present(found.kind))
                } else {
                    confirm(shared, seen).await
                };
            }
            Ok(found) => match found.kind {
                Kind::Dir => {}
                Kind::File => return confirm(shared, seen).await,
                Kind::Symlink if shared.options.links == Links::Copy => return confirm(shared, seen).await,
                kind => return Ok(Absence::Unknown(format!("the source has a {kind} above it"))),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => return confirm(shared, seen).await,
            Err(error) => return Err(error),
        }
    }
    Ok(Absence::Present(Kind::Dir))
}

/// Whether a name that was found is listed as it is spelled. A source that folds case finds what it
/// has under another spelling, which is another file to a sink that does not.
async fn is_listed(shared: &Shared, at: &RelPath) -> towpath_backend::Result<bool> {
    let (Some(parent), Some(name)) = (at.parent(), at.name()) else { return Ok(true) };
    let mut pages = shared.source.read_dir(&parent, &shared.paces.list_options()).await?;
    while let Some(page) = pages.next().await {
        if page?.iter().any(|entry| entry.name == name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Absence counts only in the directory that the scan saw.
async fn confirm(shared: &Shared, seen: &SeenDir) -> towpath_backend::Result<Absence> {
    let root = shared.source.metadata(&RelPath::root()).await?;
    let now = shared.source.metadata(&seen.read_path).await?;
    Ok(if now.kind == Kind::Dir && seen.is(&now, &root) {
        Absence::Certain
    } else {
        Absence::Unknown(format!("{} is another directory than the scan saw in the source", seen.path))
    })
}
