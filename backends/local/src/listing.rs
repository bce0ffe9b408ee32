//! Lists a directory in pages, reading no further ahead than two of them.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Dir, statx};
use rustix::io::Errno;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::ReceiverStream;
use towpath_backend::{Entry, EntryStream, Error, RelPath, Result};

use crate::root::{NO_FOLLOW, STATX, blocking, metadata_of};

/// Entries of a page.
const PAGE_ENTRIES: usize = 1024;
/// Pages that wait to be taken.
const PAGES_AHEAD: usize = 2;

/// Lists the directory that `open` opens. One that fits a page takes one hop
/// to another thread; a larger one streams from its thread.
pub(crate) async fn list(
    path: &RelPath,
    open: impl FnOnce() -> io::Result<OwnedFd> + Send + 'static,
) -> Result<EntryStream> {
    let at = path.clone();
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
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let looked = self.dir.fd().and_then(|dir| statx(dir, name, NO_FOLLOW, STATX));
            match looked {
                Ok(stat) => page.push(Entry { name: name.to_bytes().to_vec(), metadata: metadata_of(&stat) }),
                // Removed since the directory was read.
                Err(Errno::NOENT) => {}
                Err(error) => {
                    let at = self.path.join(name.to_bytes()).unwrap_or_else(|_| self.path.clone());
                    return Err(Error::from_io("look at", &at, error.into()));
                }
            }
        }
        Ok(page)
    }
}
