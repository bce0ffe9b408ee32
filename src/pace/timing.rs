//! Times a small request to each tree now and then while files are sent, so that a report can tell what other users of
//! the storages felt. An adaptive limit times far more of them by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use towpath_backend::{Sink, Source, Tree};

use super::paces::Paces;
use crate::event::Side;
use crate::options::Bandwidth;
use crate::progress::{Phase, Progress};

/// The time before the first request: a short run makes none.
const FIRST: Duration = Duration::from_secs(2);
/// The time between two requests.
const BETWEEN: Duration = Duration::from_secs(10);

/// Times requests until `stop` is cancelled: none while the migration is paused, or sends nothing.
pub(crate) async fn time_requests(
    paces: Arc<Paces>,
    source: Arc<dyn Source>,
    sink: Arc<dyn Sink>,
    progress: Progress,
    stop: CancellationToken,
) {
    let timing = async {
        sleep(FIRST).await;
        loop {
            let is_adaptive = matches!(paces.bandwidth(), Bandwidth::Auto { .. });
            if !is_adaptive && !paces.is_paused() && progress.phase() == Phase::Transferring {
                tokio::join!(time(&*source, Side::Source, &progress), time(&*sink, Side::Sink, &progress));
            }
            sleep(BETWEEN).await;
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = timing => {}
    }
}

/// A request that fails says nothing.
async fn time(tree: &dyn Tree, side: Side, progress: &Progress) {
    let begun = Instant::now();
    if tree.round_trip().await.is_ok() {
        progress.timed_requests().add(side, begun.elapsed());
    }
}
