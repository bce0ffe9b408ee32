//! Guards against a sink that is not mounted: it must never be reported as missing files.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use towpath_backend::{ErrorKind, Identity, RelPath, Source};

use super::session::VerifySession;
use crate::error::{Error, GuardRefusal, Result, TreeFailure};
use crate::event::{Side, Warning};
use crate::event_stream::Emitter;
use crate::journal::{Journal, Roots};
use crate::mounts;
use crate::waits;

/// Checks that the trees are those of the database.
pub(super) fn check_roots(
    database: &std::path::Path,
    source: Option<&Arc<dyn Source>>,
    sink: &Arc<dyn Source>,
    roots: &Roots,
) -> Result<()> {
    let source_root = source.map_or(&roots.source[..], |source| source.root());
    if source_root == roots.source && sink.root() == roots.sink {
        return Ok(());
    }
    Err(GuardRefusal::OtherMigration {
        database: database.display().to_string(),
        recorded_source: roots.source.clone(),
        recorded_sink: roots.sink.clone(),
        source_root: source_root.to_vec(),
        sink_root: sink.root().to_vec(),
    }
    .into())
}

/// The identity of the sink, which must be the one that was recorded.
pub(super) async fn check_sink(
    sink: &Arc<dyn Source>,
    recorded: Option<&str>,
    emitter: &Emitter,
    stop: &CancellationToken,
) -> Result<Identity> {
    let now = waits::identity(&**sink, Side::Sink, TreeFailure::Unreadable, emitter, stop).await?;
    match recorded.filter(|then| !now.is_recorded_as(then)) {
        None => Ok(now),
        Some(then) => {
            let (root, difference) = (sink.root().to_vec(), now.difference_from(then));
            Err(GuardRefusal::NotTheCopy { root, difference }.into())
        }
    }
}

/// The source, if it is the one that was recorded. Otherwise it is not checked.
pub(super) async fn usable_source(
    source: Option<Arc<dyn Source>>,
    recorded: Option<&str>,
    is_needed: bool,
    emitter: &Emitter,
) -> Result<Option<Arc<dyn Source>>> {
    let Some(source) = source else { return Ok(None) };
    let cause = match source.identity().await {
        Ok(now) => match recorded.filter(|then| !now.is_recorded_as(then)) {
            None => return Ok(Some(source)),
            Some(then) if is_needed => {
                let (root, difference) = (source.root().to_vec(), now.difference_from(then));
                return Err(GuardRefusal::OtherTree { side: Side::Source, root, difference }.into());
            }
            Some(then) => now.difference_from(then).to_string(),
        },
        Err(error) if is_needed => {
            return Err(Error::tree(Side::Source, source.root(), TreeFailure::Unreadable, error));
        }
        Err(error) => error.to_string(),
    };
    emitter.warn(Warning::SourceNotCompared { root: source.root().to_vec(), cause }).await;
    Ok(None)
}

/// Looks for some of the files in sync: if none is there, this is not the tree, whatever its identity.
pub(super) async fn probe(journal: &Journal, sink: &Arc<dyn Source>) -> Result<()> {
    let probes = journal.probes().await?;
    for path in &probes {
        match sink.metadata(path).await {
            Err(error) if is_absence(error.kind()) => {}
            // An error is no absence; reading the files shows more.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
    match probes.iter().collect::<HashSet<_>>().len() {
        0 => Ok(()),
        probed => Err(GuardRefusal::NothingThere { root: sink.root().to_vec(), probed }.into()),
    }
}

/// Whether an error means that there is nothing at the path.
pub(super) fn is_absence(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::NotFound | ErrorKind::NotADirectory)
}

impl VerifySession {
    /// Checks that the sink, and what was mounted inside it, still are what they were.
    pub(super) async fn check_sink(&self) -> Result<()> {
        let _operation = self.progress.engine().operations().in_tree(Side::Sink, "identify", None);
        let now = waits::identity(&*self.sink, Side::Sink, TreeFailure::Gone, &self.emitter, &self.stop).await?;
        if now != self.identity {
            return Err(GuardRefusal::TreeReplaced { side: Side::Sink, root: self.roots.sink.clone() }.into());
        }
        mounts::check(&*self.sink, &self.mounts, self.progress.engine().operations()).await
    }

    /// The mount points that the last scan found inside the sink.
    pub(super) async fn mounts(journal: &Journal) -> Result<Vec<RelPath>> {
        journal.mount_points(Side::Sink, mounts::MAX_SINK_MOUNTS).await
    }
}
