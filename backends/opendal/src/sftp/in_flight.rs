//! The requests of one connection that the server has not answered: their ids and bounds, and who waits for them.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::time::{Instant, timeout};

use super::lost::{Lost, STALL_TIMEOUT};
use super::wire::Answer;

/// Requests of one connection in flight, `CLOSE` apart. Four files fill it at a time (`WINDOW_BYTES`), which is more than
/// the window of an SSH channel; chunks to be written take 8 MiB.
pub(super) const MAX_REQUESTS: usize = 256;

/// Files and directories that one connection has open on the server. OpenSSH allows as many as its process may open
/// files (1024 on most systems, 256 on some, less a few of its own); of other servers, some allow about 100. With all
/// connections of a pool this is still far above the usual number of lanes.
pub(super) const MAX_HANDLES: usize = 64;

/// Entitles to one request in flight.
#[derive(Debug)]
pub(super) struct RequestPermit {
    _permit: OwnedSemaphorePermit,
}

/// Entitles to one open file or directory on the server, until the answer to its `CLOSE`.
#[derive(Debug)]
pub(super) struct HandlePermit {
    _permit: OwnedSemaphorePermit,
}

/// What a request in flight holds until its answer arrives.
#[derive(Debug)]
pub(super) enum Slot {
    Request {
        _permit: RequestPermit,
    },
    Open {
        _permit: RequestPermit,
        handle: HandlePermit,
    },
    /// Needs no request permit: it must never wait behind the requests that wait for a handle to be closed.
    Close {
        _handle: HandlePermit,
    },
}

impl Slot {
    pub(super) fn request(permit: RequestPermit) -> Self {
        Self::Request { _permit: permit }
    }

    pub(super) fn open(permit: RequestPermit, handle: HandlePermit) -> Self {
        Self::Open { _permit: permit, handle }
    }

    pub(super) fn close(handle: HandlePermit) -> Self {
        Self::Close { _handle: handle }
    }

    /// Releases the permits, except that of a handle which `answer` opened.
    fn release(self, answer: &Answer) -> Option<HandlePermit> {
        match (self, answer) {
            (Self::Open { handle, .. }, Answer::Handle(_)) => Some(handle),
            _ => None,
        }
    }
}

/// An answer, and the permit of the handle that it opened.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) handle: Option<HandlePermit>,
}

struct Waiting {
    reply: oneshot::Sender<Reply>,
    slot: Slot,
}

/// The requests in flight. Everything that waits here fails when the connection ends.
pub(super) struct InFlight {
    requests: Arc<Semaphore>,
    handles: Arc<Semaphore>,
    table: Mutex<Table>,
}

struct Table {
    last_id: u32,
    waiting: HashMap<u32, Waiting>,
    /// When bytes were last sent or received, or the first answer became due.
    last_progress: Instant,
    /// Why there will be no more answers.
    ended: Option<Lost>,
}

impl Table {
    /// Never 0, and never the id of a request in flight, also after 2^32 requests.
    fn next_id(&mut self) -> u32 {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if self.last_id != 0 && !self.waiting.contains_key(&self.last_id) {
                return self.last_id;
            }
        }
    }
}

impl fmt::Debug for InFlight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl InFlight {
    pub(super) fn new() -> Self {
        let table = Table { last_id: 0, waiting: HashMap::new(), last_progress: Instant::now(), ended: None };
        Self {
            requests: Arc::new(Semaphore::new(MAX_REQUESTS)),
            handles: Arc::new(Semaphore::new(MAX_HANDLES)),
            table: Mutex::new(table),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until fewer than [`MAX_REQUESTS`] are in flight; `None` if the connection ended.
    pub(super) async fn request_permit(&self) -> Option<RequestPermit> {
        let permit = self.watch(Arc::clone(&self.requests).acquire_owned()).await.ok()?;
        Some(RequestPermit { _permit: permit })
    }

    /// Waits until fewer than [`MAX_HANDLES`] are open; `None` if the connection ended.
    pub(super) async fn handle_permit(&self) -> Option<HandlePermit> {
        let permit = self.watch(Arc::clone(&self.handles).acquire_owned()).await.ok()?;
        Some(HandlePermit { _permit: permit })
    }

    /// Enters a request: its id, unless the connection has ended, and where its answer arrives.
    pub(super) fn enter(&self, slot: Slot) -> (Option<u32>, oneshot::Receiver<Reply>) {
        let (reply, receiver) = oneshot::channel();
        let mut table = self.table();
        if table.ended.is_some() {
            return (None, receiver);
        }
        if table.waiting.is_empty() {
            table.last_progress = Instant::now();
        }
        let id = table.next_id();
        table.waiting.insert(id, Waiting { reply, slot });
        (Some(id), receiver)
    }

    /// Delivers an answer, and releases the permits of its request. Returns the reply if its receiver was dropped.
    pub(super) fn answered(&self, id: u32, answer: Answer) -> Option<Reply> {
        let waiting = self.table().waiting.remove(&id)?;
        let handle = waiting.slot.release(&answer);
        waiting.reply.send(Reply { answer, handle }).err()
    }

    /// Waits for an event that occurs at the latest when the connection ends. If an answer is due and there is no progress
    /// for [`STALL_TIMEOUT`], this ends the connection.
    pub(super) async fn watch<T>(&self, event: impl Future<Output = T>) -> T {
        let mut event = pin!(event);
        loop {
            match timeout(STALL_TIMEOUT, &mut event).await {
                Ok(value) => return value,
                // Under a low limit much may be queued before it: the connection is fine as long as there is progress.
                Err(_elapsed) if !self.is_stalled() => {}
                Err(_elapsed) => self.end(Lost::Stalled),
            }
        }
    }

    fn is_stalled(&self) -> bool {
        let table = self.table();
        !table.waiting.is_empty() && table.last_progress.elapsed() >= STALL_TIMEOUT
    }

    /// Bytes were sent or received.
    pub(super) fn progressed(&self) {
        self.table().last_progress = Instant::now();
    }

    /// Ends the connection: everyone who waits for an answer or a permit fails. The first reason counts.
    pub(super) fn end(&self, reason: Lost) {
        let mut table = self.table();
        table.ended.get_or_insert(reason);
        self.requests.close();
        self.handles.close();
        table.waiting.clear();
    }

    pub(super) fn has_ended(&self) -> bool {
        self.table().ended.is_some()
    }

    /// Why there are no more answers.
    pub(super) fn lost(&self) -> Lost {
        self.table().ended.clone().unwrap_or(Lost::Closed)
    }

    pub(super) fn count(&self) -> usize {
        self.table().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::wire::status;
    use super::*;

    async fn enter(in_flight: &InFlight) -> (u32, oneshot::Receiver<Reply>) {
        let (id, reply) = in_flight.enter(Slot::request(in_flight.request_permit().await.unwrap()));
        (id.unwrap(), reply)
    }

    #[tokio::test]
    async fn ids_that_wrap_skip_zero_and_requests_in_flight() {
        let in_flight = InFlight::new();
        let (first, first_reply) = enter(&in_flight).await;
        assert_eq!(first, 1);
        in_flight.table().last_id = u32::MAX - 1;
        assert_eq!(enter(&in_flight).await.0, u32::MAX);
        let (wrapped, mut wrapped_reply) = enter(&in_flight).await;
        assert_eq!(wrapped, 2, "0 is no id, and 1 is in flight");
        assert!(in_flight.answered(first, Answer::Status { code: status::OK, text: String::new() }).is_none());
        assert!(first_reply.await.is_ok() && wrapped_reply.try_recv().is_err(), "the answer is that to the first");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_stalls_only_while_an_answer_is_due() {
        let in_flight = InFlight::new();
        let idle = STALL_TIMEOUT * 10;
        in_flight.watch(tokio::time::sleep(idle)).await;
        assert!(!in_flight.has_ended(), "nothing is due");
        let (_id, reply) = enter(&in_flight).await;
        let start = Instant::now();
        assert!(in_flight.watch(reply).await.is_err());
        assert!(start.elapsed() >= STALL_TIMEOUT && start.elapsed() <= 2 * STALL_TIMEOUT, "{:?}", start.elapsed());
        assert!(in_flight.request_permit().await.is_none() && in_flight.handle_permit().await.is_none());
    }
}
