//! Every deletion at the sink.
//!
//! Each deletion of a user's entry is announced in the journal before and logged afterwards, so that it is in the audit
//! log even if the process ends between the two ([`Deletions`]). Files that this migration created itself, partial
//! files and incomplete copies, are removed without a record.

use tokio_stream::StreamExt as _;
use towpath_backend::{Error as BackendError, ErrorKind, Kind, Metadata, RelPath, Sink};

use crate::error::{Error, ProtectedReason, Result};
use crate::event::{Event, FilePaths, Side};
use crate::journal::{Deletion, EndedDeletions};
use crate::reporter::Record;
use crate::session::Session;

/// Deletions that were announced together.
pub(crate) struct Deletions<'a> {
    session: &'a Session,
    ended: EndedDeletions,
    records: Vec<Record>,
}

impl<'a> Deletions<'a> {
    /// Announces deletions. They are durable in the journal when it returns, at the cost of a sync.
    pub(crate) async fn announce(session: &'a Session, deletions: Vec<Deletion>) -> Result<Self> {
        let announced = deletions.iter().map(|deletion| deletion.path.clone()).collect();
        session.journal.begin_deletions(deletions).await?;
        Ok(Self { session, ended: EndedDeletions { announced, ..EndedDeletions::default() }, records: Vec::new() })
    }

    /// Notes that this run deleted an entry.
    pub(crate) fn deleted(&mut self, deletion: Deletion) {
        self.records.push(record(deletion.clone(), self.session.paths(&deletion.path)));
        self.ended.gone.push(deletion.path);
    }

    /// Notes that an entry was already gone.
    pub(crate) fn gone(&mut self, path: RelPath) {
        self.ended.gone.push(path);
    }

    /// Notes that an entry stays, and why.
    pub(crate) fn protected(&mut self, path: &RelPath, reason: ProtectedReason) {
        self.records.push(Record::new(Event::Protected { paths: self.session.paths(path), reason }));
    }

    /// Records the results of the deletions.
    pub(crate) async fn end(self) -> Result<()> {
        self.session.reporter.report_deletions(self.ended, self.records).await
    }
}

/// The record of a deletion.
fn record(deletion: Deletion, paths: FilePaths) -> Record {
    Record::new(Event::Deleted { paths, size_bytes: deletion.size_bytes }).with_mtime(deletion.modified)
}

/// The deletion of the entry `found` at `path`.
pub(crate) fn deletion(path: &RelPath, found: &Metadata) -> Deletion {
    let size_bytes = (found.kind != Kind::Dir).then_some(found.size_bytes);
    Deletion { path: path.clone(), size_bytes, modified: found.modified }
}

/// Deletes an entry that was announced, or moves it to the trash if the options say so.
pub(crate) async fn delete(session: &Session, deletion: &Deletion) -> towpath_backend::Result<()> {
    let path = &deletion.path;
    failpoint!("before-removal");
    let operation = |name| session.operations().in_tree(Side::Sink, name, Some(path));
    let removed = match session.options.mirror {
        _ if deletion.size_bytes.is_none() => {
            let _operation = operation("remove directory");
            session.sink.remove_dir(path).await
        }
        Some(mirror) if mirror.discard => {
            let _operation = operation("discard");
            session.sink.discard(path).await
        }
        _ => {
            let _operation = operation("remove");
            session.sink.remove_file(path).await
        }
    };
    failpoint!("after-removal");
    removed
}

/// Announces, deletes and records a single entry.
pub(crate) async fn delete_recorded(session: &Session, deletion: Deletion) -> towpath_backend::Result<()> {
    let path = deletion.path.clone();
    let database = |error: Error| BackendError::new(ErrorKind::Other, "record", &path, error);
    let mut deletions = Deletions::announce(session, vec![deletion.clone()]).await.map_err(database)?;
    let result = delete(session, &deletion).await;
    if result.is_ok() {
        deletions.deleted(deletion);
    }
    deletions.end().await.map_err(database)?;
    result
}

/// Completes the log of deletions that an interrupted run announced: those of `gone` took place.
/// That run's listener is gone, so they have no events.
pub(crate) async fn complete_log(session: &Session, ended: EndedDeletions, gone: Vec<Deletion>) -> Result<()> {
    let records = gone.into_iter().map(|deletion| {
        let paths = session.paths(&deletion.path);
        record(deletion, paths)
    });
    session.reporter.report_earlier_deletions(ended, records).await
}

/// Removes a file that this migration created. A missing file is not an error.
pub(crate) async fn remove_own_file(sink: &dyn Sink, path: &RelPath) -> towpath_backend::Result<()> {
    match sink.remove_file(path).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Removes a partial file of an interrupted run, or a probe, which may be a directory of empty files.
pub(crate) async fn remove_leftover(session: &Session, path: &RelPath) -> towpath_backend::Result<()> {
    let sink = &*session.sink;
    match remove_own_file(sink, path).await {
        Err(error) if error.kind() == ErrorKind::IsADirectory => {}
        removed => return removed,
    }
    let mut names = Vec::new();
    let mut pages = sink.read_dir(path, &session.paces.list_options()).await?;
    while let Some(page) = pages.next().await {
        let empty =
            page?.into_iter().filter(|entry| entry.metadata.kind == Kind::File && entry.metadata.size_bytes == 0);
        names.extend(empty.map(|entry| entry.name));
    }
    for name in names {
        if let Ok(file) = path.join(&name) {
            sink.remove_file(&file).await?;
        }
    }
    // Fails if it has any other content.
    sink.remove_dir(path).await
}
