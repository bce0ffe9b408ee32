//! Files that are written in place: between the first byte and the last they have neither their old nor their new
//! content. The database records when that begins; the copy of a file that fails is removed or reported.

use std::sync::Arc;

use towpath_backend::{Error, ErrorKind, Kind, Metadata, RelPath};

use super::task::{Job, Task, TransferResult};
use crate::compare::is_unchanged;
use crate::error::{CopyState, Result};
use crate::journal::{Begin, Begun};
use crate::options::WriteMode;
use crate::removal;
use crate::session::Session;

/// Records that the file at the sink is incomplete from now on; returns whether it was not recorded before.
pub(super) async fn begin(session: &Session, task: &Task, at: &RelPath, begin: Begin) -> Step<bool> {
    if !is_recorded(session, task, at) {
        return Ok(false);
    }
    recorded(task, session.journal.begin_writing(task.key.clone(), begin).await)
}

/// Whether anything is recorded of a file that is written at `at`. Nothing is for a partial file, as the old file stays
/// complete, nor for a store that shows a file only when it is complete.
pub(super) fn is_recorded(session: &Session, task: &Task, at: &RelPath) -> bool {
    *at == task.path && !session.sink.capabilities().virtual_directories
}

/// Records that nothing was written.
pub(super) async fn forget(session: &Session, task: &Task) -> Step<()> {
    recorded(task, session.journal.forget_begun(task.key.clone()).await)
}

type Step<T> = std::result::Result<T, TransferResult>;

/// Converts an error of the database. The committer gets the same error.
pub(super) fn recorded<T>(task: &Task, result: Result<T>) -> Step<T> {
    result.map_err(|error| TransferResult::sink_failed(Error::new(ErrorKind::Other, "record", &task.path, error)))
}

/// A copy that stays incomplete at the sink.
#[derive(Debug)]
pub(super) struct IncompleteCopy {
    pub(super) state: CopyState,
    /// The metadata of the copy. `None`: unknown.
    pub(super) now: Option<Metadata>,
}

/// Cleans up after a file that failed in this run; returns the copy that stays. A copy that this run created is
/// removed. A copy over an older file cannot be undone.
pub(super) async fn clean_up(session: &Session, task: &Task) -> Result<Option<IncompleteCopy>> {
    if !matches!(task.job, Job::Content) || session.options.write_mode != WriteMode::InPlace {
        return Ok(None);
    }
    let Some(begun) = session.journal.begun(task.key.clone()).await? else { return Ok(None) };
    let now = match session.sink.metadata(&task.path).await {
        Ok(now) if now.kind == Kind::File => now,
        // An entry of another kind is not a copy.
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let was_there = matches!(begun, Begun::Over(Some(_)));
            return Ok(was_there.then(|| incomplete(CopyState::Gone, None)));
        }
        Err(error) => return Ok(Some(incomplete(CopyState::Unchecked(Arc::new(error)), None))),
    };
    match begun {
        Begun::Over(Some(before)) if is_unchanged(&before, &now) => Ok(None),
        Begun::Over(Some(_)) => Ok(Some(incomplete(CopyState::Incomplete, Some(now)))),
        Begun::Over(None) => Ok(Some(incomplete(CopyState::MaybeIncomplete, Some(now)))),
        Begun::New => match removal::remove_own_file(&*session.sink, &task.path).await {
            Ok(()) => {
                session.journal.forget_begun(task.key.clone()).await?;
                Ok(None)
            }
            Err(error) => Ok(Some(incomplete(CopyState::NotRemoved(Arc::new(error)), Some(now)))),
        },
    }
}

fn incomplete(state: CopyState, now: Option<Metadata>) -> IncompleteCopy {
    IncompleteCopy { state, now }
}
