//! Another try for what failed for a while.

mod policy;
mod reader;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::time::sleep;

pub use self::policy::RetryPolicy;
use self::reader::RetryReader;
use super::random::Random;
use crate::{
    Attributes, Capabilities, EntryStream, Error, FileReader, FileWriter, Hints, Identity, Metadata, ReadOptions,
    RelPath, Result, Sink, Source, Times, Tree, WholeFile, WriteOptions, Xattr,
};

/// A tree of which calls that fail for a while ([`Error::is_temporary`]) are tried again.
///
/// Only calls that can be repeated without harm are: stat, listing and reading,
/// and [`Sink::create`], [`Sink::write_whole`], [`Sink::set_times`] and
/// [`Sink::set_attributes`], which end the same however often they are done.
///
/// Not tried again are calls that may have been done although they failed, and
/// would then say something else ([`Sink::create_dir`], links, [`Sink::rename`],
/// [`Sink::remove_file`], [`Sink::remove_dir`], [`Sink::discard`]); writes in
/// steps, as nobody knows what arrived of the last one; [`Sink::flush`], as a
/// second one that goes well says nothing of what the first one lost; and a
/// listing that fails midway, as its names would come twice.
///
/// A reader that fails is opened again, and goes on if the file is still the
/// same: for that its metadata are asked for once when it is opened.
#[derive(Debug)]
pub struct Retry<T> {
    inner: Arc<T>,
    again: Arc<Again>,
}

impl<T> Retry<T> {
    /// Tries again what `inner` fails to do, as `policy` says.
    pub fn new(inner: T, policy: RetryPolicy) -> Self {
        Self { inner: Arc::new(inner), again: Arc::new(Again { policy, random: Random::unseeded() }) }
    }

    /// The tree within.
    pub fn inner(&self) -> &T {
        &self.inner
    }
}

/// Decides about another try, and waits for it.
#[derive(Debug)]
struct Again {
    policy: RetryPolicy,
    random: Random,
}

impl Again {
    /// Waits after the failure of try `number`; gives the error back if there is to be no other.
    async fn wait(&self, number: u32, error: Error) -> Result<()> {
        match self.policy.delay(number, self.random.next()) {
            Some(delay) if error.is_temporary() => {
                sleep(delay).await;
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// Does something until it goes well or for good wrong.
    async fn until_done<R, F>(&self, mut attempt: impl FnMut() -> F + Send) -> Result<R>
    where
        F: Future<Output = Result<R>> + Send,
    {
        let mut number = 1;
        loop {
            match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => self.wait(number, error).await?,
            }
            number += 1;
        }
    }
}

/// A buffer for each try: the first is the one that was given, the others have its size.
struct Buffers {
    given: Option<Vec<u8>>,
    held: Vec<u8>,
    capacity: usize,
}

impl Buffers {
    fn new(given: Vec<u8>) -> Self {
        Self { held: given.clone(), capacity: given.capacity(), given: Some(given) }
    }

    fn next(&mut self) -> Vec<u8> {
        self.given.take().unwrap_or_else(|| {
            let mut buffer = Vec::with_capacity(self.capacity);
            buffer.extend_from_slice(&self.held);
            buffer
        })
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

    async fn identity(&self) -> Result<Identity> {
        self.again.until_done(|| self.inner.identity()).await
    }

    async fn round_trip(&self) -> Result<()> {
        self.again.until_done(|| self.inner.round_trip()).await
    }

    async fn read_dir(&self, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
        self.again.until_done(|| self.inner.read_dir(dir, options)).await
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        self.again.until_done(|| self.inner.metadata(path)).await
    }
}

#[async_trait]
impl<T: Source + 'static> Source for Retry<T> {
    async fn open(&self, path: &RelPath, options: &ReadOptions) -> Result<Box<dyn FileReader>> {
        Ok(Box::new(RetryReader::open(self.inner.clone(), self.again.clone(), path, options).await?))
    }

    async fn read_whole(
        &self,
        path: &RelPath,
        limit_bytes: usize,
        buffer: Vec<u8>,
        options: &ReadOptions,
    ) -> Result<WholeFile> {
        let mut buffers = Buffers::new(buffer);
        self.again.until_done(|| self.inner.read_whole(path, limit_bytes, buffers.next(), options)).await
    }

    async fn read_link(&self, path: &RelPath) -> Result<Vec<u8>> {
        self.again.until_done(|| self.inner.read_link(path)).await
    }

    async fn xattrs(&self, path: &RelPath) -> Result<Vec<Xattr>> {
        self.again.until_done(|| self.inner.xattrs(path)).await
    }
}

#[async_trait]
impl<T: Sink> Sink for Retry<T> {
    async fn create(&self, path: &RelPath, metadata: &Metadata, options: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        self.again.until_done(|| self.inner.create(path, metadata, options)).await
    }

    async fn write_whole(
        &self,
        path: &RelPath,
        data: Bytes,
        metadata: &Metadata,
        options: &WriteOptions,
    ) -> Result<Metadata> {
        self.again.until_done(|| self.inner.write_whole(path, data.clone(), metadata, options)).await
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
        self.again.until_done(|| self.inner.set_times(path, times)).await
    }

    async fn set_attributes(&self, path: &RelPath, attributes: &Attributes) -> Result<Vec<Error>> {
        self.again.until_done(|| self.inner.set_attributes(path, attributes)).await
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
