//! Gives names of the sink the spelling that the source has, where both are one name to the sink.

use std::collections::{BTreeSet, HashSet};

use tokio_stream::StreamExt as _;
use towpath_backend::RelPath;

use crate::audit::Line;
use crate::error::Result;
use crate::event::Event;
use crate::journal::Respelling;
use crate::session::Shared;

/// Names of one page.
const PAGE: usize = 256;

/// Spells names of the sink as the source does, those of directories before what lies in them.
///
/// Where it fails nothing is lost: the sink finds the name in either spelling.
pub(crate) async fn run(shared: &Shared) -> Result<()> {
    let mut after = RelPath::root();
    loop {
        let page = shared.journal.respellings(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.path.clone();
        let mut renamed = Vec::new();
        for respelling in &page {
            if shared.stop.is_cancelled() {
                return Ok(());
            }
            match shared.sink.respell(&respelling.at_sink, &respelling.path).await {
                Ok(()) => renamed.push(respelling),
                Err(error) => tracing::debug!(%error, "spelling"),
            }
        }
        report(shared, renamed).await?;
        shared.journal.respelled(page.into_iter().map(|respelling| respelling.path).collect()).await?;
    }
}

/// Reports the names that are listed as they are to be spelled: some storages say that they renamed
/// what was one name to them, and did nothing.
async fn report(shared: &Shared, renamed: Vec<&Respelling>) -> Result<()> {
    let parents: BTreeSet<_> = renamed.iter().filter_map(|respelling| respelling.path.parent()).collect();
    let wanted: HashSet<_> = renamed.iter().map(|respelling| &respelling.path).collect();
    let mut listed = HashSet::new();
    for parent in parents {
        // What cannot be listed now is listed by the next scan.
        let Ok(mut pages) = shared.sink.read_dir(&parent, &shared.paces.list_options()).await else { continue };
        while let Some(Ok(page)) = pages.next().await {
            let paths = page.iter().filter_map(|entry| parent.join(&entry.name).ok());
            listed.extend(paths.filter(|path| wanted.contains(path)));
        }
    }
    let (mut lines, mut events) = (Vec::new(), Vec::new());
    for Respelling { path, at_sink } in renamed.into_iter().filter(|respelling| listed.contains(&respelling.path)) {
        let (paths, from) = (shared.paths(path), at_sink.under(shared.sink.root()));
        lines.push(Line { renamed_from: Some(from.clone()), ..Line::now("renamed", paths.clone()) });
        events.push(Event::Renamed { paths, from });
    }
    shared.journal.log(lines).await?;
    for event in events {
        shared.emitter.emit(event).await;
    }
    Ok(())
}
