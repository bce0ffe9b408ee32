//! Time limits: nothing that hangs holds up the command.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use tokio::runtime::Handle;
use towpath_backend::Error;

/// Why a request has no result.
#[derive(Debug)]
pub(crate) enum Trouble {
    NoAnswer(Duration),
    Failed(Error),
}

impl Trouble {
    pub(crate) fn is_no_answer(&self) -> bool {
        matches!(self, Self::NoAnswer(_))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(limit) => write!(f, "no answer within {} s", limit.as_secs_f64()),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

/// Waits for a request of a tree, which does not block this thread.
pub(crate) async fn answer<T>(
    limit: Duration,
    request: impl Future<Output = towpath_backend::Result<T>>,
) -> Result<T, Trouble> {
    match tokio::time::timeout(limit, request).await {
        Ok(result) => result.map_err(Trouble::Failed),
        Err(_) => Err(Trouble::NoAnswer(limit)),
    }
}

/// Runs what may block, such as opening a tree, on a thread of its own. `None`: it has not ended within `limit`; the
/// thread stays behind, and ends with the process.
pub(crate) async fn within<T, F>(limit: Duration, work: impl FnOnce() -> F + Send + 'static) -> Option<T>
where
    T: Send + 'static,
    F: Future<Output = T>,
{
    let runtime = Handle::current();
    let task = tokio::task::spawn_blocking(move || runtime.block_on(work()));
    match tokio::time::timeout(limit, task).await {
        Ok(Ok(done)) => Some(done),
        Ok(Err(error)) => std::panic::resume_unwind(error.into_panic()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn what_blocks_does_not_hold_up_the_caller() {
        let (end, ended) = mpsc::channel::<()>();
        let hung = within(Duration::from_millis(10), move || async move { ended.recv().is_ok() }).await;
        assert_eq!(hung, None);
        drop(end);
        assert_eq!(within(Duration::from_secs(60), || async { 5 }).await, Some(5));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_without_an_answer_is_given_up() {
        let limit = Duration::from_secs(20);
        let trouble = answer::<()>(limit, std::future::pending()).await.unwrap_err();
        assert!(trouble.is_no_answer());
        assert_eq!(trouble.to_string(), "no answer within 20 s");
        assert!(answer(limit, async { Ok(()) }).await.is_ok());
    }
}
