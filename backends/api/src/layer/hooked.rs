//! A tree with a hook around each of its calls.

mod files;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use self::files::{HookedPages, HookedReader, HookedWriter};
use super::hook::{Hook, around, none};
use super::operation::{Call, Operation};
use crate::{
    Attributes, Capabilities, EntryStream, Error, FileReader, FileWriter, Hints, Identity, Metadata, ReadOptions,
    RelPath, Result, Sink, Source, Times, Tree, WaitObserver, WholeFile, WriteOptions, Xattr,
};

/// A tree with a hook around each of its calls.
#[derive(Debug)]
pub struct Hooked<T, H> {
    inner: T,
    hook: Arc<H>,
}

impl<T, H> Hooked<T, H> {
    /// Wraps `inner` with `hook`.
    pub fn around(inner: T, hook: Arc<H>) -> Self {
        Self { inner, hook }
    }

    /// The inner tree.
    pub fn inner(&self) -> &T {
        &self.inner
    }

    /// The hook.
    pub fn hook(&self) -> &Arc<H> {
        &self.hook
    }

    /// Returns the inner tree.
    pub fn into_inner(self) -> T {
        self.inner
    }
}

impl<T, H: Hook> Hooked<T, H> {
    /// Makes one call that transfers no content.
    async fn call<R>(
        &self,
        operation: Operation,
        path: &RelPath,
        run: impl Future<Output = Result<R>> + Send,
    ) -> Result<R> {
        around(&*self.hook, Call::new(operation, path), run, none).await
    }
}

#[async_trait]
impl<T: Tree, H: Hook> Tree for Hooked<T, H> {
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
        self.call(Operation::Identity, &RelPath::root(), self.inner.identity()).await
    }

    async fn round_trip(&self) -> Result<()> {
        self.call(Operation::RoundTrip, &RelPath::root(), self.inner.round_trip()).await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        let pages = self.call(Operation::ReadDir, dir, self.inner.read_dir(dir, options)).await?;
        Ok(Box::pin(HookedPages::new(pages, self.hook.clone(), dir)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.call(Operation::Metadata, path, self.inner.metadata(path)).await
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.call(Operation::ReadLink, path, self.inner.read_link(path)).await
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        self.call(Operation::Xattrs, path, self.inner.xattrs(path)).await
    }
}

#[async_trait]
impl<T: Source, H: Hook> Source for Hooked<T, H> {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        let reader = self.call(Operation::Open, path, self.inner.open(path, options)).await?;
        Ok(Box::new(HookedReader::new(reader, self.hook.clone(), path)))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        options: &ReadOptions,
    ) -> Result<WholeFile> {
        let before = buffer.len();
        let read = self.inner.read_whole(path, limit_bytes, buffer, options);
        let bytes = move |whole: &WholeFile| whole.data.len().saturating_sub(before) as u64;
        around(&*self.hook, Call::new(Operation::ReadWhole, path), read, bytes).await
    }
}

#[async_trait]
impl<T: Sink, H: Hook> Sink for Hooked<T, H> {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        let writer = self.call(Operation::Create, path, self.inner.create(path, metadata, options)).await?;
        Ok(Box::new(HookedWriter::new(writer, self.hook.clone(), path)))
    }

    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        options: &WriteOptions,
    ) -> Result<Metadata> {
        let length = data.len() as u64;
        let write = self.inner.write_whole(path, data, metadata, options);
        around(&*self.hook, Call::new(Operation::WriteWhole, path), write, move |_| length).await
    }

    async fn create_dir(&self, path: &RelPath, permissions: Option<u32>) -> Result<()> {
        self.call(Operation::CreateDir, path, self.inner.create_dir(path, permissions)).await
    }

    async fn create_symlink(&self, path: &RelPath, target: &[u8]) -> Result<()> {
        self.call(Operation::CreateSymlink, path, self.inner.create_symlink(path, target)).await
    }

    async fn create_hard_link(&self, existing: &RelPath, path: &RelPath) -> Result<()> {
        self.call(Operation::CreateHardLink, path, self.inner.create_hard_link(existing, path)).await
    }

    async fn rename(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.call(Operation::Rename, to, self.inner.rename(from, to)).await
    }

    async fn respell(&self, from: &RelPath, to: &RelPath) -> Result<()> {
        self.call(Operation::Respell, to, self.inner.respell(from, to)).await
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        self.call(Operation::SetTimes, path, self.inner.set_times(path, times)).await
    }

    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        self.call(Operation::SetAttributes, path, self.inner.set_attributes(path, attributes)).await
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        self.call(Operation::RemoveFile, path, self.inner.remove_file(path)).await
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        self.call(Operation::RemoveDir, path, self.inner.remove_dir(path)).await
    }

    fn reserved_paths(&self) -> Vec<RelPath> {
        self.inner.reserved_paths()
    }

    fn can_discard(&self) -> bool {
        self.inner.can_discard()
    }

    async fn discard(&self, path: &RelPath) -> Result<()> {
        self.call(Operation::Discard, path, self.inner.discard(path)).await
    }

    async fn flush(&self) -> Result<()> {
        self.call(Operation::Flush, &RelPath::root(), self.inner.flush()).await
    }
}
