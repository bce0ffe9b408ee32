//! Trees that are away and come back, in the time of a clock that stands still while nobody waits.

use std::sync::Mutex;

use tokio::time::Instant;
use towpath_backend::{Capabilities, EntryStream, ErrorKind, Metadata, ReadOptions, RelPath, async_trait};

use super::*;
use crate::event::Event;
use crate::event_stream::EventStream;

/// A tree that is away at first.
struct Away {
    back_at: Instant,
    error: fn() -> BackendError,
    attempts: Mutex<u32>,
}

fn unavailable() -> BackendError {
    BackendError::new(ErrorKind::Unavailable, "stat", &RelPath::root(), "connection refused")
}

impl Away {
    fn until(after: Duration, error: fn() -> BackendError) -> Self {
        Self { back_at: Instant::now() + after, error, attempts: Mutex::default() }
    }
}

#[async_trait]
impl Tree for Away {
    fn root(&self) -> &[u8] {
        b"s3://bucket"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::PLAIN
    }

    async fn identity(&self) -> towpath_backend::Result<Identity> {
        *self.attempts.lock().unwrap() += 1;
        if Instant::now() < self.back_at { Err((self.error)()) } else { Ok(Identity::new("it")) }
    }

    async fn read_dir(&self, _: &RelPath, _: &ReadOptions) -> towpath_backend::Result<EntryStream> {
        Err(unavailable())
    }

    async fn metadata(&self, _: &RelPath) -> towpath_backend::Result<Metadata> {
        Err(unavailable())
    }
}

/// What became of it, the warnings meanwhile, and how many seconds it took.
async fn wait_for(tree: &Away, stop: &CancellationToken) -> (Result<Identity>, Vec<String>, u64) {
    let began = Instant::now();
    let (emitter, events) = Emitter::with_stream(CancellationToken::new());
    let result = identity(tree, Side::Source, TreeFailure::Gone, &emitter, stop).await;
    drop(emitter);
    (result, warnings(events).await, began.elapsed().as_secs())
}

async fn warnings(mut events: EventStream) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(event) = events.next().await {
        let Event::Warning(warning) = event else { panic!("{event:?}") };
        all.push(warning.to_string());
    }
    all
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_there_is_asked_once() {
    let tree = Away::until(Duration::ZERO, unavailable);
    let (identity, warnings, _) = wait_for(&tree, &CancellationToken::new()).await;
    assert!(identity.is_ok() && warnings.is_empty() && *tree.attempts.lock().unwrap() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_tree_that_is_away_for_seconds_is_waited_for_in_silence() {
    let tree = Away::until(Duration::from_secs(3), unavailable);
    let (identity, warnings, seconds) = wait_for(&tree, &CancellationToken::new()).await;
    assert!(identity.is_ok() && warnings.is_empty() && seconds == 3, "{seconds} s, {warnings:?}");
}

#[tokio::test(start_paused = true)]
async fn a_longer_wait_is_reported_once_and_so_is_its_end() {
    let tree = Away::until(Duration::from_secs(40), unavailable);
    let (identity, warnings, seconds) = wait_for(&tree, &CancellationToken::new()).await;
    assert!(identity.is_ok() && (40..=45).contains(&seconds), "{seconds} s");
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("does not answer; waiting for it") && warnings[0].contains("connection refused"));
    assert!(warnings[1].contains("answers again"));
}

#[tokio::test(start_paused = true)]
async fn after_a_minute_it_is_gone() {
    let tree = Away::until(Duration::from_secs(3600), unavailable);
    let (identity, warnings, seconds) = wait_for(&tree, &CancellationToken::new()).await;
    assert_eq!((warnings.len(), seconds), (1, 60), "{warnings:?}");
    let error = identity.unwrap_err();
    assert!(matches!(error, Error::Tree { failure: TreeFailure::Gone(_), .. }), "{error:?}");
    assert!(error.to_string().contains("s3://bucket is gone: stat .: connection refused"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_is_not_waited_for() {
    let tree = Away::until(Duration::from_secs(3), || {
        BackendError::new(ErrorKind::PermissionDenied, "stat", &RelPath::root(), "no")
    });
    let (identity, _, seconds) = wait_for(&tree, &CancellationToken::new()).await;
    assert!(identity.is_err() && seconds == 0 && *tree.attempts.lock().unwrap() == 1);
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_the_wait_as_a_stop() {
    let (tree, stop) = (Away::until(Duration::from_secs(3600), unavailable), CancellationToken::new());
    let stopping = async {
        tokio::time::sleep(Duration::from_secs(7)).await;
        stop.cancel();
    };
    let ((identity, ..), ()) = tokio::join!(wait_for(&tree, &stop), stopping);
    assert!(matches!(identity, Err(Error::Interrupted)), "{identity:?}");
}
