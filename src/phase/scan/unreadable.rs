//! Directories, and single names in them, that a walk could not read. They do not affect other entries, and do not
//! count as absent.

use std::sync::Arc;

use towpath_backend::{Error as BackendError, ErrorKind, Kind, Metadata, RelPath, Timestamp};

use super::queue::WalkDir;
use super::walk::Walk;
use crate::absence;
use crate::error::{Error, GuardRefusal, Result, TreeFailure, UnreadableError};
use crate::event::Side;
use crate::journal::{Census, Listed, NotCopied, Role, UnreadableCause};
use crate::reporter::Record;

/// The stat of a name whose listing did not report its kind.
pub(super) enum Unknown {
    Found(Metadata),
    Gone,
    /// It could not be read, which was reported.
    Unreadable,
}

/// The metadata of a name that its tree lists but cannot stat or reach.
pub(super) fn unreadable_metadata() -> Metadata {
    Metadata::new(Kind::Other, 0, Timestamp::default())
}

/// Whether a listing reported only the name.
pub(super) fn is_unknown(metadata: &Metadata) -> bool {
    metadata.kind == Kind::Other && metadata.permissions.is_none()
}

/// The path in the walk of the entry that the tree has at `read_path`: a directory may be reached through a symlink.
fn walked_path(dir: &WalkDir, read_path: &RelPath) -> RelPath {
    let below = read_path.as_bytes().strip_prefix(dir.read_path().as_bytes());
    let rest = below.and_then(|below| if dir.read_path().is_root() { Some(below) } else { below.strip_prefix(b"/") });
    let path = rest
        .and_then(|rest| RelPath::new(rest).ok())
        .and_then(|rest| rest.components().try_fold(dir.path.clone(), |path, name| path.join(name).ok()));
    path.unwrap_or_else(|| read_path.clone())
}

impl Walk {
    /// Stats a name whose listing did not report its kind. A file system on a damaged disk lists names that it cannot
    /// stat.
    pub(super) async fn stat_unknown(&self, dir: &WalkDir, path: &RelPath, listed: Metadata) -> Result<Unknown> {
        let read = path.name().and_then(|name| dir.read_path().join(name).ok()).unwrap_or_else(|| path.clone());
        match self.tree().metadata(&read).await {
            Ok(found) => Ok(Unknown::Found(found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Unknown::Gone),
            // Not every storage can stat what it lists.
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(Unknown::Found(listed)),
            Err(error) => {
                let error = Arc::new(error);
                self.check_tree(&error).await?;
                // It may be a directory: nothing below it is known either.
                self.report_unreadable(path, error, true).await?;
                Ok(Unknown::Unreadable)
            }
        }
    }

    /// Handles an entry that its tree lists but cannot stat or reach. Its path does not count as absent. `None`: the
    /// directory has no name for it, or the filter excludes it.
    pub(super) async fn unreadable_entry(
        &self,
        dir: &WalkDir,
        name: Vec<u8>,
        error: Arc<BackendError>,
        census: &mut Census,
    ) -> Result<Option<Listed>> {
        let path = walked_path(dir, error.path());
        let metadata = unreadable_metadata();
        if let Some(rule) = self.filter.excluding_rule_with_parents(&path, false) {
            census.add_excluded(&path, &metadata, rule);
            return Ok(None);
        }
        if self.session.reserved_paths[self.side].contains(&path) {
            census.add_not_copied(&path, &metadata, NotCopied::OwnFile);
            return Ok(None);
        }
        self.check_tree(&error).await?;
        self.report_unreadable(&path, error, true).await?;
        if dir.path.join(&name).is_ok_and(|named| named == path) {
            return Ok(Some(Listed::new(name, metadata, self.role_of_unreadable())));
        }
        census.add_not_copied(&path, &metadata, NotCopied::Unreadable);
        Ok(None)
    }

    /// At the source its name counts as used, so that nothing with this name is deleted; at the sink it exists.
    pub(super) fn role_of_unreadable(&self) -> Role {
        if self.side == Side::Source { Role::NotCopied(NotCopied::Unreadable) } else { Role::Migrated }
    }

    /// Handles a directory that could not be read. If it is gone, that is not a failure, as long as the tree is still
    /// the one being scanned.
    pub(super) async fn unreadable(&self, dir: &WalkDir, error: BackendError) -> Result<()> {
        let error = Arc::new(error);
        self.check_tree(&error).await?;
        let (dir, read) = (&dir.path, dir.read_path());
        if dir.is_root() {
            return Err(Error::tree(self.side, self.tree().root(), TreeFailure::Unreadable, error));
        }
        if error.kind() == ErrorKind::NotFound && error.path() == read && absence::is_missing(self.tree(), read).await {
            return Ok(());
        }
        self.report_unreadable(dir, error, false).await
    }

    /// `is_entry`: it is a name in a directory that was listed, not a directory that could not be listed.
    async fn report_unreadable(&self, at: &RelPath, error: Arc<BackendError>, is_entry: bool) -> Result<()> {
        let session = &self.session;
        let error = UnreadableError::Tree(error);
        let cause = UnreadableCause { is_entry, code: error.code(), text: error.to_string() };
        session.journal.add_unreadable(self.side, at.clone(), cause).await?;
        let logged = format!("{}: {error}", self.side);
        session.reporter.report([Record::unreadable(self.side, session.paths(at), error, logged)]).await
    }

    async fn check_tree(&self, cause: &Arc<BackendError>) -> Result<()> {
        if self.session.has_same_identity(self.side).await? {
            return Ok(());
        }
        let (side, root) = (self.side, self.tree().root().to_vec());
        Err(GuardRefusal::TreeReplacedInScan { side, root, cause: Arc::clone(cause) }.into())
    }
}
