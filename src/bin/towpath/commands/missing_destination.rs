//! A destination that does not exist yet, for a dry run: an empty tree that takes nothing.

use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, FileWriter, Hints, Identity, Kind, Metadata, ReadOptions, RelPath,
    Result, Sink, Times, Timestamp, Tree, WriteOptions, async_trait,
};

/// The tree that would be made.
pub(crate) struct MissingDestination {
    root: Vec<u8>,
    capabilities: Capabilities,
    hints: Hints,
}

impl MissingDestination {
    /// At `root`, on the storage of `tree`.
    pub(crate) fn new(root: Vec<u8>, tree: &dyn Tree) -> Self {
        Self { root, capabilities: tree.capabilities(), hints: tree.hints() }
    }
}

#[async_trait]
impl Tree for MissingDestination {
    fn root(&self) -> &[u8] {
        &self.root
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn hints(&self) -> Hints {
        self.hints
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new("not there yet"))
    }

    async fn read_dir(&self, _dir: &RelPath, _options: &ReadOptions) -> Result<EntryStream> {
        Ok(Box::pin(tokio_stream::empty()))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        if path.is_root() {
            return Ok(Metadata::new(Kind::Dir, 0, Timestamp::from_ns(0)));
        }
        Err(Error::new(ErrorKind::NotFound, "stat", path, "the destination does not exist yet"))
    }
}

fn refused(operation: &'static str, path: &RelPath) -> Error {
    Error::new(ErrorKind::Unsupported, operation, path, "a dry run writes nothing")
}

#[async_trait]
impl Sink for MissingDestination {
    async fn create(
        &self,
        path: &RelPath,
        _metadata: &Metadata,
        _options: &WriteOptions,
    ) -> Result<Box<dyn FileWriter>> {
        Err(refused("create", path))
    }

    async fn create_dir(&self, path: &RelPath, _permissions: Option<u32>) -> Result<()> {
        Err(refused("create directory", path))
    }

    async fn set_times(&self, path: &RelPath, _times: &Times) -> Result<()> {
        Err(refused("set times", path))
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        Err(refused("remove", path))
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        Err(refused("remove directory", path))
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}
