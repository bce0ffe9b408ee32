//! A file that is read in ranges, each requested when its bytes may pass: the limit holds on the wire.

use std::collections::VecDeque;
use std::sync::Arc;

use opendal::options::ReaderOptions;
use opendal::{Buffer, Error, ErrorKind, Reader, Result};
use tokio::task::JoinHandle;

use super::content::take;
use crate::handle::OpendalTree;
use crate::http::version::Version;

/// Ranges of one file.
pub(super) struct Ranges {
    reader: Reader,
    version: Arc<Version>,
    /// What was requested ahead, in the order of the file.
    ahead: VecDeque<Ahead>,
}

/// A range that was requested, and comes while others are read.
struct Ahead {
    offset: u64,
    length_bytes: u64,
    state: State,
}

enum State {
    Requested(JoinHandle<Result<Buffer>>),
    Here(Buffer),
}

impl Ranges {
    pub(super) async fn open(
        tree: &OpendalTree,
        key: &str,
        condition: ReaderOptions,
        version: &Arc<Version>,
    ) -> Result<Self> {
        let reader = tree.operator.reader_options(key, condition).await?;
        Ok(Self { reader, version: Arc::clone(version), ahead: VecDeque::new() })
    }

    /// Requests a range that will be read soon.
    pub(super) fn request(&mut self, offset: u64, length_bytes: u64) {
        let follows = self.ahead.back().is_none_or(|last| last.offset + last.length_bytes == offset);
        if length_bytes == 0 || !follows {
            return;
        }
        let (reader, version) = (self.reader.clone(), Arc::clone(&self.version));
        let reading = async move { version.check_all(reader.read(offset..offset + length_bytes)).await };
        let state = State::Requested(tokio::spawn(reading));
        self.ahead.push_back(Ahead { offset, length_bytes, state });
    }

    /// Whether something that was requested was not read yet.
    pub(super) fn are_ahead(&self) -> bool {
        self.ahead.iter().any(|ahead| ahead.length_bytes > 0)
    }

    /// Appends the bytes of this range, which lies within the file.
    pub(super) async fn read(&mut self, offset: u64, length_bytes: usize, buffer: &mut Vec<u8>) -> Result<()> {
        let result = self.read_all(offset, length_bytes, buffer).await;
        if result.is_err() {
            self.ahead.clear();
        }
        result
    }

    async fn read_all(&mut self, mut offset: u64, length_bytes: usize, buffer: &mut Vec<u8>) -> Result<()> {
        let end = offset + length_bytes as u64;
        while offset < end {
            let wanted = usize::try_from(end - offset).unwrap_or(usize::MAX);
            let before = buffer.len();
            match self.front(offset) {
                Some(front) => {
                    let data = front.data().await?;
                    take(data, wanted, buffer);
                    let taken = (buffer.len() - before) as u64;
                    (front.offset, front.length_bytes) = (front.offset + taken, front.length_bytes - taken);
                }
                None => {
                    let mut data = self.version.check_all(self.reader.read(offset..end)).await?;
                    take(&mut data, wanted, buffer);
                }
            }
            let read = (buffer.len() - before) as u64;
            if read == 0 {
                break;
            }
            offset += read;
        }
        Ok(())
    }

    /// What was requested from `offset` on; what lies before it is dropped, and all if none begins there.
    fn front(&mut self, offset: u64) -> Option<&mut Ahead> {
        while self.ahead.front().is_some_and(|front| front.offset != offset || front.length_bytes == 0) {
            self.ahead.pop_front();
        }
        self.ahead.front_mut()
    }
}

impl Ahead {
    /// Its bytes, when they are here.
    async fn data(&mut self) -> Result<&mut Buffer> {
        if let State::Requested(task) = &mut self.state {
            let joined = task.await.unwrap_or_else(|cause| {
                Err(Error::new(ErrorKind::Unexpected, "the request ended early").set_source(cause))
            });
            self.state = State::Here(joined?);
        }
        match &mut self.state {
            State::Here(data) => Ok(data),
            // Replaced above.
            State::Requested(_) => Err(Error::new(ErrorKind::Unexpected, "the request has no result")),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        if let State::Requested(task) = &self.state {
            task.abort();
        }
    }
}
