//! Directories at the sink: created where they are missing, and finalized (attributes and times) at the end.

use std::sync::Arc;

use tokio::task::JoinSet;
use towpath_backend::{Attributes, Error as BackendError, ErrorKind, Kind, RelPath};

use crate::absence;
use crate::attributes::{self, ReadBack};
use crate::conflict::create_dirs;
use crate::error::{Error, FileError, Result};
use crate::event::{Event, Side};
use crate::journal::{Cause, DirWork, Kept, PendingDir, Sent};
use crate::reporter::Record;
use crate::session::Session;
use crate::tally::Tally;
use crate::xattrs;

/// Directories of one page.
const PAGE_DIRS: usize = 1024;

/// Creates the missing directories at the sink, or finalizes those whose content is complete, a page of them in
/// parallel.
pub(crate) async fn run(session: &Arc<Session>, work: DirWork, tally: &mut Tally) -> Result<()> {
    let (mut after, mut not_kept) = (0, NotKept::default());
    loop {
        let page = session.journal.pending_dirs(work, after, PAGE_DIRS).await?;
        let Some(last) = page.last().filter(|_| !session.is_stopped()) else { break };
        after = last.id;
        let (mut done, mut failed) = (Vec::with_capacity(page.len()), Vec::new());
        for (dir, result) in work_on_page(session, work, page).await? {
            match result {
                Ok(ReadBack { sent, kept, not_accepted }) => {
                    // Attributes that it did not keep before were reported then.
                    let is_known = kept == dir.kept && !kept.is_empty();
                    let not_accepted = if is_known { Vec::new() } else { not_accepted };
                    tally.add_not_accepted(&not_accepted);
                    report_not_accepted(session, &dir, &not_accepted).await?;
                    done.push((dir.id, sent, kept));
                }
                Err(error) if is_not_kept(session, work, &error) => {
                    not_kept.add(error);
                    done.push((dir.id, Sent::default(), Kept::default()));
                }
                Err(error) => failed.push((dir.id, report(session, work, &dir, error, tally).await?)),
            }
        }
        session.flush_sink().await?;
        session.journal.dirs_done(work, done, failed).await?;
    }
    not_kept.report(session).await;
    Ok(())
}

/// Empty directories that the sink does not keep.
#[derive(Default)]
struct NotKept {
    dirs: u64,
    /// How the sink rejected the first.
    error: Option<Arc<BackendError>>,
}

impl NotKept {
    fn add(&mut self, error: BackendError) {
        self.dirs += 1;
        self.error.get_or_insert_with(|| Arc::new(error));
    }

    /// Reports them once, unless the sink was opened to keep none.
    async fn report(self, session: &Session) {
        if let Some(error) = self.error.filter(|_| session.sink.capabilities().empty_directories) {
            session.reporter.notify(Event::EmptyDirsNotKept { dirs: self.dirs, error }).await;
        }
    }
}

/// Whether a directory was not created because the sink keeps no empty ones. That is not a failure.
fn is_not_kept(session: &Session, work: DirWork, error: &BackendError) -> bool {
    matches!(work, DirWork::Create)
        && error.kind() == ErrorKind::Unsupported
        && session.sink.capabilities().virtual_directories
}

/// Reports a directory that failed; returns the cause.
async fn report(
    session: &Session,
    work: DirWork,
    dir: &PendingDir,
    error: BackendError,
    tally: &mut Tally,
) -> Result<Cause> {
    let error = Arc::new(error);
    let fatal = session.fatal_at_sink(&error);
    let error = FileError::Tree { side: Side::Sink, error };
    let cause = Cause::from(&error);
    if let Some(fatal) = fatal {
        session.journal.dirs_done(work, Vec::new(), vec![(dir.id, cause)]).await?;
        return Err(fatal);
    }
    session.give_up(&dir.path, error, tally).await?;
    Ok(cause)
}

async fn report_not_accepted(session: &Session, dir: &PendingDir, errors: &[Arc<BackendError>]) -> Result<()> {
    let paths = session.paths(&dir.path);
    let event =
        |error: &Arc<BackendError>| Event::AttributeNotAccepted { paths: paths.clone(), error: Arc::clone(error) };
    session.reporter.report(errors.iter().map(|error| Record::new(event(error)))).await
}

/// A directory, and the attributes that the sink kept, or the error.
type Done = (PendingDir, towpath_backend::Result<ReadBack>);

async fn work_on_page(session: &Arc<Session>, work: DirWork, page: Vec<PendingDir>) -> Result<Vec<Done>> {
    let panicked = |_| Error::Internal("a task for directories panicked".to_owned());
    let mut results = Vec::with_capacity(page.len());
    let mut in_flight = JoinSet::new();
    for dir in page {
        session.stops_or_goes_on().await;
        if in_flight.len() >= session.lanes
            && let Some(joined) = in_flight.join_next().await
        {
            results.push(joined.map_err(panicked)?);
        }
        let session = Arc::clone(session);
        in_flight.spawn(async move {
            let name = if matches!(work, DirWork::Create) { "create directory" } else { "set attributes" };
            let _operation = session.operations().in_tree(Side::Sink, name, Some(&dir.path));
            let result = match work {
                DirWork::Create => create_checked(&session, &dir.path).await.map(|()| ReadBack::default()),
                DirWork::Finalize => finalize(&session, &dir).await,
            };
            (dir, result)
        });
    }
    while let Some(joined) = in_flight.join_next().await {
        results.push(joined.map_err(panicked)?);
    }
    Ok(results)
}

/// Creates a directory, and checks that its name is a directory now.
async fn create_checked(session: &Session, dir: &RelPath) -> towpath_backend::Result<()> {
    // Most exist by now: those that something was written into.
    if session.sink.capabilities().virtual_directories && absence::is_dir_present(&*session.sink, dir).await {
        return Ok(());
    }
    create_dirs(session, dir).await?;
    let found = match session.sink.metadata(dir).await {
        Err(error) if error.kind() == ErrorKind::NotFound && session.sink.capabilities().virtual_directories => {
            let cause = "the destination accepted the directory, but does not show it";
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
            format!("a {kind} has this name; remove it and run the same command again"),
        )),
    }
}

/// Applies a directory's attributes, and sets its times; returns what the sink kept of them.
async fn finalize(session: &Session, dir: &PendingDir) -> towpath_backend::Result<ReadBack> {
    match apply(session, dir).await {
        // The failed creation was reported before. A directory that exists was only briefly not found.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            if absence::is_dir_present(&*session.sink, &dir.path).await {
                Err(error)
            } else {
                Ok(ReadBack::default())
            }
        }
        result => result,
    }
}

async fn apply(session: &Session, dir: &PendingDir) -> towpath_backend::Result<ReadBack> {
    let (options, mut wanted) = (&session.options, Attributes::default());
    wanted.permissions = dir.attributes.permissions.filter(|_| options.keep_permissions);
    wanted.permissions_of = dir.attributes.owner;
    wanted.owner = dir.attributes.owner.filter(|_| options.keep_owner);
    if options.keep_xattrs {
        wanted.xattrs = xattrs::of_source(&*session.source, &dir.read_path).await?;
        wanted.removes_others = true;
    }
    let mut read_back = attributes::apply(session, &dir.path, &wanted).await?;
    // Virtual directories have no times that could be kept.
    let has_times = !session.source.capabilities().virtual_directories && session.sink.capabilities().sets_mtime;
    if let (true, Some(times)) = (has_times, &dir.times) {
        read_back.add(attributes::set_times(session, &dir.path, times).await?);
    }
    Ok(read_back)
}
