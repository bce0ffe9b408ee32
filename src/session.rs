//! What the phases of one run share.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;
use towpath_backend::{Error as BackendError, ErrorKind, Identity, RelPath, Sink, Source, Timestamp, Tree};

use crate::dir_locks::DirLocks;
use crate::error::{Error, FileError, GuardRefusal, Result, TreeFailure};
use crate::event::{Event, FilePaths, Side};
use crate::journal::Journal;
use crate::lock::locked;
use crate::mounts;
use crate::observer::ScanObserver;
use crate::options::{HardLinks, Options, WriteMode};
use crate::own_files::ReservedPaths;
use crate::pace::Paces;
use crate::partial::PartialNames;
use crate::per_side::PerSide;
use crate::progress::{Operations, Progress};
use crate::reporter::{Record, Reporter};
use crate::tally::Tally;
use crate::waits;

/// What the phases of one run share.
pub(crate) struct Session {
    pub(crate) source: Arc<dyn Source>,
    pub(crate) sink: Arc<dyn Sink>,
    /// The identities of the trees when the run began.
    pub(crate) identities: PerSide<Identity>,
    /// Who sees what the scan lists in the source.
    pub(crate) observer: Option<Arc<dyn ScanObserver>>,
    pub(crate) options: Options,
    /// Files in flight at a time.
    pub(crate) lanes: usize,
    pub(crate) journal: Journal,
    pub(crate) reporter: Reporter,
    pub(crate) progress: Progress,
    pub(crate) paces: Arc<Paces>,
    pub(crate) partial_names: PartialNames,
    /// Paths inside each tree that are not part of it: database, log, trash.
    pub(crate) reserved_paths: PerSide<ReservedPaths>,
    /// Held while a conflicting entry of the sink is checked, removed and replaced. Otherwise two lanes
    /// that need the same directory could remove what the other one has just created.
    pub(crate) conflict_locks: DirLocks,
    /// Where the last complete scan found other file systems mounted inside the sink.
    pub(crate) sink_mounts: Mutex<Arc<[RelPath]>>,
    /// Cancelled when the user stops the run.
    pub(crate) stop: CancellationToken,
    /// Cancelled when no further file is to be begun.
    pub(crate) finish: CancellationToken,
    /// Whether lanes send files.
    pub(crate) is_sending: AtomicBool,
}

impl Session {
    /// The tree of a side.
    pub(crate) fn tree(&self, side: Side) -> &dyn Tree {
        match side {
            Side::Source => &*self.source,
            Side::Sink => &*self.sink,
        }
    }

    /// The calls in progress.
    pub(crate) fn operations(&self) -> &Operations {
        self.progress.operations()
    }

    /// The full paths of a file, as users see them.
    pub(crate) fn paths(&self, path: &RelPath) -> FilePaths {
        FilePaths { source: path.under(self.source.root()), dest: path.under(self.sink.root()) }
    }

    /// Waits while the migration is paused, until it is stopped; returns whether it is to stop.
    pub(crate) async fn stops_or_goes_on(&self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => {}
            () = self.paces.resumed() => {}
        }
        self.is_stopped()
    }

    /// Whether the run is to stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// mtimes that differ by no more than this are equal. `None`: the sink keeps none.
    pub(crate) fn mtime_tolerance_ns(&self) -> Option<u64> {
        let window_ns = self.options.modify_window.map(|window| u64::try_from(window.as_nanos()).unwrap_or(u64::MAX));
        self.mtime_rounding_ns().map(|rounding_ns| window_ns.unwrap_or(rounding_ns))
    }

    /// The largest rounding error of a copied mtime: less than the coarser precision of the two sides. `None`: the sink
    /// keeps none.
    fn mtime_rounding_ns(&self) -> Option<u64> {
        let (source, sink) = (self.source.capabilities(), self.sink.capabilities());
        let precision_ns = source.mtime_precision_ns.max(sink.mtime_precision_ns);
        sink.sets_mtime.then(|| precision_ns.saturating_sub(1))
    }

    /// Whether the sink kept an mtime as precisely as it can.
    pub(crate) fn is_same_mtime(&self, kept: Timestamp, given: Timestamp) -> bool {
        self.mtime_rounding_ns().is_none_or(|rounding_ns| kept.distance_ns(given) <= rounding_ns)
    }

    /// Whether hard links are kept at the sink.
    pub(crate) fn keeps_hard_links(&self) -> bool {
        self.options.hard_links == HardLinks::Keep && self.sink.capabilities().hard_links
    }

    /// Whether holes are kept at the sink, and not sent as zeros.
    pub(crate) fn keeps_holes(&self) -> bool {
        self.sink.capabilities().holes
    }

    /// Where a file is written: under its own name, or as a partial file.
    pub(crate) fn destination_path(&self, path: &RelPath) -> RelPath {
        let partial = match self.options.write_mode {
            WriteMode::Atomic => self.partial_names.of_file(path),
            WriteMode::InPlace => None,
        };
        partial.unwrap_or_else(|| path.clone())
    }

    /// Reports a file or directory that failed in this run and has no row update.
    pub(crate) async fn give_up(&self, path: &RelPath, error: FileError, tally: &mut Tally) -> Result<()> {
        tally.failed_files += 1;
        self.progress.add_failed(0);
        self.reporter.report([Record::new(Event::Failed { paths: self.paths(path), error })]).await
    }

    /// Whether a tree has the identity that it had when the run began.
    ///
    /// # Errors
    /// [`Error::Tree`] if the identity cannot be read; [`Error::Interrupted`] if the run stops while it is waited for.
    pub(crate) async fn has_same_identity(&self, side: Side) -> Result<bool> {
        let tree = self.tree(side);
        let _operation = self.operations().in_tree(side, "identify", None);
        let identity = waits::identity(tree, side, TreeFailure::Gone, self.reporter.emitter(), &self.stop).await?;
        Ok(identity == self.identities[side])
    }

    /// Checks that a tree is still the one that was scanned, and that file systems mounted inside the sink still are.
    pub(crate) async fn check_tree(&self, side: Side) -> Result<()> {
        if !self.has_same_identity(side).await? {
            return Err(GuardRefusal::TreeReplaced { side, root: self.tree(side).root().to_vec() }.into());
        }
        match side {
            Side::Source => Ok(()),
            Side::Sink => mounts::check(&*self.sink, &self.sink_mounts(), self.operations()).await,
        }
    }

    /// Checks both trees, as [`Self::check_tree`] does.
    pub(crate) async fn check_trees(&self) -> Result<()> {
        self.check_tree(Side::Source).await?;
        self.check_tree(Side::Sink).await
    }

    /// Loads the mount points inside the sink that the last complete scan found.
    pub(crate) async fn load_sink_mounts(&self) -> Result<()> {
        let mounts = self.journal.mount_points(Side::Sink, mounts::MAX_SINK_MOUNTS).await?;
        *locked(&self.sink_mounts) = mounts.into();
        Ok(())
    }

    /// Where other file systems are mounted inside the sink.
    pub(crate) fn sink_mounts(&self) -> Arc<[RelPath]> {
        Arc::clone(&locked(&self.sink_mounts))
    }

    /// Makes what was written to the sink durable.
    pub(crate) async fn flush_sink(&self) -> Result<()> {
        let failed = |error| Error::tree(Side::Sink, self.sink.root(), TreeFailure::NotDurable, error);
        let _operation = self.operations().in_tree(Side::Sink, "flush", None);
        self.sink.flush().await.map_err(failed)
    }

    /// The error that ends the run, if `error` means that the sink accepts no more data at all.
    pub(crate) fn fatal_at_sink(&self, error: &Arc<BackendError>) -> Option<Error> {
        ends_run(error).then(|| Error::tree(Side::Sink, self.sink.root(), TreeFailure::Full, Arc::clone(error)))
    }
}

/// Whether an error of the sink says that it takes nothing more from anyone.
pub(crate) fn ends_run(error: &BackendError) -> bool {
    matches!(error.kind(), ErrorKind::NoSpace | ErrorKind::ReadOnly)
}
