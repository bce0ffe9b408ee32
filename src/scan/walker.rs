//! A walker: takes directories of one side and streams their listings into the database.

use std::collections::HashSet;
use std::sync::Arc;

use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;
use towpath_backend::{Entry, ErrorKind, Identity, Kind, RelPath, Tree};

use super::queue::DirQueue;
use crate::audit::Line;
use crate::error::{Error, Result};
use crate::event::{Counts, Emitter, Event, FilePaths, Side};
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
        for entry in page {
            let Ok(path) = dir.join(&entry.name) else {
                let problem = format!("the {} lists a name that is none: {:?}", self.side, entry.name.escape_ascii());
                return Err(Error::Backend(problem));
            };
            if self.own.contains(&path) || self.is_left_out(entry.metadata.kind) {
                continue;
            }
            if let Some(reason) = self.reason_to_skip(&path, entry.metadata.kind) {
                missed.skipped += 1;
                self.skip(&path, reason).await?;
                continue;
            }
            match entry.metadata.kind {
                Kind::Dir => {
                    counts.dirs += 1;
                    dirs.push(path);
                }
                Kind::File | Kind::Symlink => {
                    counts.files += 1;
                    counts.bytes += entry.metadata.size_bytes;
                }
                Kind::Other => {}
            }
            kept.push(entry);
        }
        let pending = self.state.add_page(self.side, dir.clone(), kept).await?;
        self.progress.add_counts(self.side, counts);
        self.progress.set_pending(pending);
        self.queue.push(dirs).await
    }

    /// Whether such things were asked to be left out of the source.
    fn is_left_out(&self, kind: Kind) -> bool {
        self.side == Side::Source && kind == Kind::Symlink && self.links == Links::Skip
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
