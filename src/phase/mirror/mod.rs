//! Deletes extras from the sink, with guards against mistakes.
//!
//! It runs after a complete scan and a transfer that finished. Nothing is deleted because of the scan alone: each
//! candidate is looked up in the source again, and checked at the sink again, right before it is deleted. An error
//! never counts as an absence: if in doubt, an entry stays.

mod candidate;

use std::sync::Arc;

use tokio::task::JoinSet;
use towpath_backend::{ErrorKind, Kind, RelPath};

use crate::absence;
use crate::error::{Error, ProtectedReason, Result, TreeFailure};
use crate::event::{Event, Side, Warning};
use crate::guard;
use crate::journal::{Deletion, Extra, ExtraKey, Protection};
use crate::options::Mirror;
use crate::removal::{self, Deletions};
use crate::session::Session;
use crate::tally::Tally;
use candidate::{Fate, SinkRoot, check_source, delete_one, is_on_other_mount};

/// Extras announced and deleted together; before each batch the trees are checked again.
const BATCH: usize = 256;

/// Deletes extras.
///
/// # Errors
/// [`Error::Refused`] after a guard refusal: nothing, or nothing more, was deleted.
pub(crate) async fn run(session: &Arc<Session>, mirror: Mirror, tally: &mut Tally) -> Result<()> {
    let one_file_system = session.options.filter.one_file_system;
    session.journal.begin_extras(one_file_system, mirror.other_file_systems).await?;
    guard::check(session, mirror).await?;
    if !one_file_system && !mirror.other_file_systems {
        report_foreign_extras(session).await?;
    }
    delete_files(session, mirror, tally).await?;
    delete_dirs(session, mirror, tally).await
}

/// Reports once how many extras stay on other file systems that are mounted inside the sink.
async fn report_foreign_extras(session: &Session) -> Result<()> {
    let files = session.journal.count_foreign_extras().await?;
    if files > 0 {
        session.reporter.warn(Warning::ExtrasOnOtherFileSystems { files }).await;
    }
    Ok(())
}

async fn delete_files(session: &Arc<Session>, mirror: Mirror, tally: &mut Tally) -> Result<()> {
    let mut next = Some(ExtraKey::first());
    while let Some(after) = next {
        if session.stops_or_goes_on().await {
            return Ok(());
        }
        let page = session.journal.extra_files(after, BATCH).await?;
        next = page.next;
        tally.protected += page.protected;
        if !page.extras.is_empty() {
            delete_batch(session, mirror, page.extras, tally).await?;
        }
    }
    Ok(())
}

async fn delete_batch(session: &Arc<Session>, mirror: Mirror, extras: Vec<Extra>, tally: &mut Tally) -> Result<()> {
    session.check_trees().await?;
    let sink_root = sink_root(session, mirror).await?;
    let announced = extras.iter().map(|extra| removal::deletion(&extra.path, &extra.metadata)).collect();
    let mut deletions = Deletions::announce(session, announced).await?;
    let mut result = Ok(());
    let mut in_flight = JoinSet::new();
    let mut extras = extras.into_iter();
    loop {
        // After an error no further deletion begins; those in flight are still recorded.
        while in_flight.len() < session.lanes && result.is_ok() && !session.is_stopped() {
            let Some(extra) = extras.next() else { break };
            let session = Arc::clone(session);
            in_flight.spawn(async move { delete_one(&session, extra, sink_root).await });
        }
        let Some(joined) = in_flight.join_next().await else { break };
        match joined {
            Ok((deletion, Ok(Fate::Deleted))) => {
                tally.deleted_files += 1;
                deletions.deleted(deletion);
            }
            Ok((deletion, Ok(Fate::Gone))) => deletions.gone(deletion.path),
            Ok((deletion, Ok(Fate::Protected(reason)))) => {
                tally.protected += 1;
                deletions.protected(&deletion.path, reason);
            }
            Ok((_, Err(error))) => result = result.and(Err(error)),
            Err(_) => result = result.and(Err(Error::Internal("a task of the deletion panicked".to_owned()))),
        }
    }
    deletions.end().await?;
    result
}

/// The root on whose file system each deleted entry must lie; `None` if it may lie on any.
async fn sink_root(session: &Session, mirror: Mirror) -> Result<SinkRoot> {
    if mirror.other_file_systems {
        return Ok(None);
    }
    let root = session.sink.metadata(&RelPath::root()).await;
    root.map(Some).map_err(|error| Error::tree(Side::Sink, session.sink.root(), TreeFailure::Unreadable, error))
}

/// Removes extra directories that are empty by now.
async fn delete_dirs(session: &Session, mirror: Mirror, tally: &mut Tally) -> Result<()> {
    let mut before = None;
    loop {
        let page = session.journal.extra_dirs(before, BATCH).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.clone());
        session.check_trees().await?;
        let announced = dirs_present(session, page, sink_root(session, mirror).await?, tally).await?;
        // The whole page is announced at once: each announcement costs a sync.
        let mut deletions = Deletions::announce(session, announced.clone()).await?;
        let mut result = Ok(());
        for deletion in announced {
            if session.stops_or_goes_on().await {
                break;
            }
            match delete_dir(session, &deletion).await {
                Ok(Fate::Deleted) => {
                    tally.deleted_dirs += 1;
                    deletions.deleted(deletion);
                }
                // The next scan decides whether it is still an extra.
                Ok(Fate::Gone) => {}
                Ok(Fate::Protected(reason)) => {
                    tally.protected += 1;
                    deletions.protected(&deletion.path, reason);
                }
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        deletions.end().await?;
        result?;
        if session.is_stopped() {
            return Ok(());
        }
    }
}

/// The deletions of those `dirs` that may be removed and are still directories at the sink. The others are protected,
/// gone, or were replaced by somebody.
async fn dirs_present(
    session: &Session,
    dirs: Vec<RelPath>,
    sink_root: SinkRoot,
    tally: &mut Tally,
) -> Result<Vec<Deletion>> {
    let mounts = session.sink_mounts();
    let mut present = Vec::with_capacity(dirs.len());
    for path in dirs {
        if let Some(protection) = session.journal.protection(path.clone()).await? {
            // Protected files below are only counted, and so are directories.
            tally.protected += u64::from(protection == Protection::Precaution);
            continue;
        }
        // A mount point cannot be removed, and what is mounted there may stay.
        if mounts.contains(&path) {
            continue;
        }
        let _operation = session.operations().in_tree(Side::Sink, "stat", Some(&path));
        match session.sink.metadata(&path).await {
            Ok(found) if is_on_other_mount(&found, sink_root) => {
                tally.protected += 1;
                let reason = ProtectedReason::Mounted;
                session.reporter.notify(Event::Protected { paths: session.paths(&path), reason }).await;
            }
            Ok(found) if found.kind == Kind::Dir => present.push(removal::deletion(&path, &found)),
            _ => {}
        }
    }
    Ok(present)
}

/// Removes one directory, after its content.
async fn delete_dir(session: &Session, deletion: &Deletion) -> Result<Fate> {
    let dir = &deletion.path;
    if let Some(fate) = check_source(session, dir, Kind::Dir).await? {
        return Ok(fate);
    }
    match removal::delete(session, deletion).await {
        Ok(()) => Ok(Fate::Deleted),
        // Its content was protected and reported, or was created later.
        Err(error) if error.kind() == ErrorKind::NotEmpty => Ok(Fate::Gone),
        Err(error) if error.kind() == ErrorKind::NotFound && absence::is_missing(&*session.sink, dir).await => {
            Ok(Fate::Gone)
        }
        Err(error) => {
            session.check_tree(Side::Sink).await?;
            Ok(Fate::Protected(ProtectedReason::NotDeleted(Arc::new(error))))
        }
    }
}
