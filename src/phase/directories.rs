//! Directories at the sink: made where they are missing, and given their times.

use std::sync::Arc;

use tokio::task::JoinSet;
use towpath_backend::{Attributes, Error as BackendError, ErrorKind, Kind, RelPath};

use crate::audit::Line;
use crate::conflict::make_dir;
use crate::error::Error;
use crate::event::Event;
use crate::journal::{DirWork, Kept, PendingDir};
use crate::kept::{self, ReadBack};
use crate::phase::transfer::commit::{self, Tally};
use crate::phase::transfer::task::Failure;
use crate::session::Shared;

/// Directories of one page.
const PAGE_DIRS: usize = 1024;

/// Makes directories that the sink still lacks, or sets the times of those whose
/// content has arrived, a page of them side by side.
pub(crate) async fn run(shared: &Arc<Shared>, work: DirWork, tally: &mut Tally) -> Result<(), Error> {
    let (mut after, mut not_kept) = (0, NotKept::default());
    loop {
        let page = shared.journal.pending_dirs(work, after, PAGE_DIRS).await?;
        let Some(last) = page.last().filter(|_| !shared.stop.is_cancelled()) else { break };
        after = last.id;
        let (mut done, mut failed) = (Vec::with_capacity(page.len()), Vec::new());
        for (dir, result) in work_on_page(shared, work, page).await? {
            match result {
                Ok(ReadBack { kept, refused }) => {
                    // What it did not keep before was reported then.
                    let refused = if kept == dir.kept && !kept.is_empty() { Vec::new() } else { refused };
                    tally.add_refused(&refused);
                    for error in refused {
                        refuse(shared, &dir, &error).await?;
                    }
                    done.push((dir.id, kept));
                }
                Err(error) if is_not_kept(shared, work, &error) => {
                    not_kept.add(&error);
                    done.push((dir.id, Kept::default()));
                }
                Err(error) => {
                    report(shared, &dir, error, tally).await?;
                    failed.push(dir.id);
                }
            }
        }
        shared.sink.flush().await.map_err(|error| commit::sink_cannot_flush(shared, &error))?;
        shared.journal.dirs_done(work, done, failed).await?;
    }
    not_kept.report(shared).await;
    Ok(())
}

/// Empty directories that the sink does not keep.
#[derive(Default)]
struct NotKept {
    dirs: u64,
    reason: String,
}

impl NotKept {
    fn add(&mut self, error: &BackendError) {
        if self.dirs == 0 {
            self.reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        }
        self.dirs += 1;
    }

    /// Reports them once, unless the sink was opened to keep none.
    async fn report(self, shared: &Shared) {
        if self.dirs > 0 && shared.sink.capabilities().empty_directories {
            shared.emitter.emit(Event::EmptyDirsNotKept { dirs: self.dirs, reason: self.reason }).await;
        }
    }
}

/// Whether a directory was not created since the sink keeps none that is empty: nothing has failed then.
fn is_not_kept(shared: &Shared, work: DirWork, error: &BackendError) -> bool {
    matches!(work, DirWork::Create)
        && error.kind() == ErrorKind::Unsupported
        && shared.sink.capabilities().virtual_directories
}

async fn report(shared: &Shared, dir: &PendingDir, error: BackendError, tally: &mut Tally) -> Result<(), Error> {
    let failure = Failure::sink(error);
    if failure.concerns_all() {
        return Err(commit::sink_is_full(shared, &failure.error));
    }
    tally.failed_files += 1;
    shared.tell_failed(&dir.path, format!("destination: {}", failure.error)).await
}

async fn refuse(shared: &Shared, dir: &PendingDir, error: &BackendError) -> Result<(), Error> {
    let (paths, error) = (shared.paths(&dir.path), error.to_string());
    let line = Line { error: Some(error.clone()), ..Line::now("refused", paths.clone()) };
    shared.journal.log(vec![line]).await?;
    shared.emitter.emit(Event::Refused { paths, error }).await;
    Ok(())
}

/// A directory, and what the sink kept of it, or how it failed.
type Done = (PendingDir, Result<ReadBack, BackendError>);

async fn work_on_page(shared: &Arc<Shared>, work: DirWork, page: Vec<PendingDir>) -> Result<Vec<Done>, Error> {
    let panicked = |_| Error::Internal("a task for directories panicked".to_owned());
    let mut results = Vec::with_capacity(page.len());
    let mut under_way = JoinSet::new();
    for dir in page {
        if under_way.len() >= shared.lanes
            && let Some(joined) = under_way.join_next().await
        {
            results.push(joined.map_err(panicked)?);
        }
        let shared = Arc::clone(shared);
        under_way.spawn(async move {
            let result = match work {
                DirWork::Create => make_checked(&shared, &dir.path).await.map(|()| ReadBack::default()),
                DirWork::Finalize => settle(&shared, &dir).await,
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
async fn make_checked(shared: &Shared, dir: &RelPath) -> Result<(), BackendError> {
    make_dir(shared, dir).await?;
    let found = match shared.sink.metadata(dir).await {
        Err(error) if error.kind() == ErrorKind::NotFound && shared.sink.capabilities().virtual_directories => {
            let cause = "the destination accepts the directory and does not show it";
            return Err(BackendError::new(ErrorKind::Unsupported, "create directory", dir, cause));
        }
        found => found?,
    };
    match found.kind {
        Kind::Dir => Ok(()),
        kind => Err(BackendError::new(
            ErrorKind::AlreadyExists,
            "create directory",
            dir,
            format!("a {kind} is in its place; remove it and run the same command again"),
        )),
    }
}

/// Applies a directory's attributes, and sets its times; returns what the sink kept of them.
async fn settle(shared: &Shared, dir: &PendingDir) -> Result<ReadBack, BackendError> {
    match apply(shared, dir).await {
        // The failed creation was reported before. A directory that exists was only briefly not found.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            match shared.sink.metadata(&dir.path).await {
                Ok(now) if now.kind == Kind::Dir => Err(error),
                _ => Ok(ReadBack::default()),
            }
        }
        result => result,
    }
}

async fn apply(shared: &Shared, dir: &PendingDir) -> Result<ReadBack, BackendError> {
    let (options, mut attributes) = (&shared.options, Attributes::default());
    attributes.permissions = dir.attributes.permissions.filter(|_| options.keep_permissions);
    attributes.permissions_of = dir.attributes.owner;
    attributes.owner = dir.attributes.owner.filter(|_| options.keep_owner);
    if options.keep_xattrs {
        attributes.xattrs = shared.source.xattrs(&dir.read_path).await?;
        attributes.removes_others = true;
    }
    let mut read_back = kept::set_attributes(shared, &dir.path, &attributes).await?;
    // Directories that are there by what is in them have no times to be kept.
    let has_times = !shared.source.capabilities().virtual_directories && shared.sink.capabilities().sets_mtime;
    if let (true, Some(times)) = (has_times, &dir.times) {
        read_back.add(kept::set_times(shared, &dir.path, times).await?);
    }
    Ok(read_back)
}
