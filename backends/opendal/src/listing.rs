//! Listings: pages of entries, with the mtimes that only a stat of each object shows.

use std::collections::BTreeSet;

use opendal::{EntryMode, Lister};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;
use towpath_backend::{Entry, EntryStream, Error, ErrorKind, RelPath, Result};

use crate::error;
use crate::handle::OpendalTree;

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
    let (seen_itself, names) = (false, Names::default());
    let mut listing =
        Listing { tree: tree.clone(), dir: dir.clone(), prefix: prefix_of(&key), lister, seen_itself, names };
    let first = match listing.page().await {
        Ok(page) => page,
        Err(problem) => match tree.or_absent(problem, Some(dir.clone())).await {
            // A server says so of what is no directory, too.
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
            Err(listing.absent().await)
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
    /// Whether the directory is an object itself.
    seen_itself: bool,
    names: Names,
}

/// The names of the last page, and those before that may come again.
#[derive(Debug, Default)]
struct Names(BTreeSet<String>);

impl Names {
    /// Adds a page; returns a name that came twice.
    ///
    /// Keys come in their order: between `a` and `a/b` lie only such as begin with `a`, so that
    /// names that none of a page begins with are done.
    fn add<'a>(&mut self, page: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let mut names = BTreeSet::new();
        for name in page {
            if self.0.contains(name) || !names.insert(name.to_owned()) {
                return Some(name);
            }
        }
        let goes_on = |name: &String| names.range(name.clone()..).next().is_some_and(|next| next.starts_with(name));
        self.0.retain(goes_on);
        self.0.append(&mut names);
        None
    }
}

impl Listing {
    /// The next page; `None` at the end.
    async fn page(&mut self) -> Result<Option<Vec<Entry>>> {
        let mut page = Vec::new();
        while page.len() < PAGE_ENTRIES {
            let Some(found) = self.lister.next().await else { break };
            let found = found.map_err(|problem| error::of("list", &self.dir, &problem))?;
            let Some(name) = found.path().strip_prefix(&self.prefix) else { continue };
            let name = name.trim_end_matches('/').to_owned();
            if name.is_empty() || name == "." {
                self.seen_itself = true;
                continue;
            }
            page.push((name, found.into_parts().1));
        }
        if page.is_empty() {
            return Ok(None);
        }
        self.check_names(&page)?;
        self.stat_all(page).await.map(Some)
    }

    /// A key and one that goes on with a slash are a file and a directory of one name: there
    /// is no tree with both.
    fn check_names(&mut self, page: &[(String, opendal::Metadata)]) -> Result<()> {
        let Some(name) = self.names.add(page.iter().map(|(name, _)| name.as_str())) else { return Ok(()) };
        let cause =
            format!("there are an object {name:?} and objects below {name:?}/, and a tree holds only one of a name");
        Err(Error::new(ErrorKind::Other, "list", &self.dir, cause))
    }

    /// Finds out the mtimes that listings do not show.
    async fn stat_all(&self, page: Vec<(String, opendal::Metadata)>) -> Result<Vec<Entry>> {
        let mut entries = Vec::with_capacity(page.len());
        let mut stats = JoinSet::new();
        for (name, theirs) in page {
            let is_complete =
                !self.tree.keeps_mtime() || theirs.mode() == EntryMode::DIR || theirs.user_metadata().is_some();
            let path = self.dir.join(&name).ok().filter(|path| self.tree.keys().file("stat", path).is_ok());
            // What OpenDAL would take for another object is listed, so that opening it reports that.
            let (false, Some(path)) = (is_complete, path) else {
                entries.push(Entry { name: name.into_bytes(), metadata: self.tree.metadata_of(&theirs) });
                continue;
            };
            if stats.len() >= STATS_AT_ONCE {
                entries.extend(joined(stats.join_next().await, &self.dir)?);
            }
            let tree = self.tree.clone();
            stats.spawn(async move {
                match tree.stat_file("stat", &path).await {
                    Ok(metadata) => Ok(Some(Entry { name: name.into_bytes(), metadata })),
                    // It went in between.
                    Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                }
            });
        }
        while !stats.is_empty() {
            entries.extend(joined(stats.join_next().await, &self.dir)?);
        }
        Ok(entries)
    }

    /// Why nothing was listed.
    async fn absent(&self) -> Error {
        match self.tree.stat_file("list", &self.dir).await {
            Ok(_) => Error::new(ErrorKind::NotADirectory, "list", &self.dir, "is an object, and nothing is below it"),
            Err(error) => error,
        }
    }
}

/// The result of a stat.
type Stat = std::result::Result<Result<Option<Entry>>, tokio::task::JoinError>;

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

    #[test]
    fn a_name_that_comes_again_pages_later_is_noticed_and_few_are_kept() {
        let mut names = Names::default();
        assert_eq!(names.add(["a", "a!", "b"].into_iter()), None);
        for page in 0..100 {
            let page: Vec<_> = (0..10).map(|number| format!("a!{page}-{number}")).collect();
            assert_eq!(names.add(page.iter().map(String::as_str)), None);
            assert!(names.0.len() <= 12, "{names:?}");
        }
        assert_eq!(names.add(["a"].into_iter()), Some("a"));
        assert_eq!(Names::default().add(["c", "d", "c"].into_iter()), Some("c"), "within a page");
    }

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
