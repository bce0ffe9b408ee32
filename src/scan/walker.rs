//! A walker: takes directories of one side and streams their listings into the database.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Entry, ErrorKind, Identity, Kind, Metadata, RelPath, Tree};

use super::queue::DirQueue;
use crate::audit::Line;
use crate::error::{Error, Result};
use crate::event::{Counts, Emitter, Event, FilePaths, Side};
use crate::filter::Filter;
use crate::options::Links;
use crate::progress::Progress;
use crate::state::State;

/// What the walkers of one side share.
pub(super) struct Walk {
    pub(super) side: Side,
    pub(super) tree: Arc<dyn Tree>,
    /// Both roots, for the paths that users see.
    pub(super) roots: [Vec<u8>; 2],
    pub(super) identity: Identity,
    /// Own files inside this tree: never listed.
    pub(super) own: HashSet<RelPath>,
    /// Own files inside the other tree: nothing may be sent there.
    pub(super) taken: HashSet<RelPath>,
    pub(super) queue: DirQueue,
    pub(super) state: State,
    pub(super) progress: Progress,
    pub(super) emitter: Emitter,
    pub(super) stop: CancellationToken,
    /// What becomes of links.
    pub(super) links: Links,
    /// Whether the sink can hold them.
    pub(super) sink_holds_links: bool,
    pub(super) filter: Filter,
    /// Whether what the filter excludes is looked at in the sink.
    pub(super) delete_excluded: bool,
    /// The file system that is not left, if there is one.
    pub(super) only_device: Option<u64>,
}

/// What one walker could not take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Missed {
    pub(super) skipped: u64,
    pub(super) unreadable: u64,
}

/// Walks until the queue is done, or the scan is stopped.
pub(super) async fn run(walk: Arc<Walk>) -> Result<Missed> {
    let mut missed = Missed::default();
    let result = walk.work(&mut missed).await;
    if result.is_err() {
        walk.stop.cancel();
    }
    result.map(|()| missed)
}

impl Walk {
    /// Directories of other file systems than the root's are not entered from now on.
    pub(super) async fn stay_on_the_roots_device(&mut self) -> Result<()> {
        let failed = |error| Error::Backend(format!("the {} cannot be looked at: {error}", self.side));
        let root = self.tree.metadata(&RelPath::root()).await.map_err(failed)?;
        self.only_device = root.id.map(|id| id.device);
        Ok(())
    }

    async fn work(&self, missed: &mut Missed) -> Result<()> {
        loop {
            let dir = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                dir = self.queue.pop() => dir?,
            };
            let Some(dir) = dir else { return Ok(()) };
            tracing::debug!(side = %self.side, %dir, "walk");
            let walked = self.walk_dir(&dir, missed).await;
            self.queue.done();
            walked?;
        }
    }

    async fn walk_dir(&self, dir: &RelPath, missed: &mut Missed) -> Result<()> {
        let mut pages = match self.tree.read_dir(dir).await {
            Ok(pages) => pages,
            Err(error) => return self.unreadable(dir, &error, missed).await,
        };
        loop {
            let page = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                page = pages.next() => page,
            };
            match page {
                None => return Ok(()),
                Some(Ok(page)) => self.take(dir, page, missed).await?,
                Some(Err(error)) => return self.unreadable(dir, &error, missed).await,
            }
        }
    }

    /// Records a page, and queues its directories.
    async fn take(&self, dir: &RelPath, page: Vec<Entry>, missed: &mut Missed) -> Result<()> {
        let mut counts = Counts::default();
        let mut dirs = Vec::new();
        let mut kept = Vec::with_capacity(page.len());
        let mut left_out = Vec::new();
        for entry in page {
            let Ok(path) = dir.join(&entry.name) else {
                let problem = format!("the {} lists a name that is none: {:?}", self.side, entry.name.escape_ascii());
                return Err(Error::Backend(problem));
            };
            let kind = entry.metadata.kind;
            if self.own.contains(&path) || self.is_left_out(kind) || self.is_excluded(&path, kind) {
                continue;
            }
            if self.side == Side::Source && self.filter.leaves_out(&entry.metadata).is_some() {
                left_out.push(entry);
                continue;
            }
            if let Some(reason) = self.reason_to_skip(&path, kind) {
                missed.skipped += 1;
                self.skip(&path, reason).await?;
                continue;
            }
            match kind {
                Kind::Dir => {
                    counts.dirs += 1;
                    if self.is_entered(&entry.metadata) {
                        dirs.push(path);
                    }
                }
                Kind::File | Kind::Symlink => {
                    counts.files += 1;
                    counts.bytes += entry.metadata.size_bytes;
                }
                Kind::Other => {}
            }
            kept.push(entry);
        }
        self.leave_out(dir, &left_out);
        let pending = self.state.add_page(self.side, dir.clone(), kept).await?;
        self.progress.add_counts(self.side, counts);
        self.progress.set_pending(pending);
        self.queue.push(dirs).await
    }

    /// Whether such things were asked to be left out of the source.
    fn is_left_out(&self, kind: Kind) -> bool {
        self.side == Side::Source && kind == Kind::Symlink && self.links == Links::Skip
    }

    /// What the filter excludes is known on neither side, so that nothing can happen to it.
    fn is_excluded(&self, path: &RelPath, kind: Kind) -> bool {
        let counts_here = self.side == Side::Source || !self.delete_excluded;
        counts_here && self.filter.excludes(path, kind == Kind::Dir)
    }

    /// Whether a directory lies where the walk is to stay; one of which that is
    /// unknown does.
    fn is_entered(&self, dir: &Metadata) -> bool {
        match (self.only_device, dir.id) {
            (Some(only), Some(id)) => id.device == only,
            _ => true,
        }
    }

    /// Files of `dir` in the source that its size or time limits keep from
    /// being sent: their names exist all the same.
    fn leave_out(&self, dir: &RelPath, files: &[Entry]) {
        for file in files {
            let name = String::from_utf8_lossy(&file.name);
            tracing::debug!(%dir, %name, reason = self.filter.leaves_out(&file.metadata), "left out");
        }
    }

    fn reason_to_skip(&self, path: &RelPath, kind: Kind) -> Option<String> {
        if self.side == Side::Sink {
            return None;
        }
        if self.taken.contains(path) {
            return Some("its place at the destination is taken by this migration's own database or log".to_owned());
        }
        match kind {
            Kind::File | Kind::Dir => None,
            Kind::Symlink if self.sink_holds_links => None,
            Kind::Symlink => Some("the destination cannot hold a symbolic link".to_owned()),
            Kind::Other => Some(format!("a {kind} is not copied")),
        }
    }

    async fn skip(&self, path: &RelPath, reason: String) -> Result<()> {
        let paths = FilePaths { source: path.under(&self.roots[0]), dest: path.under(&self.roots[1]) };
        let line = Line { error: Some(reason.clone()), ..Line::now("skipped", paths.clone()) };
        self.state.log(vec![line]).await?;
        self.emitter.emit(Event::Skipped { paths, reason }).await;
        Ok(())
    }

    /// A directory that could not be read. That it is gone is no failure, as
    /// long as the tree is the one being scanned.
    async fn unreadable(&self, dir: &RelPath, error: &towpath_backend::Error, missed: &mut Missed) -> Result<()> {
        self.check_identity(error).await?;
        if dir.is_root() {
            return Err(Error::Backend(format!("the {} cannot be read: {error}", self.side)));
        }
        if error.kind() == ErrorKind::NotFound && error.path() == dir {
            return Ok(());
        }
        self.state.add_unreadable(self.side, dir.clone()).await?;
        let path = dir.under(self.tree.root());
        let error = error.to_string();
        if self.side == Side::Source {
            missed.unreadable += 1;
            let paths = FilePaths { source: path.clone(), dest: dir.under(&self.roots[1]) };
            let line = Line { error: Some(error.clone()), ..Line::now("unreadable", paths) };
            self.state.log(vec![line]).await?;
        }
        self.emitter.emit(Event::Unreadable { side: self.side, path, error }).await;
        Ok(())
    }

    async fn check_identity(&self, cause: &towpath_backend::Error) -> Result<()> {
        let root = String::from_utf8_lossy(self.tree.root()).into_owned();
        match self.tree.identity().await {
            Ok(identity) if identity == self.identity => Ok(()),
            Ok(_) => Err(Error::Refused(format!(
                "the {} {root} was exchanged for another tree during the scan (unmounted?): {cause}",
                self.side
            ))),
            Err(error) => Err(Error::Backend(format!("the {} {root} is gone: {error}", self.side))),
        }
    }
}
