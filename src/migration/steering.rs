//! Follows a [`Control`](super::Control) during a run: records what it did, finishes the files in flight before a stop,
//! and keeps the mounts up during a pause.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::beside::Beside;
use super::control::Steered;
use super::run_lines;
use crate::error::Result;
use crate::event::{Event, Side};
use crate::session::Session;

/// How often the trees are asked for something during a pause: NFS and SMB servers, and firewalls between, drop
/// connections that are idle for some minutes.
const KEEP_UP_INTERVAL: Duration = Duration::from_secs(30);

/// Begins to follow the control of a run. The end of the task records what was not recorded yet.
pub(super) fn begin(session: &Arc<Session>, steered: mpsc::Receiver<Steered>) -> Beside {
    let session = Arc::clone(session);
    Beside::begin("the task that follows the control panicked", |ended| follow(session, steered, ended))
}

async fn follow(session: Arc<Session>, mut steered: mpsc::Receiver<Steered>, ended: CancellationToken) -> Result<()> {
    // A database that fails ends the run by itself: the next file that is recorded reports it, too.
    tokio::select! {
        biased;
        result = record_all(&session, &mut steered, &ended) => result,
        () = stop_when_finished(&session) => Ok(()),
        () = keep_up(&session) => Ok(()),
    }
}

async fn record_all(session: &Session, steered: &mut mpsc::Receiver<Steered>, ended: &CancellationToken) -> Result<()> {
    loop {
        let next = tokio::select! {
            biased;
            next = steered.recv() => next,
            () = ended.cancelled() => None,
        };
        let Some(Steered { action, by }) = next else { return Ok(()) };
        let line = run_lines::steered_line(session, action, &by);
        session.journal.log_run_line(line).await?;
        session.reporter.notify(Event::Steered { action, by }).await;
    }
}

/// Stops the run when no further file is to be begun and none is in flight. Lanes that are sending stop it themselves.
async fn stop_when_finished(session: &Session) {
    session.finish.cancelled().await;
    if !session.is_sending.load(Relaxed) {
        session.stop.cancel();
    }
    std::future::pending::<()>().await;
}

/// Keeps mounts and connections up while the migration is paused.
async fn keep_up(session: &Session) {
    loop {
        session.paces.paused().await;
        if timeout(KEEP_UP_INTERVAL, session.paces.resumed()).await.is_ok() {
            continue;
        }
        for side in [Side::Source, Side::Sink] {
            if let Err(error) = session.tree(side).round_trip().await {
                tracing::debug!(%side, %error, "paused");
            }
        }
    }
}
