//! Walks both trees side by side, and fills the backlog.
//!
//! Each side has walkers of its own, several directories at a time, and neither
//! side waits for the other. What they find streams into the database, which
//! decides where the two listings meet; memory grows with neither tree.

mod follow;
mod queue;
mod unreadable;
mod walker;

use std::collections::HashSet;
use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Identity, Metadata, RelPath, Sink, Source, Tree};

use crate::audit::Line;
use crate::error::{Error, Result};
use crate::event::{Counts, Emitter, Event, FilePaths, Side};
use crate::filter::Filter;
use crate::journal::{Backlog, Found, Journal};
use crate::options::{Links, Specials};
use crate::pace::Paces;
use crate::partial::Parts;
use crate::per_side::PerSide;
use crate::progress::Progress;
use queue::{DirQueue, WalkDir};
use walker::{Missed, Walk};

/// Memory for directories that wait for a walker, on each side.
const QUEUE_BYTES: usize = 8 << 20;

/// Mount points that are checked again at the end of a scan, at most.
const MAX_MOUNTS: usize = 256;
/// No path has more components than this.
const MAX_DEPTH: usize = 100_000;

/// What a scan needs.
pub(crate) struct Scan {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) identities: PerSide<Identity>,
    /// This migration's own files inside the source, and inside the sink.
    pub(crate) own_files: [HashSet<RelPath>; 2],
    /// Walkers of each side.
    pub(crate) walkers: usize,
    pub(crate) links: Links,
    pub(crate) specials: Specials,
    pub(crate) filter: Filter,
    pub(crate) delete_excluded: bool,
    pub(crate) keeps_hard_links: bool,
    pub(crate) parts: Parts,
    pub(crate) journal: Journal,
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
            self.spawn_walkers(walk, vec![RelPath::root()], &mut walkers).await?;
        }
        let mut found = Found::default();
        join(&mut walkers, &mut found).await?;
        if !stop.is_cancelled() {
            self.walk_respelled(&stop, &mut found).await?;
        }
        if stop.is_cancelled() {
            return Ok(None);
        }
        self.finish(found).await.map(Some)
    }

    async fn spawn_walkers(&self, walk: Walk, dirs: Vec<RelPath>, walkers: &mut Walkers) -> Result<()> {
        let walk = Arc::new(walk);
        walk.queue.push(dirs.into_iter().map(WalkDir::at).collect()).await?;
        for _ in 0..self.walkers {
            walkers.spawn(walker::run(Arc::clone(&walk)));
        }
        Ok(())
    }

    /// Lists directories again that the sink spells in another way than the source, below the
    /// source's spelling. Those in them show only then: each round goes a level deeper.
    async fn walk_respelled(&self, stop: &CancellationToken, found: &mut Found) -> Result<()> {
        for _ in 0..MAX_DEPTH {
            let dirs = self.journal.take_respelled_dirs().await?;
            if dirs.is_empty() || stop.is_cancelled() {
                return Ok(());
            }
            let mut walk = self.walk(Side::Sink, stop.clone());
            walk.only_device = self.only_device(&walk).await?;
            walk.counts = false;
            let mut walkers = JoinSet::new();
            self.spawn_walkers(walk, dirs, &mut walkers).await?;
            join(&mut walkers, found).await?;
        }
        Ok(())
    }

    /// Records what no listing brings: the root itself.
    async fn add_root(&self, walk: &mut Walk) -> Result<()> {
        let metadata = root(walk).await?;
        walk.only_device = self.only_device(walk).await?;
        self.journal.add_root(walk.side, metadata).await
    }

    /// The file system that is not left, if there is one.
    async fn only_device(&self, walk: &Walk) -> Result<Option<u64>> {
        if !self.filter.one_file_system {
            return Ok(None);
        }
        Ok(root(walk).await?.id.map(|id| id.device))
    }

    fn walk(&self, side: Side, stop: CancellationToken) -> Walk {
        let [source_own, sink_own] = self.own_files.clone();
        let (tree, identity, own, taken): (Arc<dyn Tree>, _, _, _) = match side {
            Side::Source => (self.source.clone(), &self.identities.source, source_own, sink_own),
            Side::Sink => (self.sink.clone(), &self.identities.sink, sink_own, source_own),
        };
        Walk {
            side,
            tree,
            source: Arc::clone(&self.source),
            roots: [self.source.root().to_vec(), self.sink.root().to_vec()],
            identity: identity.clone(),
            own,
            taken,
            queue: DirQueue::new(side, self.journal.clone(), QUEUE_BYTES),
            journal: self.journal.clone(),
            progress: self.progress.clone(),
            paces: Arc::clone(&self.paces),
            emitter: self.emitter.clone(),
            stop,
            links: self.links,
            specials: self.specials,
            parts: self.parts,
            source_copies_links: self.source.capabilities().symlinks,
            sink_holds_links: self.sink.capabilities().symlinks,
            filter: self.filter.clone(),
            delete_excluded: self.delete_excluded,
            only_device: None,
            counts: true,
        }
    }

    /// Reports that a file system is not mounted in the source any more.
    async fn report_lost_mount(&self, dir: &RelPath) -> Result<()> {
        let error = "the file system that was mounted here is not mounted, or is another one: its files at the \
                     destination stay as they are. Mount it again; only if it is gone for good, run once with \
                     --accept-new-tree"
            .to_owned();
        let paths = FilePaths { source: dir.under(self.source.root()), dest: dir.under(self.sink.root()) };
        let line = Line { error: Some(error.clone()), ..Line::now("unreadable", paths.clone()) };
        self.journal.log(vec![line]).await?;
        self.emitter.emit(Event::Unreadable { side: Side::Source, path: paths.source, error }).await;
        Ok(())
    }

    /// Mount points of earlier scans on which nothing is mounted now. One that was not listed, since
    /// its directory could not be read or was not entered, may be mounted all the same.
    async fn lost_mounts(&self, side: Side) -> Result<Vec<RelPath>> {
        let tree: &dyn Tree = if side == Side::Source { &*self.source } else { &*self.sink };
        let root = tree.metadata(&RelPath::root()).await;
        let root = root.map_err(|error| Error::of_side(side, tree.root(), &error))?;
        let is_mounted =
            async |path: &RelPath| tree.metadata(path).await.is_ok_and(|now| now.is_mounted_elsewhere_than(&root));
        for path in self.journal.unseen_mount_points(side).await? {
            if !self.filter.excludes_with_parents(&path, true) && !is_mounted(&path).await {
                self.journal.add_lost_mount(side, path).await?;
            }
        }
        // What was mounted when it was listed may have gone before its own directory was.
        for path in self.journal.mount_points(side, MAX_MOUNTS).await? {
            if !is_mounted(&path).await {
                self.journal.add_lost_mount(side, path).await?;
            }
        }
        self.journal.lost_mounts(side).await
    }

    async fn finish(&self, mut found: Found) -> Result<Backlog> {
        found.source = self.progress.counts(Side::Source);
        found.sink = self.progress.counts(Side::Sink);
        for dir in self.lost_mounts(Side::Source).await? {
            self.report_lost_mount(&dir).await?;
        }
        if let Some(dir) = self.lost_mounts(Side::Sink).await?.first() {
            // What belongs on it would fill the file system beneath.
            return Err(Error::lost_mount(&dir.under(self.sink.root())));
        }
        let backlog = self.journal.finish_scan(found, self.identities.clone()).await?;
        self.progress.set_pending(backlog.pending);
        let (source, sink, pending) = (backlog.source, backlog.sink, backlog.pending);
        self.emitter.emit(Event::ScanFinished { source, sink, pending }).await;
        for rule in self.filter.unmatched() {
            let (pattern, origin) = (rule.pattern().to_vec(), rule.origin().to_owned());
            self.emitter.emit(Event::PatternUnmatched { pattern, origin }).await;
        }
        if !self.keeps_hard_links {
            let names = self.journal.further_names().await?;
            if names.files > 0 {
                self.emitter.emit(Event::HardLinksCopied { names }).await;
            }
        }
        Ok(backlog)
    }
}

type Walkers = JoinSet<Result<Missed>>;

/// Waits for walkers, and adds up what they could not take.
async fn join(walkers: &mut Walkers, found: &mut Found) -> Result<()> {
    let mut result = Ok(());
    while let Some(joined) = walkers.join_next().await {
        match joined {
            Ok(Ok(missed)) => found.skipped += missed.skipped,
            Ok(Err(error)) => result = result.and(Err(error)),
            Err(_) => result = result.and(Err(Error::Internal("a walker panicked".to_owned()))),
        }
    }
    result
}

async fn root(walk: &Walk) -> Result<Metadata> {
    let read = walk.tree.metadata(&RelPath::root()).await;
    read.map_err(|error| Error::of_side(walk.side, walk.tree.root(), &error))
}
