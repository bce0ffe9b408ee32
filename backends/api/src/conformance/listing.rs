//! Cases about listings, and the names in them.

use tokio_stream::StreamExt as _;

use super::fixture::{Fixture, MTIME, assert_same, list, metadata, names, path, write, write_all};
use crate::{Bytes, ErrorKind, Kind, Pacing, ReadOptions, RelPath, WriteOptions};

/// "Could not be read" and "does not exist" are distinguished from "is empty".
pub async fn listing_a_missing_directory_is_not_found(fixture: &dyn Fixture) {
    let error = list(fixture, &path("missing")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.path(), &path("missing"));
}

/// An empty directory has an empty listing.
pub async fn an_empty_directory_has_no_entries(fixture: &dyn Fixture) {
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
    fixture.sink().create_dir(&path("dir"), None).await.unwrap();
    assert_eq!(list(fixture, &path("dir")).await.unwrap(), []);
}

/// Entries have the metadata that the engine compares.
pub async fn a_listing_shows_kind_size_and_time(fixture: &dyn Fixture) {
    fixture.sink().create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("file"), b"12345").await;
    let entries = list(fixture, &RelPath::root()).await.unwrap();
    let seen: Vec<_> = entries.iter().map(|entry| (&entry.name[..], entry.metadata.kind)).collect();
    assert_eq!(seen, [(&b"dir"[..], Kind::Dir), (b"file", Kind::File)]);
    let file = entries[1].metadata;
    assert_eq!(file.size_bytes, 5);
    let capabilities = fixture.source().capabilities();
    if fixture.sink().capabilities().sets_mtime {
        let precision = capabilities.mtime_precision_ns.max(fixture.sink().capabilities().mtime_precision_ns);
        assert!(file.modified.distance_ns(MTIME) < precision, "{:?}", file.modified);
    }
    assert_eq!(fixture.source().metadata(&path("file")).await.unwrap().size_bytes, 5);
}

/// No name of a large directory is lost or doubled, and no page is too large.
pub async fn a_large_directory_is_listed_completely_in_bounded_pages(fixture: &dyn Fixture) {
    let many = fixture.many();
    let paths: Vec<_> = (0..many).map(|n| path(format!("{n:05}"))).collect();
    write_all(fixture, &paths, b"").await;
    let mut pages = fixture.source().read_dir(&RelPath::root(), &ReadOptions::default()).await.unwrap();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.len() <= 1024, "a page of {}", page.len());
        names.extend(page.into_iter().map(|entry| entry.name));
    }
    names.sort();
    let expected: Vec<_> = (0..many).map(|n| format!("{n:05}").into_bytes()).collect();
    assert_eq!(names, expected);
}

/// Listing a file is an error.
pub async fn listing_a_file_is_an_error(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"x").await;
    assert_eq!(list(fixture, &path("file")).await.unwrap_err().kind(), ErrorKind::NotADirectory);
}

/// No name is changed, dropped or merged; one that the storage cannot hold is rejected as an invalid name.
pub async fn names_are_bytes(fixture: &dyn Fixture) {
    let long = "n".repeat(255);
    let names: [&[u8]; 8] =
        [b"with space", b"new\nline", b"-rf", b"...", b"\xff\xfe", "äö漢".as_bytes(), b"a\\b", long.as_bytes()];
    let mut expected = Vec::new();
    for (n, name) in names.iter().enumerate() {
        match fixture
            .sink()
            .write_whole(&path(name), Bytes::from(vec![0; n]), &metadata(n), &WriteOptions::default())
            .await
        {
            Ok(_) => expected.push((name.to_vec(), n as u64)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidName, "{error}"),
        }
    }
    expected.sort();
    let listed = list(fixture, &RelPath::root()).await.unwrap();
    let seen: Vec<_> = listed.into_iter().map(|entry| (entry.name, entry.metadata.size_bytes)).collect();
    assert_eq!(seen, expected);
}

/// Two spellings show one file if and only if the rules say that they are the same name.
pub async fn case_and_unicode_folding_match_the_name_rules(fixture: &dyn Fixture) {
    let rules = fixture.sink().capabilities().names;
    let pairs = [("Case", "cASE", rules.folds_case), ("\u{e9}", "e\u{301}", rules.folds_unicode)];
    for (name, twin, folds) in pairs {
        write(fixture, &path(name), b"x").await;
        let found = fixture.source().metadata(&path(twin)).await.is_ok();
        assert_eq!(found, folds, "{name:?} and {twin:?}");
    }
}

/// A name that the rules allow is listed as it was written.
pub async fn names_that_the_rules_allow_are_kept(fixture: &dyn Fixture) {
    let rules = fixture.sink().capabilities().names;
    let names: [&[u8]; 12] =
        [b"a:b", b"a*b", b"a?b", b"a\"b", b"a<b", b"a>b", b"a|b", b"a\\b", b"a\x01b", b"dot.", b"space ", b"\xff"];
    let mut expected: Vec<_> = names.into_iter().filter(|name| rules.problem(name).is_none()).collect();
    for name in &expected {
        write(fixture, &path(name), b"").await;
    }
    expected.sort_unstable();
    let listed = list(fixture, &RelPath::root()).await.unwrap();
    assert_eq!(listed.iter().map(|entry| &entry.name[..]).collect::<Vec<_>>(), expected);
}

/// A stat of an entry agrees with the listing.
pub async fn listings_agree_with_metadata(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    sink.create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("empty"), b"").await;
    write(fixture, &path("file"), b"content").await;
    if sink.capabilities().symlinks {
        sink.create_symlink(&path("link"), b"some/where").await.unwrap();
    }
    let entries = list(fixture, &RelPath::root()).await.unwrap();
    assert!(entries.len() >= 3);
    for entry in entries {
        let at = path(&entry.name);
        assert_same(&entry.metadata, &source.metadata(&at).await.unwrap(), &at);
    }
}

/// Deeper entries are listed only with their own directory.
pub async fn listings_are_not_recursive(fixture: &dyn Fixture) {
    for dir in ["dir", "dir/deeper"] {
        fixture.sink().create_dir(&path(dir), None).await.unwrap();
    }
    write(fixture, &path("dir/deeper/file"), b"x").await;
    for (dir, name) in [("", "dir"), ("dir", "deeper"), ("dir/deeper", "file")] {
        assert_eq!(names(fixture, &path(dir)).await, [name.as_bytes()]);
    }
}

/// More names than two pages hold.
const MANY: usize = 2100;

/// A directory of [`MANY`] files.
async fn many(fixture: &dyn Fixture) -> (RelPath, Vec<Vec<u8>>) {
    let dir = path("many");
    fixture.sink().create_dir(&dir, None).await.unwrap();
    let names: Vec<_> = (0..MANY.min(fixture.many())).map(|n| format!("{n:05}").into_bytes()).collect();
    let paths: Vec<_> = names.iter().map(|name| dir.join(name).unwrap()).collect();
    write_all(fixture, &paths, b"").await;
    (dir, names)
}

/// A caller may stop before the end.
pub async fn a_dropped_listing_does_no_harm(fixture: &dyn Fixture) {
    let (dir, expected) = many(fixture).await;
    for _ in 0..20 {
        drop(fixture.source().read_dir(&dir, &ReadOptions::default()).await.unwrap());
        let mut pages = fixture.source().read_dir(&dir, &ReadOptions::default()).await.unwrap();
        assert!(!pages.next().await.unwrap().unwrap().is_empty());
    }
    write(fixture, &dir.join("new").unwrap(), b"x").await;
    fixture.sink().remove_file(&dir.join("new").unwrap()).await.unwrap();
    assert_eq!(names(fixture, &dir).await, expected);
}

/// Entries that stay are listed once.
pub async fn a_directory_can_change_while_it_is_listed(fixture: &dyn Fixture) {
    let (dir, expected) = many(fixture).await;
    let mut pages = fixture.source().read_dir(&dir, &ReadOptions::default()).await.unwrap();
    let mut listed = pages.next().await.unwrap().unwrap();
    let gone = listed[0].name.clone();
    fixture.sink().remove_file(&dir.join(&gone).unwrap()).await.unwrap();
    write(fixture, &dir.join("new").unwrap(), b"x").await;
    while let Some(page) = pages.next().await {
        listed.extend(page.unwrap());
    }
    let mut seen: Vec<_> = listed.into_iter().map(|entry| entry.name).filter(|name| name != b"new").collect();
    seen.sort();
    assert_eq!(seen, expected);
    let left: Vec<_> = expected.into_iter().filter(|name| *name != gone).chain([b"new".to_vec()]).collect();
    assert_eq!(names(fixture, &dir).await, left);
}

/// Each listing has its own position.
pub async fn concurrent_listings_are_independent(fixture: &dyn Fixture) {
    let (dir, expected) = many(fixture).await;
    let mut one = fixture.source().read_dir(&dir, &ReadOptions::default()).await.unwrap();
    let mut other = fixture.source().read_dir(&dir, &ReadOptions::default()).await.unwrap();
    let (mut seen_by_one, mut seen_by_other) = (Vec::new(), Vec::new());
    loop {
        let pages = (one.next().await, other.next().await);
        if pages.0.is_none() && pages.1.is_none() {
            break;
        }
        seen_by_one.extend(pages.0.into_iter().flat_map(|page| page.unwrap()).map(|entry| entry.name));
        seen_by_other.extend(pages.1.into_iter().flat_map(|page| page.unwrap()).map(|entry| entry.name));
    }
    seen_by_one.sort();
    seen_by_other.sort();
    assert!(seen_by_one == expected && seen_by_other == expected);
}

/// Under a bandwidth limit pages are smaller, and no name is lost.
pub async fn a_paced_listing_is_complete(fixture: &dyn Fixture) {
    let paths: Vec<_> = (0..300).map(|n| path(format!("file {n}"))).collect();
    write_all(fixture, &paths, b"x").await;
    let options = ReadOptions::default().paced_by(&Pacing::new(1 << 20));
    let mut pages = fixture.source().read_dir(&RelPath::root(), &options).await.unwrap();
    let mut listed = Vec::new();
    while let Some(page) = pages.next().await {
        listed.extend(page.unwrap().into_iter().map(|entry| entry.name));
    }
    listed.sort();
    assert_eq!(listed, names(fixture, &RelPath::root()).await);
}
