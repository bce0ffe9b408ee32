//! Lists a directory in pages, at most two of them ahead.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::fs::{AtFlags, RawDir, readlinkat, statx};
use rustix::io::Errno;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use towpath_backend::{Entry, EntryStream, Error, Kind, Metadata, RelPath, Result, Timestamp};

use crate::blocking::blocking;
use crate::stat::{NO_FOLLOW, STATX, metadata_of};

/// The minimum number of entries per page, except for the last one. Two system calls return at least as many.
const PAGE_ENTRIES: usize = 512;
/// The buffer for the entries of one call, as large as the C library's: up to about a thousand.
const CALL_BYTES: usize = 32 << 10;
/// The number of requests after which a listed name that is not found counts as removed.
const LOOKUPS: u32 = 3;
/// Pages that wait to be read.
const PAGES_AHEAD: usize = 2;
/// The buffer for the entries of a page of a paced listing: a client requests no more from its server than it takes to
/// fill it (NFS: 64 KiB at a time instead of hundreds, SMB: 16 KiB).
const PACED_BYTES: usize = 1 << 10;

/// How a directory is listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListOptions {
    /// Each page is small, and is read when it is polled.
    pub(crate) is_paced: bool,
    /// The targets of symbolic links are read with the names. Over a network each would be a request of its own, one
    /// after the other.
    pub(crate) reads_targets: bool,
}

/// Lists the directory that `open` opens. A directory that fits on one page takes one hop to another thread; a larger
/// one is streamed from its thread.
pub(crate) async fn list(
    path: &RelPath,
    options: ListOptions,
    open: impl FnOnce() -> io::Result<OwnedFd> + Send + 'static,
) -> Result<EntryStream> {
    let at = Listed { path: path.clone(), reads_targets: options.reads_targets };
    if options.is_paced {
        let dir = blocking("list", path, open).await?;
        return Ok(Box::pin(Paced { dir: Some(Arc::new(dir)), at, reading: None }));
    }
    let (first, rest) = blocking("list", path, move || {
        let listing = Listing { dir: open()?, at };
        let (first, ended) = listing.page();
        Ok((first, (!ended).then_some(listing)))
    })
    .await?;
    let Some(listing) = rest else {
        return Ok(Box::pin(tokio_stream::iter([first])));
    };
    let (pages, stream) = mpsc::channel(PAGES_AHEAD);
    spawn_blocking(move || {
        let (mut next, mut ended) = (first, false);
        // Until the receiver is dropped or the listing ends.
        while pages.blocking_send(next).is_ok() && !ended {
            (next, ended) = listing.page();
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream)))
}

/// The directory that is listed.
#[derive(Clone, Debug)]
struct Listed {
    path: RelPath,
    reads_targets: bool,
}

struct Listing {
    dir: OwnedFd,
    at: Listed,
}

impl Listing {
    /// The next entries, and whether they are the last ones. An error is always the last.
    fn page(&self) -> (Result<Vec<Entry>>, bool) {
        let mut buffer = vec![MaybeUninit::uninit(); CALL_BYTES];
        let mut page = Vec::new();
        // The call that finds the end of a small directory belongs to its only page.
        while page.len() < PAGE_ENTRIES {
            match read_page(&self.dir, &self.at, &mut buffer) {
                Ok(Some(entries)) => page.extend(entries),
                Ok(None) => return (Ok(page), true),
                Err(error) => return (Err(error), true),
            }
        }
        (Ok(page), false)
    }
}

/// The entry; `None` if it is `.` or `..`, or was removed since the directory was read. This is checked several times,
/// as a busy server may temporarily not find an entry.
fn stat_entry(dir: impl AsFd, name: &CStr, at: &Listed) -> Result<Option<Entry>> {
    if matches!(name.to_bytes(), b"." | b"..") {
        return Ok(None);
    }
    let mut found = statx(&dir, name, NO_FOLLOW, STATX);
    for _ in 1..LOOKUPS {
        if !matches!(found, Err(Errno::NOENT)) {
            break;
        }
        found = statx(&dir, name, NO_FOLLOW, STATX);
    }
    match found {
        Ok(stat) => {
            let entry = Entry::new(name.to_bytes().to_vec(), metadata_of(&stat));
            if entry.metadata.kind != Kind::Symlink || !at.reads_targets {
                return Ok(Some(entry));
            }
            // Without the target, it is read again, and its error reported.
            Ok(Some(match readlinkat(&dir, name, Vec::new()) {
                Ok(target) => entry.with_target(target.into_bytes()),
                Err(_) => entry,
            }))
        }
        Err(Errno::NOENT) => Ok(None),
        // One damaged name must not prevent listing the others: it gets an unknown type.
        Err(error) if is_of_one_name(error) => {
            let unknown = Metadata::new(Kind::Other, 0, Timestamp::default());
            Ok(Some(Entry::new(name.to_bytes().to_vec(), unknown)))
        }
        Err(error) => {
            let path = at.path.join(name.to_bytes()).unwrap_or_else(|_| at.path.clone());
            Err(Error::from_io("stat", &path, error.into()))
        }
    }
}

/// Whether an error of stat concerns the inode alone: a bad sector, a checksum that does not match, numbers that are too
/// large. Others, such as a missing permission or a lost server, concern the directory.
fn is_of_one_name(error: Errno) -> bool {
    matches!(error, Errno::IO | Errno::UCLEAN | Errno::BADMSG | Errno::OVERFLOW | Errno::REMOTEIO)
}

/// Small pages, each read when it is polled.
struct Paced {
    /// `None` after the last entry.
    dir: Option<Arc<OwnedFd>>,
    at: Listed,
    reading: Option<JoinHandle<Result<Option<Vec<Entry>>>>>,
}

impl Stream for Paced {
    type Item = Result<Vec<Entry>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(dir) = self.dir.clone() else { return Poll::Ready(None) };
        let at = self.at.clone();
        let reading = self.reading.get_or_insert_with(|| spawn_blocking(move || paced_page(&dir, &at)));
        let read = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        let page = match read {
            Ok(page) => page.transpose(),
            Err(error) => Some(Err(Error::from_io("list", &self.at.path, io::Error::other(error)))),
        };
        if !matches!(page, Some(Ok(_))) {
            self.dir = None;
        }
        Poll::Ready(page)
    }
}

/// The entries that one system call returns; `None` at the end.
fn paced_page(dir: &OwnedFd, at: &Listed) -> Result<Option<Vec<Entry>>> {
    read_page(dir, at, &mut [MaybeUninit::uninit(); PACED_BYTES])
}

/// The entries of one call into `buffer`; `None` at the end.
///
/// Like the C library, this takes "not found" as the end of a directory that was removed. For one that still exists it
/// is an error: the rest was not listed.
fn read_page(dir: &OwnedFd, at: &Listed, buffer: &mut [MaybeUninit<u8>]) -> Result<Option<Vec<Entry>>> {
    let failed = |error: Errno| Error::from_io("list", &at.path, error.into());
    let mut raw = RawDir::new(dir, buffer);
    let (mut page, mut ended) = (Vec::new(), true);
    while let Some(entry) = raw.next() {
        let entry = match entry {
            Err(Errno::NOENT) if statx(dir, "", AtFlags::EMPTY_PATH, STATX).is_ok_and(|stat| stat.stx_nlink == 0) => {
                break;
            }
            entry => entry.map_err(failed)?,
        };
        ended = false;
        page.extend(stat_entry(dir, entry.file_name(), at)?);
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

    const PACED: ListOptions = ListOptions { is_paced: true, reads_targets: true };

    #[tokio::test]
    async fn a_paced_listing_has_small_pages_that_are_read_when_they_are_polled() {
        let tree = tempfile::tempdir().unwrap();
        let names: BTreeSet<_> = (0..500).map(|n| format!("name {n} {}", "long ".repeat(n % 40))).collect();
        for name in &names {
            File::create(tree.path().join(name)).unwrap();
        }
        let path = tree.path().to_owned();
        let open = move || Ok(File::open(path)?.into());
        let mut pages = list(&RelPath::root(), PACED, open).await.unwrap();
        let mut listed = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            assert!(page.len() <= PACED_BYTES / 24, "{}", page.len());
            for entry in page {
                assert!(listed.insert(String::from_utf8(entry.name).unwrap()), "each once");
            }
            if listed.len() > 200 && listed.len() < 300 {
                // Not read yet: what is removed now is not listed.
                for name in names.iter().filter(|name| !listed.contains(*name)) {
                    std::fs::remove_file(tree.path().join(name)).unwrap();
                }
                assert!(pages.next().await.is_none_or(|page| page.unwrap().is_empty()));
                assert!(pages.next().await.is_none());
                return;
            }
        }
        panic!("{} names at once", listed.len());
    }

    #[tokio::test]
    async fn a_paced_listing_of_an_empty_directory_ends() {
        let tree = tempfile::tempdir().unwrap();
        let path = tree.path().to_owned();
        let mut pages = list(&RelPath::root(), PACED, move || Ok(File::open(path)?.into())).await.unwrap();
        while let Some(page) = pages.next().await {
            assert!(page.unwrap().is_empty());
        }
    }

    #[test]
    fn only_a_removed_directory_ends_with_not_found() {
        let tree = tempfile::tempdir().unwrap();
        let open = |name: &str| OwnedFd::from(File::open(tree.path().join(name)).unwrap());
        let at = Listed { path: RelPath::root(), reads_targets: true };
        let page = |dir: &OwnedFd| read_page(dir, &at, &mut [MaybeUninit::uninit(); PACED_BYTES]);
        std::fs::create_dir(tree.path().join("removed")).unwrap();
        File::create(tree.path().join("file")).unwrap();
        let removed = open("removed");
        std::fs::remove_dir(tree.path().join("removed")).unwrap();
        assert!(matches!(page(&removed), Ok(None)));
        assert!(page(&open("file")).is_err(), "any other error is one");
    }
}
