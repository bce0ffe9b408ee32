//! What a walk could not read: a directory, or a single name of one. It hides nothing else, and nothing is concluded
//! from it.

use towpath_backend::{ErrorKind, Kind, Metadata, RelPath};

use super::queue::WalkDir;
use super::walker::Walk;
use crate::audit::Line;
use crate::error::{Error, Result};
use crate::event::{Event, FilePaths, Side};
use crate::journal::Role;

/// What a name turns out to be whose listing did not say it.
pub(super) enum Unknown {
    Found(Metadata),
    Gone,
    /// It could not be found out: reported.
    Unreadable,
}

/// Whether a listing only says that there is something.
pub(super) fn is_unknown(metadata: &Metadata) -> bool {
    metadata.kind == Kind::Other && metadata.permissions.is_none()
}

impl Walk {
    /// Asks again what a name is. A file system whose disk is damaged lists names that it cannot stat.
    pub(super) async fn stat_unknown(&self, dir: &WalkDir, path: &RelPath, listed: Metadata) -> Result<Unknown> {
        let read = path.name().and_then(|name| dir.read_path().join(name).ok()).unwrap_or_else(|| path.clone());
        match self.tree.metadata(&read).await {
            Ok(found) => Ok(Unknown::Found(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Unknown::Gone),
            // Not every storage can stat what it lists.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Unknown::Found(listed)),
            Err(error) => {
                self.check_identity(&error).await?;
                // It may be a directory: nothing below it is known either.
                self.report_unreadable(path, &error).await?;
                Ok(Unknown::Unreadable)
            }
        }
    }

    /// At the source its name is taken, so that nothing is deleted in its place; at the sink something is there.
    pub(super) fn role_of_unreadable(&self) -> Role {
        if self.side == Side::Source { Role::NotCopied } else { Role::Migrated }
    }

    /// A directory that could not be read. That it is gone is no failure, as
    /// long as the tree is the one being scanned, and nothing else finds it.
    pub(super) async fn unreadable(&self, dir: &WalkDir, error: &towpath_backend::Error) -> Result<()> {
        self.check_identity(error).await?;
        let (dir, read) = (&dir.path, dir.read_path());
        if dir.is_root() {
            return Err(Error::of_side(self.side, self.tree.root(), error));
        }
        if error.kind() == ErrorKind::NotFound && error.path() == read && self.is_gone(read).await {
            return Ok(());
        }
        self.report_unreadable(dir, error).await
    }

    async fn report_unreadable(&self, at: &RelPath, error: &towpath_backend::Error) -> Result<()> {
        self.journal.add_unreadable(self.side, at.clone()).await?;
        let path = at.under(self.tree.root());
        let error = error.to_string();
        let paths = FilePaths { source: at.under(&self.roots[0]), dest: at.under(&self.roots[1]) };
        let line = Line { error: Some(format!("{}: {error}", self.side)), ..Line::now("unreadable", paths) };
        self.journal.log(vec![line]).await?;
        self.emitter.emit(Event::Unreadable { side: self.side, path, error }).await;
        Ok(())
    }

    /// Whether a second look finds nothing either: a server that is busy may say "not found" of what it has.
    async fn is_gone(&self, path: &RelPath) -> bool {
        self.tree.metadata(path).await.is_err_and(|error| error.kind() == ErrorKind::NotFound)
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
