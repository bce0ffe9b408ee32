//! Listings: a page for each of the server's answers, with the `lstat` of each name.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio_stream::Stream;
use towpath_backend::{Entry, EntryStream, Error, ErrorKind, RelPath, Result};

use super::check::Checked;
use super::file_handle::Handle;
use super::pending::Pending;
use super::wire::request;

/// Entries of one page at most.
const PAGE_ENTRIES: usize = 1000;

/// Opens a directory that was checked, and reads its first page.
///
/// `is_paced`: a page is not fetched before it is polled for.
pub(super) async fn open(checked: Checked, dir: &RelPath, is_paced: bool) -> Result<EntryStream> {
    let handle = Handle::open(&checked.connection, checked.about(request::OPENDIR)).await;
    let handle = handle.map_err(|failure| failure.error("list", dir))?;
    let mut listing = Listing { handle, dir: dir.clone(), is_paced, next: None, entries: Vec::new() };
    let first = listing.page().await?;
    let next = first.is_some().then(|| listing.into_next());
    Ok(Box::pin(Pages { first, next }))
}

struct Listing {
    handle: Handle,
    dir: RelPath,
    is_paced: bool,
    /// The next answer, if it was requested already.
    next: Option<Pending>,
    /// Entries of the last answer beyond a page.
    entries: Vec<Entry>,
}

/// The listing after its next page, and that page.
type Next = Pin<Box<dyn Future<Output = (Listing, Result<Option<Vec<Entry>>>)> + Send>>;

impl Listing {
    /// The next page; `None` at the end.
    async fn page(&mut self) -> Result<Option<Vec<Entry>>> {
        while self.entries.is_empty() {
            let answer = match self.next.take() {
                Some(answer) => answer,
                None => self.request().await,
            };
            let names = answer.names().await.map_err(|failure| failure.error("list", &self.dir))?;
            let Some(names) = names else { return Ok(None) };
            if names.is_empty() {
                let cause = "the server's answer has no names and does not mark the end of the listing";
                return Err(Error::new(ErrorKind::Other, "list", &self.dir, cause));
            }
            if !self.is_paced {
                self.next = Some(self.request().await);
            }
            let others = names.into_iter().filter(|name| name.name != b"."[..] && name.name != b".."[..]);
            self.entries = others.map(|name| Entry::new(name.name.to_vec(), name.attributes.metadata())).collect();
        }
        let rest = self.entries.split_off(self.entries.len().min(PAGE_ENTRIES));
        Ok(Some(std::mem::replace(&mut self.entries, rest)))
    }

    async fn request(&self) -> Pending {
        self.handle.send(request::READDIR, |request| request).await
    }

    fn into_next(mut self) -> Next {
        Box::pin(async move {
            let page = self.page().await;
            (self, page)
        })
    }
}

/// The pages, each fetched when it is polled for.
struct Pages {
    first: Option<Vec<Entry>>,
    /// `None` after the last entry.
    next: Option<Next>,
}

impl Stream for Pages {
    type Item = Result<Vec<Entry>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(next) = &mut self.next else { return Poll::Ready(None) };
        let (listing, page) = ready!(next.as_mut().poll(context));
        let page = page.transpose();
        self.next = matches!(page, Some(Ok(_))).then(|| listing.into_next());
        Poll::Ready(page)
    }
}
