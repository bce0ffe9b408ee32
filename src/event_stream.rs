//! How events reach the listener.

use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_util::sync::CancellationToken;

use crate::event::{Event, Warning};

/// The events of one migration, in order. The channel behind it is bounded: as long as the stream is held and not read,
/// the engine waits.
///
/// ```
/// # async fn example(mut events: towpath::EventStream) {
/// use towpath::Event;
///
/// while let Some(event) = events.next().await {
///     match event {
///         Event::Synced { paths, size_bytes, .. } => println!("{paths:?}: {size_bytes} bytes"),
///         Event::Failed { paths, error } => eprintln!("{paths:?}: {error} ({:?})", error.kind()),
///         _ => {}
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct EventStream(mpsc::Receiver<Event>);

impl Stream for EventStream {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(context)
    }
}

impl EventStream {
    /// The next event; `None` once the migration has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.0.recv().await
    }
}

/// Where the engine sends its events. Without a listener they are dropped.
#[derive(Clone, Debug)]
pub(crate) struct Emitter {
    events: mpsc::Sender<Event>,
    stop: CancellationToken,
}

impl Emitter {
    /// The number of unread events after which the engine waits.
    const CAPACITY: usize = 1024;

    /// An emitter and the stream of its events.
    /// Once `stop` is cancelled, the emitter does not wait for a listener that does not read.
    pub(crate) fn with_stream(stop: CancellationToken) -> (Self, EventStream) {
        let (events, receiver) = mpsc::channel(Self::CAPACITY);
        (Self { events, stop }, EventStream(receiver))
    }

    /// Sends `event`, waiting for room. A dropped listener is not an error.
    pub(crate) async fn emit(&self, event: Event) {
        tokio::select! {
            biased;
            _gone = self.events.send(event) => {}
            () = self.stop.cancelled() => {}
        }
    }
    /// Emits a warning.
    pub(crate) async fn warn(&self, warning: Warning) {
        self.emit(Event::Warning(warning)).await;
    }
}
