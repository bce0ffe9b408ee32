//! Readers, writers and listings with a hook around each of their calls.

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use async_trait::async_trait;
use bytes::Bytes;
use futures_core::Stream;

use crate::layer::hook::{Hook, Outcome, around, none};
use crate::layer::operation::{Call, Operation};
use crate::{Entry, EntryStream, FileReader, FileWriter, Freshness, Metadata, ObjectMetadata, RelPath, Result, Times};

pub(super) struct HookedReader<H> {
    inner: Box<dyn FileReader>,
    hook: Arc<H>,
    path: RelPath,
}

impl<H> HookedReader<H> {
    pub(super) fn new(inner: Box<dyn FileReader>, hook: Arc<H>, path: &RelPath) -> Self {
        Self { inner, hook, path: path.clone() }
    }
}

#[async_trait]
impl<H: Hook> FileReader for HookedReader<H> {
    async fn metadata(&mut self) -> Result<Metadata> {
        let call = Call::new(Operation::ReaderMetadata, &self.path);
        around(&*self.hook, call, self.inner.metadata(), none).await
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
        let before = buffer.len();
        let call = Call::new(Operation::ReadAt, &self.path);
        let read = self.inner.read_at(offset, length_bytes, buffer);
        around(&*self.hook, call, read, move |buffer| buffer.len().saturating_sub(before) as u64).await
    }

    fn object(&self) -> Option<Arc<ObjectMetadata>> {
        self.inner.object()
    }

    fn freshness(&self) -> Freshness {
        self.inner.freshness()
    }

    async fn prefetch(&mut self, offset: u64, length_bytes: u64) {
        let call = Call::new(Operation::Prefetch, &self.path);
        if self.hook.reject(&call).is_ok() {
            let start = Instant::now();
            self.inner.prefetch(offset, length_bytes).await;
            self.hook.done(&call, &Outcome { took: start.elapsed(), ..Outcome::default() });
        }
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        let call = Call::new(Operation::NextData, &self.path);
        around(&*self.hook, call, self.inner.next_data(offset), none).await
    }
}

pub(super) struct HookedWriter<H> {
    inner: Box<dyn FileWriter>,
    hook: Arc<H>,
    path: RelPath,
}

impl<H> HookedWriter<H> {
    pub(super) fn new(inner: Box<dyn FileWriter>, hook: Arc<H>, path: &RelPath) -> Self {
        Self { inner, hook, path: path.clone() }
    }
}

#[async_trait]
impl<H: Hook> FileWriter for HookedWriter<H> {
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        let length = data.len() as u64;
        let call = Call::new(Operation::WriteAt, &self.path);
        around(&*self.hook, call, self.inner.write_at(offset, data), move |()| length).await
    }

    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        let Self { inner, hook, path } = *self;
        around(&*hook, Call::new(Operation::Finish, &path), inner.finish(size_bytes, times), none).await
    }
}

pub(super) struct HookedPages<H> {
    inner: EntryStream,
    hook: Arc<H>,
    path: RelPath,
    /// When waiting for the next page began.
    since: Option<Instant>,
    ended: bool,
}

impl<H> HookedPages<H> {
    pub(super) fn new(inner: EntryStream, hook: Arc<H>, path: &RelPath) -> Self {
        Self { inner, hook, path: path.clone(), since: None, ended: false }
    }
}

impl<H: Hook> Stream for HookedPages<H> {
    type Item = Result<Vec<Entry>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pages = self.get_mut();
        if pages.ended {
            return Poll::Ready(None);
        }
        let call = Call::new(Operation::NextPage, &pages.path);
        let since = match pages.since {
            Some(since) => since,
            None => {
                if let Err(error) = pages.hook.reject(&call) {
                    pages.ended = true;
                    return Poll::Ready(Some(Err(error)));
                }
                *pages.since.insert(Instant::now())
            }
        };
        let page = ready!(pages.inner.as_mut().poll_next(context));
        pages.since = None;
        let took = since.elapsed();
        let outcome = match &page {
            Some(Ok(page)) => Outcome { entries: page.len() as u64, took, ..Outcome::default() },
            Some(Err(error)) => Outcome { error: Some(error), took, ..Outcome::default() },
            None => Outcome { took, ..Outcome::default() },
        };
        pages.ended = !matches!(page, Some(Ok(_)));
        pages.hook.done(&call, &outcome);
        Poll::Ready(page)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}
