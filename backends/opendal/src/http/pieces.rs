//! The content of a response, as it comes: given up when nothing of it comes for long while it is waited for.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};
use tokio_stream::Stream;

/// The items of `inner`; `None` as an item once one was waited for too long.
///
/// Only waiting counts: a file may be read slowly, with long pauses.
pub(crate) struct Pieces<S> {
    inner: Pin<Box<S>>,
    patience: Duration,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> Pieces<S> {
    pub(crate) fn new(inner: S, patience: Duration) -> Self {
        Self { inner: Box::pin(inner), patience, waiting: None }
    }
}

impl<S: Stream> Stream for Pieces<S> {
    type Item = Option<S::Item>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(item) = self.inner.as_mut().poll_next(context) {
            self.waiting = None;
            return Poll::Ready(item.map(Some));
        }
        let patience = self.patience;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(patience)));
        let elapsed = waiting.as_mut().poll(context).map(|()| Some(None));
        if elapsed.is_ready() {
            self.waiting = None;
        }
        elapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::mpsc;
    use tokio_stream::StreamExt as _;
    use tokio_stream::wrappers::ReceiverStream;

    #[tokio::test(start_paused = true)]
    async fn a_pause_of_the_reader_is_none_of_the_server() {
        const PATIENCE: Duration = Duration::from_secs(60);
        let (sender, receiver) = mpsc::channel(1);
        let mut pieces = Pieces::new(ReceiverStream::new(receiver), PATIENCE);
        for pause in [PATIENCE / 2, PATIENCE * 5] {
            sleep(pause).await;
            let late = async {
                sleep(PATIENCE * 3 / 4).await;
                sender.send(1).await.unwrap();
            };
            let (piece, ()) = tokio::join!(pieces.next(), late);
            assert_eq!(piece, Some(Some(1)));
        }
        assert_eq!(pieces.next().await, Some(None), "nothing came for long");
        drop(sender);
        assert_eq!(pieces.next().await, None);
    }
}
