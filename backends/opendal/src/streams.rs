//! Files that are sent while they are read, by services that take a file in one request.
//!
//! OpenDAL needs the whole content of such a request in memory. It gets a stand-in instead, which
//! the HTTP client recognizes by its address in memory, and sends the stream instead.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use opendal::{Buffer, Error, ErrorKind, Result};
use tokio::sync::mpsc;
use towpath_backend::Bytes;

/// Pieces that wait between the reader and the wire.
const PIECES: usize = 4;

/// A content of which nothing is in memory yet.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) length_bytes: u64,
    pub(crate) pieces: mpsc::Receiver<Bytes>,
}

/// The offered contents, by the address of their stand-in. Cleared when sent.
#[derive(Debug, Default)]
pub(crate) struct Streams(Mutex<HashMap<usize, Option<Content>>>);

impl Streams {
    /// Offers a content of `length_bytes`, which is then sent into the channel.
    pub(crate) fn offer(self: &Arc<Self>, length_bytes: u64) -> (Offer, mpsc::Sender<Bytes>) {
        let (sender, pieces) = mpsc::channel(PIECES);
        // As long as the offer lives, nothing else has its address.
        let stand_in = Bytes::from(b"stands for a stream".to_vec());
        self.lock().insert(address(&stand_in), Some(Content { length_bytes, pieces }));
        (Offer { stand_in, streams: Arc::clone(self) }, sender)
    }

    /// What `content` stands for, if it is a stand-in.
    ///
    /// # Errors
    /// If it was sent before: its content was consumed.
    pub(crate) fn take(&self, content: &Buffer) -> Result<Option<Content>> {
        match self.lock().get_mut(&address(&content.current())) {
            None => Ok(None),
            Some(offered) => offered.take().map(Some).ok_or_else(|| Error::new(ErrorKind::Unexpected, SENT_TWICE)),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Option<Content>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SENT_TWICE: &str = "the server did not take it, and a stream is not sent twice";

/// Whether this says only that a stream was sent before.
pub(crate) fn is_sent_twice(error: &Error) -> bool {
    error.message() == SENT_TWICE
}

fn address(bytes: &Bytes) -> usize {
    bytes.as_ptr() as usize
}

/// Dropped when the request is done.
#[derive(Debug)]
pub(crate) struct Offer {
    stand_in: Bytes,
    streams: Arc<Streams>,
}

impl Offer {
    /// What to write in place of the content.
    pub(crate) fn stand_in(&self) -> Buffer {
        Buffer::from(self.stand_in.clone())
    }

    /// Whether the stream was sent, and not the stand-in itself.
    pub(crate) fn was_taken(&self) -> bool {
        self.streams.lock().get(&address(&self.stand_in)).is_some_and(Option::is_none)
    }
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.streams.lock().remove(&address(&self.stand_in));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_sent_once_and_only_for_its_stand_in() {
        let streams = Arc::new(Streams::default());
        let (offer, _sender) = streams.offer(5);
        let same_bytes = Buffer::from(Bytes::copy_from_slice(&offer.stand_in().to_bytes()));
        assert!(streams.take(&same_bytes).unwrap().is_none());
        assert!(!offer.was_taken());
        assert_eq!(streams.take(&offer.stand_in()).unwrap().unwrap().length_bytes, 5);
        assert!(offer.was_taken());
        assert!(streams.take(&offer.stand_in()).is_err(), "its content is gone");
        drop(offer);
        assert!(streams.lock().is_empty());
    }
}
