//! The handle of a tree: its settings, its connections, and what the server can do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use towpath_backend::{Capabilities, RelPath, Result, Timestamp};

use super::connection::Connection;
use super::failure::Failure;
use super::pool::Pool;
use super::ssh::Target;
use super::wire::{LSETSTAT, POSIX_RENAME};

/// The step of the protocol's mtimes: a second.
const MTIME_STEP_NS: u64 = 1_000_000_000;

/// What trees on a server keep at best.
pub(crate) const KEPT: Capabilities = Capabilities {
    mtime_precision_ns: MTIME_STEP_NS,
    symlinks: true,
    renames: true,
    probes: true,
    ..Capabilities::PLAIN
};

/// A tree on an SSH server, as source and sink. Clones show the same tree.
#[derive(Clone, Debug)]
pub struct SftpTree {
    pub(super) shared: Arc<Shared>,
}

/// What the options want to be kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keeps {
    /// mtimes of files, directories and links.
    pub(crate) mtimes: bool,
    /// Symbolic links, as links.
    pub(crate) links: bool,
    /// Each file on the server's disk before it counts as finished, where the server can do so.
    pub(crate) synced: bool,
}

#[derive(Debug)]
pub(super) struct Shared {
    /// The URL, as users know it.
    pub(super) root: Vec<u8>,
    /// The path of the root on the server.
    pub(super) path: Vec<u8>,
    pub(super) identity: String,
    pub(super) keeps: Keeps,
    pool: Pool,
    /// What the server can do beyond version 3, once there was a connection.
    abilities: OnceLock<Abilities>,
    /// Whether a root that is missing counts as an empty one: a dry run creates nothing.
    may_be_missing: AtomicBool,
}

/// What a server can do beyond version 3.
#[derive(Clone, Copy, Debug)]
pub(super) struct Abilities {
    /// Set the times of a link. Of a server that can, it is known in which order it takes a new link's name and target.
    pub(super) links: bool,
    pub(super) renames: bool,
}

impl SftpTree {
    pub(crate) fn new(target: Target, url: String, path: &str, identity: String, keeps: Keeps) -> Self {
        Self::over(Pool::to(target), url, path, identity, keeps)
    }

    pub(super) fn over(pool: Pool, url: String, path: &str, identity: String, keeps: Keeps) -> Self {
        let shared = Shared {
            root: url.into_bytes(),
            path: format!("/{path}").into_bytes(),
            identity,
            keeps,
            pool,
            abilities: OnceLock::new(),
            may_be_missing: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The path on the server.
    pub(super) fn at(&self, path: &RelPath) -> Vec<u8> {
        path.under(&self.shared.path)
    }

    /// A connection for an operation.
    pub(super) async fn connection(&self, operation: &'static str, path: &RelPath) -> Result<Arc<Connection>> {
        let connection = self.shared.pool.get().await.map_err(|lost| Failure::Lost(lost).error(operation, path))?;
        self.shared
            .abilities
            .get_or_init(|| Abilities { links: connection.has(LSETSTAT), renames: connection.has(POSIX_RENAME) });
        Ok(connection)
    }

    /// What the server can do; everything, before the first connection.
    pub(super) fn abilities(&self) -> Abilities {
        self.shared.abilities.get().copied().unwrap_or(Abilities { links: true, renames: true })
    }

    /// From now on a root that is missing is an empty one.
    pub(crate) fn may_be_missing(&self) {
        self.shared.may_be_missing.store(true, Ordering::Relaxed);
    }

    /// Whether a root that is missing counts as an empty one.
    pub(super) fn root_may_be_missing(&self) -> bool {
        self.shared.may_be_missing.load(Ordering::Relaxed)
    }

    /// Seconds since 1970, as the protocol has them: of a time before 1970 or after 2106 the nearest.
    pub(super) fn seconds(time: Timestamp) -> u32 {
        u32::try_from(time.seconds()).unwrap_or(if time.seconds() < 0 { 0 } else { u32::MAX })
    }
}
