//! Listings: pages of entries, with the mtimes that only a stat of each object shows.

mod pairs;
mod unnameable;

use opendal::{EntryMode, Lister};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use towpath_backend::{Entry, EntryStream, Error, ErrorKind, Kind, Metadata, RelPath, Result, Timestamp};

use crate::handle::OpendalTree;
use crate::mark::Mark;
use crate::{error, stat, stubs};
use pairs::{Named, Pairs};
use unnameable::{Below, is_unnameable};

/// Entries of one page.
const PAGE_ENTRIES: usize = 1000;
/// Objects of a page that are stat'ed at the same time.
const STATS_AT_ONCE: usize = 32;
/// Pages that wait for the one who lists.
const WAITING_PAGES: usize = 1;

/// Begins to list a directory; the first page is there when it returns.
pub(crate) async fn open(tree: &OpendalTree, dir: &RelPath) -> Result<EntryStream> {
    let key = tree.keys().directory("list", dir)?;
    let lister = tree.operator.lister(&key).await.map_err(|problem| error::of("list", dir, &problem))?;
    let mut listing = Listing {
        tree: tree.clone(),
        dir: dir.clone(),
        prefix: prefix_of(&key),
        lister,
        is_at_end: false,
        seen_itself: false,
        pairs: Pairs::default(),
        unnameable: Vec::new(),
        below: None,
    };
    let first = match listing.page().await {
        Ok(page) => page,
        Err(problem) => match tree.or_absent(problem, Some(dir.clone())).await {
            // Servers answer the same for what is no directory.
            problem if problem.kind() == ErrorKind::NotFound && !dir.is_root() => None,
            problem => return Err(problem),
        },
    };
    let Some(first) = first else {
        return if dir.is_root()
            || listing.seen_itself
            || tree.has_directories() && tree.is_directory("list", dir).await?
        {
            Ok(Box::pin(tokio_stream::empty()))
        } else {
            match tree.stat_file("list", dir).await {
                // The stub of an empty directory.
                Ok(found) if found.kind == Kind::Dir => Ok(Box::pin(tokio_stream::empty())),
                Ok(_) => {
                    let cause = "is an object, and nothing is below it";
                    Err(Error::new(ErrorKind::NotADirectory, "list", dir, cause))
                }
                Err(error) => Err(error),
            }
        };
    };
    let (pages, receiver) = mpsc::channel(WAITING_PAGES + 1);
    let unfinished = Unfinished::new(&pages, dir);
    tokio::spawn(async move {
        let _unfinished = unfinished;
        let mut page = Ok(Some(first));
        loop {
            let last = page.is_err();
            let Some(item) = page.transpose() else { return };
            // Nobody waits for more.
            if pages.send(item).await.is_err() || last {
                return;
            }
            page = listing.page().await;
        }
    });
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

/// Room for one more item: the error of a client that panics. Without it the listing would end as one that is complete.
struct Unfinished {
    room: Option<mpsc::OwnedPermit<Result<Vec<Entry>>>>,
    dir: RelPath,
}

impl Unfinished {
    fn new(pages: &mpsc::Sender<Result<Vec<Entry>>>, dir: &RelPath) -> Self {
        Self { room: pages.clone().try_reserve_owned().ok(), dir: dir.clone() }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(room) = self.room.take().filter(|_| std::thread::panicking()) {
            let cause = "the client of this storage failed in the middle of the listing (a bug)";
            room.send(Err(Error::new(ErrorKind::Other, "list", &self.dir, cause)));
        }
    }
}

/// What the keys in a directory begin with.
fn prefix_of(key: &str) -> String {
    if key == "/" { String::new() } else { key.to_owned() }
}

struct Listing {
    tree: OpendalTree,
    dir: RelPath,
    prefix: String,
    lister: Lister,
    is_at_end: bool,
    /// Whether the directory is an object itself.
    seen_itself: bool,
    pairs: Pairs<opendal::Metadata>,
    /// Prefixes that no path can express, whose keys are not reported yet.
    unnameable: Vec<String>,
    below: Option<Below>,
}

impl Listing {
    /// The next page; `None` at the end.
    async fn page(&mut self) -> Result<Option<Vec<Entry>>> {
        let (mut named, mut entries) = (Vec::new(), Vec::new());
        while named.len() + entries.len() < PAGE_ENTRIES {
            if let Some(next) = self.pairs.pop() {
                named.push(next);
            } else if self.is_at_end {
                self.report_below(&mut entries).await?;
                break;
            } else {
                self.read_next(&mut entries).await?;
            }
        }
        if named.is_empty() && entries.is_empty() {
            return Ok(None);
        }
        self.describe(named, &mut entries).await?;
        Ok(Some(entries))
    }

    /// Reads an entry of the listing.
    async fn read_next(&mut self, entries: &mut Vec<Entry>) -> Result<()> {
        let Some(found) = self.lister.next().await else {
            self.is_at_end = true;
            self.pairs.end();
            return Ok(());
        };
        let found = found.map_err(|problem| error::of("list", &self.dir, &problem))?;
        let Some(listed) = found.path().strip_prefix(&self.prefix) else {
            let cause = format!("the server lists {:?}, which is not below it", found.path());
            return Err(Error::new(ErrorKind::Other, "list", &self.dir, cause));
        };
        let (name, is_dir) = (listed.trim_end_matches('/').to_owned(), listed.ends_with('/'));
        let has_directories = self.tree.has_directories();
        let stub =
            if has_directories || is_dir { None } else { stubs::of_hadoop(&name, found.metadata().content_length()) };
        if name.is_empty() || has_directories && name == "." {
            self.seen_itself = true;
        } else if !has_directories && is_unnameable(&name) {
            let key = found.path().to_owned();
            if is_dir { self.unnameable.push(key) } else { entries.push(unnameable::entry(&key)) }
        } else if let Some(entry) = self.mark(found.metadata()).and_then(|mark| mark.entry(&self.dir, &name)) {
            entries.push(entry);
        } else if let Some(dir) = stub {
            self.pairs.add(dir.to_owned(), true, opendal::MetadataBuilder::dir().build());
        } else {
            let theirs = found.into_parts().1;
            let is_dir = theirs.mode() == EntryMode::DIR;
            if has_directories {
                self.pairs.add_unique(name, is_dir, theirs);
            } else {
                self.pairs.add(name, is_dir, theirs);
            }
        }
        Ok(())
    }

    /// Adds the keys below prefixes that no path can express.
    async fn report_below(&mut self, entries: &mut Vec<Entry>) -> Result<()> {
        let failed = |dir: &RelPath, problem: &opendal::Error| error::of("list", dir, problem);
        while entries.len() < PAGE_ENTRIES {
            if self.below.is_none() {
                let Some(prefix) = self.unnameable.pop() else { return Ok(()) };
                let dir = if self.prefix.is_empty() { "/" } else { self.prefix.as_str() };
                let below = Below::open(&self.tree.operator, dir, prefix).await;
                self.below = Some(below.map_err(|problem| failed(&self.dir, &problem))?);
            }
            let Some(below) = &mut self.below else { return Ok(()) };
            let keys = below.next_keys(PAGE_ENTRIES - entries.len()).await;
            let keys = keys.map_err(|problem| failed(&self.dir, &problem))?;
            if keys.is_empty() {
                self.below = None;
            }
            entries.extend(keys.iter().map(|key| unnameable::entry(key)));
        }
        Ok(())
    }

    /// Adds the entries of names, with the mtimes that listings do not show.
    async fn describe(&self, names: Vec<Named<opendal::Metadata>>, entries: &mut Vec<Entry>) -> Result<()> {
        let mut stats = JoinSet::new();
        for named in names {
            let (name, has_dir) = match named {
                Named::Dir(name, theirs) => {
                    entries.push(Entry::new(name, self.tree.metadata_of(&theirs)));
                    continue;
                }
                Named::File(name, theirs) if self.is_complete(&name, &theirs) => {
                    entries.push(Entry::new(name, self.tree.metadata_of(&theirs)));
                    continue;
                }
                Named::Both(name, theirs) if theirs.content_length() > 0 => {
                    entries.push(both(&self.dir, &name));
                    continue;
                }
                Named::File(name, _) => (name, false),
                Named::Both(name, _) => (name, true),
            };
            if stats.len() >= STATS_AT_ONCE {
                entries.extend(joined(stats.join_next().await, &self.dir)?);
            }
            let (tree, dir) = (self.tree.clone(), self.dir.clone());
            stats.spawn(async move { stat(&tree, &dir, name, has_dir).await });
        }
        while !stats.is_empty() {
            entries.extend(joined(stats.join_next().await, &self.dir)?);
        }
        Ok(())
    }

    /// The mark of a transport. An object may have any content type.
    fn mark(&self, theirs: &opendal::Metadata) -> Option<Mark> {
        if self.tree.has_directories() { Mark::of(theirs) } else { None }
    }

    /// Whether a listing shows all that is known of a file. What OpenDAL would take for another object is listed as it
    /// is, so that opening it reports that.
    fn is_complete(&self, name: &str, theirs: &opendal::Metadata) -> bool {
        let can_be_asked = self.dir.join(name).is_ok_and(|path| self.tree.keys().file("stat", &path).is_ok());
        let lists_all = !self.tree.keeps_mtime() && self.mark(theirs).is_none();
        lists_all || theirs.user_metadata().is_some() || !can_be_asked
    }
}

/// The result of a stat.
type Stat = std::result::Result<Result<Option<Entry>>, tokio::task::JoinError>;

/// The entry of an object; `None` if it was deleted meanwhile. `has_dir`: there are objects below it, so that it must be
/// the stub of a directory.
async fn stat(tree: &OpendalTree, dir: &RelPath, name: String, has_dir: bool) -> Result<Option<Entry>> {
    let path = dir.join(&name).map_err(|error| Error::new(ErrorKind::InvalidName, "list", dir, error))?;
    match tree.stat_file("stat", &path).await {
        Ok(metadata) if has_dir && metadata.kind != Kind::Dir => Ok(Some(both(dir, &name))),
        Ok(metadata) => Ok(Some(Entry::new(name, metadata))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Ok(has_dir.then(|| Entry::new(name, Metadata::new(Kind::Dir, 0, Timestamp::default()))))
        }
        // The server cannot answer at all, or not now: so it is with the other entries.
        Err(error) if error.is_temporary() || error.kind() == ErrorKind::Unavailable => Err(error),
        Err(error) => Ok(Some(Entry::unreadable(name, error))),
    }
}

/// The entry of a name that is both an object and a directory.
fn both(dir: &RelPath, name: &str) -> Entry {
    let path = dir.join(name).unwrap_or_else(|_| dir.clone());
    Entry::unreadable(name, Error::new(ErrorKind::Other, "list", &path, stat::IS_BOTH))
}

fn joined(stat: Option<Stat>, dir: &RelPath) -> Result<Option<Entry>> {
    match stat {
        None => Ok(None),
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(Error::new(ErrorKind::Other, "list", dir, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_listing_whose_client_panics_ends_with_an_error() {
        for panics in [true, false] {
            let (pages, mut receiver) = mpsc::channel(WAITING_PAGES + 1);
            let unfinished = Unfinished::new(&pages, &RelPath::root());
            let task = tokio::spawn(async move {
                let _unfinished = unfinished;
                pages.send(Ok(Vec::new())).await.unwrap();
                assert!(!panics, "as a client may");
            });
            assert_eq!(task.await.is_err(), panics);
            assert!(receiver.recv().await.unwrap().is_ok());
            assert_eq!(receiver.recv().await.map(|item| item.is_err()), panics.then_some(true));
        }
    }
}
