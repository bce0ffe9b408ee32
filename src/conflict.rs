//! What is in the way of a file, link or directory at the sink, and how it goes.
//!
//! A name whose kind changed is replaced as a file's old content is: what the
//! source has there now is what the sink is to have. A directory goes only if
//! it is empty, and what is neither file, link nor directory stays.

use towpath_backend::{Error as BackendError, ErrorKind, Kind, Metadata, RelPath};

use crate::audit::Line;
use crate::event::Event;
use crate::journal::{Deletion, EndedDeletions};
use crate::phase::transfer::task::{Ending, Failure};
use crate::session::Shared;

/// Why something is still in the way.
#[derive(Debug)]
pub(crate) enum Obstacle {
    /// A directory with content.
    FullDir(BackendError),
    /// Anything else.
    Error(BackendError),
}

impl From<BackendError> for Obstacle {
    fn from(error: BackendError) -> Self {
        Self::Error(error)
    }
}

impl From<Obstacle> for Ending {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::FullDir(error) => Self::Blocked(error),
            Obstacle::Error(error) => Self::Failed(Failure::sink(error)),
        }
    }
}

impl From<Obstacle> for BackendError {
    fn from(obstacle: Obstacle) -> Self {
        match obstacle {
            Obstacle::FullDir(error) | Obstacle::Error(error) => error,
        }
    }
}

/// After making a file or link (`kind`) at `path` failed with `error`: makes the
/// directories above it that are missing, and removes what has its name. If
/// nothing could be done, the error stays.
pub(crate) async fn make_way(shared: &Shared, path: &RelPath, kind: Kind, error: BackendError) -> Result<(), Obstacle> {
    match error.kind() {
        ErrorKind::NotFound => make_parents(shared, path).await,
        ErrorKind::Escapes | ErrorKind::AlreadyExists | ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
            let clearing = shared.clearing.lock().await;
            match shared.sink.metadata(path).await {
                // One of its own kind is replaced, not deleted.
                Ok(found) if found.kind == kind => Ok(shared.sink.remove_file(path).await?),
                Ok(found) => remove(shared, path, &found, error).await,
                // Something above it is no directory.
                Err(_) => {
                    drop(clearing);
                    make_parents(shared, path).await
                }
            }
        }
        _ => Err(error.into()),
    }
}

/// Removes what the scan saw under a name where something of another kind is to come.
pub(crate) async fn clear_other_kind(shared: &Shared, path: &RelPath, kind: Kind) -> Result<(), Obstacle> {
    let _clearing = shared.clearing.lock().await;
    match shared.sink.metadata(path).await {
        Ok(found) if found.kind != kind => {
            let cause = format!("a {} is in its place; remove it", found.kind);
            remove(shared, path, &found, BackendError::new(ErrorKind::AlreadyExists, "replace", path, cause)).await
        }
        _ => Ok(()),
    }
}

/// Makes the directories above `path`, and removes what is in their way.
async fn make_parents(shared: &Shared, path: &RelPath) -> Result<(), Obstacle> {
    match path.parent() {
        Some(parent) => make_dir(shared, &parent).await,
        None => Ok(()),
    }
}

/// No path has more components than this: were the sink to say "not found" for
/// ever, the climb would end here.
const MAX_DEPTH: usize = 100_000;

/// Makes `dir` and all directories above it that are missing, and removes what
/// is in their way.
pub(crate) async fn make_dir(shared: &Shared, dir: &RelPath) -> Result<(), Obstacle> {
    // Upwards to one that is there, then down again.
    let mut missing = vec![dir.clone()];
    while let Some(path) = missing.last() {
        if path.is_root() {
            missing.pop();
            continue;
        }
        match create_dir(shared, path).await {
            Ok(()) => drop(missing.pop()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                replace_by_dir(shared, path, error).await?;
                missing.pop();
            }
            Err(error) => {
                let climbs =
                    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::Escapes);
                match path.parent().filter(|parent| climbs && !parent.is_root() && missing.len() <= MAX_DEPTH) {
                    Some(parent) => missing.push(parent),
                    None => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}

/// Creates a directory that permits no more than the source's.
async fn create_dir(shared: &Shared, dir: &RelPath) -> Result<(), BackendError> {
    let permissions = shared.journal.dir_permissions(dir.clone()).await.map_err(|error| not_recorded(dir, error))?;
    shared.sink.create_dir(dir, permissions).await
}

/// An error of the database, in place of what was to be done.
fn not_recorded(path: &RelPath, error: crate::Error) -> BackendError {
    BackendError::new(ErrorKind::Other, "record", path, error)
}

/// Makes a directory where something has its name, unless that is one.
async fn replace_by_dir(shared: &Shared, path: &RelPath, error: BackendError) -> Result<(), Obstacle> {
    let _clearing = shared.clearing.lock().await;
    let found = shared.sink.metadata(path).await?;
    if found.kind == Kind::Dir {
        return Ok(());
    }
    remove(shared, path, &found, error).await?;
    match create_dir(shared, path).await {
        // Another lane on its way to the same directory was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match shared.sink.metadata(path).await?.kind {
            Kind::Dir => Ok(()),
            _ => Err(error.into()),
        },
        result => Ok(result?),
    }
}

/// Removes what is at `path`, if it may go.
async fn remove(shared: &Shared, path: &RelPath, found: &Metadata, error: BackendError) -> Result<(), Obstacle> {
    match found.kind {
        Kind::Other => Err(error.into()),
        Kind::Dir => match delete(shared, path, found).await {
            Err(error) if error.kind() == ErrorKind::NotEmpty => {
                let cause = "a directory with content is in its place; empty it, or let --delete-extras do so";
                Err(Obstacle::FullDir(BackendError::new(ErrorKind::NotEmpty, "replace", path, cause)))
            }
            result => Ok(result?),
        },
        Kind::File | Kind::Symlink => Ok(delete(shared, path, found).await?),
    }
}

/// Deletes what is at `path`, or moves it where deleted things go; announced
/// before, and logged.
async fn delete(shared: &Shared, path: &RelPath, found: &Metadata) -> Result<(), BackendError> {
    let is_dir = found.kind == Kind::Dir;
    let deletion =
        Deletion { path: path.clone(), size_bytes: (!is_dir).then_some(found.size_bytes), modified: found.modified };
    let database = |error| not_recorded(path, error);
    shared.journal.begin_deletions(vec![deletion.clone()]).await.map_err(database)?;
    let deleted = shared.delete(&deletion).await;
    let mut ended = EndedDeletions { announced: vec![path.clone()], ..EndedDeletions::default() };
    if deleted.is_ok() {
        ended.lines.push(line(shared, &deletion));
        ended.gone.push(path.clone());
    }
    shared.journal.end_deletions(ended).await.map_err(database)?;
    deleted?;
    shared.emitter.emit(Event::Deleted { paths: shared.paths(path), size_bytes: deletion.size_bytes }).await;
    Ok(())
}

/// The line of the log for a deletion.
pub(crate) fn line(shared: &Shared, deletion: &Deletion) -> Line {
    Line {
        size_bytes: deletion.size_bytes,
        modified: Some(deletion.modified),
        ..Line::now("deleted", shared.paths(&deletion.path))
    }
}
