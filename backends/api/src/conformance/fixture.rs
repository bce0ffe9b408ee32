//! The tree that the cases run on, and helpers for them.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use async_trait::async_trait;
use tokio_stream::StreamExt as _;

use crate::{Bytes, Entry, Kind, Metadata, ReadOptions, RelPath, Result, Sink, Source, Timestamp, WriteOptions};

/// A new, empty tree, from both sides.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The tree as a sink.
    fn sink(&self) -> &dyn Sink;
    /// The same tree as a source.
    fn source(&self) -> &dyn Source;
    /// Another new, empty tree of the same kind, which must have a different identity. Without it, the one case that
    /// needs it passes at once.
    fn other(&self) -> Option<Box<dyn Fixture>> {
        None
    }
    /// The same tree, reopened as after a restart: through a new source and a new sink, which share nothing with these
    /// but the storage. Without it, the cases about reopening pass at once.
    async fn reopen(&self) -> Option<Box<dyn Fixture>> {
        None
    }
    /// The number of entries in a large directory: more than a page. To be overridden where creating 2500 takes too
    /// long.
    fn many(&self) -> usize {
        2500
    }
}

pub(super) const MTIME: Timestamp = Timestamp::from_ns(1_700_000_001_123_456_789);

pub(super) fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

/// The metadata that a source would report for a file of this size.
pub(super) fn metadata(size_bytes: usize) -> Metadata {
    Metadata {
        accessed: Some(Timestamp::from_ns(1_600_000_000_000_000_000)),
        permissions: Some(0o400),
        ..Metadata::new(Kind::File, size_bytes as u64, MTIME)
    }
}

/// Bytes that do not repeat.
pub(super) fn content(length: usize) -> Vec<u8> {
    (0..length as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

pub(super) async fn write(fixture: &dyn Fixture, at: &RelPath, data: &[u8]) -> Metadata {
    fixture
        .sink()
        .write_whole(at, Bytes::copy_from_slice(data), &metadata(data.len()), &WriteOptions::default())
        .await
        .unwrap()
}

/// Files that are written at the same time: some servers take half a second for each.
const AT_A_TIME: usize = 20;

/// Writes this content to many files.
pub(super) async fn write_all(fixture: &dyn Fixture, paths: &[RelPath], data: &[u8]) {
    for some in paths.chunks(AT_A_TIME) {
        let write =
            |at| Box::pin(async move { assert!(write(fixture, at, data).await.kind == Kind::File) }) as Work<'_>;
        all_at_once(some.iter().map(write).collect()).await;
    }
}

/// Work that runs concurrently with other work.
pub(super) type Work<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Runs all of it concurrently in this task.
pub(super) async fn all_at_once(mut works: Vec<Work<'_>>) {
    poll_fn(|context| {
        works.retain_mut(|work| work.as_mut().poll(context).is_pending());
        if works.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

pub(super) async fn read(fixture: &dyn Fixture, at: &RelPath) -> Result<Vec<u8>> {
    read_from(fixture.source(), at).await
}

/// The content of a file.
pub(super) async fn read_from(source: &dyn Source, at: &RelPath) -> Result<Vec<u8>> {
    let mut reader = source.open(at, &ReadOptions::default()).await?;
    let size = reader.metadata().await?.size_bytes as usize;
    // One byte more than there should be, to check the end of the file.
    reader.read_at(0, size + 1, Vec::new()).await
}

pub(super) async fn list(fixture: &dyn Fixture, dir: &RelPath) -> Result<Vec<Entry>> {
    let mut pages = fixture.source().read_dir(dir, &ReadOptions::default()).await?;
    let mut entries = Vec::new();
    while let Some(page) = pages.next().await {
        entries.extend(page?);
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(entries)
}

/// The names in a directory, sorted.
pub(super) async fn names(fixture: &dyn Fixture, dir: &RelPath) -> Vec<Vec<u8>> {
    list(fixture, dir).await.unwrap().into_iter().map(|entry| entry.name).collect()
}

/// Asserts that two views of one entry agree, which has not changed in between.
///
/// Compares only what both report, and no times that a stat may change.
pub(super) fn assert_same(one: &Metadata, other: &Metadata, at: &RelPath) {
    assert_eq!((one.kind, one.size_bytes, one.modified), (other.kind, other.size_bytes, other.modified), "{at}");
    assert_eq!(one.names, other.names, "{at}");
    fn both<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
        one.is_none() || other.is_none() || one == other
    }
    assert!(both(one.permissions, other.permissions), "permissions of {at}");
    assert!(both(one.owner, other.owner), "owner of {at}");
    assert!(both(one.id, other.id), "id of {at}");
}
