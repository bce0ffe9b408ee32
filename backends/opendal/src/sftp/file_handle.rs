//! Files and directories that the server has open for a connection: none stays open longer than someone uses it.

use std::sync::Arc;

use towpath_backend::Bytes;

use super::connection::Connection;
use super::failure::Failure;
use super::in_flight::{HandlePermit, Reply, Slot};
use super::pending::Pending;
use super::wire::{Answer, FSYNC, Request};

/// A file or directory that the server has open. It is closed when it is dropped.
#[derive(Debug)]
pub(super) struct Handle {
    connection: Arc<Connection>,
    bytes: Bytes,
    /// `None` once the handle is closed.
    permit: Option<HandlePermit>,
}

impl Handle {
    /// Opens a file or a directory. Waits while the connection has as many open as it may.
    pub(super) async fn open(connection: &Arc<Connection>, request: Request) -> Result<Self, Failure> {
        let in_flight = connection.in_flight();
        let Some(handle) = in_flight.handle_permit().await else { return Err(in_flight.lost().into()) };
        let Some(permit) = in_flight.request_permit().await else { return Err(in_flight.lost().into()) };
        let pending = connection.enqueue(request, Slot::open(permit, handle));
        let mut opening = Opening { connection, pending };
        match opening.pending.reply().await? {
            Reply { answer: Answer::Handle(bytes), handle: Some(permit) } => {
                Ok(Self { connection: Arc::clone(connection), bytes, permit: Some(permit) })
            }
            _ => Err(Failure::UnexpectedAnswer),
        }
    }

    /// Sends a request that begins with the handle.
    pub(super) async fn send(&self, kind: u8, rest: impl FnOnce(Request) -> Request) -> Pending {
        self.connection.send(rest(Request::about(kind, &self.bytes))).await
    }

    /// Forces what was written to the server's disk; `None` if the server has no such request.
    pub(super) async fn sync(&self) -> Option<Pending> {
        if !self.connection.has(FSYNC) {
            return None;
        }
        Some(self.connection.send(Request::extended(FSYNC).string(&self.bytes)).await)
    }

    /// Closes it, behind all that was sent for it. The answer may report an earlier error.
    pub(super) fn close(mut self) -> Pending {
        match self.permit.take() {
            Some(permit) => self.connection.close(&self.bytes, permit),
            None => Pending::failed(Arc::clone(self.connection.in_flight())),
        }
    }

    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(permit) = self.permit.take() {
            drop(self.connection.close(&self.bytes, permit));
        }
    }
}

/// A request to open something. If it is dropped before its answer is used, what the answer opened is closed.
struct Opening<'a> {
    connection: &'a Connection,
    pending: Pending,
}

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        if let Some(reply) = self.pending.give_up() {
            self.connection.close_unused(reply);
        }
    }
}
