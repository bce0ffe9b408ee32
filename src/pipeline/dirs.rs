//! Directories at the sink: made where they are missing, and given their times.

use std::sync::Arc;

use tokio::task::JoinSet;
use towpath_backend::{Error as BackendError, ErrorKind, Kind, RelPath, Sink};

use super::Shared;
use super::commit::{self, Tally};
use super::task::Failure;
use crate::audit::Line;
use crate::error::Error;
use crate::event::Event;
use crate::state::{DirWork, PendingDir};

/// Directories of one page.
const PAGE_DIRS: usize = 1024;

/// Makes `dir` and all directories above it that are missing.
pub(super) async fn make_all(sink: &dyn Sink, dir: &RelPath) -> Result<(), BackendError> {
    // Upwards to one that is there, then down again.
    let mut missing = vec![dir.clone()];
    while let Some(path) = missing.last() {
        if path.is_root() {
            missing.pop();
            continue;
        }
        match sink.create_dir(path).await {
            Ok(()) => drop(missing.pop()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => drop(missing.pop()),
            Err(error) if error.kind() == ErrorKind::NotFound && missing.len() <= MAX_DEPTH => match path.parent() {
                Some(parent) if !parent.is_root() => missing.push(parent),
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// No path has more components than this: were the sink to say "not found" for
/// ever, the climb would end here.
const MAX_DEPTH: usize = 100_000;

/// Makes directories that the sink still lacks, or sets the times of those whose
/// content has arrived, a page of them side by side.
pub(super) async fn run(shared: &Arc<Shared>, work: DirWork, tally: &mut Tally) -> Result<(), Error> {
    let mut after = 0;
    loop {
        let page = shared.state.pending_dirs(work, after, PAGE_DIRS).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.id;
        if shared.stop.is_cancelled() {
            return Ok(());
        }
        let (mut done, mut failed) = (Vec::with_capacity(page.len()), Vec::new());
        for (dir, result) in work_on_page(shared, work, page).await? {
            match result {
                Ok(()) => done.push(dir.id),
                Err(error) => {
                    report(shared, &dir, error, tally).await?;
                    failed.push(dir.id);
                }
            }
        }
        shared.sink.flush().await.map_err(|error| commit::sink_cannot_flush(shared, &error))?;
        shared.state.dirs_done(work, done, failed).await?;
    }
}

async fn report(shared: &Shared, dir: &PendingDir, error: BackendError, tally: &mut Tally) -> Result<(), Error> {
    let failure = Failure::sink(error);
    if failure.concerns_all() {
        return Err(commit::sink_is_full(shared, &failure.error));
    }
    tally.failed_files += 1;
    shared.progress.add_failed();
    let (paths, error) = (shared.paths(&dir.path), format!("destination: {}", failure.error));
    let line = Line { error: Some(error.clone()), ..Line::now("failed", paths.clone()) };
    shared.state.log(vec![line]).await?;
    shared.emitter.emit(Event::Failed { paths, error }).await;
    Ok(())
}

type Done = (PendingDir, Result<(), BackendError>);

async fn work_on_page(shared: &Arc<Shared>, work: DirWork, page: Vec<PendingDir>) -> Result<Vec<Done>, Error> {
    let panicked = |_| Error::Internal("a task for directories panicked".to_owned());
    let mut results = Vec::with_capacity(page.len());
    let mut under_way = JoinSet::new();
    for dir in page {
        if under_way.len() >= shared.options.lanes
            && let Some(joined) = under_way.join_next().await
        {
            results.push(joined.map_err(panicked)?);
        }
        let shared = Arc::clone(shared);
        under_way.spawn(async move {
            let result = match work {
                DirWork::Make => make_checked(&*shared.sink, &dir.path).await,
                DirWork::Settle => settle(&*shared.sink, &dir).await,
            };
            (dir, result)
        });
    }
    while let Some(joined) = under_way.join_next().await {
        results.push(joined.map_err(panicked)?);
    }
    Ok(results)
}

/// Makes a directory, and checks that what has its name is one.
async fn make_checked(sink: &dyn Sink, dir: &RelPath) -> Result<(), BackendError> {
    make_all(sink, dir).await?;
    match sink.metadata(dir).await?.kind {
        Kind::Dir => Ok(()),
        kind => Err(BackendError::new(
            ErrorKind::AlreadyExists,
            "create directory",
            dir,
            format!("a {kind} is in its place; remove it and run the same command again"),
        )),
    }
}

/// Sets a directory's times.
async fn settle(sink: &dyn Sink, dir: &PendingDir) -> Result<(), BackendError> {
    let (true, Some(times)) = (sink.capabilities().sets_mtime, &dir.times) else { return Ok(()) };
    match sink.set_times(&dir.path, times).await {
        // That it could not be made was told before.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        result => result,
    }
}
