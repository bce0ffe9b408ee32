//! Walks over the files of a pass, and has lanes check them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::check::{Verdict, check};
use super::commit;
use super::session::VerifySession;
use crate::error::{Error, Result};
use crate::journal::{Picker, Verifiable};
use crate::patience::Patience;
use crate::progress::FileProgress;
use crate::verify_result::VerifyResult;

/// How long a file is tried again whose tree fails for a while.
const PATIENCE: Duration = Duration::from_secs(30);
/// Files that wait for a lane.
const WAITING_FILES: usize = 1024;
/// Results that wait to be recorded.
const WAITING_RESULTS: usize = 8192;

/// The mutex is fair: waiting lanes get files in turn.
type Queue = Arc<Mutex<mpsc::Receiver<Verifiable>>>;

/// Checks all files of the pass that are left; returns how many were sent again meanwhile and have no result.
pub(super) async fn run(session: &Arc<VerifySession>, picker: &Arc<Picker>) -> Result<u64> {
    let (files_in, files) = mpsc::channel(WAITING_FILES);
    let (verdicts_in, verdicts) = mpsc::channel(WAITING_RESULTS);
    // The lanes also stop if results cannot be recorded.
    let stop = session.stop.child_token();
    let queue: Queue = Arc::new(Mutex::new(files));
    let mut lanes = JoinSet::new();
    for lane in 0..session.lanes {
        let (session, queue, verdicts) = (Arc::clone(session), Arc::clone(&queue), verdicts_in.clone());
        let stop = stop.clone();
        lanes.spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = run_lane(lane, &session, &queue, &verdicts) => {}
            }
        });
    }
    drop((queue, verdicts_in));
    let committer = tokio::spawn(commit::run(Arc::clone(session), picker.pass, verdicts, stop.clone()));
    let walked = walk(session, picker, files_in, &stop).await;
    if walked.is_err() {
        stop.cancel();
    }
    let mut result = walked;
    while let Some(joined) = lanes.join_next().await {
        result = result.and(joined.map_err(|_| Error::Internal("a lane panicked".to_owned())));
    }
    let committed = committer.await.map_err(|_| Error::Internal("the committer panicked".to_owned()))?;
    result.and(committed)
}

/// Hands out the files, window by window.
async fn walk(
    session: &VerifySession,
    picker: &Arc<Picker>,
    files: mpsc::Sender<Verifiable>,
    stop: &CancellationToken,
) -> Result<()> {
    let mut after = None;
    loop {
        let window = session.journal.verify_window(Arc::clone(picker), after).await?;
        for file in window.selected {
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                sent = files.send(file) => if sent.is_err() { return Ok(()) },
            }
        }
        match window.next {
            Some(last) if !stop.is_cancelled() => after = Some(last),
            _ => return Ok(()),
        }
    }
}

/// Checks a file, again if it is unreadable for a while.
async fn check_patiently(session: &VerifySession, file: Verifiable, progress: &FileProgress) -> Option<Verdict> {
    let mut patience = Patience::new(PATIENCE);
    loop {
        let verdict = check(session, file.clone(), progress).await?;
        match &verdict.result {
            VerifyResult::Unreadable { error, .. } if error.is_temporary() && patience.pause(&session.stop).await => {}
            _ if session.is_stopped() => return None,
            _ => return Some(verdict),
        }
    }
}

async fn run_lane(lane: usize, session: &VerifySession, queue: &Queue, verdicts: &mpsc::Sender<Verdict>) {
    loop {
        let next = queue.lock().await.recv().await;
        let Some(file) = next else { return };
        let engine = session.progress.engine();
        let progress = engine.of_file(&file.path, file.copy_bytes(), false);
        let _shown = engine.show_file(lane, progress.clone());
        let Some(verdict) = check_patiently(session, file, &progress).await else { return };
        if verdicts.send(verdict).await.is_err() {
            return;
        }
    }
}
