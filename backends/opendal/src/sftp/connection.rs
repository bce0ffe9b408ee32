//! One connection: requests go out in their order, and each answer finds its request.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, Weak};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::in_flight::{HandlePermit, InFlight, MAX_HANDLES, MAX_REQUESTS, Reply, Slot};
use super::lost::{Lost, STALL_TIMEOUT};
use super::pending::Pending;
use super::ssh::Target;
use super::transport::{self, Ssh};
use super::wire::{Answer, Request, request};

/// A connection, over which many requests are in flight at a time.
pub(super) struct Connection {
    /// Requests to be written, with room for each that holds a permit: sending never waits.
    queue: mpsc::Sender<Vec<u8>>,
    in_flight: Arc<InFlight>,
    extensions: HashSet<String>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("extensions", &self.extensions).finish_non_exhaustive()
    }
}

impl Connection {
    /// Starts `ssh`, and waits for the server's greeting.
    pub(super) async fn open(target: &Target) -> Result<Arc<Self>, Lost> {
        let mut child = target.command().spawn().map_err(|error| Lost::NotStarted(Arc::new(error)))?;
        let (Some(output), Some(input)) = (child.stdout.take(), child.stdin.take()) else {
            return Err(Lost::NoPipes);
        };
        Self::over(output, input, Some(Ssh::new(child))).await
    }

    /// A connection over any two byte streams.
    pub(super) async fn over(
        mut output: impl AsyncRead + Unpin + Send + 'static,
        mut input: impl AsyncWrite + Unpin + Send + 'static,
        ssh: Option<Ssh>,
    ) -> Result<Arc<Self>, Lost> {
        let greeted = timeout(STALL_TIMEOUT, transport::greet(&mut output, &mut input)).await;
        let extensions = match greeted {
            Ok(Ok(extensions)) => extensions,
            Ok(Err(reason)) => return Err(transport::why(reason, ssh).await),
            Err(_elapsed) => return Err(Lost::NoGreeting),
        };
        let in_flight = Arc::new(InFlight::new());
        let (queue, queued) = mpsc::channel(MAX_REQUESTS + MAX_HANDLES);
        let connection = Arc::new(Self { queue, in_flight: Arc::clone(&in_flight), extensions });
        tokio::spawn(transport::write(input, queued, Arc::clone(&in_flight)));
        tokio::spawn(receive(output, Arc::downgrade(&connection), in_flight, ssh));
        Ok(connection)
    }

    pub(super) fn has(&self, extension: &str) -> bool {
        self.extensions.contains(extension)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.in_flight.has_ended()
    }

    pub(super) fn in_flight(&self) -> &Arc<InFlight> {
        &self.in_flight
    }

    /// Sends a request, behind those before it; waits while as many are in flight as may be. The answer is waited for
    /// separately.
    pub(super) async fn send(&self, request: Request) -> Pending {
        match self.in_flight.request_permit().await {
            Some(permit) => self.enqueue(request, Slot::request(permit)),
            None => Pending::failed(Arc::clone(&self.in_flight)),
        }
    }

    /// Queues a request that has its permits.
    pub(super) fn enqueue(&self, request: Request, slot: Slot) -> Pending {
        let (id, reply) = self.in_flight.enter(slot);
        if let Some(id) = id {
            match self.queue.try_send(request.numbered(id)) {
                // If it is closed, the reading side reports why.
                Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => {}
                // The queue has a place for each request in flight.
                Err(mpsc::error::TrySendError::Full(_)) => {
                    self.in_flight.end(Lost::UnsolicitedAnswers);
                }
            }
        }
        Pending::new(reply, Arc::clone(&self.in_flight))
    }

    /// Closes a handle, without waiting for a permit: there is always room for the `CLOSE` of each handle.
    pub(super) fn close(&self, handle: &[u8], permit: HandlePermit) -> Pending {
        self.enqueue(Request::about(request::CLOSE, handle), Slot::close(permit))
    }

    /// Closes what a reply opened for someone who does not wait any more.
    pub(super) fn close_unused(&self, reply: Reply) {
        if let Reply { answer: Answer::Handle(handle), handle: Some(permit) } = reply {
            drop(self.close(&handle, permit));
        }
    }
}

/// Delivers answers until the connection ends.
async fn receive(
    mut output: impl AsyncRead + Unpin,
    connection: Weak<Connection>,
    in_flight: Arc<InFlight>,
    ssh: Option<Ssh>,
) {
    let reason = loop {
        let packet = match transport::packet(&mut output).await {
            Ok(packet) => packet,
            Err(reason) => break reason,
        };
        in_flight.progressed();
        let Ok((id, answer)) = Answer::parse(packet) else { break Lost::Malformed };
        if let (Some(unused), Some(connection)) = (in_flight.answered(id, answer), connection.upgrade()) {
            connection.close_unused(unused);
        }
    };
    let reason = transport::why(reason, ssh).await;
    in_flight.end(reason);
}
