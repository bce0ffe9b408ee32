//! A directory of a tree, presented as a tree.

mod files;
mod from_below;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use self::files::{PrefixedPages, PrefixedReader, PrefixedWriter};
use self::from_below::from_below;
use crate::{
    Attributes, Capabilities, EntryStream, Error, ErrorKind, FileReader, FileWriter, Hints, Identity, Kind, Metadata,
    ReadOptions, RelPath, Result, Sink, Source, Times, Tree, WaitObserver, WholeFile, WriteOptions, Xattr,
};

/// A directory of a tree, presented as a tree: paths, also those in errors, are relative to the directory.
///
/// Its identity combines the tree's identity and the directory's path. The directory itself cannot be removed, as it is
/// the root. Discarded files go to the trash of the inner tree.
#[derive(Debug)]
pub struct Prefix<T> {
    inner: T,
    dir: RelPath,
    root: Vec<u8>,
}

impl<T: Tree> Prefix<T> {
    /// Presents the directory `dir` of `inner`. Whether it exists is not checked yet.
    pub fn new(inner: T, dir: &RelPath) -> Self {
        let root = dir.under(inner.root());
        Self { inner, dir: dir.clone(), root }
    }
}

impl<T> Prefix<T> {
    /// The inner tree.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    fn within(&self, path: &RelPath) -> RelPath {
        self.dir.append(path)
    }

    /// Makes the paths of errors relative to the directory.
    fn error(&self) -> impl Fn(Error) -> Error {
        let dir = self.dir.clone();
        move |error| from_below(&dir, error)
    }
}

#[async_trait]
impl<T: Tree> Tree for Prefix<T> {
    fn root(&self) -> &[u8] {
        &self.root
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    fn locate(&self, local: &Path) -> Option<RelPath> {
        self.inner.locate(local)?.below(&self.dir)
    }

    fn observe_waits(&self, observer: Arc<dyn WaitObserver>) {
        self.inner.observe_waits(observer);
    }

    fn stop_waiting(&self) {
        self.inner.stop_waiting();
    }

    async fn identity(&self) -> Result<Identity> {
        let whole = self.inner.identity().await.map_err(self.error())?;
        let root = self.metadata(&RelPath::root()).await?;
        if root.kind != Kind::Dir {
            let cause = "is not a directory";
            return Err(Error::new(ErrorKind::NotADirectory, "identify", &RelPath::root(), cause));
        }
        let below = |text: &str| format!("{text}/{}", self.dir.as_bytes().escape_ascii());
        let identity = Identity::new(below(whole.as_str()));
        Ok(match whole.former() {
            Some(former) => identity.formerly(below(former)),
            None => identity,
        })
    }

    async fn round_trip(&self) -> Result<()> {
        self.inner.round_trip().await.map_err(self.error())
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        let pages = self.inner.read_dir(&self.within(dir), options).await.map_err(self.error())?;
        Ok(Box::pin(PrefixedPages::new(pages, &self.dir)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.inner.metadata(&self.within(path)).await.map_err(self.error())
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.inner.read_link(&self.within(path)).await.map_err(self.error())
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        self.inner.xattrs(&self.within(path)).await.map_err(self.error())
    }
}

#[async_trait]
impl<T: Source> Source for Prefix<T> {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let reader = self.inner.open(&self.within(path), options).await.map_err(self.error())?;
        Ok(Box::new(PrefixedReader::new(reader, &self.dir)))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        options: &ReadOptions,
    ) -> Result<WholeFile> {
        self.inner.read_whole(&self.within(path), limit_bytes, buffer, options).await.map_err(self.error())
    }
}

#[async_trait]
impl<T: Sink> Sink for Prefix<T> {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        let writer = self.inner.create(&self.within(path), metadata, options).await.map_err(self.error())?;
        Ok(Box::new(PrefixedWriter::new(writer, &self.dir)))
    }

    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        options: &WriteOptions,
    ) -> Result<Metadata> {
        self.inner.write_whole(&self.within(path), data, metadata, options).await.map_err(self.error())
    }

    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
        self.inner.create_dir(&self.within(path), permissions).await.map_err(self.error())
    }

    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        self.inner.create_symlink(&self.within(path), target).await.map_err(self.error())
    }

    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        self.inner.create_hard_link(&self.within(existing), &self.within(path)).await.map_err(self.error())
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.inner.rename(&self.within(from), &self.within(to)).await.map_err(self.error())
    }

    async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.inner.respell(&self.within(from), &self.within(to)).await.map_err(self.error())
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        self.inner.set_times(&self.within(path), times).await.map_err(self.error())
    }

    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        let errors = self.inner.set_attributes(&self.within(path), attributes).await.map_err(self.error())?;
        Ok(errors.into_iter().map(self.error()).collect())
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        self.inner.remove_file(&self.within(path)).await.map_err(self.error())
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        if path.is_root() {
            return Err(Error::new(ErrorKind::Other, "remove directory", path, "is the root of the tree"));
        }
        self.inner.remove_dir(&self.within(path)).await.map_err(self.error())
    }

    fn reserved_paths(&self) -> Vec<RelPath> {
        self.inner.reserved_paths().iter().filter_map(|path| path.below(&self.dir)).collect()
    }

    fn can_discard(&self) -> bool {
        self.inner.can_discard()
    }

    async fn discard(&self, path: &RelPath) -> Result<()> {
        self.inner.discard(&self.within(path)).await.map_err(self.error())
    }

    async fn flush(&self) -> Result<()> {
        self.inner.flush().await.map_err(self.error())
    }
}
