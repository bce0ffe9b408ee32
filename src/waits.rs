//! Reports when a tree waits for its storage, and waits for a tree that is away.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use towpath_backend::{Error as BackendError, Identity, Tree, WaitObserver, WaitReason};

use crate::error::{Error, Result, TreeFailure};
use crate::event::{Side, Warning};
use crate::event_stream::Emitter;
use crate::patience::Patience;

/// How long a tree that is away is waited for.
const AWAY_PATIENCE: Duration = Duration::from_secs(60);
/// Warnings that wait to be reported. A tree reports each wait once.
const WAITING_WARNINGS: usize = 64;
/// How long a tree is waited for before that is reported.
const REPORTED_AFTER: Duration = Duration::from_secs(5);

/// Passes on what one tree reports.
struct Observer {
    side: Side,
    root: Vec<u8>,
    warnings: mpsc::Sender<Warning>,
}

impl WaitObserver for Observer {
    fn waiting(&self, reason: WaitReason, cause: &str) {
        let (side, root, cause) = (self.side, self.root.clone(), cause.to_owned());
        // Outside of a run nothing receives them; a full queue drops some.
        let _unheard = self.warnings.try_send(Warning::Waiting { side, root, reason, cause });
    }

    fn resumed(&self) {
        let (side, root) = (self.side, self.root.clone());
        let _unheard = self.warnings.try_send(Warning::Resumed { side, root });
    }
}

/// Reports the waits of the trees until the guard is dropped, and ends them when the run stops.
pub(crate) fn report(
    trees: impl IntoIterator<Item = (Side, Arc<dyn Tree>)>,
    emitter: &Emitter,
    stop: &CancellationToken,
) -> DropGuard {
    let (warnings, mut reports) = mpsc::channel(WAITING_WARNINGS);
    let observer = |side, root: &[u8]| Arc::new(Observer { side, root: root.to_vec(), warnings: warnings.clone() });
    let trees: Vec<_> = trees.into_iter().collect();
    for (side, tree) in &trees {
        tree.observe_waits(observer(*side, tree.root()));
    }
    let ended = CancellationToken::new();
    let until = ended.clone();
    let (emitter, stop) = (emitter.clone(), stop.clone());
    tokio::spawn(async move {
        let mut is_stopped = false;
        loop {
            tokio::select! {
                () = until.cancelled() => return,
                () = stop.cancelled(), if !is_stopped => {
                    is_stopped = true;
                    trees.iter().for_each(|(_, tree)| tree.stop_waiting());
                }
                Some(warning) = reports.recv() => emitter.warn(warning).await,
            }
        }
    });
    ended.drop_guard()
}

/// The identity of a tree. One that is away is waited for, for a minute.
///
/// # Errors
/// [`Error::Tree`] with this failure; [`Error::Interrupted`] if the run stops while it waits.
pub(crate) async fn identity(
    tree: &dyn Tree,
    side: Side,
    failure: fn(Arc<BackendError>) -> TreeFailure,
    emitter: &Emitter,
    stop: &CancellationToken,
) -> Result<Identity> {
    let (mut patience, mut is_reported) = (Patience::new(AWAY_PATIENCE), false);
    loop {
        let error = match tree.identity().await {
            Err(error) if error.is_temporary() => error,
            result => {
                if is_reported && result.is_ok() {
                    emitter.warn(Warning::Resumed { side, root: tree.root().to_vec() }).await;
                }
                return result.map_err(|error| Error::tree(side, tree.root(), failure, error));
            }
        };
        if !is_reported && patience.waited() >= REPORTED_AFTER {
            is_reported = true;
            let (root, reason, cause) = (tree.root().to_vec(), WaitReason::Unavailable, error.to_string());
            emitter.warn(Warning::Waiting { side, root, reason, cause }).await;
        }
        if !patience.pause(stop).await {
            return Err(match stop.is_cancelled() {
                true => Error::Interrupted,
                false => Error::tree(side, tree.root(), failure, error),
            });
        }
    }
}

#[cfg(test)]
mod tests;
