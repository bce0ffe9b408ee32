//! Retries temporary failures.

mod backoff;
mod buffers;
mod policy;
mod reader;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use self::backoff::Backoff;
use self::buffers::Buffers;
pub use self::policy::RetryPolicy;
use self::reader::RetryReader;
use crate::{
    Attributes, Capabilities, EntryStream, Error, FileReader, FileWriter, Hints, Identity, Metadata, ReadOptions,
    RelPath, Result, Sink, Source, Times, Tree, WaitObserver, WholeFile, WriteOptions, Xattr,
};

/// A tree that retries calls that fail temporarily ([`Error::is_temporary`]).
///
/// Only calls that can be repeated safely are retried: stat, listing and reading, and [`Sink::create`],
/// [`Sink::write_whole`], [`Sink::set_times`] and [`Sink::set_attributes`], which have the same result however often
/// they run.
///
/// These are not retried: calls that may have taken effect although they failed, so that a retry would fail differently
/// ([`Sink::create_dir`], links, [`Sink::rename`], [`Sink::remove_file`], [`Sink::remove_dir`], [`Sink::discard`]);
/// writes in steps, as it is unknown how much of the last one arrived; [`Sink::flush`], as a later success says nothing
/// about what the first one lost; and a listing that fails midway, as its names would be returned twice.
///
/// A reader that fails is reopened, and continues if the file is unchanged. For this, its metadata are read once when
/// it is opened.
#[derive(Debug)]
pub struct Retry<T> {
    inner: Arc<T>,
    backoff: Arc<Backoff>,
}

impl<T> Retry<T> {
    /// Retries failed calls of `inner` according to `policy`.
    pub fn new(inner: T, policy: RetryPolicy) -> Self {
        Self { inner: Arc::new(inner), backoff: Arc::new(Backoff::new(policy)) }
    }

    /// The inner tree.
    pub fn inner(&self) -> &T {
        &self.inner
    }
}

#[async_trait]
impl<T: Tree> Tree for Retry<T> {
    fn root(&self) -> &[u8] {
        self.inner.root()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn hints(&self) -> Hints {
        self.inner.hints()
    }

    fn locate(&self, local: &Path) -> Option<RelPath> {
        self.inner.locate(local)
    }

    fn observe_waits(&self, observer: Arc<dyn WaitObserver>) {
        self.inner.observe_waits(observer);
    }

    fn stop_waiting(&self) {
        self.inner.stop_waiting();
    }

    async fn identity(&self) -> Result<Identity> {
        self.backoff.retry(|| self.inner.identity()).await
    }

    async fn round_trip(&self) -> Result<()> {
        self.backoff.retry(|| self.inner.round_trip()).await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        self.backoff.retry(|| self.inner.read_dir(dir, options)).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.backoff.retry(|| self.inner.metadata(path)).await
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.backoff.retry(|| self.inner.read_link(path)).await
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        self.backoff.retry(|| self.inner.xattrs(path)).await
    }
}

#[async_trait]
impl<T: Source + 'static> Source for Retry<T> {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        Ok(Box::new(RetryReader::open(self.inner.clone(), self.backoff.clone(), path, options).await?))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        options: &ReadOptions,
    ) -> Result<WholeFile> {
        let mut buffers = Buffers::new(buffer);
        self.backoff.retry(|| self.inner.read_whole(path, limit_bytes, buffers.next(), options)).await
    }
}

#[async_trait]
impl<T: Sink> Sink for Retry<T> {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        self.backoff.retry(|| self.inner.create(path, metadata, options)).await
    }

    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        options: &WriteOptions,
    ) -> Result<Metadata> {
        self.backoff.retry(|| self.inner.write_whole(path, data.clone(), metadata, options)).await
    }

    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
        self.inner.create_dir(path, permissions).await
    }

    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        self.inner.create_symlink(path, target).await
    }

    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        self.inner.create_hard_link(existing, path).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.inner.rename(from, to).await
    }

    async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.inner.respell(from, to).await
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        self.backoff.retry(|| self.inner.set_times(path, times)).await
    }

    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        self.backoff.retry(|| self.inner.set_attributes(path, attributes)).await
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        self.inner.remove_file(path).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        self.inner.remove_dir(path).await
    }

    fn reserved_paths(&self) -> Vec<RelPath> {
        self.inner.reserved_paths()
    }

    fn can_discard(&self) -> bool {
        self.inner.can_discard()
    }

    async fn discard(&self, path: &RelPath) -> Result<()> {
        self.inner.discard(path).await
    }

    async fn flush(&self) -> Result<()> {
        self.inner.flush().await
    }
}
