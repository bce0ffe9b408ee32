//! Cases about listings and identity.

use tokio_stream::StreamExt as _;

use super::{Bytes, Fixture, MTIME, list, metadata, path, write};
use crate::{ErrorKind, Kind, RelPath};

/// "Could not look" and "is not there" are told apart from "is empty".
pub async fn a_missing_directory_is_not_found_rather_than_empty(fixture: &dyn Fixture) {
    let error = list(fixture, &path("missing")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert_eq!(error.path(), &path("missing"));
}

/// An empty directory is a listing of nothing.
pub async fn an_empty_directory_lists_nothing(fixture: &dyn Fixture) {
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
    fixture.sink().create_dir(&path("dir")).await.unwrap();
    assert_eq!(list(fixture, &path("dir")).await.unwrap(), []);
}

/// Entries carry what the engine decides by.
pub async fn a_listing_tells_kind_size_and_time(fixture: &dyn Fixture) {
    fixture.sink().create_dir(&path("dir")).await.unwrap();
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

/// A large directory neither loses nor doubles a name, and never comes as one page.
pub async fn every_name_of_a_large_directory_is_listed_once_in_bounded_pages(fixture: &dyn Fixture) {
    for n in 0..2500 {
        write(fixture, &path(format!("{n:05}")), b"").await;
    }
    let mut pages = fixture.source().read_dir(&RelPath::root()).await.unwrap();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.len() <= 1024, "a page of {}", page.len());
        names.extend(page.into_iter().map(|entry| entry.name));
    }
    names.sort();
    let expected: Vec<_> = (0..2500).map(|n| format!("{n:05}").into_bytes()).collect();
    assert_eq!(names, expected);
}

/// Listing a file is an error.
pub async fn a_file_is_no_directory_to_list(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"x").await;
    assert_eq!(list(fixture, &path("file")).await.unwrap_err().kind(), ErrorKind::NotADirectory);
}

/// The identity guards against another tree in this one's place.
pub async fn the_root_is_a_directory_and_keeps_its_identity(fixture: &dyn Fixture) {
    assert_eq!(fixture.source().metadata(&RelPath::root()).await.unwrap().kind, Kind::Dir);
    let before = fixture.source().identity().await.unwrap();
    write(fixture, &path("file"), b"x").await;
    assert_eq!(fixture.source().identity().await.unwrap(), before);
    assert_eq!(fixture.sink().identity().await.unwrap(), before);
}

/// No name is changed, dropped or merged; one that the storage cannot hold is refused as such.
pub async fn names_are_bytes(fixture: &dyn Fixture) {
    let long = "n".repeat(255);
    let names: [&[u8]; 8] =
        [b"with space", b"new\nline", b"-rf", b"...", b"\xff\xfe", "äö漢".as_bytes(), b"a\\b", long.as_bytes()];
    let mut expected = Vec::new();
    for (n, name) in names.iter().enumerate() {
        match fixture.sink().write_whole(&path(name), Bytes::from(vec![0; n]), &metadata(n)).await {
            Ok(_) => expected.push((name.to_vec(), n as u64)),
            Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidName, "{error}"),
        }
    }
    expected.sort();
    let listed = list(fixture, &RelPath::root()).await.unwrap();
    let seen: Vec<_> = listed.into_iter().map(|entry| (entry.name, entry.metadata.size_bytes)).collect();
    assert_eq!(seen, expected);
}

/// Of two names that the rules call different neither shows the other's file.
pub async fn names_that_are_one_are_said_to_be(fixture: &dyn Fixture) {
    let rules = fixture.sink().capabilities().names;
    let pairs = [("Case", "cASE", rules.folds_case), ("\u{e9}", "e\u{301}", rules.folds_unicode)];
    for (name, twin, folds) in pairs {
        write(fixture, &path(name), b"x").await;
        let found = fixture.source().metadata(&path(twin)).await.is_ok();
        assert_eq!(found, folds, "{name:?} and {twin:?}");
    }
}

/// A name that the rules let pass comes back as it was.
pub async fn names_that_cannot_be_are_said_to_be(fixture: &dyn Fixture) {
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

/// The storage answers, on both sides, and again.
pub async fn a_round_trip_is_answered(fixture: &dyn Fixture) {
    for _ in 0..3 {
        fixture.source().round_trip().await.unwrap();
        fixture.sink().round_trip().await.unwrap();
    }
}
