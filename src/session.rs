//! What the tasks of a transfer share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use towpath_backend::{ErrorKind, Identity, RelPath, Sink, Source, Timestamp, Tree};

use crate::audit::Line;
use crate::error::{Error, Result};
use crate::event::{Emitter, Event, FilePaths, Side};
use crate::journal::{Deletion, Journal};
use crate::options::{Options, WriteMode};
use crate::pace::Paces;
use crate::partial::Parts;
use crate::per_side::PerSide;
use crate::phase::transfer::Pool;
use crate::progress::Progress;

/// What the tasks of a transfer share.
pub(crate) struct Shared {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) options: Options,
    /// Files under way at a time.
    pub(crate) lanes: usize,
    pub(crate) progress: Progress,
    pub(crate) emitter: Emitter,
    pub(crate) journal: Journal,
    /// Which trees were scanned.
    pub(crate) identities: PerSide<Identity>,
    /// Where the scan found other file systems mounted inside the sink.
    pub(crate) sink_mounts: Vec<RelPath>,
    /// How far the mtime that a sink keeps may be from the one it was given. `None`: it keeps none.
    pub(crate) mtime_rounding_ns: Option<u64>,
    pub(crate) parts: Parts,
    /// Held while something in the way at the sink is looked at, removed and
    /// replaced: two lanes on the way to one directory must not remove what the
    /// other has just made.
    pub(crate) clearing: tokio::sync::Mutex<()>,
    /// Cancelled when the lanes are to stop, by the user or by an error.
    pub(crate) stop: CancellationToken,
    /// Whether this run scans afterwards and then tries again what fails now.
    pub(crate) scan_follows: bool,
    pub(crate) pool: Pool,
    /// Notified when files with long holes were set aside.
    pub(crate) set_aside: tokio::sync::Notify,
    pub(crate) paces: Arc<Paces>,
}

impl Shared {
    /// The full paths of a file, as users see them.
    pub(crate) fn paths(&self, path: &RelPath) -> FilePaths {
        FilePaths { source: path.under(self.source.root()), dest: path.under(self.sink.root()) }
    }

    /// Whether the sink kept an mtime as well as it can.
    pub(crate) fn is_same_mtime(&self, kept: Timestamp, given: Timestamp) -> bool {
        self.mtime_rounding_ns.is_none_or(|rounding_ns| kept.distance_ns(given) <= rounding_ns)
    }

    /// Where a file is written: under its own name, or that of its part.
    pub(crate) fn destination_path(&self, path: &RelPath) -> RelPath {
        let part = match self.options.write_mode {
            WriteMode::Atomic => self.parts.part(path),
            WriteMode::InPlace => None,
        };
        part.unwrap_or_else(|| path.clone())
    }

    /// Whether holes of files are left out rather than sent.
    pub(crate) fn keeps_holes(&self) -> bool {
        self.sink.capabilities().holes
    }

    /// Deletes something at the sink, or moves it where deleted things go.
    pub(crate) async fn delete(&self, deletion: &Deletion) -> towpath_backend::Result<()> {
        let path = &deletion.path;
        failpoint!("before-removal");
        let removed = match self.options.mirror {
            _ if deletion.size_bytes.is_none() => self.sink.remove_dir(path).await,
            Some(mirror) if mirror.discard => self.sink.discard(path).await,
            _ => self.sink.remove_file(path).await,
        };
        failpoint!("after-removal");
        removed
    }

    /// Reports a file or directory that is given up in this run, where no row's verdict does.
    pub(crate) async fn tell_failed(&self, path: &RelPath, error: String) -> Result<()> {
        self.progress.add_failed();
        let paths = self.paths(path);
        let line = Line { error: Some(error.clone()), ..Line::now("failed", paths.clone()) };
        self.journal.log(vec![line]).await?;
        self.emitter.emit(Event::Failed { paths, error }).await;
        Ok(())
    }

    /// Checks that a tree is still the one that was scanned, and of the sink also what is mounted in
    /// it: of another one's state nothing is to be concluded.
    pub(crate) async fn check_identity(&self, side: Side) -> Result<()> {
        self.check_root(side).await?;
        if side == Side::Sink { self.check_mounts_of_sink().await } else { Ok(()) }
    }

    /// What is written beneath a mount point whose file system went is not where it belongs.
    async fn check_mounts_of_sink(&self) -> Result<()> {
        if self.sink_mounts.is_empty() {
            return Ok(());
        }
        let failed = |error| Error::Backend(format!("the destination cannot be checked: {error}"));
        let root = self.sink.metadata(&RelPath::root()).await.map_err(failed)?;
        for dir in &self.sink_mounts {
            let is_mounted = match self.sink.metadata(dir).await {
                Ok(now) => now.is_mounted_elsewhere_than(&root),
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => false,
                Err(error) => return Err(failed(error)),
            };
            if !is_mounted {
                return Err(Error::lost_mount(&dir.under(self.sink.root())));
            }
        }
        Ok(())
    }

    async fn check_root(&self, side: Side) -> Result<()> {
        let tree: &dyn Tree = match side {
            Side::Source => &*self.source,
            Side::Sink => &*self.sink,
        };
        let root = String::from_utf8_lossy(tree.root()).into_owned();
        match tree.identity().await {
            Ok(identity) if identity == self.identities[side] => Ok(()),
            Ok(_) => Err(Error::Refused(format!(
                "the {side} {root} is no longer the tree that was scanned (unmounted, or another one mounted over \
                 it?); nothing was concluded from what is there now"
            ))),
            Err(error) => Err(Error::Backend(format!("the {side} {root} is gone: {error}"))),
        }
    }
}

/// Mount points of the sink that are checked, at most: each check asks for all of them.
pub(crate) const MAX_SINK_MOUNTS: usize = 256;
