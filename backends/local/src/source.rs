//! A mounted tree to read from.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::{fs::File, io};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use towpath_backend::{
    Capabilities, EntryStream, FileReader, Identity, Metadata, RelPath, Result, Source, Tree, WholeFile, async_trait,
};

use crate::reader::{LocalReader, read_exactly};
use crate::root::{self, OpenError, Root, blocking, metadata_of_open};

/// A mounted tree to read from.
#[derive(Debug)]
pub struct LocalSource {
    root: Arc<Root>,
    opener: Arc<Opener>,
}

impl LocalSource {
    /// Opens the directory at `path`, which must exist.
    ///
    /// # Errors
    /// If it is missing, not a directory, or may not be read.
    pub fn open(path: &Path) -> std::result::Result<Self, OpenError> {
        Ok(Self { root: Arc::new(Root::open(path)?), opener: Arc::default() })
    }
}

/// Opens files for reading.
#[derive(Debug, Default)]
struct Opener {
    /// The kernel refused O_NOATIME once: these are not our files.
    with_atime: AtomicBool,
}

impl Opener {
    /// Reading does not touch the atime that is to be kept, where the kernel
    /// allows it. A FIFO that took a file's place does not block (O_NONBLOCK).
    fn open(&self, root: &Root, path: &RelPath) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        if !self.with_atime.load(Relaxed) {
            match root.resolver.open(path, flags | OFlags::NOATIME, Mode::empty()) {
                Err(error) if error.raw_os_error() == Some(Errno::PERM.raw_os_error()) => {
                    self.with_atime.store(true, Relaxed);
                }
                result => return Ok(File::from(result?)),
            }
        }
        Ok(File::from(root.resolver.open(path, flags, Mode::empty())?))
    }
}

#[async_trait]
impl Tree for LocalSource {
    fn root(&self) -> &[u8] {
        self.root.bytes()
    }

    fn capabilities(&self) -> Capabilities {
        let mtime_precision_ns = self.root.filesystem.mtime_precision_ns();
        Capabilities { mtime_precision_ns, sets_mtime: true, symlinks: true }
    }

    fn locate(&self, local: &Path) -> Option<RelPath> {
        self.root.locate(local)
    }

    async fn identity(&self) -> Result<Identity> {
        root::identity(&self.root).await
    }

    async fn read_dir(&self, dir: &RelPath) -> Result<EntryStream> {
        root::read_dir(&self.root, dir).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        root::metadata(&self.root, path).await
    }
}

#[async_trait]
impl Source for LocalSource {
    async fn open(&self, path: &RelPath) -> Result<Box<dyn FileReader>> {
        let (root, opener, at) = (Arc::clone(&self.root), Arc::clone(&self.opener), path.clone());
        let open = move || LocalReader::new(opener.open(&root, &at)?, at, root.filesystem.is_memory());
        Ok(Box::new(blocking("open", path, open).await?))
    }

    /// Open, read, look, close: one hop and four system calls.
    async fn read_whole(&self, path: &RelPath, limit_bytes: usize, mut buffer: Vec<u8>) -> Result<WholeFile> {
        let (root, opener, at) = (Arc::clone(&self.root), Arc::clone(&self.opener), path.clone());
        let read = move || {
            let file = opener.open(&root, &at)?;
            read_exactly(&file, 0, limit_bytes, &mut buffer)?;
            Ok(WholeFile { data: buffer, metadata: metadata_of_open(&file)? })
        };
        blocking("read", path, read).await
    }
}
