//! The sink of a run that has none: it is empty, and takes nothing.

use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, FileWriter, Identity, Kind, Metadata, ReadOptions, RelPath, Result,
    Sink, Times, Timestamp, Tree, WriteOptions, async_trait,
};

/// The sink of [`crate::Extent::Listing`].
#[derive(Debug)]
pub(crate) struct Nowhere;

fn refused<T>(operation: &'static str, path: &RelPath) -> Result<T> {
    Err(Error::new(ErrorKind::Unsupported, operation, path, "this run has no destination"))
}

#[async_trait]
impl Tree for Nowhere {
    fn root(&self) -> &[u8] {
        b"nowhere"
    }

    /// Everything, so that nothing of the source is left out on its account.
    fn capabilities(&self) -> Capabilities {
        Capabilities { symlinks: true, hard_links: true, renames: true, holes: true, ..Capabilities::PLAIN }
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new("nowhere"))
    }

    async fn read_dir(&self, _: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        Ok(Box::pin(tokio_stream::empty()))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        if path.is_root() {
            return Ok(Metadata::new(Kind::Dir, 0, Timestamp::default()));
        }
        Err(Error::new(ErrorKind::NotFound, "stat", path, "this run has no destination"))
    }
}

#[async_trait]
impl Sink for Nowhere {
    async fn create(&self, path: &RelPath, _: &Metadata, _: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        refused("create", path)
    }

    async fn create_dir(&self, path: &RelPath, _: Option<u32>) -> Result<()> {
        refused("create directory", path)
    }

    async fn set_times(&self, path: &RelPath, _: &Times) -> Result<()> {
        refused("set times", path)
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        refused("remove", path)
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        refused("remove directory", path)
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}
