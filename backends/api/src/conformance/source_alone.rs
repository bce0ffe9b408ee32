//! The part of the suite for a source that has no sink: an archive, or a read-only server.
//!
//! Something else writes the content: the fixture puts what [`sample`] lists into the storage, with a tool that writes
//! there. One line then generates a test for every case:
//!
//! ```ignore
//! towpath_backend::source_conformance!(MyArchive::with(towpath_backend::conformance::sample));
//! ```

use std::collections::BTreeMap;

use async_trait::async_trait;
use tokio_stream::StreamExt as _;

use super::fixture::{MTIME, assert_same, content, path, read_from};
use crate::ext::TreeExt as _;
use crate::{Capabilities, ErrorKind, Kind, Pacing, ReadOptions, RelPath, Source, Timestamp};

/// A source that holds the [`sample`], and nothing else.
#[async_trait]
pub trait SourceFixture: Send + Sync {
    /// The source.
    fn source(&self) -> &dyn Source;

    /// The same tree, reopened as after a restart. Without it, the one case that needs it passes at once.
    async fn reopen(&self) -> Option<Box<dyn SourceFixture>> {
        None
    }
}

/// An entry of the content of a source without a sink.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Sample {
    /// Where it is.
    pub path: RelPath,
    /// A file, a directory or a symbolic link.
    pub kind: Kind,
    /// The content of a file, the target of a link.
    pub content: Vec<u8>,
    /// The mtime. Those of directories and links are not compared.
    pub modified: Timestamp,
}

/// What a source with these capabilities must contain; a directory comes before its entries.
pub fn sample(capabilities: &Capabilities) -> Vec<Sample> {
    let entry = |at: &[u8], kind, content| Sample { path: path(at), kind, content, modified: MTIME };
    let file = |at: &[u8], length| entry(at, Kind::File, content(length));
    let mut sample = vec![
        entry(b"dir", Kind::Dir, Vec::new()),
        file(b"dir/file", 1000),
        entry(b"dir/deeper", Kind::Dir, Vec::new()),
        file(b"dir/deeper/large", 300_000),
        file(b"empty", 0),
        file(b"small", 10),
    ];
    if capabilities.empty_directories && !capabilities.virtual_directories {
        sample.push(entry(b"nothing inside", Kind::Dir, Vec::new()));
    }
    let names = [&b"with space"[..], "\u{fc}ml\u{e4}ut".as_bytes(), b"not \xff UTF-8", b"a:b*c?"];
    sample.extend(names.iter().filter(|name| capabilities.names.problem(name).is_none()).map(|name| file(name, 20)));
    if capabilities.symlinks {
        sample.push(entry(b"link", Kind::Symlink, b"small".to_vec()));
        sample.push(entry(b"link to a directory", Kind::Symlink, b"dir".to_vec()));
        sample.push(entry(b"link to nowhere", Kind::Symlink, b"missing".to_vec()));
    }
    sample
}

/// The sample that a source must contain.
fn sample_of(source: &dyn Source) -> Vec<Sample> {
    sample(&source.capabilities())
}

/// The files of the sample.
fn files_of(source: &dyn Source) -> impl Iterator<Item = Sample> {
    sample_of(source).into_iter().filter(|entry| entry.kind == Kind::File)
}

/// Each entry once, with its kind, size and mtime, and nothing else.
pub async fn the_sample_is_listed_completely(fixture: &dyn SourceFixture) {
    let source = fixture.source();
    let mut walk = source.walk(&RelPath::root());
    let mut found = BTreeMap::new();
    while let Some(entry) = walk.next().await {
        let entry = entry.unwrap();
        assert!(found.insert(entry.path.clone(), entry.metadata).is_none(), "{} is listed twice", entry.path);
    }
    let capabilities = source.capabilities();
    for entry in sample_of(source) {
        let Some(shown) = found.remove(&entry.path) else { panic!("{} is not listed", entry.path) };
        assert_eq!(shown.kind, entry.kind, "{}", entry.path);
        if entry.kind == Kind::File {
            assert_eq!(shown.size_bytes, entry.content.len() as u64, "{}", entry.path);
            let is_near = shown.modified.distance_ns(entry.modified) < capabilities.mtime_precision_ns;
            assert!(is_near || !capabilities.sets_mtime, "{}: {:?}", entry.path, shown.modified);
        }
    }
    assert!(found.is_empty(), "not in the sample: {found:?}");
}

/// Otherwise a run after a restart would be refused.
pub async fn a_reopened_source_has_the_same_identity(fixture: &dyn SourceFixture) {
    let before = fixture.source().identity().await.unwrap();
    assert_eq!(fixture.source().identity().await.unwrap(), before);
    if let Some(again) = fixture.reopen().await {
        assert_eq!(again.source().identity().await.unwrap(), before);
        assert_eq!(again.source().root(), fixture.source().root());
    }
}

/// The engine decides by listings, and checks the metadata of each file again, also after it was opened.
pub async fn source_listings_agree_with_metadata(fixture: &dyn SourceFixture) {
    let source = fixture.source();
    let mut walk = source.walk(&RelPath::root());
    while let Some(entry) = walk.next().await {
        let entry = entry.unwrap();
        assert_same(&entry.metadata, &source.metadata(&entry.path).await.unwrap(), &entry.path);
        if entry.metadata.kind == Kind::File {
            let mut reader = source.open(&entry.path, &ReadOptions::default()).await.unwrap();
            assert_same(&entry.metadata, &reader.metadata().await.unwrap(), &entry.path);
        }
    }
}

/// With a bandwidth limit, pages are smaller, and no name is lost.
pub async fn a_paced_source_listing_is_complete(fixture: &dyn SourceFixture) {
    let paced = ReadOptions::default().paced_by(&Pacing::new(1 << 20));
    for dir in ["", "dir"].map(path) {
        let mut listed = [Vec::new(), Vec::new()];
        for (names, options) in listed.iter_mut().zip([&ReadOptions::default(), &paced]) {
            let mut pages = fixture.source().read_dir(&dir, options).await.unwrap();
            while let Some(page) = pages.next().await {
                names.extend(page.unwrap().into_iter().map(|entry| entry.name));
            }
            names.sort();
        }
        assert_eq!(listed[0], listed[1], "{dir}");
    }
}

/// In steps and as a whole, appended to the buffer.
pub async fn the_sample_is_read_unchanged(fixture: &dyn SourceFixture) {
    let source = fixture.source();
    for entry in files_of(source) {
        assert!(read_from(source, &entry.path).await.unwrap() == entry.content, "{}", entry.path);
        let (kept, limit) = (b"kept".to_vec(), entry.content.len() + 1);
        let whole = source.read_whole(&entry.path, limit, kept, &ReadOptions::default()).await.unwrap();
        assert!(whole.data == [b"kept", &entry.content[..]].concat(), "{}", entry.path);
        assert_eq!(whole.metadata.size_bytes, entry.content.len() as u64, "{}", entry.path);
    }
}

/// A verification reads past caches.
pub async fn the_sample_is_read_unchanged_past_caches(fixture: &dyn SourceFixture) {
    let (source, options) = (fixture.source(), ReadOptions::default().bypassing_cache());
    for entry in files_of(source) {
        let whole = source.read_whole(&entry.path, entry.content.len() + 1, Vec::new(), &options).await.unwrap();
        assert!(whole.data == entry.content, "{}", entry.path);
        let (mut reader, middle) = (source.open(&entry.path, &options).await.unwrap(), entry.content.len() / 3);
        let rest = reader.read_at(middle as u64, entry.content.len(), Vec::new()).await.unwrap();
        assert!(rest == entry.content[middle..], "{} from {middle}", entry.path);
    }
}

/// The buffer gets no more than the limit, and the metadata show that there is more.
pub async fn source_read_whole_stops_at_the_limit(fixture: &dyn SourceFixture) {
    let (at, options) = (path("dir/file"), ReadOptions::default());
    let whole = fixture.source().read_whole(&at, 100, Vec::new(), &options).await.unwrap();
    assert_eq!((whole.data, whole.metadata.size_bytes), (content(1000)[..100].to_vec(), 1000));
}

/// From any offset, past the end, and by two readers that do not interfere.
pub async fn a_source_is_read_at_any_offset_by_several_readers(fixture: &dyn SourceFixture) {
    let (at, data, options) = (path("dir/deeper/large"), content(300_000), ReadOptions::default());
    let mut one = fixture.source().open(&at, &options).await.unwrap();
    let mut other = fixture.source().open(&at, &options).await.unwrap();
    for offset in [299_990, 0, 150_000, 4095, 299_999] {
        for (reader, offset) in [(&mut one, offset), (&mut other, offset / 2)] {
            let read = reader.read_at(offset as u64, 20, b"x".to_vec()).await.unwrap();
            assert!(read == [b"x", &data[offset..data.len().min(offset + 20)]].concat(), "at {offset}");
        }
    }
    for offset in [300_000, 400_000, 1 << 40] {
        assert_eq!(one.read_at(offset, 20, Vec::new()).await.unwrap(), b"", "at {offset}");
    }
}

/// A directory is an error, not an empty file; a file is not an empty directory.
pub async fn source_directories_are_not_read_as_files(fixture: &dyn SourceFixture) {
    let (source, options) = (fixture.source(), ReadOptions::default());
    assert!(read_from(source, &path("dir")).await.is_err());
    let whole = source.read_whole(&path("dir"), 10, Vec::new(), &options).await;
    assert!(!whole.is_ok_and(|whole| whole.metadata.kind == Kind::File));
    let listed = source.read_dir(&path("small"), &options).await.map(drop);
    assert_ne!(listed.expect_err("a file is listed").kind(), ErrorKind::NotFound);
}

/// The engine deletes and drops rows because of [`ErrorKind::NotFound`].
pub async fn missing_source_entries_are_not_found(fixture: &dyn SourceFixture) {
    let (source, options) = (fixture.source(), ReadOptions::default());
    for missing in ["missing", "dir/missing", "smal", "small2"].map(path) {
        let errors = [
            source.metadata(&missing).await.map(drop),
            source.open(&missing, &options).await.map(drop),
            source.read_whole(&missing, 10, Vec::new(), &options).await.map(drop),
            source.read_dir(&missing, &options).await.map(drop),
        ];
        for error in errors {
            let error = error.expect_err("it is missing");
            assert_eq!((error.kind(), error.path()), (ErrorKind::NotFound, &missing), "{error}");
        }
    }
}

/// A link could lead out of the tree.
pub async fn source_symlinks_are_not_followed(fixture: &dyn SourceFixture) {
    let (source, options) = (fixture.source(), ReadOptions::default());
    for link in sample_of(source).into_iter().filter(|entry| entry.kind == Kind::Symlink) {
        assert_eq!(source.read_link(&link.path).await.unwrap(), link.content, "{}", link.path);
        assert_eq!(source.metadata(&link.path).await.unwrap().kind, Kind::Symlink, "{}", link.path);
        assert!(source.open(&link.path, &options).await.is_err(), "{}", link.path);
        assert!(source.read_dir(&link.path, &options).await.is_err(), "{}", link.path);
    }
}
