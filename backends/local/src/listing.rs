//! Lists a directory in pages, reading no further ahead than two of them.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{Dir, RawDir, statx};
use rustix::io::Errno;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use towpath_backend::{Entry, EntryStream, Error, RelPath, Result};

use crate::root::{NO_FOLLOW, STATX, blocking, metadata_of};

/// Entries of a page.
const PAGE_ENTRIES: usize = 1024;
/// Pages that wait to be taken.
const PAGES_AHEAD: usize = 2;
/// Room for the entries of a page where listing is paced: a client asks its server for no more
/// than it takes to fill it (NFS: 64 KiB at a time instead of some hundred, SMB 16 KiB).
const PACED_BYTES: usize = 1 << 10;

/// Lists the directory that `open` opens. One that fits a page takes one hop
/// to another thread; a larger one streams from its thread. If it is `paced`, each
/// page is small, and read when it is asked for.
pub(crate) async fn list(
    path: &RelPath,
    paced: bool,
    open: impl FnOnce() -> io::Result<OwnedFd> + Send + 'static,
) -> Result<EntryStream> {
    let at = path.clone();
    if paced {
        let dir = blocking("list", path, open).await?;
        return Ok(Box::pin(Paced { dir: Some(Arc::new(dir)), path: at, reading: None }));
    }
    let (first, rest) = blocking("list", path, move || {
        let mut listing = Listing { dir: Dir::new(open()?)?, path: at };
        let first = listing.page();
        let ended = !matches!(&first, Ok(page) if page.len() == PAGE_ENTRIES);
        Ok((first, (!ended).then_some(listing)))
    })
    .await?;
    let Some(mut listing) = rest else {
        return Ok(Box::pin(tokio_stream::iter([first])));
    };
    let (pages, stream) = mpsc::channel(PAGES_AHEAD);
    spawn_blocking(move || {
        let mut next = first;
        loop {
            let ended = !matches!(&next, Ok(page) if page.len() == PAGE_ENTRIES);
            // Nobody listens any more, or there is no more to tell.
            if pages.blocking_send(next).is_err() || ended {
                return;
            }
            next = listing.page();
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream)))
}

struct Listing {
    dir: Dir,
    path: RelPath,
}

impl Listing {
    /// The next entries; fewer than a page holds are the last.
    fn page(&mut self) -> Result<Vec<Entry>> {
        let mut page = Vec::new();
        while page.len() < PAGE_ENTRIES {
            let Some(entry) = self.dir.read() else { break };
            let entry = entry.map_err(|error| Error::from_io("list", &self.path, error.into()))?;
            let dir = self.dir.fd().map_err(|error| Error::from_io("list", &self.path, error.into()))?;
            page.extend(look(dir, entry.file_name(), &self.path)?);
        }
        Ok(page)
    }
}

/// The entry; `None` if it is the directory itself or the one above, or was removed since
/// the directory was read.
fn look(dir: impl AsFd, name: &CStr, path: &RelPath) -> Result<Option<Entry>> {
    if matches!(name.to_bytes(), b"." | b"..") {
        return Ok(None);
    }
    match statx(dir, name, NO_FOLLOW, STATX) {
        Ok(stat) => Ok(Some(Entry { name: name.to_bytes().to_vec(), metadata: metadata_of(&stat) })),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => {
            let at = path.join(name.to_bytes()).unwrap_or_else(|_| path.clone());
            Err(Error::from_io("look at", &at, error.into()))
        }
    }
}

/// Small pages, each read when it is asked for.
struct Paced {
    /// `None` once all is told.
    dir: Option<Arc<OwnedFd>>,
    path: RelPath,
    reading: Option<JoinHandle<Result<Option<Vec<Entry>>>>>,
}

impl Stream for Paced {
    type Item = Result<Vec<Entry>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(dir) = self.dir.clone() else { return Poll::Ready(None) };
        let at = self.path.clone();
        let reading = self.reading.get_or_insert_with(|| spawn_blocking(move || paced_page(&dir, &at)));
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let page = match read {
            Ok(page) => page.transpose(),
            Err(error) => Some(Err(Error::from_io("list", &self.path, io::Error::other(error)))),
        };
        if !matches!(page, Some(Ok(_))) {
            self.dir = None;
        }
        Poll::Ready(page)
    }
}

/// What one call of the kernel tells; `None` at the end.
fn paced_page(dir: &OwnedFd, path: &RelPath) -> Result<Option<Vec<Entry>>> {
    let mut buffer = [MaybeUninit::uninit(); PACED_BYTES];
    let mut raw = RawDir::new(dir, &mut buffer);
    let (mut page, mut ended) = (Vec::new(), true);
    while let Some(entry) = raw.next() {
        ended = false;
        let entry = entry.map_err(|error| Error::from_io("list", path, error.into()))?;
        page.extend(look(dir, entry.file_name(), path)?);
        if raw.is_buffer_empty() {
            break;
        }
    }
    Ok((!ended).then_some(page))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use std::fs::File;
    use tokio_stream::StreamExt as _;

    #[tokio::test]
    async fn a_paced_listing_tells_the_same_in_small_pages_that_are_read_when_asked_for() {
        let tree = tempfile::tempdir().unwrap();
        let names: BTreeSet<_> = (0..500).map(|n| format!("name {n} {}", "long ".repeat(n % 40))).collect();
        for name in &names {
            File::create(tree.path().join(name)).unwrap();
        }
        let path = tree.path().to_owned();
        let open = move || Ok(File::open(path)?.into());
        let mut pages = list(&RelPath::root(), true, open).await.unwrap();
        let mut told = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            assert!(page.len() <= PACED_BYTES / 24, "{}", page.len());
            for entry in page {
                assert!(told.insert(String::from_utf8(entry.name).unwrap()), "each once");
            }
            if told.len() > 200 && told.len() < 300 {
                // Not read yet: what is removed now is not told.
                for name in names.iter().filter(|name| !told.contains(*name)) {
                    std::fs::remove_file(tree.path().join(name)).unwrap();
                }
                assert!(pages.next().await.is_none_or(|page| page.unwrap().is_empty()));
                assert!(pages.next().await.is_none());
                return;
            }
        }
        panic!("{} names at once", told.len());
    }

    #[tokio::test]
    async fn a_paced_listing_of_an_empty_directory_ends() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().to_owned();
        let mut pages = list(&RelPath::root(), true, move || Ok(File::open(path)?.into())).await.unwrap();
        while let Some(page) = pages.next().await {
            assert!(page.unwrap().is_empty());
        }
    }
}
