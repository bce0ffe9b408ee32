//! Listings of a tree with a bug.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use tokio_stream::StreamExt as _;
use towpath_backend::{Entry, EntryStream, ErrorKind, Kind, ReadOptions, RelPath, Result, Tree as _};
use towpath_memory::MemoryTree;

use crate::bug::Bug;
use crate::tree::{Broken, Memory, Side, broken};

/// All entries at once.
pub(crate) async fn entries(tree: &MemoryTree, dir: &RelPath) -> Result<Vec<Entry>> {
    let mut pages = tree.read_dir(dir, &ReadOptions::default()).await?;
    let mut entries = Vec::new();
    while let Some(page) = pages.next().await {
        entries.extend(page?);
    }
    Ok(entries)
}

/// The pages of some entries.
fn pages(entries: Vec<Entry>) -> EntryStream {
    let pages: Vec<_> = entries.chunks(1000).map(|page| Ok(page.to_vec())).collect();
    Box::pin(tokio_stream::iter(pages))
}

pub(crate) async fn list(tree: &Broken, dir: &RelPath, options: &ReadOptions) -> Result<EntryStream> {
    let Some(bug) = tree.bug else { return tree.inner.read_dir(dir, options).await };
    if tree.memory.is_blocked() {
        return Err(broken(dir));
    }
    match (bug, entries(&tree.inner, dir).await) {
        (Bug::MissingIsEmpty, Err(error)) if error.kind() == ErrorKind::NotFound => Ok(pages(Vec::new())),
        (Bug::ListsFiles, Err(error)) if error.kind() == ErrorKind::NotADirectory => Ok(pages(Vec::new())),
        (_, Err(error)) => Err(error),
        (Bug::SinkListsNothing, Ok(_)) if tree.side == Side::Sink => Ok(pages(Vec::new())),
        (Bug::OnePage, Ok(entries)) => Ok(Box::pin(tokio_stream::iter([Ok(entries)]))),
        (Bug::ListsItself, Ok(mut entries)) => {
            entries.push(Entry::new(b".".to_vec(), tree.inner.metadata(dir).await?));
            Ok(pages(entries))
        }
        (Bug::ListsDeeper, Ok(mut listed)) => {
            for dir_entry in listed.clone().iter().filter(|entry| entry.metadata.kind == Kind::Dir) {
                for deeper in entries(&tree.inner, &dir.join(&dir_entry.name).unwrap()).await? {
                    let name = [&dir_entry.name[..], b"/", &deeper.name].concat();
                    listed.push(Entry::new(name, deeper.metadata));
                }
            }
            Ok(pages(listed))
        }
        (Bug::ListsByPrefix, Ok(mut listed)) => {
            let (parent, name) = (dir.parent().unwrap_or_else(RelPath::root), dir.name().unwrap_or_default());
            for other in entries(&tree.inner, &parent).await? {
                let is_alike = other.name.starts_with(name) && other.name != name && !dir.is_root();
                if is_alike && other.metadata.kind == Kind::Dir {
                    listed.extend(entries(&tree.inner, &parent.join(&other.name).unwrap()).await?);
                }
            }
            Ok(pages(listed))
        }
        (Bug::LeftListingBlocks, Ok(_)) => {
            let inner = tree.inner.read_dir(dir, options).await?;
            Ok(Box::pin(BlocksWhenLeft { inner, ended: false, memory: tree.memory.clone() }))
        }
        (Bug::ListsByPosition, Ok(_)) => {
            Ok(Box::pin(ByPosition { tree: tree.inner.clone(), dir: dir.clone(), memory: Arc::default() }))
        }
        (Bug::OnePositionForAllListings, Ok(_)) => {
            tree.memory.position.store(0, Ordering::Relaxed);
            Ok(Box::pin(ByPosition { tree: tree.inner.clone(), dir: dir.clone(), memory: tree.memory.clone() }))
        }
        (Bug::PacedListingsAreCut, Ok(mut entries)) if options.pacing.is_some() => {
            entries.pop();
            Ok(pages(entries))
        }
        (bug, Ok(mut entries)) => {
            for entry in &mut entries {
                match bug {
                    Bug::ListsNoSizes => entry.metadata.size_bytes = 0,
                    Bug::ListsOtherTargets => entry.target.iter_mut().for_each(|target| target.push(b'/')),
                    Bug::NamesAreText => entry.name = String::from_utf8_lossy(&entry.name).into_owned().into_bytes(),
                    Bug::ReplacesColons => entry.name.iter_mut().filter(|byte| **byte == b':').for_each(|b| *b = b'_'),
                    _ => {}
                }
            }
            Ok(pages(entries))
        }
    }
}

/// Blocks the tree if it is dropped before its end.
struct BlocksWhenLeft {
    inner: EntryStream,
    ended: bool,
    memory: Arc<Memory>,
}

impl Stream for BlocksWhenLeft {
    type Item = Result<Vec<Entry>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let page = self.inner.as_mut().poll_next(context);
        self.ended |= matches!(page, Poll::Ready(None));
        page
    }
}

impl Drop for BlocksWhenLeft {
    fn drop(&mut self) {
        self.memory.blocked.fetch_or(!self.ended, Ordering::Relaxed);
    }
}

/// Counts the entries it has listed, and skips as many for the next page.
struct ByPosition {
    tree: MemoryTree,
    dir: RelPath,
    memory: Arc<Memory>,
}

impl Stream for ByPosition {
    type Item = Result<Vec<Entry>>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // A tree in memory never waits.
        let mut listed = Box::pin(entries(&self.tree, &self.dir));
        let Poll::Ready(listed) = listed.as_mut().poll(&mut Context::from_waker(Waker::noop())) else {
            panic!("a tree in memory waits");
        };
        let from = self.memory.position.load(Ordering::Relaxed);
        let page: Vec<_> = listed.unwrap().into_iter().skip(from).take(1000).collect();
        self.memory.position.fetch_add(page.len(), Ordering::Relaxed);
        Poll::Ready((!page.is_empty()).then_some(Ok(page)))
    }
}
