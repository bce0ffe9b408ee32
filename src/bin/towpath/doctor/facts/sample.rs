//! Reads a sample of the source: whether this user may read it at all.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use tokio_stream::StreamExt as _;
use towpath_backend::{ErrorKind, Kind, ReadOptions, RelPath, Source};

use super::answer::{Trouble, answer};
use crate::doctor::model::Sample;

const MAX_DIRS: usize = 100;
/// Files that are opened, at most, and in each directory.
const MAX_FILES: usize = 100;
const FILES_OF_A_DIR: usize = 3;
/// Entries of one directory that are listed.
const MAX_ENTRIES: usize = 5_000;

/// Lists directories and opens files from the top down, within `limit` for each request and for all together. Nothing
/// is read from the files.
pub(crate) async fn sample(source: &dyn Source, limit: Duration) -> Sample {
    let (mut sample, began, mut files) = (Sample::default(), Instant::now(), 0);
    let mut dirs = VecDeque::from([RelPath::root()]);
    for _ in 0..MAX_DIRS {
        let Some(dir) = dirs.pop_front() else { break };
        if began.elapsed() > limit || sample.hangs {
            break;
        }
        let (below, to_open) = list(source, &dir, limit, &mut sample).await;
        let room = MAX_DIRS.saturating_sub(dirs.len());
        dirs.extend(below.into_iter().take(room));
        for file in to_open.into_iter().take(MAX_FILES - files) {
            files += 1;
            let opened = answer(limit, source.open(&file, &ReadOptions::default())).await;
            sample.count(opened.map(drop));
        }
    }
    sample
}

/// The directories in `dir`, and some of its files.
async fn list(
    source: &dyn Source,
    dir: &RelPath,
    limit: Duration,
    sample: &mut Sample,
) -> (Vec<RelPath>, Vec<RelPath>) {
    let (mut dirs, mut files, mut listed) = (Vec::new(), Vec::new(), 0);
    let mut pages = match answer(limit, source.read_dir(dir, &ReadOptions::default())).await {
        Ok(pages) => pages,
        Err(trouble) => {
            sample.count(Err(trouble));
            return (dirs, files);
        }
    };
    while listed < MAX_ENTRIES {
        let page = match answer(limit, async { pages.next().await.transpose() }).await {
            Ok(Some(page)) => page,
            Ok(None) => break,
            Err(trouble) => {
                sample.count(Err(trouble));
                return (dirs, files);
            }
        };
        listed += page.len();
        for entry in page {
            let Ok(path) = dir.join(&entry.name) else { continue };
            match entry.metadata.kind {
                Kind::Dir => dirs.push(path),
                Kind::File if files.len() < FILES_OF_A_DIR => files.push(path),
                _ => {}
            }
        }
    }
    sample.entries += listed as u64;
    sample.count(Ok(()));
    (dirs, files)
}

impl Sample {
    fn count(&mut self, result: Result<(), Trouble>) {
        match result {
            Ok(()) => self.read += 1,
            Err(Trouble::Failed(error)) if error.kind() == ErrorKind::PermissionDenied => {
                self.denied += 1;
                self.first_denied.get_or_insert_with(|| error.to_string());
            }
            // Something else removes files: no fault of the tree.
            Err(Trouble::Failed(error)) if error.kind() == ErrorKind::NotFound => {}
            Err(trouble) => {
                self.hangs |= trouble.is_no_answer();
                self.first_error.get_or_insert_with(|| trouble.to_string());
            }
        }
    }
}
