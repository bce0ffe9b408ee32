//! An answer that has not arrived yet, and what it may be.

use std::sync::Arc;

use tokio::sync::oneshot;
use towpath_backend::Bytes;

use super::failure::Failure;
use super::in_flight::{InFlight, Reply};
use super::wire::{Answer, Attributes, Name, status};

/// An answer that has not arrived yet. It may be dropped: the request is answered all the same.
#[derive(Debug)]
pub(super) struct Pending {
    reply: oneshot::Receiver<Reply>,
    in_flight: Arc<InFlight>,
}

impl Pending {
    pub(super) fn new(reply: oneshot::Receiver<Reply>, in_flight: Arc<InFlight>) -> Self {
        Self { reply, in_flight }
    }

    /// That of a request which was not sent, as the connection has ended.
    pub(super) fn failed(in_flight: Arc<InFlight>) -> Self {
        Self { reply: oneshot::channel().1, in_flight }
    }

    /// The reply, if its status is no error.
    pub(super) async fn reply(&mut self) -> Result<Reply, Failure> {
        match self.in_flight.watch(&mut self.reply).await {
            Ok(Reply { answer: Answer::Status { code, text }, .. }) if code != status::OK => {
                Err(Failure::Status { code, text })
            }
            Ok(reply) => Ok(reply),
            Err(_ended) => Err(self.in_flight.lost().into()),
        }
    }

    /// Gives the answer up: the reply, if it has arrived.
    pub(super) fn give_up(&mut self) -> Option<Reply> {
        self.reply.close();
        self.reply.try_recv().ok()
    }

    /// The answer, if its status is no error.
    pub(super) async fn answer(mut self) -> Result<Answer, Failure> {
        self.reply().await.map(|reply| reply.answer)
    }

    /// A status that is no error.
    pub(super) async fn done(self) -> Result<(), Failure> {
        match self.answer().await? {
            Answer::Status { .. } => Ok(()),
            _ => Err(Failure::UnexpectedAnswer),
        }
    }

    pub(super) async fn attributes(self) -> Result<Attributes, Failure> {
        match self.answer().await? {
            Answer::Attributes(attributes) => Ok(attributes),
            _ => Err(Failure::UnexpectedAnswer),
        }
    }

    /// Names, or `None` at the end of a directory.
    pub(super) async fn names(self) -> Result<Option<Vec<Name>>, Failure> {
        match self.answer().await {
            Ok(Answer::Names(names)) => Ok(Some(names)),
            Ok(_) => Err(Failure::UnexpectedAnswer),
            Err(Failure::Status { code: status::EOF, .. }) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Bytes, or none at the end of a file.
    pub(super) async fn data(self) -> Result<Bytes, Failure> {
        match self.answer().await {
            Ok(Answer::Data(data)) => Ok(data),
            Ok(_) => Err(Failure::UnexpectedAnswer),
            Err(Failure::Status { code: status::EOF, .. }) => Ok(Bytes::new()),
            Err(failure) => Err(failure),
        }
    }
}
