//! Cases about the whole tree: its root, its identity, its two sides.

use std::path::Path;

use super::fixture::{Fixture, assert_same, list, path, write};
use crate::{Kind, ReadOptions, RelPath, Tree};

/// The identity protects against another tree in this one's place.
pub async fn the_root_is_a_directory_and_keeps_its_identity(fixture: &dyn Fixture) {
    assert_eq!(fixture.source().metadata(&RelPath::root()).await.unwrap().kind, Kind::Dir);
    let before = fixture.source().identity().await.unwrap();
    write(fixture, &path("file"), b"x").await;
    assert_eq!(fixture.source().identity().await.unwrap(), before);
    assert_eq!(fixture.sink().identity().await.unwrap(), before);
}

/// Otherwise the identity would not protect anything. Needs [`Fixture::other`].
pub async fn two_trees_have_different_identities(fixture: &dyn Fixture) {
    let Some(other) = fixture.other() else { return };
    let one = fixture.source().identity().await.unwrap();
    assert_ne!(other.source().identity().await.unwrap(), one);
    assert_ne!(other.sink().identity().await.unwrap(), one);
    write(fixture, &path("file"), b"x").await;
    assert_eq!(list(&*other, &RelPath::root()).await.unwrap(), []);
}

/// The storage responds on both sides, repeatedly.
pub async fn a_round_trip_succeeds(fixture: &dyn Fixture) {
    for _ in 0..3 {
        fixture.source().round_trip().await.unwrap();
        fixture.sink().round_trip().await.unwrap();
    }
}

/// Messages show the root's name before each path.
pub async fn the_root_name_has_no_trailing_slash(fixture: &dyn Fixture) {
    for root in [fixture.source().root(), fixture.sink().root()] {
        assert!(!root.is_empty());
        assert!(root == b"/" || !root.ends_with(b"/"), "{}", root.escape_ascii());
    }
    for capabilities in [fixture.source().capabilities(), fixture.sink().capabilities()] {
        assert!(capabilities.mtime_precision_ns > 0);
    }
}

/// The engine excludes its own files if they lie in a tree. Files elsewhere must not be found in it.
pub async fn files_outside_the_tree_are_not_located(fixture: &dyn Fixture) {
    let elsewhere = [Path::new("/towpath-is-not-here/database"), Path::new("relative"), Path::new("")];
    for local in elsewhere {
        assert_eq!((fixture.source().locate(local), fixture.sink().locate(local)), (None, None), "{local:?}");
    }
}

/// The sink shows the same entries as the source.
pub async fn source_and_sink_show_the_same(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    sink.create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("dir/file"), b"content").await;
    for at in ["", "dir", "dir/file"].map(path) {
        assert_same(&source.metadata(&at).await.unwrap(), &sink.metadata(&at).await.unwrap(), &at);
    }
    for at in ["", "dir"].map(path) {
        let (from_source, from_sink) = (entries_of(source, &at).await, entries_of(sink, &at).await);
        assert_eq!(from_source, from_sink, "{at}");
    }
}

/// The names and kinds that one side lists.
async fn entries_of<T: Tree + ?Sized>(tree: &T, dir: &RelPath) -> Vec<(Vec<u8>, Kind)> {
    use tokio_stream::StreamExt as _;
    let mut pages = tree.read_dir(dir, &ReadOptions::default()).await.unwrap();
    let mut entries = Vec::new();
    while let Some(page) = pages.next().await {
        entries.extend(page.unwrap().into_iter().map(|entry| (entry.name, entry.metadata.kind)));
    }
    entries.sort_by(|a, b| a.0.cmp(&b.0));
    entries
}
