//! What a run that was cut off left behind at the sink.

use tokio_stream::StreamExt as _;
use towpath_backend::{ErrorKind, Kind, RelPath, Sink};

use crate::audit::Line;
use crate::error::Result;
use crate::event::FilePaths;
use crate::journal::{Deletion, EndedDeletions, Journal};
use crate::session::Shared;

/// Rows looked at in one step.
const PAGE: usize = 256;

/// Deletions that a run was cut off in come into the log, if they came about.
pub(crate) async fn log_cut_off(journal: &Journal, source_root: &[u8], sink: &dyn Sink) -> Result<()> {
    let mut after = RelPath::root();
    loop {
        let page = journal.open_deletions(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.path.clone();
        let mut ended = EndedDeletions::default();
        for deletion in page {
            match sink.metadata(&deletion.path).await {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    ended.lines.push(line(&deletion, source_root, sink.root()));
                    ended.gone.push(deletion.path.clone());
                }
                // It cannot be told now: the next run looks again.
                Err(_) => continue,
            }
            ended.announced.push(deletion.path);
        }
        journal.end_deletions(ended).await?;
    }
}

fn line(deletion: &Deletion, source_root: &[u8], sink_root: &[u8]) -> Line {
    let path = &deletion.path;
    let paths = FilePaths { source: path.under(source_root), dest: path.under(sink_root) };
    Line { size_bytes: deletion.size_bytes, modified: Some(deletion.modified), ..Line::now("deleted", paths) }
}

/// Removes the unfinished files that the scan found.
pub(crate) async fn remove_leftovers(shared: &Shared) -> Result<()> {
    loop {
        let page = shared.journal.take_leftovers(PAGE).await?;
        if page.is_empty() || shared.stop.is_cancelled() {
            return Ok(());
        }
        for path in page {
            match remove_leftover(shared, &path).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // It harms nobody, and the next scan finds it again.
                Err(error) => tracing::warn!(%error, "unfinished file"),
            }
        }
    }
}

/// Removes an unfinished file, or a probe, which may be a directory of empty files.
async fn remove_leftover(shared: &Shared, path: &RelPath) -> towpath_backend::Result<()> {
    let sink = &shared.sink;
    match sink.remove_file(path).await {
        Err(error) if error.kind() == ErrorKind::IsADirectory => {}
        removed => return removed,
    }
    let mut names = Vec::new();
    let mut pages = sink.read_dir(path, &shared.paces.list_options()).await?;
    while let Some(page) = pages.next().await {
        let empty =
            page?.into_iter().filter(|entry| entry.metadata.kind == Kind::File && entry.metadata.size_bytes == 0);
        names.extend(empty.map(|entry| entry.name));
    }
    for name in names {
        if let Ok(file) = path.join(&name) {
            sink.remove_file(&file).await?;
        }
    }
    // Whatever else is in it keeps it.
    sink.remove_dir(path).await
}
