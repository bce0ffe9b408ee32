//! A stream of everything below a directory.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

use futures_core::Stream;

use crate::{Entry, EntryStream, Error, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Result, Tree};

/// An entry that a [`Walk`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Found {
    /// Its path from the root of the tree.
    pub path: RelPath,
    /// Its metadata, as its directory lists them.
    pub metadata: Metadata,
}

/// A directory that is being opened.
type Opening<'a> = Pin<Box<dyn Future<Output = Result<EntryStream>> + Send + 'a>>;

/// A directory on the current path: the rest of its page, and its further pages.
struct Level {
    dir: RelPath,
    page: vec::IntoIter<Entry>,
    pages: EntryStream,
}

/// A walk through a tree ([`crate::ext::TreeExt::walk`]).
#[must_use = "a walk does nothing unless it is polled"]
pub struct Walk<'a, T: ?Sized> {
    tree: &'a T,
    levels: Vec<Level>,
    opening: Option<(RelPath, Opening<'a>)>,
    max_depth: usize,
}

impl<'a, T: Tree + ?Sized> Walk<'a, T> {
    pub(super) fn new(tree: &'a T, dir: &RelPath) -> Self {
        let mut walk = Self { tree, levels: Vec::new(), opening: None, max_depth: usize::MAX };
        walk.open(dir.clone());
        walk
    }

    /// Descends at most this many levels below the directory; 1 returns only the entries of the directory itself.
    ///
    /// A directory beyond that is an error of the kind [`ErrorKind::TooLarge`], as its contents are left out.
    pub fn max_depth(mut self, levels: usize) -> Self {
        self.max_depth = levels;
        self
    }

    fn open(&mut self, dir: RelPath) {
        let (tree, at) = (self.tree, dir.clone());
        self.opening = Some((dir, Box::pin(async move { tree.read_dir(&at, &ReadOptions::default()).await })));
    }

    /// The item for an entry of the innermost directory; if it is a directory, it is opened next.
    fn found(&mut self, dir: &RelPath, entry: &Entry) -> Result<Found> {
        let Ok(path) = dir.join(&entry.name) else {
            let cause = format!("lists {:?}, which is not a valid name", entry.name.escape_ascii().to_string());
            return Err(Error::new(ErrorKind::InvalidName, "walk", dir, cause));
        };
        if entry.metadata.kind == Kind::Dir {
            self.open(path.clone());
        }
        Ok(Found { path, metadata: entry.metadata })
    }
}

impl<T: Tree + ?Sized> Stream for Walk<'_, T> {
    type Item = Result<Found>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let walk = self.get_mut();
        loop {
            if let Some((dir, opening)) = &mut walk.opening {
                if walk.levels.len() >= walk.max_depth {
                    let error = Error::new(ErrorKind::TooLarge, "walk", dir, "is deeper than the walk descends");
                    walk.opening = None;
                    return Poll::Ready(Some(Err(error)));
                }
                let Poll::Ready(opened) = opening.as_mut().poll(context) else { return Poll::Pending };
                let dir = dir.clone();
                walk.opening = None;
                match opened {
                    Ok(pages) => walk.levels.push(Level { dir, page: Vec::new().into_iter(), pages }),
                    Err(error) => return Poll::Ready(Some(Err(error))),
                }
            }
            let Some(level) = walk.levels.last_mut() else { return Poll::Ready(None) };
            if let Some(entry) = level.page.next() {
                let dir = level.dir.clone();
                return Poll::Ready(Some(walk.found(&dir, &entry)));
            }
            let Poll::Ready(page) = level.pages.as_mut().poll_next(context) else { return Poll::Pending };
            match page {
                Some(Ok(page)) => level.page = page.into_iter(),
                Some(Err(error)) => {
                    walk.levels.pop();
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    walk.levels.pop();
                }
            }
        }
    }
}
