//! Empty directories of object stores: objects whose keys end with a slash ("markers").
//!
//! Not every server keeps them. Those that have a file system below (rclone's, and others) answer `PUT a/` with an error,
//! or accept it and list nothing. The first marker of a run decides: it is sent without the retries that other requests have, and
//! searched for in a listing. If it is not kept, no other one is sent.

use towpath_backend::{Error, ErrorKind, RelPath, Result};

use crate::error;
use crate::handle::{MarkerSupport, OpendalTree};

const OPERATION: &str = "create directory";
/// How often the first marker is sent if the server rejects it, but answers other requests.
const ATTEMPTS: u32 = 2;

impl OpendalTree {
    /// Creates the marker of a directory.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if the store does not keep any.
    pub(crate) async fn create_marker(&self, path: &RelPath, key: &str) -> Result<()> {
        if !self.creates_empty_directories() {
            return Err(not_kept(path, "`directories=false`"));
        }
        let mut support = self.marker_support().lock().await;
        let is_first = support.is_none();
        if is_first {
            *support = Some(self.create_first(path, key).await?);
        }
        if let Some(MarkerSupport::NotKept(reason)) = &*support {
            return Err(not_kept(path, reason));
        }
        drop(support);
        if is_first {
            return Ok(());
        }
        self.operator.create_dir(key).await.map_err(|problem| error::of(OPERATION, path, &problem))
    }

    /// Creates the first marker.
    ///
    /// # Errors
    /// If that does not show whether markers are kept: the server cannot be reached, or denies access.
    async fn create_first(&self, path: &RelPath, key: &str) -> Result<MarkerSupport> {
        for attempt in 1.. {
            let Err(problem) = self.once().create_dir(key).await else { break };
            if !error::is_rejection(&problem) {
                return Err(error::of(OPERATION, path, &problem));
            }
            // A server in trouble does not answer this either.
            self.is_directory(OPERATION, &RelPath::root()).await?;
            if attempt == ATTEMPTS {
                let reason = format!("the server rejects their markers: {}", error::cause(&problem));
                return Ok(MarkerSupport::NotKept(reason));
            }
        }
        match self.is_directory(OPERATION, path).await? {
            true => Ok(MarkerSupport::Kept),
            false => Ok(MarkerSupport::NotKept("the server accepts their markers and does not list them".to_owned())),
        }
    }
}

fn not_kept(path: &RelPath, reason: &str) -> Error {
    Error::new(ErrorKind::Unsupported, OPERATION, path, reason.to_owned())
}
