//! Cleans up after an interrupted run.

use towpath_backend::{ErrorKind, RelPath};

use crate::error::Result;
use crate::journal::EndedDeletions;
use crate::removal;
use crate::session::Session;

/// Rows read in one step.
const PAGE: usize = 256;

/// Logs the deletions that an interrupted run announced, as far as they took place.
pub(crate) async fn log_deletions(session: &Session) -> Result<()> {
    let mut after = RelPath::root();
    loop {
        let page = session.journal.open_deletions(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.path.clone();
        let (mut ended, mut gone) = (EndedDeletions::default(), Vec::new());
        for deletion in page {
            match session.sink.metadata(&deletion.path).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    ended.gone.push(deletion.path.clone());
                    gone.push(deletion.clone());
                }
                // Unknown for now: the next run checks it again.
                Err(_) => continue,
            }
            ended.announced.push(deletion.path);
        }
        removal::complete_log(session, ended, gone).await?;
    }
}

/// Removes the partial files and probes that the scan found.
pub(crate) async fn remove_leftovers(session: &Session) -> Result<()> {
    loop {
        let page = session.journal.take_leftovers(PAGE).await?;
        if page.is_empty() || session.is_stopped() {
            return Ok(());
        }
        for path in page {
            if session.stops_or_goes_on().await {
                return Ok(());
            }
            // A leftover does no harm, and the next scan finds it again.
            if let Err(error) = removal::remove_leftover(session, &path).await
                && error.kind() != ErrorKind::NotFound
            {
                tracing::warn!(%error, "partial file");
            }
        }
    }
}
