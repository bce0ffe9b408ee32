//! Walks both trees side by side, and fills the backlog.
//!
//! Each side has its own walkers, which list several directories at a time, and neither side waits for the other. The
//! listings are streamed into the database, which compares them; memory does not grow with the trees.

mod decide;
mod details;
mod follow;
mod queue;
mod unreadable;
mod walk;
mod walker;

use std::sync::Arc;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Metadata, RelPath};

use crate::error::{Error, GuardRefusal, Result, TreeFailure, UnreadableError};
use crate::event::{Counts, Event, Side};
use crate::filter::{Filter, Rule};
use crate::journal::{Backlog, Found};
use crate::reporter::Record;
use crate::session::Session;
use decide::Missed;
use queue::{DirQueue, WalkDir};
use walk::Walk;

/// Memory for directories that wait for a walker, on each side.
const QUEUE_BYTES: usize = 8 << 20;

/// The most mount points that are checked again at the end of a scan.
const MAX_MOUNTS: usize = 256;
/// No path has more components than this.
const MAX_DEPTH: usize = 100_000;

/// Scans both trees; `None` if the run is stopped before the end.
///
/// The scan must have been begun in the database.
pub(crate) async fn run(session: &Arc<Session>) -> Result<Option<Backlog>> {
    let filter = session.options.filter.clone().unmatched_again();
    let scan = Scan { session: Arc::clone(session), filter, stop: session.stop.child_token() };
    scan.run().await
}

struct Scan {
    session: Arc<Session>,
    /// Remembers which of its rules have matched in this scan.
    filter: Filter,
    /// Stops the walkers of both sides, when the run is to stop or one of them fails.
    stop: CancellationToken,
}

impl Scan {
    async fn run(self) -> Result<Option<Backlog>> {
        for side in Side::BOTH {
            self.session.progress.set_counts(side, Counts::default());
        }
        let mut walkers = JoinSet::new();
        for side in Side::BOTH {
            let root = self.stat_root(side).await?;
            let walk = self.walk(side, &root, true);
            self.session.journal.add_root(side, root, walk.details_of_root().await).await?;
            self.spawn_walkers(walk, vec![RelPath::root()], &mut walkers).await?;
        }
        let mut found = Found::default();
        join(&mut walkers, &mut found).await?;
        if !self.stop.is_cancelled() {
            self.walk_respelled(&mut found).await?;
        }
        if self.stop.is_cancelled() {
            return Ok(None);
        }
        self.finish(found).await.map(Some)
    }

    async fn spawn_walkers(&self, walk: Walk, dirs: Vec<RelPath>, walkers: &mut Walkers) -> Result<()> {
        let walk = Arc::new(walk);
        walk.queue.push(dirs.into_iter().map(WalkDir::at).collect()).await?;
        for _ in 0..self.session.options.walkers {
            walkers.spawn(walker::run(Arc::clone(&walk)));
        }
        Ok(())
    }

    /// Lists directories again that the sink spells differently, under the source's spelling. That reveals those inside
    /// them: each round goes one level deeper.
    async fn walk_respelled(&self, found: &mut Found) -> Result<()> {
        for _ in 0..MAX_DEPTH {
            let dirs = self.session.journal.take_respelled_dirs().await?;
            if dirs.is_empty() || self.stop.is_cancelled() {
                return Ok(());
            }
            let walk = self.walk(Side::Sink, &self.stat_root(Side::Sink).await?, false);
            let mut walkers = JoinSet::new();
            self.spawn_walkers(walk, dirs, &mut walkers).await?;
            join(&mut walkers, found).await?;
        }
        Ok(())
    }

    async fn stat_root(&self, side: Side) -> Result<Metadata> {
        let tree = self.session.tree(side);
        tree.metadata(&RelPath::root())
            .await
            .map_err(|error| Error::tree(side, tree.root(), TreeFailure::Unreadable, error))
    }

    /// A walk of a tree with this root. `counts`: whether its entries were not counted before.
    fn walk(&self, side: Side, root: &Metadata, counts: bool) -> Walk {
        let session = Arc::clone(&self.session);
        Walk {
            queue: DirQueue::new(side, session.journal.clone(), QUEUE_BYTES),
            only_device: root.id.map(|id| id.device).filter(|_| self.filter.one_file_system),
            filter: self.filter.clone(),
            stop: self.stop.clone(),
            session,
            side,
            counts,
        }
    }

    /// Reports that a file system is no longer mounted in the source.
    async fn report_lost_mount(&self, dir: &RelPath) -> Result<()> {
        let error = UnreadableError::LostMount;
        let paths = self.session.paths(dir);
        self.session.reporter.report([Record::unreadable(Side::Source, paths, error.clone(), error.to_string())]).await
    }

    /// Mount points of earlier scans on which nothing is mounted now. Those that were not listed, because their
    /// directory could not be read or was not entered, are checked first.
    async fn lost_mounts(&self, side: Side) -> Result<Vec<RelPath>> {
        let tree = self.session.tree(side);
        let root = self.stat_root(side).await?;
        let is_mounted =
            async |path: &RelPath| tree.metadata(path).await.is_ok_and(|now| now.is_mounted_elsewhere_than(&root));
        for path in self.session.journal.unseen_mount_points(side).await? {
            if !self.filter.excludes_with_parents(&path, true) && !is_mounted(&path).await {
                self.session.journal.add_lost_mount(side, path).await?;
            }
        }
        // A file system may have been unmounted after its mount point was listed and before its content was.
        for path in self.session.journal.mount_points(side, MAX_MOUNTS).await? {
            if !is_mounted(&path).await {
                self.session.journal.add_lost_mount(side, path).await?;
            }
        }
        self.session.journal.lost_mounts(side).await
    }

    async fn finish(&self, mut found: Found) -> Result<Backlog> {
        found.names.rules = self.filter.rules.iter().map(Rule::line).collect();
        found.source = self.session.progress.counts(Side::Source);
        found.sink = self.session.progress.counts(Side::Sink);
        for dir in self.lost_mounts(Side::Source).await? {
            self.report_lost_mount(&dir).await?;
        }
        if let Some(dir) = self.lost_mounts(Side::Sink).await?.first() {
            // Files would be written to the file system beneath.
            return Err(GuardRefusal::LostMount { mount_point: dir.under(self.session.sink.root()) }.into());
        }
        let backlog = self.session.journal.finish_scan(found, self.session.identities.clone()).await?;
        self.session.progress.set_pending(backlog.pending);
        let (source, sink, pending) = (backlog.source, backlog.sink, backlog.pending);
        self.session.reporter.notify(Event::ScanFinished { source, sink, pending }).await;
        for rule in self.filter.unmatched() {
            let (pattern, origin) = (rule.pattern().to_vec(), rule.origin().to_owned());
            self.session.reporter.notify(Event::PatternUnmatched { pattern, origin }).await;
        }
        if !self.session.keeps_hard_links() {
            let names = self.session.journal.further_names().await?;
            if names.files > 0 {
                self.session.reporter.notify(Event::HardLinksCopied { names }).await;
            }
        }
        Ok(backlog)
    }
}

type Walkers = JoinSet<Result<(Side, Missed)>>;

/// Waits for walkers, and adds up the entries that they skipped.
async fn join(walkers: &mut Walkers, found: &mut Found) -> Result<()> {
    let mut result = Ok(());
    while let Some(joined) = walkers.join_next().await {
        match joined {
            Ok(Ok((side, missed))) => {
                found.skipped += missed.skipped;
                if side == Side::Source {
                    found.names.census.join(missed.census);
                }
            }
            Ok(Err(error)) => result = result.and(Err(error)),
            Err(_) => result = result.and(Err(Error::Internal("a walker panicked".to_owned()))),
        }
    }
    result
}
