//! The check before every operation: each component of the path with `lstat`, so that none of them is a link.

use std::sync::Arc;

use towpath_backend::{Error, ErrorKind, Kind, RelPath, Result};

use super::connection::Connection;
use super::failure::Failure;
use super::handle::SftpTree;
use super::wire::{Attributes, Request, request, status};

/// A path whose directories are directories, and the connection that the operation is to use at once.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) connection: Arc<Connection>,
    /// The path on the server.
    pub(super) at: Vec<u8>,
    /// What has the name, if anything has: a link itself.
    pub(super) found: Option<Attributes>,
}

impl Checked {
    /// A request about the path.
    pub(super) fn about(&self, kind: u8) -> Request {
        Request::about(kind, &self.at)
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.found.map(Attributes::kind)
    }
}

impl SftpTree {
    /// Checks a path right before an operation.
    ///
    /// # Errors
    /// [`ErrorKind::Escapes`] if a component above the last is a link, [`ErrorKind::NotADirectory`] if it is a file,
    /// [`ErrorKind::NotFound`] if it is missing.
    pub(super) async fn check(&self, operation: &'static str, path: &RelPath) -> Result<Checked> {
        // An idle connection may have ended unnoticed: another one is tried once.
        let checked = match self.check_once(operation, path).await {
            Err(error) if error.kind() == ErrorKind::Unavailable => self.check_once(operation, path).await,
            checked => checked,
        };
        // The error names the path of the operation, whichever component of it failed.
        checked.map_err(|error| error.with_path(path))
    }

    async fn check_once(&self, operation: &'static str, path: &RelPath) -> Result<Checked> {
        let connection = self.connection(operation, path).await?;
        let at = self.at(path);
        if path.is_root() {
            // The user named it: it may be a link, or lie behind one.
            let found = connection.send(Request::about(request::STAT, &at)).await.attributes().await;
            let found = absent_is_none(found).map_err(|failure| failure.error(operation, path))?;
            return Ok(Checked { connection, at, found });
        }
        let mut above: Vec<_> = std::iter::successors(path.parent(), RelPath::parent).collect();
        above.pop();
        // All are sent before the first is answered: one round trip, however deep the path is.
        let mut stats = Vec::with_capacity(above.len());
        for dir in above.iter().rev() {
            stats.push(connection.send(lstat(&self.at(dir))).await);
        }
        let last = connection.send(lstat(&at)).await;
        for stat in stats {
            let found = stat.attributes().await;
            let found = absent_is_none(found).map_err(|failure| failure.error(operation, path))?;
            let (kind, cause) = match found.map(Attributes::kind) {
                Some(Kind::Dir) => continue,
                Some(Kind::Symlink) => (
                    ErrorKind::Escapes,
                    "a symbolic link on the server is in the middle of the path, and links are not followed",
                ),
                Some(_) => (ErrorKind::NotADirectory, "a file is in the middle of the path"),
                None => (ErrorKind::NotFound, "its directory is missing"),
            };
            return Err(Error::new(kind, operation, path, cause));
        }
        let found = absent_is_none(last.attributes().await).map_err(|failure| failure.error(operation, path))?;
        Ok(Checked { connection, at, found })
    }

    /// Checks the path of something that must be there.
    pub(super) async fn check_there(&self, operation: &'static str, path: &RelPath) -> Result<(Checked, Attributes)> {
        let checked = self.check(operation, path).await?;
        match checked.found {
            Some(found) => Ok((checked, found)),
            None => Err(Error::new(ErrorKind::NotFound, operation, path, "there is no such file")),
        }
    }

    /// Why creating something under a free name failed: servers report only "Failure" if the name was taken meanwhile.
    pub(super) async fn creation_error(&self, operation: &'static str, path: &RelPath, failure: &Failure) -> Error {
        if failure.code() == Some(status::FAILURE)
            && let Ok(Checked { found: Some(_), .. }) = self.check(operation, path).await
        {
            return Error::new(ErrorKind::AlreadyExists, operation, path, "the name is taken");
        }
        failure.error(operation, path)
    }
}

pub(super) fn lstat(at: &[u8]) -> Request {
    Request::about(request::LSTAT, at)
}

/// That a name is free is no failure.
fn absent_is_none(found: std::result::Result<Attributes, Failure>) -> std::result::Result<Option<Attributes>, Failure> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(failure) if failure.code() == Some(status::NO_SUCH_FILE) => Ok(None),
        Err(failure) => Err(failure),
    }
}
