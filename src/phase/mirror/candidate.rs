//! Checks and deletes one candidate.

use std::sync::Arc;

use towpath_backend::{ErrorKind, Kind, Metadata, RelPath};

use crate::absence::{self, Absence};
use crate::compare::is_unchanged;
use crate::error::{ProtectedReason, Result};
use crate::event::Side;
use crate::journal::{Deletion, Extra};
use crate::removal;
use crate::session::Session;

/// The result of a candidate.
pub(super) enum Fate {
    Deleted,
    /// It is gone, or is no longer a candidate.
    Gone,
    /// It stays, for this reason.
    Protected(ProtectedReason),
}

/// The root on whose file system a candidate must lie; `None` if it may lie on any.
pub(super) type SinkRoot = Option<Metadata>;

/// Whether an entry is on a mount where nothing may be deleted.
pub(super) fn is_on_other_mount(found: &Metadata, sink_root: SinkRoot) -> bool {
    sink_root.is_some_and(|root| found.is_mounted_elsewhere_than(&root))
}

/// Deletes an extra file or link, if it may be deleted.
pub(super) async fn delete_one(session: &Session, extra: Extra, sink_root: SinkRoot) -> (Deletion, Result<Fate>) {
    let deletion = removal::deletion(&extra.path, &extra.metadata);
    tokio::select! {
        biased;
        () = session.stop.cancelled() => {}
        () = session.paces.pass_file() => {}
    }
    let fate = check_and_delete(session, &extra, &deletion, sink_root).await;
    (deletion, fate)
}

async fn check_and_delete(session: &Session, extra: &Extra, deletion: &Deletion, sink_root: SinkRoot) -> Result<Fate> {
    if let Some(fate) = check_sink(session, extra, sink_root).await {
        return Ok(fate);
    }
    if let Some(fate) = check_source(session, &extra.path, extra.metadata.kind).await? {
        return Ok(fate);
    }
    match removal::delete(session, deletion).await {
        Ok(()) => Ok(Fate::Deleted),
        Err(error) if error.kind() == ErrorKind::NotFound && absence::is_missing(&*session.sink, &extra.path).await => {
            Ok(Fate::Gone)
        }
        Err(error) => {
            session.check_tree(Side::Sink).await?;
            Ok(Fate::Protected(ProtectedReason::NotDeleted(Arc::new(error))))
        }
    }
}

/// Checks an extra file at the sink: one that changed since the scan is somebody's work.
async fn check_sink(session: &Session, extra: &Extra, sink_root: SinkRoot) -> Option<Fate> {
    let _operation = session.operations().in_tree(Side::Sink, "stat", Some(&extra.path));
    match session.sink.metadata(&extra.path).await {
        Ok(now) if is_on_other_mount(&now, sink_root) => Some(Fate::Protected(ProtectedReason::Mounted)),
        Ok(now) if is_unchanged(&extra.metadata, &now) => None,
        Ok(_) => Some(Fate::Protected(ProtectedReason::Changed)),
        Err(error) if error.kind() == ErrorKind::NotFound => Some(Fate::Gone),
        Err(error) => Some(Fate::Protected(ProtectedReason::Unchecked(Arc::new(error)))),
    }
}

/// Looks up a candidate in the source; `None` if the source certainly does not have it.
pub(super) async fn check_source(session: &Session, path: &RelPath, kind: Kind) -> Result<Option<Fate>> {
    if session.journal.protection(path.clone()).await?.is_some() {
        return Ok(Some(Fate::Protected(ProtectedReason::SourceUnreadable)));
    }
    let options = &session.options;
    if options.delete_excluded && options.filter.excludes_with_parents(path, kind == Kind::Dir) {
        // It is deleted whether the source has it or not.
        return Ok(None);
    }
    Ok(match absence::check_extra(session, path).await? {
        Absence::Certain => None,
        // The next transfer replaces it by the source's entry.
        Absence::Present(found) if kind == Kind::Dir && found != Kind::Dir => Some(Fate::Gone),
        Absence::Present(_) => Some(Fate::Protected(ProtectedReason::InSource)),
        Absence::Unknown(reason) => {
            // The cause may hide other entries of the directory too.
            session.journal.protect(path.parent().unwrap_or_else(RelPath::root)).await?;
            session.check_tree(Side::Source).await?;
            Some(Fate::Protected(ProtectedReason::AbsenceUncertain(reason)))
        }
    })
}
