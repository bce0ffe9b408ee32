//! Directories at the sink: made where they are missing.

use tokio::task::JoinSet;
use towpath_backend::{Error, ErrorKind, Kind, RelPath, Result, Sink};

use super::Shared;
use crate::state::MissingDir;
use std::sync::Arc;

/// Makes `dir` and all directories above it that are missing.
pub(crate) async fn make_all(sink: &dyn Sink, dir: &RelPath) -> Result<()> {
    // Upwards to one that is there, then down again.
    let mut missing = vec![dir.clone()];
    while let Some(path) = missing.last() {
        if path.is_root() {
            missing.pop();
            continue;
        }
        match sink.create_dir(path).await {
            Ok(()) => drop(missing.pop()),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => drop(missing.pop()),
            Err(error) if error.kind() == ErrorKind::NotFound && missing.len() <= MAX_DEPTH => match path.parent() {
                Some(parent) if !parent.is_root() => missing.push(parent),
                _ => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// No path has more components than this: were the sink to say "not found" for
/// ever, the climb would end here.
const MAX_DEPTH: usize = 100_000;

/// Makes a page of directories side by side; tells each one's result.
pub(crate) async fn make_page(shared: &Arc<Shared>, page: Vec<MissingDir>) -> Vec<(MissingDir, Result<()>)> {
    let mut results = Vec::with_capacity(page.len());
    let mut under_way = JoinSet::new();
    for dir in page {
        if under_way.len() >= shared.options.lanes
            && let Some(Ok(result)) = under_way.join_next().await
        {
            results.push(result);
        }
        let shared = Arc::clone(shared);
        under_way.spawn(async move {
            let result = make_checked(&*shared.sink, &dir.path).await;
            (dir, result)
        });
    }
    while let Some(joined) = under_way.join_next().await {
        results.extend(joined);
    }
    results
}

/// Makes a directory, and checks that what has its name is one.
async fn make_checked(sink: &dyn Sink, dir: &RelPath) -> Result<()> {
    make_all(sink, dir).await?;
    match sink.metadata(dir).await?.kind {
        Kind::Dir => Ok(()),
        kind => Err(Error::new(
            ErrorKind::AlreadyExists,
            "create directory",
            dir,
            format!("a {kind} is in its place; remove it and run the same command again"),
        )),
    }
}
