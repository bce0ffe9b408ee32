//! Exceptions are recorded and removed here, beside runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;
use towpath_backend::RelPath;

use crate::blocking::blocking;
use crate::error::{FailureCode, Result};
use crate::event::FilePaths;
use crate::journal::{AcceptedEntries, Beside, Journal, NewException, RecordedErrors};
use crate::progress::Progress;

/// What became of a request to accept an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcceptedRequest {
    /// The path below the roots of both trees, as raw bytes.
    pub path: Vec<u8>,
    /// How many entries at and below it are not in sync. With 0, nothing was recorded.
    pub entries: u64,
    /// Why it is not in sync; of a directory, why the first entry below it is not.
    pub code: Option<FailureCode>,
}

impl AcceptedEntries {
    /// Accepts entries as they are, with everything below directories: records for each of these paths, if it or
    /// something below it is not in sync, an exception with this reason, and a line in the audit log. A run may go on
    /// meanwhile. What is sent, and what a mirror deletes, does not change.
    ///
    /// # Errors
    /// [`crate::Error::Database`] or [`crate::Error::AuditLog`], with what to do.
    pub async fn accept(
        database: impl AsRef<Path>,
        paths: Vec<Vec<u8>>,
        reason: &str,
        user: &str,
    ) -> Result<Vec<AcceptedRequest>> {
        let database = database.as_ref().to_owned();
        // Before the database is opened for writing: closing a file releases all locks of a process on it.
        let requests = blocking({
            let database = database.clone();
            move || requests(&database, paths)
        })
        .await??;
        let Beside { journal, thread, roots, .. } = open(database).await?;
        let failing = requests.iter().filter(|request| request.entries > 0);
        let exceptions = failing.filter_map(|request| {
            let path = RelPath::new(&request.path[..]).ok()?;
            let paths = FilePaths { source: path.under(&roots.source), dest: path.under(&roots.sink) };
            let (reason, user) = (reason.to_owned(), user.to_owned());
            Some(NewException { path, paths, reason, user, code: request.code })
        });
        let recorded = journal.accept(exceptions.collect()).await;
        drop(journal);
        thread.join().await?;
        recorded?;
        Ok(requests)
    }

    /// Removes the exceptions for these paths; returns the paths that had one.
    ///
    /// # Errors
    /// As [`Self::accept`].
    pub async fn remove(database: impl AsRef<Path>, paths: Vec<Vec<u8>>, user: &str) -> Result<Vec<Vec<u8>>> {
        let Beside { journal, thread, roots, .. } = open(database.as_ref().to_owned()).await?;
        let paths = paths.iter().filter_map(|path| {
            let path = RelPath::new(&path[..]).ok()?;
            let paths = FilePaths { source: path.under(&roots.source), dest: path.under(&roots.sink) };
            Some((path, paths))
        });
        let removed = journal.remove_accepted(paths.collect(), user.to_owned()).await;
        drop(journal);
        thread.join().await?;
        Ok(removed?.into_iter().map(|path| path.as_bytes().to_vec()).collect())
    }
}

/// What is not in sync at and below each of these paths.
fn requests(database: &Path, paths: Vec<Vec<u8>>) -> Result<Vec<AcceptedRequest>> {
    let mut found: BTreeMap<Vec<u8>, (u64, Option<FailureCode>)> =
        paths.iter().map(|path| (path.clone(), (0, None))).collect();
    let mut errors = RecordedErrors::of(database);
    while let Some(page) = errors.next_page()? {
        for error in page {
            let mut at = &error.path[..];
            loop {
                if let Some((entries, code)) = found.get_mut(at) {
                    *entries += 1;
                    if code.is_none() || at.len() == error.path.len() {
                        *code = Some(error.code);
                    }
                }
                match at.iter().rposition(|&byte| byte == b'/') {
                    Some(slash) => at = &at[..slash],
                    None => break,
                }
            }
        }
    }
    let request = |path: Vec<u8>| {
        let (entries, code) = found.get(&path).copied().unwrap_or_default();
        AcceptedRequest { path, entries, code }
    };
    Ok(paths.into_iter().map(request).collect())
}

async fn open(database: PathBuf) -> Result<Beside> {
    blocking(move || Journal::open_beside_runs(database, CancellationToken::new(), Progress::default())).await?
}
