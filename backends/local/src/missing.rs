//! A sink whose root does not exist yet, opened to be inspected: an empty tree that rejects every change.

use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use towpath_backend::{
    Capabilities, EntryStream, Error, ErrorKind, FileWriter, Hints, Identity, Kind, Metadata, ReadOptions, RelPath,
    Result as BackendResult, Sink, Times, Timestamp, Tree, WriteOptions, async_trait,
};

use crate::root::OpenError;
use crate::sink::LocalSink;

/// The tree that would be created.
pub(crate) struct MissingSink {
    root: Vec<u8>,
    capabilities: Capabilities,
    hints: Hints,
    has_trash: bool,
}

impl MissingSink {
    /// At `path`, with the capabilities of its nearest ancestor that exists. `has_trash`: whether it would be opened
    /// with a trash.
    ///
    /// # Errors
    /// If that directory cannot be read.
    pub(crate) fn new(path: &Path, has_trash: bool) -> Result<Self, OpenError> {
        let root = without_links(path);
        let mut above = None;
        for dir in root.ancestors().skip(1) {
            above = LocalSink::inspect(dir)?;
            if above.is_some() {
                break;
            }
        }
        let (capabilities, hints) =
            above.map_or((Capabilities::PLAIN, Hints::DEFAULT), |above| (above.capabilities(), above.hints()));
        // Nothing can be written to it.
        let capabilities = Capabilities { probes: false, ..capabilities };
        Ok(Self { root: root.into_os_string().into_vec(), capabilities, hints, has_trash })
    }
}

/// The path with the links of its existing part resolved.
fn without_links(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for dir in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (dir.canonicalize(), absolute.strip_prefix(dir)) {
            return real.join(rest);
        }
    }
    absolute
}

#[async_trait]
impl Tree for MissingSink {
    fn root(&self) -> &[u8] {
        &self.root
    }

    fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    fn hints(&self) -> Hints {
        self.hints
    }

    async fn identity(&self) -> BackendResult<Identity> {
        Ok(Identity::new("not there yet"))
    }

    async fn read_dir(&self, _dir: &RelPath, _options: &ReadOptions) -> BackendResult<EntryStream> {
        Ok(Box::pin(tokio_stream::empty()))
    }

    async fn metadata(&self, path: &RelPath) -> BackendResult<Metadata> {
        if path.is_root() {
            return Ok(Metadata::new(Kind::Dir, 0, Timestamp::from_ns(0)));
        }
        Err(Error::new(ErrorKind::NotFound, "stat", path, "the destination does not exist yet"))
    }
}

fn rejected(operation: &'static str, path: &RelPath) -> Error {
    Error::new(ErrorKind::Unsupported, operation, path, "it was opened to be inspected")
}

#[async_trait]
impl Sink for MissingSink {
    async fn create(
        &self,
        path: &RelPath,
        _metadata: &Metadata,
        _options: &WriteOptions,
    ) -> BackendResult<Box<dyn FileWriter>> {
        Err(rejected("create", path))
    }

    async fn create_dir(&self, path: &RelPath, _permissions: Option<u32>) -> BackendResult<()> {
        Err(rejected("create directory", path))
    }

    async fn set_times(&self, path: &RelPath, _times: &Times) -> BackendResult<()> {
        Err(rejected("set times", path))
    }

    async fn remove_file(&self, path: &RelPath) -> BackendResult<()> {
        Err(rejected("remove", path))
    }

    async fn remove_dir(&self, path: &RelPath) -> BackendResult<()> {
        Err(rejected("remove directory", path))
    }

    fn can_discard(&self) -> bool {
        self.has_trash
    }

    async fn flush(&self) -> BackendResult<()> {
        Ok(())
    }
}
