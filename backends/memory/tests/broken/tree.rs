//! A tree with a bug: what source and sink have in common.

use std::future::poll_fn;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::task::Poll;

use towpath_backend::ext::SinkExt as _;
use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, Hints, Identity, Metadata, ReadOptions, RelPath, Result, Timestamp,
    Tree, Xattr, async_trait,
};
use towpath_memory::MemoryTree;

use crate::bug::Bug;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Sink,
}

/// The state of the bugs.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) calls: AtomicU64,
    pub(crate) blocked: AtomicBool,
    pub(crate) position: AtomicUsize,
    pub(crate) last_reader: AtomicUsize,
    pub(crate) readers: AtomicUsize,
    pub(crate) writers: AtomicUsize,
    /// Paths that were written, removed or created, as the bug needs them.
    pub(crate) paths: Mutex<Vec<RelPath>>,
}

impl Memory {
    pub(crate) fn paths(&self) -> MutexGuard<'_, Vec<RelPath>> {
        self.paths.lock().unwrap()
    }

    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked.load(Ordering::Relaxed)
    }
}

/// A tree in memory with a bug.
#[derive(Clone)]
pub(crate) struct Broken {
    pub(crate) inner: MemoryTree,
    pub(crate) side: Side,
    pub(crate) bug: Option<Bug>,
    pub(crate) memory: Arc<Memory>,
    /// How many times it was reopened.
    pub(crate) opened: u64,
}

impl Broken {
    pub(crate) fn new(inner: MemoryTree, bug: Option<Bug>) -> Self {
        Self { inner, side: Side::Sink, bug, memory: Arc::default(), opened: 0 }
    }

    /// The tree as it is after a restart.
    pub(crate) async fn reopened(&self) -> Self {
        let inner = match self.bug {
            Some(Bug::ForgetsWhatWasFlushed) => MemoryTree::new("broken"),
            _ => self.inner.clone(),
        };
        if self.has(Bug::BringsBackWhatWasRemoved) {
            let removed = self.memory.paths().clone();
            for path in removed {
                inner.write(&path, b"", Timestamp::from_ns(0)).await.unwrap();
            }
        }
        Self { inner, memory: Arc::default(), opened: self.opened + 1, ..self.clone() }
    }

    pub(crate) fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Where the link at `path` leads.
    pub(crate) async fn target(&self, path: &RelPath) -> Option<RelPath> {
        self.inner.read_link(path).await.ok().and_then(|target| RelPath::new(target).ok())
    }
}

/// An error that no tree without a bug returns.
pub(crate) fn broken(path: &RelPath) -> Error {
    Error::new(ErrorKind::Other, "break", path, "is broken")
}

/// Whole seconds of a time.
pub(crate) fn seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_parts(time.seconds(), 0)
}

/// Blocks the tree if it is cancelled while it waits.
pub(crate) async fn wait_or_block(memory: &Memory) {
    struct Guard<'a>(&'a Memory);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.blocked.store(true, Ordering::Relaxed);
        }
    }
    let guard = Guard(memory);
    let mut waited = false;
    poll_fn(|context| {
        if std::mem::replace(&mut waited, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
    std::mem::forget(guard);
}

#[async_trait]
impl Tree for Broken {
    fn root(&self) -> &[u8] {
        if self.has(Bug::RootEndsWithSlash) { b"mem://broken/" } else { self.inner.root() }
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    fn locate(&self, local: &Path) -> Option<RelPath> {
        if self.has(Bug::LocatesEverything) { Some(RelPath::root()) } else { self.inner.locate(local) }
    }

    async fn identity(&self) -> Result<Identity> {
        match self.bug {
            Some(Bug::IdentityChanges) => {
                Ok(Identity::new(self.memory.calls.fetch_add(1, Ordering::Relaxed).to_string()))
            }
            Some(Bug::IdentityChangesAtEachOpen) => Ok(Identity::new(self.opened.to_string())),
            Some(Bug::OneIdentityForAll) => Ok(Identity::new("the one")),
            _ => self.inner.identity().await,
        }
    }

    async fn round_trip(&self) -> Result<()> {
        if self.has(Bug::RoundTripFails) && self.memory.calls.fetch_add(1, Ordering::Relaxed) > 2 {
            return Err(broken(&RelPath::root()));
        }
        self.inner.round_trip().await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        crate::listing::list(self, dir, options).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        let found = self.inner.metadata(path).await;
        match (self.bug, found) {
            (Some(Bug::ErrorsWithoutPath), Err(error)) => {
                Err(Error::new(error.kind(), error.operation(), &RelPath::root(), "failed"))
            }
            (Some(Bug::FoldsCase), Err(error)) => {
                let lower = RelPath::new(path.as_bytes().to_ascii_uppercase()).unwrap();
                for entry in crate::listing::entries(&self.inner, &path.parent().unwrap()).await? {
                    if entry.name.eq_ignore_ascii_case(lower.name().unwrap()) {
                        return Ok(entry.metadata);
                    }
                }
                Err(error)
            }
            (Some(Bug::StatsSecondsOnly), Ok(shown)) => Ok(Metadata { modified: seconds(shown.modified), ..shown }),
            (_, found) => found,
        }
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        if self.has(Bug::SinkReadsNoTargets) && self.side == Side::Sink {
            return Err(Error::new(ErrorKind::Unsupported, "read link", path, "not by this side"));
        }
        self.inner.read_link(path).await
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        if self.has(Bug::AttributesFollowLinks)
            && let Some(target) = self.target(path).await
        {
            return self.inner.xattrs(&target).await;
        }
        self.inner.metadata(path).await?;
        self.inner.xattrs(path).await
    }
}
