//! Records results in batches.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::check::Verdict;
use super::session::VerifySession;
use crate::error::Result;
use crate::event::Event;
use crate::journal::Checked;
use crate::verify_result::VerifyClass;

/// The most results of one batch.
const BATCH_FILES: usize = 4096;
/// The longest time that a result waits for its batch to fill.
const BATCH_TIME: Duration = Duration::from_secs(1);

/// Records results until the lanes have ended; returns how many files were sent again while they were checked.
pub(super) async fn run(
    session: Arc<VerifySession>,
    pass: i64,
    mut verdicts: mpsc::Receiver<Verdict>,
    stop_lanes: CancellationToken,
) -> Result<u64> {
    let (mut sent_again, mut result) = (0, Ok(()));
    while let Some(first) = verdicts.recv().await {
        let batch = fill(first, &mut verdicts).await;
        if result.is_err() {
            // The lanes are stopping.
            continue;
        }
        match commit(&session, pass, batch).await {
            Ok(again) => sent_again += again,
            Err(error) => {
                stop_lanes.cancel();
                result = Err(error);
            }
        }
    }
    result.map(|()| sent_again)
}

async fn commit(session: &VerifySession, pass: i64, batch: Vec<Verdict>) -> Result<u64> {
    if batch.iter().any(|verdict| verdict.result.class().is_bad()) {
        // If the sink was unmounted, nothing of this is true.
        session.check_sink().await?;
    }
    let mut recorded_of = Vec::with_capacity(batch.len());
    let results = batch.into_iter().map(|verdict| {
        let Verdict { row, result, found, new_checksum, cached } = verdict;
        let (class, size_bytes) = (result.class(), row.copy_bytes());
        recorded_of.push((class, size_bytes, cached));
        let detail = result.detail().filter(|_| class != VerifyClass::Unproven);
        let event = Event::Verified { paths: session.paths(&row.path), size_bytes, result, checksum: found, cached };
        (Checked { row, class, detail, new_checksum, is_cached: cached.is_some(), line: None }, event)
    });
    let results: Vec<_> = results.collect();
    let read_bytes = session.read_bytes.swap(0, Relaxed);
    failpoint!("before-verify-commit");
    let recorded = session.reporter.report_verified(pass, results, read_bytes).await?;
    let mut sent_again = 0;
    for ((class, size_bytes, cached), is_recorded) in recorded_of.into_iter().zip(recorded) {
        if is_recorded {
            session.progress.add(class, size_bytes);
            if let Some(reason) = cached {
                session.progress.add_cached(reason);
            }
        } else {
            sent_again += 1;
        }
    }
    Ok(sent_again)
}

/// A batch: `first` and the results that follow within [`BATCH_TIME`].
async fn fill(first: Verdict, verdicts: &mut mpsc::Receiver<Verdict>) -> Vec<Verdict> {
    let deadline = Instant::now() + BATCH_TIME;
    let mut batch = vec![first];
    while batch.len() < BATCH_FILES {
        match timeout_at(deadline, verdicts.recv()).await {
            Ok(Some(verdict)) => batch.push(verdict),
            Ok(None) | Err(_) => break,
        }
    }
    batch
}
