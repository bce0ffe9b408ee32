//! Lists a directory in pages; each page shows the directory at that time.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use towpath_backend::{Entry, Result};

use crate::handle::Handle;
use crate::store::{Body, Problem};

/// Entries per page.
const PAGE_ENTRIES: usize = 1024;

/// A listing in progress. Between two pages it holds no lock.
pub(crate) struct Listing {
    handle: Handle,
    /// The last name that was listed.
    after: Option<Vec<u8>>,
    ended: bool,
    has_targets: bool,
}

impl Listing {
    pub(crate) fn new(handle: Handle, has_targets: bool) -> Self {
        Self { handle, after: None, ended: false, has_targets }
    }

    fn page(&self) -> Result<Vec<Entry>> {
        self.handle.with("list", |store, dir| {
            let names = store.entries(dir)?.page(self.after.as_deref(), PAGE_ENTRIES);
            names
                .map(|(name, id)| {
                    let entry = Entry::new(name.to_vec(), store.metadata(id)?);
                    Ok(match &store.node(id)?.body {
                        Body::Link(target) if self.has_targets => entry.with_target(target.clone()),
                        Body::File(_) | Body::Dir(_) | Body::Link(_) => entry,
                    })
                })
                .collect::<std::result::Result<_, Problem>>()
        })
    }
}

impl Stream for Listing {
    type Item = Result<Vec<Entry>>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let page = self.page();
        self.ended = !matches!(&page, Ok(page) if page.len() == PAGE_ENTRIES);
        self.after = page.as_ref().ok().and_then(|page| page.last()).map(|entry| entry.name.clone());
        Poll::Ready(Some(page))
    }
}
