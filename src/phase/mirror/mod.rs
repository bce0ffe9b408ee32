//! Deletes from the sink what the source does not have, and nothing by mistake.
//!
//! It runs after a complete scan and a transfer that came to its end. Nothing
//! goes on the scan's word alone: each candidate is looked for in the source
//! again, and looked at in the sink again, right before it goes. "Could not
//! look" is never "is not there", and what is in doubt stays.

mod guard;

use std::sync::Arc;

use tokio::task::JoinSet;
use towpath_backend::{ErrorKind, Kind, Metadata, RelPath};

use crate::absence::{Absence, look_for};
use crate::conflict::line as deletion_line;
use crate::error::{Error, Result};
use crate::event::{Event, Side};
use crate::journal::{Deletion, EndedDeletions, Extra, ExtraKey, Protection};
use crate::options::Mirror;
use crate::phase::transfer::Tally;
use crate::session::Shared;

pub(crate) use guard::within_bounds;

/// Extras announced and deleted together; between two batches the trees are looked at anew.
const BATCH: usize = 256;

/// Deletes what the source does not have.
///
/// # Errors
/// [`Error::Refused`] if a guard refuses: nothing, or nothing more, was deleted.
pub(crate) async fn run(shared: &Arc<Shared>, mirror: Mirror, tally: &mut Tally) -> Result<()> {
    let one_file_system = shared.options.filter.one_file_system;
    shared.journal.begin_extras(one_file_system, mirror.other_file_systems).await?;
    guard::check(shared, mirror).await?;
    if !one_file_system && !mirror.other_file_systems {
        report_foreign_extras(shared).await?;
    }
    delete_files(shared, mirror, tally).await?;
    delete_dirs(shared, mirror, tally).await
}

/// Says once how much is left on other file systems that are mounted inside the sink.
async fn report_foreign_extras(shared: &Shared) -> Result<()> {
    let files = shared.journal.count_foreign_extras().await?;
    if files > 0 {
        let message = format!(
            "{files} files on other file systems mounted inside the destination are not in the source, and stay; \
             --delete-other-file-systems deletes them too"
        );
        shared.emitter.emit(Event::Warning { message }).await;
    }
    Ok(())
}

async fn delete_files(shared: &Arc<Shared>, mirror: Mirror, tally: &mut Tally) -> Result<()> {
    let mut next = Some(ExtraKey::first());
    while let Some(after) = next {
        if shared.stop.is_cancelled() {
            return Ok(());
        }
        let page = shared.journal.extra_files(after, BATCH).await?;
        next = page.next;
        tally.protected += page.protected;
        if !page.extras.is_empty() {
            delete_batch(shared, mirror, page.extras, tally).await?;
        }
    }
    Ok(())
}

async fn delete_batch(shared: &Arc<Shared>, mirror: Mirror, extras: Vec<Extra>, tally: &mut Tally) -> Result<()> {
    for side in Side::BOTH {
        shared.check_identity(side).await?;
    }
    let only_beside = only_beside(shared, mirror).await?;
    let deletions: Vec<_> = extras.iter().map(announced).collect();
    let mut ended = EndedDeletions {
        announced: deletions.iter().map(|deletion| deletion.path.clone()).collect(),
        ..EndedDeletions::default()
    };
    shared.journal.begin_deletions(deletions).await?;
    let (mut events, mut result) = (Vec::new(), Ok(()));
    let mut under_way = JoinSet::new();
    let mut extras = extras.into_iter();
    loop {
        // After an error nothing more is begun; what is under way is still recorded.
        while under_way.len() < shared.lanes && result.is_ok() && !shared.stop.is_cancelled() {
            let Some(extra) = extras.next() else { break };
            let shared = Arc::clone(shared);
            under_way.spawn(async move { delete_one(&shared, extra, only_beside).await });
        }
        let Some(joined) = under_way.join_next().await else { break };
        match joined {
            Ok((deletion, Ok(Fate::Deleted))) => {
                ended.lines.push(deletion_line(shared, &deletion));
                tally.deleted_files += 1;
                events.push(deleted(shared, &deletion));
                ended.gone.push(deletion.path);
            }
            Ok((deletion, Ok(Fate::Gone))) => ended.gone.push(deletion.path),
            Ok((deletion, Ok(Fate::Protected(reason)))) => {
                tally.protected += 1;
                events.push(Event::Protected { paths: shared.paths(&deletion.path), reason });
            }
            Ok((_, Err(error))) => result = result.and(Err(error)),
            Err(_) => result = result.and(Err(Error::Internal("a task of the deletion panicked".to_owned()))),
        }
    }
    shared.journal.end_deletions(ended).await?;
    for event in events {
        shared.emitter.emit(event).await;
    }
    result
}

/// What became of a candidate.
enum Fate {
    Deleted,
    /// It was not there any more.
    Gone,
    /// It stays, and why.
    Protected(String),
}

/// The root on whose file system what is deleted must lie, if it must.
async fn only_beside(shared: &Shared, mirror: Mirror) -> Result<Option<Metadata>> {
    if mirror.other_file_systems {
        return Ok(None);
    }
    let root = shared.sink.metadata(&RelPath::root()).await;
    root.map(Some).map_err(|error| Error::of_side(Side::Sink, shared.sink.root(), &error))
}

/// Deletes an extra, if it lies on the file system of `only_beside`.
async fn delete_one(shared: &Shared, extra: Extra, only_beside: Option<Metadata>) -> (Deletion, Result<Fate>) {
    let deletion = announced(&extra);
    tokio::select! {
        biased;
        () = shared.stop.cancelled() => {}
        () = shared.paces.pass_file() => {}
    }
    let fate = judge_and_delete(shared, &extra, &deletion, only_beside).await;
    (deletion, fate)
}

async fn judge_and_delete(
    shared: &Shared,
    extra: &Extra,
    deletion: &Deletion,
    only_beside: Option<Metadata>,
) -> Result<Fate> {
    if let Some(fate) = changed_since(shared, extra, only_beside).await {
        return Ok(fate);
    }
    if let Some(fate) = still_there(shared, &extra.path, extra.metadata.kind).await? {
        return Ok(fate);
    }
    match shared.delete(deletion).await {
        Ok(()) => Ok(Fate::Deleted),
        Err(error) if is_gone(shared, &error, &deletion.path).await => Ok(Fate::Gone),
        Err(error) => {
            shared.check_identity(Side::Sink).await?;
            Ok(Fate::Protected(format!("it could not be deleted: {error}")))
        }
    }
}

/// Looks at an extra file again: one that changed since the scan is somebody's work.
async fn changed_since(shared: &Shared, extra: &Extra, only_beside: Option<Metadata>) -> Option<Fate> {
    let seen = &extra.metadata;
    match shared.sink.metadata(&extra.path).await {
        Ok(now) if only_beside.is_some_and(|root| now.is_mounted_elsewhere_than(&root)) => {
            Some(Fate::Protected("another file system was mounted there since the scan".to_owned()))
        }
        Ok(now) => {
            let same = now.kind == seen.kind && now.size_bytes == seen.size_bytes && now.modified == seen.modified;
            (!same).then(|| Fate::Protected("it changed since the scan".to_owned()))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Some(Fate::Gone),
        Err(error) => Some(Fate::Protected(format!("it could not be checked: {error}"))),
    }
}

/// Whether a deletion failed since there is nothing to delete: a server that is busy may say so of what it has.
async fn is_gone(shared: &Shared, error: &towpath_backend::Error, path: &RelPath) -> bool {
    error.kind() == ErrorKind::NotFound
        && shared.sink.metadata(path).await.is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

/// Looks for a candidate in the source; `None` if it is surely not there.
async fn still_there(shared: &Shared, path: &RelPath, kind: Kind) -> Result<Option<Fate>> {
    if shared.journal.protection(path.clone()).await?.is_some() {
        return Ok(Some(Fate::Protected("the source could not be read nearby".to_owned())));
    }
    let options = &shared.options;
    if options.delete_excluded && options.filter.excludes_with_parents(path, kind == Kind::Dir) {
        // It is to go whether the source has it or not.
        return Ok(None);
    }
    Ok(match look_for(shared, path).await? {
        Absence::Certain => None,
        // It gives way to what the source has there now, in that one's turn.
        Absence::Present(found) if kind == Kind::Dir && found != Kind::Dir => Some(Fate::Gone),
        Absence::Present(_) => Some(Fate::Protected("the source has it now".to_owned())),
        Absence::Unknown(reason) => {
            // Whatever kept it from being seen may hide its neighbours too.
            shared.journal.protect(path.parent().unwrap_or_else(RelPath::root)).await?;
            shared.check_identity(Side::Source).await?;
            Some(Fate::Protected(reason))
        }
    })
}

/// Removes directories that the source does not have and that are empty by now.
async fn delete_dirs(shared: &Arc<Shared>, mirror: Mirror, tally: &mut Tally) -> Result<()> {
    let mut before = None;
    loop {
        let page = shared.journal.extra_dirs(before, BATCH).await?;
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.clone());
        for side in Side::BOTH {
            shared.check_identity(side).await?;
        }
        let (mut ended, mut result) = (EndedDeletions::default(), Ok(()));
        let deletions = dirs_there(shared, page, only_beside(shared, mirror).await?, tally).await?;
        // Announce the whole page at once: each announcement costs a sync.
        shared.journal.begin_deletions(deletions.clone()).await?;
        ended.announced = deletions.iter().map(|deletion| deletion.path.clone()).collect();
        for deletion in deletions {
            if shared.stop.is_cancelled() {
                break;
            }
            match delete_dir(shared, &deletion, tally).await {
                Ok(true) => {
                    ended.lines.push(deletion_line(shared, &deletion));
                    ended.gone.push(deletion.path);
                }
                Ok(false) => {}
                Err(error) => {
                    result = Err(error);
                    break;
                }
            }
        }
        shared.journal.end_deletions(ended).await?;
        result?;
        if shared.stop.is_cancelled() {
            return Ok(());
        }
    }
}

/// The `dirs` that may go and still are directories at the sink; others are protected, gone, or were
/// replaced by somebody.
async fn dirs_there(
    shared: &Shared,
    dirs: Vec<RelPath>,
    only_beside: Option<Metadata>,
    tally: &mut Tally,
) -> Result<Vec<Deletion>> {
    let mut there = Vec::with_capacity(dirs.len());
    for path in dirs {
        if let Some(protection) = shared.journal.protection(path.clone()).await? {
            // Files below are counted without a word each, and so are directories.
            tally.protected += u64::from(protection == Protection::Precaution);
            continue;
        }
        // A mount point cannot be removed, and what is mounted there may stay.
        if shared.sink_mounts.contains(&path) {
            continue;
        }
        match shared.sink.metadata(&path).await {
            Ok(found) if only_beside.is_some_and(|root| found.is_mounted_elsewhere_than(&root)) => {
                tally.protected += 1;
                let reason = "another file system was mounted there since the scan".to_owned();
                shared.emitter.emit(Event::Protected { paths: shared.paths(&path), reason }).await;
            }
            Ok(found) if found.kind == Kind::Dir => {
                there.push(Deletion { path, size_bytes: None, modified: found.modified });
            }
            _ => {}
        }
    }
    Ok(there)
}

/// Removes one directory, after its content; returns whether it was removed.
async fn delete_dir(shared: &Shared, deletion: &Deletion, tally: &mut Tally) -> Result<bool> {
    let dir = &deletion.path;
    if let Some(fate) = still_there(shared, dir, Kind::Dir).await? {
        if let Fate::Protected(reason) = fate {
            tally.protected += 1;
            shared.emitter.emit(Event::Protected { paths: shared.paths(dir), reason }).await;
        }
        return Ok(false);
    }
    match shared.delete(deletion).await {
        Ok(()) => {
            tally.deleted_dirs += 1;
            shared.emitter.emit(deleted(shared, deletion)).await;
            Ok(true)
        }
        // What is in it was protected, and told, or came later.
        Err(error) if error.kind() == ErrorKind::NotEmpty || is_gone(shared, &error, dir).await => Ok(false),
        Err(error) => {
            shared.check_identity(Side::Sink).await?;
            tally.protected += 1;
            let reason = format!("it could not be removed: {error}");
            shared.emitter.emit(Event::Protected { paths: shared.paths(dir), reason }).await;
            Ok(false)
        }
    }
}

fn announced(extra: &Extra) -> Deletion {
    Deletion {
        path: extra.path.clone(),
        size_bytes: Some(extra.metadata.size_bytes),
        modified: extra.metadata.modified,
    }
}

fn deleted(shared: &Shared, deletion: &Deletion) -> Event {
    Event::Deleted { paths: shared.paths(&deletion.path), size_bytes: deletion.size_bytes }
}
