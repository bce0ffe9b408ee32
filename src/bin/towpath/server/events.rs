//! `GET /v1/events`: server-sent events. A client that is too slow loses events and learns how many; nothing waits for it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame};
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, broadcast};
use tokio::time::{Instant, Sleep, sleep};
use tokio_stream::Stream as _;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError::Lagged;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// Events that are kept for clients that are behind.
const CAPACITY: usize = 1024;

/// Takes the run's events; clones feed the same clients.
#[derive(Clone, Debug)]
pub(crate) struct EventFeed(broadcast::Sender<Bytes>);

impl EventFeed {
    pub(crate) fn new() -> Self {
        Self(broadcast::Sender::new(CAPACITY))
    }

    /// Sends an event to all clients; without clients its content is not even made. Never waits.
    pub(crate) fn publish(&self, name: &'static str, content: impl FnOnce() -> Value) {
        if self.listeners() > 0 {
            let _no_client_left = self.0.send(frame(name, &content()));
        }
    }

    /// Whether any client follows.
    pub(crate) fn has_clients(&self) -> bool {
        self.listeners() > 0
    }

    /// The clients that follow.
    pub(super) fn listeners(&self) -> usize {
        self.0.receiver_count()
    }

    pub(super) fn subscribe(&self) -> broadcast::Receiver<Bytes> {
        self.0.subscribe()
    }
}

/// JSON in one line, as the format of the stream needs it.
fn frame(name: &str, content: &Value) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {content}\n\n"))
}

/// The content of an answer that goes on until the run ends.
pub(super) struct EventBody {
    /// Is sent first.
    first: Option<Bytes>,
    events: BroadcastStream<Bytes>,
    keep_alive: Duration,
    /// When a comment shows that the connection lives.
    quiet: Pin<Box<Sleep>>,
    end: Pin<Box<WaitForCancellationFutureOwned>>,
    has_ended: bool,
    _place: OwnedSemaphorePermit,
}

impl EventBody {
    pub(super) fn new(
        events: broadcast::Receiver<Bytes>,
        status: Option<&Value>,
        keep_alive: Duration,
        end: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            first: status.map(|status| frame("status", status)),
            events: BroadcastStream::new(events),
            keep_alive,
            quiet: Box::pin(sleep(keep_alive)),
            end: Box::pin(end.cancelled_owned()),
            has_ended: false,
            _place: place,
        }
    }

    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        match Pin::new(&mut self.events).poll_next(context) {
            Poll::Ready(Some(Ok(event))) => return Poll::Ready(Some(event)),
            Poll::Ready(Some(Err(Lagged(count)))) => {
                return Poll::Ready(Some(frame("lost", &json!({ "count": count }))));
            }
            // The run itself has ended.
            Poll::Ready(None) => self.has_ended = true,
            Poll::Pending => self.has_ended = self.end.as_mut().poll(context).is_ready(),
        }
        if self.has_ended {
            return Poll::Ready(Some(frame("end", &json!({}))));
        }
        self.quiet.as_mut().poll(context).map(|()| Some(Bytes::from_static(b": alive\n\n")))
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let next = this.next(context);
        if next.is_ready() {
            this.quiet.as_mut().reset(Instant::now() + this.keep_alive);
        }
        next.map(|frame| frame.map(|frame| Ok(Frame::data(frame))))
    }
}
