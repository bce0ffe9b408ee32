//! Walks both trees side by side, and fills the backlog.
//!
//! Each side has walkers of its own, several directories at a time, and neither
//! side waits for the other. What they find streams into the database, which
//! decides where the two listings meet; memory grows with neither tree.

mod follow;
mod queue;
mod walker;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Identity, RelPath, Sink, Source, Tree};

use crate::audit::Line;
use crate::error::{Error, Result};
use crate::event::{Counts, Emitter, Event, FilePaths, Side};
use crate::filter::Filter;
use crate::options::Links;
use crate::pace::Paces;
use crate::part::Parts;
use crate::progress::Progress;
use crate::state::{Backlog, Found, State};
use queue::{DirQueue, WalkDir};
use walker::Walk;

/// Memory for directories that wait for a walker, on each side.
const QUEUE_BYTES: usize = 8 << 20;

/// What a scan needs.
pub(crate) struct Scan {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) identities: [Identity; 2],
    /// This migration's own files inside the source, and inside the sink.
    pub(crate) own_files: [HashSet<RelPath>; 2],
    /// Walkers of each side.
    pub(crate) walkers: usize,
    pub(crate) links: Links,
    pub(crate) filter: Filter,
    pub(crate) delete_excluded: bool,
    pub(crate) keeps_hard_links: bool,
    pub(crate) parts: Parts,
    pub(crate) state: State,
    pub(crate) progress: Progress,
    pub(crate) paces: Arc<Paces>,
    pub(crate) emitter: Emitter,
    pub(crate) cancellation: CancellationToken,
}

impl Scan {
    /// Walks both trees to their end; `None` if it was told to stop before.
    ///
    /// The scan must have been begun in the database.
    pub(crate) async fn run(self) -> Result<Option<Backlog>> {
        // Stops the walkers of both sides, when told to or when one fails.
        let stop = self.cancellation.child_token();
        for side in [Side::Source, Side::Sink] {
            self.progress.set_counts(side, Counts::default());
        }
        let mut walkers = JoinSet::new();
        for side in [Side::Source, Side::Sink] {
            let mut walk = self.walk(side, stop.clone());
            self.add_root(&mut walk).await?;
            let walk = Arc::new(walk);
            walk.queue.push(vec![WalkDir::at(RelPath::root())]).await?;
            for _ in 0..self.walkers {
                walkers.spawn(walker::run(Arc::clone(&walk)));
            }
        }
        let mut found = Found::default();
        let mut result = Ok(());
        while let Some(joined) = walkers.join_next().await {
            match joined {
                Ok(Ok(missed)) => {
                    found.skipped += missed.skipped;
                    found.unreadable += missed.unreadable;
                }
                Ok(Err(error)) => result = result.and(Err(error)),
                Err(_) => result = result.and(Err(Error::Internal("a walker panicked".to_owned()))),
            }
        }
        result?;
        if stop.is_cancelled() {
            return Ok(None);
        }
        self.finish(found).await.map(Some)
    }

    /// Records what no listing brings: the root itself.
    async fn add_root(&self, walk: &mut Walk) -> Result<()> {
        let failed = |error| Error::Backend(format!("the {} cannot be looked at: {error}", walk.side));
        let metadata = walk.tree.metadata(&RelPath::root()).await.map_err(failed)?;
        if self.filter.one_file_system {
            walk.only_device = metadata.id.map(|id| id.device);
        }
        self.state.add_root(walk.side, metadata).await
    }

    fn walk(&self, side: Side, stop: CancellationToken) -> Walk {
        let [source_own, sink_own] = self.own_files.clone();
        let (tree, identity, own, taken): (Arc<dyn Tree>, _, _, _) = match side {
            Side::Source => (self.source.clone(), &self.identities[0], source_own, sink_own),
            Side::Sink => (self.sink.clone(), &self.identities[1], sink_own, source_own),
        };
        Walk {
            side,
            tree,
            source: Arc::clone(&self.source),
            roots: [self.source.root().to_vec(), self.sink.root().to_vec()],
            identity: identity.clone(),
            own,
            taken,
            queue: DirQueue::new(side, self.state.clone(), QUEUE_BYTES),
            state: self.state.clone(),
            progress: self.progress.clone(),
            paces: Arc::clone(&self.paces),
            emitter: self.emitter.clone(),
            stop,
            links: self.links,
            parts: self.parts,
            source_copies_links: self.source.capabilities().symlinks,
            sink_holds_links: self.sink.capabilities().symlinks,
            filter: self.filter.clone(),
            delete_excluded: self.delete_excluded,
            only_device: None,
        }
    }

    async fn tell_exchanged(&self, dir: &RelPath) -> Result<()> {
        let error = "the file system that was mounted here is not there, or is another one: what is recorded of it \
                     stays; if that is as it should be, run again with --rescan"
            .to_owned();
        let paths = FilePaths { source: dir.under(self.source.root()), dest: dir.under(self.sink.root()) };
        let line = Line { error: Some(error.clone()), ..Line::now("unreadable", paths.clone()) };
        self.state.log(vec![line]).await?;
        self.emitter.emit(Event::Unreadable { side: Side::Source, path: paths.source, error }).await;
        Ok(())
    }

    async fn finish(&self, mut found: Found) -> Result<Backlog> {
        found.source = self.progress.counts(Side::Source);
        found.sink = self.progress.counts(Side::Sink);
        for dir in self.state.exchanged_dirs().await? {
            found.unreadable += 1;
            self.tell_exchanged(&dir).await?;
        }
        let backlog = self.state.finish_scan(found, self.identities.clone()).await?;
        self.progress.set_pending(backlog.pending);
        let (source, sink, pending) = (backlog.source, backlog.sink, backlog.pending);
        self.emitter.emit(Event::ScanFinished { source, sink, pending }).await;
        if !self.keeps_hard_links {
            let names = self.state.further_names().await?;
            if names.files > 0 {
                self.emitter.emit(Event::HardLinksCopied { names }).await;
            }
        }
        Ok(backlog)
    }
}
