//! What source and sink have in common: a root that can be listed.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures_core::Stream;

use crate::entry::Entry;
use crate::error::{Error, ErrorKind, Result};
use crate::identity::Identity;
use crate::metadata::{Metadata, Xattr};
use crate::names::NameRules;
use crate::pacing::ReadOptions;
use crate::path::RelPath;
use crate::waiting::WaitObserver;

/// A listing in progress: pages of entries, in no order, ending after the first error.
///
/// Entries come in pages, so that one hop between threads serves many of them. A page holds at most about a thousand
/// entries, so that a directory of ten million needs little memory.
pub type EntryStream = Pin<Box<dyn Stream<Item = Result<Vec<Entry>>> + Send>>;

/// What a tree's storage can keep.
///
/// Built from [`Capabilities::PLAIN`] with struct update syntax, so that a backend names only what differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The resolution of its mtimes: 1 on ext4, 100 on SMB, 2,000,000,000 on FAT.
    pub mtime_precision_ns: u64,
    /// Whether mtimes can be set. If not, a sink's mtimes mean nothing, and only sizes are compared.
    pub sets_mtime: bool,
    /// Whether it supports symbolic links, and [`Tree::read_link`] reads their targets. Links are reported and skipped if
    /// the source or the sink does not.
    pub symlinks: bool,
    /// Whether a file can have several names.
    pub hard_links: bool,
    /// Whether a file can replace another one in one step ([`crate::Sink::rename`]).
    pub renames: bool,
    /// Whether files can have holes: ranges that were never written, read as zeros and take no space.
    pub holes: bool,
    /// Whether directories are virtual, as in object stores: a directory exists as long as something is in it. Files
    /// are then written without creating it, it disappears with the last of them, and it has no mtime.
    pub virtual_directories: bool,
    /// Whether empty directories are created. If not, the trees are in sync without them.
    pub empty_directories: bool,
    /// Which names it can hold, and which of them it treats as the same.
    pub names: NameRules,
    /// Whether a run may create an empty file in the root of this sink and remove it again, to check whether the source
    /// shows it: if so, they are one tree under two names.
    pub probes: bool,
    /// Whether the size it reports for a file is always the length of its content, as in an object store. Otherwise a
    /// file is read to its actual end, which may take one more request.
    pub exact_sizes: bool,
}

impl Capabilities {
    /// Files with exact times under any names, and nothing else.
    pub const PLAIN: Self = Self {
        mtime_precision_ns: 1,
        sets_mtime: true,
        symlinks: false,
        hard_links: false,
        renames: false,
        holes: false,
        virtual_directories: false,
        empty_directories: true,
        names: NameRules::BYTES,
        probes: false,
        exact_sizes: false,
    };
}

/// Tuning hints. They affect speed, never correctness: a wrong hint only costs time.
///
/// Built from [`Hints::DEFAULT`] with struct update syntax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// Whether requests travel over a network. If so, their headers count under a bandwidth limit.
    pub over_network: bool,
    /// How many files to transfer at a time, unless the user says otherwise: more where each waits long for responses.
    pub lanes: usize,
    /// Whether each read of a range is a request of its own to a server that may be far away, as in object stores. Under
    /// a bandwidth limit such files are read in fewer, larger steps, and more is requested ahead.
    pub request_per_read: bool,
}

impl Hints {
    /// Over a network, with a number of lanes that suits most storages.
    pub const DEFAULT: Self = Self { over_network: true, lanes: 16, request_per_read: false };
}

impl Default for Hints {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A root and everything below it.
#[async_trait]
pub trait Tree: Send + Sync {
    /// The root as users name it: a full path or a URL, without a trailing `/` (except for `/` itself).
    fn root(&self) -> &[u8];

    /// What its storage can keep. These are facts, which the conformance suite checks.
    fn capabilities(&self) -> Capabilities;

    /// How to use it efficiently.
    fn hints(&self) -> Hints {
        Hints::DEFAULT
    }

    /// The path in this tree of the local file `local`, if it lies in this tree.
    ///
    /// The engine calls this for its own database and log, and excludes them from the migration.
    fn locate(&self, local: &Path) -> Option<RelPath> {
        let _ = local;
        None
    }

    /// Reports to `observer`, from now on, when requests wait for the storage. A tree that is observed may wait for minutes
    /// where it would otherwise fail: somebody knows why, and can call [`Self::stop_waiting`].
    ///
    /// By default nothing is reported: the tree does not wait by itself.
    fn observe_waits(&self, observer: Arc<dyn WaitObserver>) {
        let _ = observer;
    }

    /// Ends all waiting, as the migration stops: what waits fails now, and nothing waits any more until the tree is
    /// observed again.
    fn stop_waiting(&self) {}

    /// Which tree this is. Never cached: each call checks the storage.
    ///
    /// # Errors
    /// If the root cannot be checked.
    async fn identity(&self) -> Result<Identity>;

    /// Sends one small request that only the storage itself can answer, bypassing every cache: its duration measures
    /// the latency of the network and of the storage's queues.
    ///
    /// # Errors
    /// If the storage does not answer.
    async fn round_trip(&self) -> Result<()> {
        self.identity().await.map(drop)
    }

    /// Lists a directory. Symbolic links are entries, never followed.
    ///
    /// # Errors
    /// If it cannot be opened, is missing, or is not a directory. An error while
    /// reading it is the last item of the stream.
    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream>;

    /// The metadata of one entry, without following a link.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if and only if it does not exist.
    async fn metadata(&self, path: &RelPath) -> Result<Metadata>;

    /// The target of a symbolic link, as raw bytes. A scan reads the targets of both sides and compares them, unless
    /// the listings have them ([`Entry::target`]).
    ///
    /// # Errors
    /// If it is missing or not a link; [`ErrorKind::Unsupported`] where the storage does not support links.
    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        Err(Error::new(ErrorKind::Unsupported, "read link", path, "this storage has no symbolic links"))
    }

    /// The extended attributes of a file, directory or link (of the link itself), in any order. On request, a scan reads
    /// those of both sides and compares them.
    ///
    /// # Errors
    /// If they cannot be read; [`ErrorKind::Unsupported`] where the storage has none at all.
    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        Err(Error::new(ErrorKind::Unsupported, "read attributes", path, "this storage has no extended attributes"))
    }
}
