//! Copies that were begun in place and cannot be finished: removed if they are new, reported if not.

use towpath_backend::{Error as BackendError, ErrorKind, Kind, Metadata, RelPath};

use super::commit::Tally;
use super::task::{Job, Task};
use crate::audit::Line;
use crate::error::Result;
use crate::event::Event;
use crate::journal::Begun;
use crate::options::WriteMode;
use crate::session::Shared;

/// Rows of one page.
const PAGE: usize = 256;

/// Why a copy stays incomplete at the sink, and what is there.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) reason: String,
    /// `None`: it could not be found out.
    pub(super) now: Option<Metadata>,
}

/// Cleans up behind a file that this run gives up; tells what stays. A copy that this run made is
/// removed; one that was begun over an older file cannot be brought back.
pub(super) async fn clean_up(shared: &Shared, task: &Task) -> Result<Option<Left>> {
    if !matches!(task.job, Job::Content) || shared.options.write_mode != WriteMode::InPlace {
        return Ok(None);
    }
    let Some(begun) = shared.journal.begun(task.key.clone()).await? else { return Ok(None) };
    let now = match shared.sink.metadata(&task.path).await {
        Ok(now) if now.kind == Kind::File => now,
        // What has its place by now is no copy of it.
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let was_there = matches!(begun, Begun::Over(Some(_)));
            return Ok(was_there.then(|| left("is gone, with its older content", None)));
        }
        Err(error) => return Ok(Some(left(&format!("could not be checked: {error}"), None))),
    };
    match begun {
        Begun::Over(Some(before)) if is_same(&now, &before) => Ok(None),
        Begun::Over(Some(_)) => Ok(Some(left("is incomplete, and its older content is lost", Some(now)))),
        Begun::Over(None) => Ok(Some(left("may be incomplete", Some(now)))),
        Begun::New => match remove(shared, &task.path).await {
            Ok(()) => {
                shared.journal.forget_begun(task.key.clone()).await?;
                Ok(None)
            }
            Err(error) => Ok(Some(left(&format!("is incomplete, and could not be removed: {error}"), Some(now)))),
        },
    }
}

fn left(what: &str, now: Option<Metadata>) -> Left {
    Left { reason: format!("the copy at the destination {what}"), now }
}

async fn remove(shared: &Shared, path: &RelPath) -> std::result::Result<(), BackendError> {
    match shared.sink.remove_file(path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn is_same(now: &Metadata, before: &Metadata) -> bool {
    now.kind == before.kind && now.size_bytes == before.size_bytes && now.modified == before.modified
}

/// Reports the files that stay incomplete at the sink, in each run until something else is there.
pub(super) async fn report(shared: &Shared, tally: &mut Tally) -> Result<()> {
    let mut after = RelPath::root();
    loop {
        let page = shared.journal.incomplete(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = last.clone();
        let mut gone = Vec::new();
        for (path, before) in page {
            match shared.sink.metadata(&path).await {
                Ok(now) if now.kind == Kind::File && before.is_none_or(|before| is_same(&now, &before)) => {
                    report_one(shared, &path, Some(now), tally).await?;
                }
                Err(error) if error.kind() != ErrorKind::NotFound => report_one(shared, &path, before, tally).await?,
                _ => gone.push(path),
            }
        }
        shared.journal.forget_incomplete(gone).await?;
    }
}

async fn report_one(shared: &Shared, path: &RelPath, now: Option<Metadata>, tally: &mut Tally) -> Result<()> {
    let error =
        "the source lost it, or a filter left it out, while it was being replaced: neither its old nor its new \
                 content is complete at the destination. Restore it, or delete it there"
            .to_owned();
    tally.failed_files += 1;
    shared.progress.add_failed();
    let paths = shared.paths(path);
    let line = Line {
        error: Some(error.clone()),
        size_bytes: now.map(|now| now.size_bytes),
        ..Line::now("incomplete", paths.clone())
    };
    shared.journal.log(vec![line]).await?;
    shared.emitter.emit(Event::Incomplete { paths, error }).await;
    Ok(())
}
