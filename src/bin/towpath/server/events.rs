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
    /// How the only events begin that are sent.
    only: Option<Vec<u8>>,
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
        only: Option<&str>,
        keep_alive: Duration,
        end: CancellationToken,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            first: status.filter(|_| only.is_none_or(|only| only == "status")).map(|status| frame("status", status)),
            only: only.map(|name| format!("event: {name}\n").into_bytes()),
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
        match self.next_event(context) {
            Poll::Ready(Some(event)) => return Poll::Ready(Some(event)),
            // The run itself has ended.
            Poll::Ready(None) => self.has_ended = true,
            Poll::Pending => self.has_ended = self.end.as_mut().poll(context).is_ready(),
        }
        if self.has_ended {
            return Poll::Ready(Some(frame("end", &json!({}))));
        }
        self.quiet.as_mut().poll(context).map(|()| Some(Bytes::from_static(b": alive\n\n")))
    }

    /// The next event that the client asked for. How many others it lost is of no interest to it.
    fn next_event(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            let event = match Pin::new(&mut self.events).poll_next(context) {
                Poll::Ready(Some(Ok(event))) => event,
                Poll::Ready(Some(Err(Lagged(count)))) => frame("lost", &json!({ "count": count })),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            };
            if self.only.as_ref().is_none_or(|begin| event.starts_with(begin)) {
                return Poll::Ready(Some(event));
            }
        }
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
