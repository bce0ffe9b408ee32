//! What source and sink have in common: a root that can be listed.

use std::path::Path;
use std::pin::Pin;

use async_trait::async_trait;
use futures_core::Stream;

use crate::error::Result;
use crate::identity::Identity;
use crate::metadata::{Entry, Metadata};
use crate::names::NameRules;
use crate::pacing::ReadOptions;
use crate::path::RelPath;

/// A listing in progress: pages of entries, in no order, ending after the first error.
///
/// Pages, so that one hop between threads serves many entries; a page holds at
/// most about a thousand, so that a directory of ten million stays small in memory.
pub type EntryStream = Pin<Box<dyn Stream<Item = Result<Vec<Entry>>> + Send>>;

/// What a tree's storage can keep.
///
/// Made from [`Capabilities::PLAIN`] and struct update, so that a backend names only what it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The step of its mtimes: 1 on ext4, 100 on SMB, 2,000,000,000 on FAT.
    pub mtime_precision_ns: u64,
    /// Whether mtimes can be set. Where not, a sink's mtimes say nothing and only sizes are compared.
    pub sets_mtime: bool,
    /// Whether it holds symbolic links. Those that a source lists without this are reported and skipped.
    pub symlinks: bool,
    /// Whether a file can have several names.
    pub hard_links: bool,
    /// Whether a name can be given to another file at once ([`crate::Sink::rename`]).
    pub renames: bool,
    /// Whether files have holes: stretches never written, which read as zeros and take no room.
    pub holes: bool,
    /// Whether directories are virtual, as in object stores: a directory exists while there is something in it. Then
    /// files are written without one, it goes with the last of them, and it has no mtime.
    pub virtual_directories: bool,
    /// Whether directories without anything in them are to be created. If not, the trees are in sync without them.
    pub empty_directories: bool,
    /// Which names it can hold, and which of them are the same to it.
    pub names: NameRules,
    /// Whether a run may create an empty file in the root of this sink and remove it again, to find
    /// out whether the source shows it: then they are one tree under two names.
    pub probes: bool,
    /// Whether the size that it states of a file is the length of its content: an object store's is.
    /// Elsewhere a file is read to its real end, which may take a request more.
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

/// What makes a tree faster to use and what it costs, but never what is right: a wrong hint delays.
///
/// Made from [`Hints::DEFAULT`] and struct update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// Whether requests travel over a network. Under a bandwidth limit their headers then count too.
    pub over_network: bool,
    /// How many files at a time suit it, where a user does not say: more where each waits long for answers.
    pub lanes: usize,
}

impl Hints {
    /// Behind a network, with the number of lanes that suits most.
    pub const DEFAULT: Self = Self { over_network: true, lanes: 16 };
}

impl Default for Hints {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A root and what lies beneath it.
#[async_trait]
pub trait Tree: Send + Sync {
    /// The root as users name it: a full path or a URL, without a closing `/`
    /// (but for `/` itself).
    fn root(&self) -> &[u8];

    /// What its storage can keep: facts, which the suite checks.
    fn capabilities(&self) -> Capabilities;

    /// How it is used best.
    fn hints(&self) -> Hints {
        Hints::DEFAULT
    }

    /// Where the file `local` of this machine lies inside this tree, if it does.
    ///
    /// The engine asks it for its own database and log, and excludes them from the migration.
    fn locate(&self, local: &Path) -> Option<RelPath> {
        let _ = local;
        None
    }

    /// Which tree this is, asked again each time.
    ///
    /// # Errors
    /// If the root cannot be checked.
    async fn identity(&self) -> Result<Identity>;

    /// Does one small request that the storage itself answers, bypassing every cache:
    /// its duration measures the latency of the network and the storage's queues.
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

    /// The metadata of one name, without following a link.
    ///
    /// # Errors
    /// [`crate::ErrorKind::NotFound`] if and only if it does not exist.
    async fn metadata(&self, path: &RelPath) -> Result<Metadata>;
}
