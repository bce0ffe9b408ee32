//! What source and sink have in common: identity, capabilities, listings and metadata.

use std::sync::Arc;

use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, Hints, Identity, Kind, Metadata, ReadOptions, RelPath, Result,
    Timestamp, Tree, WaitObserver, async_trait,
};

use crate::error::Cause;
use crate::handle::OpendalTree;
use crate::listing;
use crate::stat::IS_BOTH;

#[async_trait]
impl Tree for OpendalTree {
    fn root(&self) -> &[u8] {
        self.shown_root()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            sets_mtime: self.keeps_mtime(),
            names: self.keys().rules(),
            virtual_directories: !self.has_directories(),
            empty_directories: self.creates_empty_directories(),
            probes: true,
            // OpenDAL reports an answer that is shorter than the requested range as an error.
            exact_sizes: true,
            ..Capabilities::PLAIN
        }
    }

    fn hints(&self) -> Hints {
        let request_per_read = self.outgoing().is_some();
        Hints { lanes: self.lanes(), request_per_read, ..Hints::DEFAULT }
    }

    fn observe_waits(&self, observer: Arc<dyn WaitObserver>) {
        self.patience().observe(observer);
    }

    fn stop_waiting(&self) {
        self.patience().stop();
    }

    /// Checks that the storage answers: a missing bucket is not an empty one.
    async fn identity(&self) -> Result<Identity> {
        if self.is_just_answered() {
            return Ok(self.own_identity());
        }
        match self.is_directory("stat", &RelPath::root()).await {
            Ok(_) => Ok(self.own_identity()),
            // No other file fares better, and nobody has to wait to see that.
            Err(error) if error.kind() == ErrorKind::Credentials => {
                let said = Cause::of(&error).map(ToString::to_string).unwrap_or_default();
                let cause = Cause::Credentials(said + self.credentials_named());
                Err(Error::new(ErrorKind::Credentials, "stat", &RelPath::root(), cause))
            }
            Err(error) => Err(error),
        }
    }

    async fn read_dir(&self, dir: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        listing::open(self, dir).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        const OPERATION: &str = "stat";
        let dir = Metadata::new(Kind::Dir, 0, Timestamp::default());
        let is_dir = if path.is_root() {
            if self.is_just_answered() {
                return Ok(dir);
            }
            self.is_directory(OPERATION, path).await?
        } else if self.has_directories() {
            match self.stat_file(OPERATION, path).await {
                Err(error) if error.kind() == ErrorKind::NotFound => self.is_directory(OPERATION, path).await?,
                result => return result,
            }
        } else {
            match self.object_and_directory(OPERATION, path).await {
                (Err(error), is_dir) if error.kind() == ErrorKind::NotFound => is_dir?,
                (Ok(found), is_dir) if found.kind == Kind::File => {
                    let both = || Error::new(ErrorKind::Other, OPERATION, path, IS_BOTH);
                    return if is_dir? { Err(both()) } else { Ok(found) };
                }
                (result, _) => return result,
            }
        };
        if is_dir {
            return Ok(dir);
        }
        Err(Error::new(ErrorKind::NotFound, OPERATION, path, "there is no such object, and nothing below it"))
    }
}
