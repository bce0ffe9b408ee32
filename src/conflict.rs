//! Conflicting entries at the sink: entries whose name a file, link or directory of the source needs.
//!
//! An entry of another kind is replaced, just as the old content of a file is. A directory is removed only if it is
//! empty. Special files stay.

use towpath_backend::{Error as BackendError, ErrorKind, Kind, Metadata, RelPath};

use crate::removal;
use crate::session::Session;

/// Why a conflict was not resolved.
#[derive(Debug)]
pub(crate) enum Conflict {
    /// A directory that is not empty has the name.
    FullDir(BackendError),
    /// Anything else.
    Error(BackendError),
}

impl From<BackendError> for Conflict {
    fn from(error: BackendError) -> Self {
        Self::Error(error)
    }
}

impl From<Conflict> for BackendError {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::FullDir(error) | Conflict::Error(error) => error,
        }
    }
}

type Result<T> = std::result::Result<T, Conflict>;

/// Resolves the conflict that made the creation of a file or link (`kind`) at `path` fail with `error`: creates missing
/// parent directories, and removes a conflicting entry. Returns the error if it is not a conflict.
pub(crate) async fn resolve(session: &Session, path: &RelPath, kind: Kind, error: BackendError) -> Result<()> {
    match error.kind() {
        ErrorKind::NotFound => create_parents(session, path).await,
        ErrorKind::Escapes | ErrorKind::AlreadyExists | ErrorKind::IsADirectory | ErrorKind::NotADirectory => {
            let locked = session.conflict_locks.lock_parent_of(path).await;
            match session.sink.metadata(path).await {
                // An entry of the same kind is replaced, not deleted.
                Ok(found) if found.kind == kind => Ok(session.sink.remove_file(path).await?),
                Ok(found) => remove(session, path, &found, error).await,
                // A component above it is not a directory.
                Err(_) => {
                    drop(locked);
                    create_parents(session, path).await
                }
            }
        }
        _ => Err(error.into()),
    }
}

/// Removes an entry that the scan saw under this name and that is of another kind than `kind`.
pub(crate) async fn remove_other_kind(session: &Session, path: &RelPath, kind: Kind) -> Result<()> {
    let _locked = session.conflict_locks.lock_parent_of(path).await;
    match session.sink.metadata(path).await {
        Ok(found) if found.kind != kind => {
            let cause = format!("a {} has this name; remove it", found.kind);
            remove(session, path, &found, BackendError::new(ErrorKind::AlreadyExists, "replace", path, cause)).await
        }
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error.into()),
    }
}

async fn create_parents(session: &Session, path: &RelPath) -> Result<()> {
    match path.parent() {
        Some(parent) => create_dirs(session, &parent).await,
        None => Ok(()),
    }
}

/// No path has more components than this. Ends the climb if the sink answers "not found" for every directory.
const MAX_DEPTH: usize = 100_000;

/// Creates `dir` and all directories above it that are missing, and removes conflicting entries.
pub(crate) async fn create_dirs(session: &Session, dir: &RelPath) -> Result<()> {
    // Climb to an existing directory, then create those below it.
    let mut missing = vec![dir.clone()];
    while let Some(path) = missing.last() {
        if path.is_root() {
            missing.pop();
            continue;
        }
        match create_dir(session, path).await {
            Ok(()) => drop(missing.pop()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                replace_by_dir(session, path, error).await?;
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

/// Creates a directory with no more permissions than the source's.
async fn create_dir(session: &Session, dir: &RelPath) -> std::result::Result<(), BackendError> {
    let permissions = session.journal.dir_permissions(dir.clone()).await;
    let permissions = permissions.map_err(|error| BackendError::new(ErrorKind::Other, "record", dir, error))?;
    session.sink.create_dir(dir, permissions).await
}

/// Creates a directory where another entry has its name, unless that is a directory.
async fn replace_by_dir(session: &Session, path: &RelPath, error: BackendError) -> Result<()> {
    let _locked = session.conflict_locks.lock_parent_of(path).await;
    let found = session.sink.metadata(path).await?;
    if found.kind == Kind::Dir {
        return Ok(());
    }
    remove(session, path, &found, error).await?;
    match create_dir(session, path).await {
        // Another lane that needs the same directory was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => match session.sink.metadata(path).await?.kind {
            Kind::Dir => Ok(()),
            _ => Err(error.into()),
        },
        result => Ok(result?),
    }
}

/// Removes the entry at `path`, unless it is a special file or a directory with content.
async fn remove(session: &Session, path: &RelPath, found: &Metadata, error: BackendError) -> Result<()> {
    if found.kind == Kind::Other {
        return Err(error.into());
    }
    match removal::delete_recorded(session, removal::deletion(path, found)).await {
        Err(error) if found.kind == Kind::Dir && error.kind() == ErrorKind::NotEmpty => {
            let cause = "a non-empty directory has this name; empty it, or let --delete-extras do so";
            Err(Conflict::FullDir(BackendError::new(ErrorKind::NotEmpty, "replace", path, cause)))
        }
        result => Ok(result?),
    }
}
