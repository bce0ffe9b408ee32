//! Attempts: the first one sends everything, later ones retry files that changed or failed temporarily.

use std::sync::Arc;
use std::time::Duration;

use super::hole_lane::HoleLane;
use super::lanes;
use super::shared::{LAST_ATTEMPT, Transfer};
use crate::error::Result;
use crate::event::Event;
use crate::journal::Work;
use crate::tally::Tally;

/// The pause before the second attempt; it grows with each further one.
const PAUSE_BEFORE_RETRY: Duration = Duration::from_secs(1);

/// Runs all attempts, or only one if a scan follows: the stage after the scan retries the rest.
pub(crate) async fn run_attempts(transfer: &Arc<Transfer>, hole_lane: HoleLane, tally: &mut Tally) -> Result<()> {
    let last = if transfer.scan_follows { 0 } else { LAST_ATTEMPT };
    for attempt in 0..=last {
        if !begins(transfer, attempt, hole_lane).await? {
            break;
        }
        run_attempt(transfer, attempt, hole_lane, tally).await?;
    }
    Ok(())
}

/// Whether this attempt has anything to do, after the pause before a retry.
async fn begins(transfer: &Transfer, attempt: u32, hole_lane: HoleLane) -> Result<bool> {
    transfer.session.journal.begin_names(attempt).await?;
    let mut has_work = false;
    for work in Work::ALL {
        has_work |= has_work_of(transfer, work, attempt, hole_lane).await?;
    }
    if !has_work {
        return Ok(false);
    }
    if attempt > 0 {
        tokio::select! {
            () = transfer.stop.cancelled() => {}
            () = tokio::time::sleep(PAUSE_BEFORE_RETRY * attempt) => {}
        }
    }
    Ok(!transfer.stop.is_cancelled())
}

/// Whether this attempt has this kind of work.
async fn has_work_of(transfer: &Transfer, work: Work, attempt: u32, hole_lane: HoleLane) -> Result<bool> {
    let journal = &transfer.session.journal;
    let takes_long_holes = work == Work::Content && hole_lane == HoleLane::All;
    Ok(journal.has_work(work, attempt).await? || (takes_long_holes && journal.has_long_holes().await?))
}

/// Runs one attempt. Further names of files are created after their content was sent.
pub(crate) async fn run_attempt(
    transfer: &Arc<Transfer>,
    attempt: u32,
    hole_lane: HoleLane,
    tally: &mut Tally,
) -> Result<()> {
    let session = &transfer.session;
    tracing::debug!(attempt = attempt + 1, pending = ?tally.pending, "attempt");
    session.reporter.notify(Event::AttemptStarted { attempt: attempt + 1, pending: tally.pending }).await;
    for work in Work::ALL {
        if transfer.stop.is_cancelled() || !has_work_of(transfer, work, attempt, hole_lane).await? {
            continue;
        }
        // If the first of a file's names fails, the next one carries the content. This ends, because at least one name
        // fails each time.
        loop {
            let result;
            (*tally, result) = lanes::run(transfer, work, attempt, hole_lane, tally.clone()).await;
            result?;
            if work != Work::Content || transfer.stop.is_cancelled() {
                break;
            }
            // The lane for long holes ends before the last files that other lanes set aside are recorded.
            let has_long_holes = hole_lane == HoleLane::All && session.journal.has_long_holes().await?;
            if !session.journal.take_over_names(attempt).await? && !has_long_holes {
                break;
            }
        }
    }
    Ok(())
}
