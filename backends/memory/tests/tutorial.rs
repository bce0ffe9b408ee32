//! The backend of `docs/writing-a-backend.md`, with the suite run on it.

#![allow(missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use towpath_backend::{
    Bytes, Capabilities, Entry, EntryStream, Error, ErrorKind, FileReader, FileWriter, Hints, Identity, Kind, Metadata,
    ReadOptions, RelPath, Result, Sink, Source, Times, Timestamp, Tree, WriteOptions, async_trait,
};

#[derive(Clone)]
struct Item {
    kind: Kind,
    modified: Timestamp,
    data: Vec<u8>,
}

type Items = BTreeMap<RelPath, Item>;

/// A tree of files in a map.
#[derive(Clone)]
pub struct Shelf {
    items: Arc<Mutex<Items>>,
}

impl Shelf {
    pub fn empty() -> Self {
        let root = Item { kind: Kind::Dir, modified: Timestamp::from_ns(0), data: Vec::new() };
        Self { items: Arc::new(Mutex::new(BTreeMap::from([(RelPath::root(), root)]))) }
    }

    /// The items. The lock must not be held across an await.
    fn items(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The item at `path`. Its ancestors must be directories.
fn find<'a>(items: &'a Items, operation: &'static str, path: &RelPath) -> Result<&'a Item> {
    if let Some(parent) = path.parent()
        && find(items, operation, &parent).map_err(|error| error.with_path(path))?.kind != Kind::Dir
    {
        return Err(Error::new(ErrorKind::NotADirectory, operation, path, "a file is in the middle of the path"));
    }
    items.get(path).ok_or_else(|| Error::new(ErrorKind::NotFound, operation, path, "there is no such item"))
}

/// The same, if it is of this kind.
fn find_kind<'a>(items: &'a Items, operation: &'static str, path: &RelPath, kind: Kind) -> Result<&'a Item> {
    let item = find(items, operation, path)?;
    match item.kind {
        found if found == kind => Ok(item),
        Kind::Dir => Err(Error::new(ErrorKind::IsADirectory, operation, path, "is a directory")),
        _ => Err(Error::new(ErrorKind::NotADirectory, operation, path, "is a file")),
    }
}

impl Item {
    fn metadata(&self) -> Metadata {
        Metadata::new(self.kind, self.data.len() as u64, self.modified)
    }
}

#[async_trait]
impl Tree for Shelf {
    fn root(&self) -> &[u8] {
        b"shelf:"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::PLAIN
    }

    fn hints(&self) -> Hints {
        Hints { over_network: false, ..Hints::DEFAULT }
    }

    async fn identity(&self) -> Result<Identity> {
        Ok(Identity::new(format!("shelf:{:p}", Arc::as_ptr(&self.items))))
    }

    async fn read_dir(&self, dir: &RelPath, _: &ReadOptions) -> Result<EntryStream> {
        let items = self.items();
        find_kind(&items, "list", dir, Kind::Dir)?;
        let entries: Vec<_> = items
            .iter()
            .filter(|(path, _)| path.parent().as_ref() == Some(dir))
            .map(|(path, item)| Entry::new(path.name().unwrap_or_default().to_vec(), item.metadata()))
            .collect();
        let pages: Vec<_> = entries.chunks(1000).map(|page| Ok(page.to_vec())).collect();
        Ok(Box::pin(tokio_stream::iter(pages)))
    }

    async fn metadata(&self, path: &RelPath) -> Result<Metadata> {
        find(&self.items(), "stat", path).map(Item::metadata)
    }
}

struct Reader {
    shelf: Shelf,
    path: RelPath,
}

#[async_trait]
impl Source for Shelf {
    async fn open(&self, path: &RelPath, _: &ReadOptions) -> Result<Box<dyn FileReader>> {
        find_kind(&self.items(), "open", path, Kind::File)?;
        Ok(Box::new(Reader { shelf: self.clone(), path: path.clone() }))
    }
}

#[async_trait]
impl FileReader for Reader {
    async fn metadata(&mut self) -> Result<Metadata> {
        find_kind(&self.shelf.items(), "stat", &self.path, Kind::File).map(Item::metadata)
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let items = self.shelf.items();
        let data = &find_kind(&items, "read", &self.path, Kind::File)?.data;
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        let end = start.saturating_add(length_bytes).min(data.len());
        buffer.extend_from_slice(&data[start..end]);
        Ok(buffer)
    }
}

struct Writer {
    shelf: Shelf,
    path: RelPath,
}

impl Writer {
    /// Changes the file that is being written, unless it is gone.
    fn change<T>(&self, operation: &'static str, change: impl FnOnce(&mut Item) -> Result<T>) -> Result<T> {
        let mut items = self.shelf.items();
        find_kind(&items, operation, &self.path, Kind::File)?;
        let gone = || Error::new(ErrorKind::NotFound, operation, &self.path, "the file is gone");
        change(items.get_mut(&self.path).ok_or_else(gone)?)
    }

    fn error(&self, operation: &'static str, cause: &str) -> Error {
        Error::new(ErrorKind::Other, operation, &self.path, cause)
    }
}

#[async_trait]
impl FileWriter for Writer {
    async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        self.change("write", |item| {
            if offset != item.data.len() as u64 {
                return Err(self.error("write", "would leave a gap, and there are no holes here"));
            }
            item.data.extend_from_slice(&data);
            Ok(())
        })
    }

    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        self.change("close", |item| {
            if item.data.len() as u64 != size_bytes {
                return Err(self.error("close", "the size is not the number of bytes written"));
            }
            item.modified = times.modified;
            Ok(item.metadata())
        })
    }
}

/// Adds an item at `path`, whose directory must exist.
fn put(items: &mut Items, operation: &'static str, path: &RelPath, kind: Kind) -> Result<()> {
    if let Some(parent) = path.parent() {
        find_kind(items, operation, &parent, Kind::Dir).map_err(|error| error.with_path(path))?;
    }
    items.insert(path.clone(), Item { kind, modified: Timestamp::from_ns(0), data: Vec::new() });
    Ok(())
}

#[async_trait]
impl Sink for Shelf {
    async fn create(&self, path: &RelPath, _: &Metadata, _: &WriteOptions) -> Result<Box<dyn FileWriter>> {
        let mut items = self.items();
        if items.get(path).is_some_and(|item| item.kind == Kind::Dir) {
            return Err(Error::new(ErrorKind::IsADirectory, "create", path, "is a directory"));
        }
        put(&mut items, "create", path, Kind::File)?;
        Ok(Box::new(Writer { shelf: self.clone(), path: path.clone() }))
    }

    async fn create_dir(&self, path: &RelPath, _: Option<u32>) -> Result<()> {
        let mut items = self.items();
        if items.contains_key(path) {
            return Err(Error::new(ErrorKind::AlreadyExists, "create directory", path, "the name already exists"));
        }
        put(&mut items, "create directory", path, Kind::Dir)
    }

    async fn set_times(&self, path: &RelPath, times: &Times) -> Result<()> {
        let mut items = self.items();
        find(&items, "set times", path)?;
        items.entry(path.clone()).and_modify(|item| item.modified = times.modified);
        Ok(())
    }

    async fn remove_file(&self, path: &RelPath) -> Result<()> {
        let mut items = self.items();
        find_kind(&items, "remove", path, Kind::File)?;
        items.remove(path);
        Ok(())
    }

    async fn remove_dir(&self, path: &RelPath) -> Result<()> {
        let mut items = self.items();
        find_kind(&items, "remove directory", path, Kind::Dir)?;
        if path.is_root() {
            return Err(Error::new(ErrorKind::Other, "remove directory", path, "is the root"));
        }
        if items.keys().any(|other| other.parent().as_ref() == Some(path)) {
            return Err(Error::new(ErrorKind::NotEmpty, "remove directory", path, "is not empty"));
        }
        items.remove(path);
        Ok(())
    }

    async fn flush(&self) -> Result<()> {
        Ok(())
    }
}

use towpath_backend::registry::{Backend, Location, OpenError, Settings};

/// Opens `shelf://`.
pub struct Shelves {
    pub only: Shelf,
}

#[async_trait]
impl Backend for Shelves {
    fn name(&self) -> &'static str {
        "shelf"
    }

    fn about(&self) -> &'static str {
        "a map in memory"
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["shelf"]
    }

    fn capabilities(&self) -> Capabilities {
        self.only.capabilities()
    }

    async fn open_source(&self, _: &Location, _: &Settings) -> std::result::Result<Box<dyn Source>, OpenError> {
        Ok(Box::new(self.only.clone()))
    }

    async fn open_sink(&self, _: &Location, _: &Settings) -> std::result::Result<Box<dyn Sink>, OpenError> {
        Ok(Box::new(self.only.clone()))
    }
}

#[tokio::test]
async fn a_url_opens_a_shelf() {
    use towpath_backend::registry::{ConfigSources, Location, Registry};
    let mut registry = Registry::new();
    assert_eq!(registry.register(Shelves { only: Shelf::empty() }), Ok(()));
    let location = Location::parse("shelf://".as_ref());
    let Ok(location) = location else { panic!("is a URL") };
    let Ok(found) = registry.find(&location, &ConfigSources::environment()) else { panic!("is registered") };
    assert!(found.source().await.is_ok());
}

mod conformance {
    use super::Shelf;
    use towpath_backend::conformance::Fixture;
    use towpath_backend::{Sink, Source, async_trait};

    struct Fresh(Shelf);

    #[async_trait]
    impl Fixture for Fresh {
        fn sink(&self) -> &dyn Sink {
            &self.0
        }

        fn source(&self) -> &dyn Source {
            &self.0
        }

        fn other(&self) -> Option<Box<dyn Fixture>> {
            Some(Box::new(Self(Shelf::empty())))
        }

        async fn reopen(&self) -> Option<Box<dyn Fixture>> {
            Some(Box::new(Self(self.0.clone())))
        }
    }

    towpath_backend::conformance!(Fresh(Shelf::empty()));
}

/// What the tutorial shows is what is compiled and tested here.
#[test]
fn the_tutorial_shows_this_file() {
    let (text, code) = (include_str!("../../../docs/writing-a-backend.md"), include_str!("tutorial.rs"));
    let mut shown = 0;
    for part in text.split("```rust\n").skip(1) {
        let Some((snippet, _)) = part.split_once("```") else { panic!("a snippet has no end") };
        // The tests of a backend are a file of their own, where this one has a module.
        let indented = snippet.lines().map(|line| if line.is_empty() { String::new() } else { format!("    {line}") });
        let indented: Vec<_> = indented.collect();
        let is_here = code.contains(snippet) || code.contains(&indented.join("\n"));
        assert!(is_here, "not in this file:\n{snippet}");
        shown += 1;
    }
    assert!(shown >= 8, "{shown} snippets");
}
