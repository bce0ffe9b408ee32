//! The tree: what source and sink share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, Identity, Kind, Metadata, ReadOptions, RelPath, Result, Timestamp,
    Tree, async_trait,
};

use super::check::failed;
use super::connection::Connection;
use super::listing;
use super::pool::Pool;
use super::ssh::Target;
use super::wire::{Attributes, LSETSTAT, POSIX_RENAME, Request, request, status};

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

/// What a user wants to be kept.
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
    root: Vec<u8>,
    /// The path of the root on the server.
    path: Vec<u8>,
    identity: String,
    pub(super) keeps: Keeps,
    pool: Pool,
    /// What the server can do beyond version 3, once there was a connection.
    abilities: OnceLock<Abilities>,
    /// Whether a root that is missing counts as an empty one: in a dry run nothing is made.
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
        let connection = self.shared.pool.get().await.map_err(|failure| failed(operation, path, &failure))?;
        self.shared
            .abilities
            .get_or_init(|| Abilities { links: connection.has(LSETSTAT), renames: connection.has(POSIX_RENAME) });
        Ok(connection)
    }

    /// What the server can do; all of it, as long as nobody asked it.
    pub(super) fn abilities(&self) -> Abilities {
        self.shared.abilities.get().copied().unwrap_or(Abilities { links: true, renames: true })
    }

    /// Whether the root is there, and is a directory.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        Ok(self.check("open", &RelPath::root()).await?.kind() == Some(Kind::Dir))
    }

    /// From now on a root that is missing is an empty one.
    pub(crate) fn may_be_missing(&self) {
        self.shared.may_be_missing.store(true, Ordering::Relaxed);
    }

    /// Whether the root is missing, and that counts as an empty one.
    async fn is_missing_in_a_dry_run(&self) -> Result<bool> {
        if !self.shared.may_be_missing.load(Ordering::Relaxed) {
            return Ok(false);
        }
        Ok(self.check("check", &RelPath::root()).await?.found.is_none())
    }

    /// Makes the root, and the directories above it that are missing.
    pub(crate) async fn make_root(&self) -> Result<()> {
        const OPERATION: &str = "create directory";
        let root = RelPath::root();
        if self.is_there().await? {
            return Ok(());
        }
        let connection = self.connection(OPERATION, &root).await?;
        let slashes = self.shared.path.iter().enumerate().skip(1).filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for end in slashes.chain([self.shared.path.len()]) {
            let at = &self.shared.path[..end];
            let made = connection.send(Request::about(request::MKDIR, at).no_attributes()).done().await;
            let Err(failure) = made else { continue };
            // Servers say "Failure" of a name that is taken, and more if nothing may be made beside it.
            match connection.send(Request::about(request::STAT, at)).attributes().await.map(Attributes::kind) {
                Ok(Kind::Dir) => {}
                _ => return Err(failed(OPERATION, &root, &failure)),
            }
        }
        Ok(())
    }

    /// Seconds since 1970, as the protocol has them: of a time before 1970 or after 2106 the nearest.
    pub(super) fn seconds(time: Timestamp) -> u32 {
        u32::try_from(time.seconds()).unwrap_or(if time.seconds() < 0 { 0 } else { u32::MAX })
    }
}

#[async_trait]
impl Tree for SftpTree {
    fn root(&self) -> &[u8] {
        &self.shared.root
    }

    fn capabilities(&self) -> Capabilities {
        let Abilities { links, renames } = self.abilities();
        let Keeps { mtimes, links: wanted, .. } = self.shared.keeps;
        Capabilities { sets_mtime: mtimes, symlinks: links && wanted, renames, ..KEPT }
    }

    async fn identity(&self) -> Result<Identity> {
        const OPERATION: &str = "check";
        let root = RelPath::root();
        match self.check(OPERATION, &root).await?.kind() {
            Some(Kind::Dir) => Ok(Identity::new(self.shared.identity.clone())),
            None if self.shared.may_be_missing.load(Ordering::Relaxed) => {
                Ok(Identity::new(self.shared.identity.clone()))
            }
            None => Err(Error::new(ErrorKind::NotFound, OPERATION, &root, "there is no such directory")),
            Some(_) => Err(Error::new(ErrorKind::NotADirectory, OPERATION, &root, "is not a directory")),
        }
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        const OPERATION: &str = "list";
        let checked = self.check(OPERATION, dir).await?;
        let (kind, cause) = match checked.kind() {
            Some(Kind::Dir) => return listing::open(checked, dir, options.pacing.is_some()).await,
            None if dir.is_root() && self.shared.may_be_missing.load(Ordering::Relaxed) => {
                return Ok(Box::pin(tokio_stream::empty()));
            }
            None => (ErrorKind::NotFound, "there is no such directory"),
            Some(Kind::Symlink) => (ErrorKind::Escapes, "is a symbolic link on the server, and links are not followed"),
            Some(_) => (ErrorKind::NotADirectory, "is not a directory"),
        };
        Err(Error::new(kind, OPERATION, dir, cause))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        if path.is_root() && self.is_missing_in_a_dry_run().await? {
            return Ok(Metadata::new(Kind::Dir, 0, Timestamp::default()));
        }
        let (_, found) = self.check_there("check", path).await?;
        Ok(found.metadata())
    }
}

/// Whether a failure says that the server cannot do such a thing.
pub(super) fn is_unsupported(failure: &super::connection::Failure) -> bool {
    failure.code() == Some(status::UNSUPPORTED)
}
