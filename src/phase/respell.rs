//! Renames entries of the sink to the source's spelling, where the sink does not distinguish the two.

use std::collections::{BTreeSet, HashSet};

use tokio_stream::StreamExt as _;
use towpath_backend::RelPath;

use crate::error::Result;
use crate::event::Event;
use crate::journal::Respelling;
use crate::reporter::Record;
use crate::session::Session;

/// Names of one page.
const PAGE: usize = 256;

/// Renames them, directories before their content. A failure does no harm: the sink finds the name in either spelling.
pub(crate) async fn run(session: &Session) -> Result<()> {
    let mut after = RelPath::root();
    loop {
        let page = session.journal.respellings(after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.path.clone();
        let mut renamed = Vec::new();
        for respelling in &page {
            if session.stops_or_goes_on().await {
                return Ok(());
            }
            match session.sink.respell(&respelling.at_sink, &respelling.path).await {
                Ok(()) => renamed.push(respelling),
                Err(error) => tracing::debug!(%error, "spelling"),
            }
        }
        report(session, renamed).await?;
        session.journal.respelled(page.into_iter().map(|respelling| respelling.path).collect()).await?;
    }
}

/// Reports the names that are listed with the new spelling. Some storages report success and rename nothing if they do
/// not distinguish the two spellings.
async fn report(session: &Session, renamed: Vec<&Respelling>) -> Result<()> {
    let parents: BTreeSet<_> = renamed.iter().filter_map(|respelling| respelling.path.parent()).collect();
    let wanted: HashSet<_> = renamed.iter().map(|respelling| &respelling.path).collect();
    let mut listed = HashSet::new();
    for parent in parents {
        // If it cannot be listed now, the next scan lists it.
        let Ok(mut pages) = session.sink.read_dir(&parent, &session.paces.list_options()).await else { continue };
        while let Some(Ok(page)) = pages.next().await {
            let paths = page.iter().filter_map(|entry| parent.join(&entry.name).ok());
            listed.extend(paths.filter(|path| wanted.contains(path)));
        }
    }
    let is_listed = |respelling: &&Respelling| listed.contains(&respelling.path);
    let record = |Respelling { path, at_sink }: &Respelling| {
        Record::new(Event::Renamed { paths: session.paths(path), from: at_sink.under(session.sink.root()) })
    };
    session.reporter.report(renamed.into_iter().filter(is_listed).map(record)).await
}
