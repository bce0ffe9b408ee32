//! Cases about symbolic links.

use super::fixture::{Fixture, list, metadata, path, read, write};
use crate::{Bytes, ErrorKind, Kind, ReadOptions, RelPath, Times, Timestamp, WriteOptions};

/// A link occupies its name, and its times are not those of its target.
pub async fn symlinks_are_created_once_and_have_their_own_times(fixture: &dyn Fixture) {
    let (sink, source, link) = (fixture.sink(), fixture.source(), path("link"));
    let capabilities = sink.capabilities();
    if !capabilities.symlinks {
        let error = sink.create_symlink(&link, b"file").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        return;
    }
    let file = write(fixture, &path("file"), b"x").await;
    sink.create_symlink(&link, b"file").await.unwrap();
    assert_eq!(sink.create_symlink(&link, b"other").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    if capabilities.sets_mtime {
        let own = Timestamp::from_ns(1_500_000_000_000_000_000);
        sink.set_times(&link, &Times { modified: own, accessed: None }).await.unwrap();
        let shown = source.metadata(&link).await.unwrap().modified;
        assert!(shown.distance_ns(own) < capabilities.mtime_precision_ns);
    }
    assert_eq!(source.metadata(&path("file")).await.unwrap().modified, file.modified);
}

/// No operation follows a link.
pub async fn symlinks_are_listed_and_never_followed(fixture: &dyn Fixture) {
    if !fixture.sink().capabilities().symlinks {
        return;
    }
    let (sink, source) = (fixture.sink(), fixture.source());
    sink.create_dir(&path("dir"), None).await.unwrap();
    write(fixture, &path("dir/file"), b"behind the link").await;
    sink.create_symlink(&path("to-dir"), b"dir").await.unwrap();
    sink.create_symlink(&path("to-file"), b"dir/file").await.unwrap();
    let kinds: Vec<_> =
        list(fixture, &RelPath::root()).await.unwrap().iter().map(|entry| entry.metadata.kind).collect();
    assert_eq!(kinds, [Kind::Dir, Kind::Symlink, Kind::Symlink]);
    for at in ["to-file", "to-dir/file"] {
        assert!(source.open(&path(at), &ReadOptions::default()).await.is_err(), "{at} was followed by open");
        assert!(
            source.read_whole(&path(at), 10, Vec::new(), &ReadOptions::default()).await.is_err(),
            "{at} was followed by read_whole"
        );
        assert!(
            sink.create(&path(at), &metadata(1), &WriteOptions::default()).await.is_err(),
            "{at} was followed by create"
        );
        let whole = sink.write_whole(&path(at), Bytes::from_static(b"x"), &metadata(1), &WriteOptions::default()).await;
        assert!(whole.is_err(), "{at} was followed by write_whole");
    }
    assert!(list(fixture, &path("to-dir")).await.is_err());
    assert!(source.metadata(&path("to-dir/file")).await.is_err());
    assert!(sink.create_dir(&path("to-dir/new"), None).await.is_err());
    assert!(sink.remove_file(&path("to-dir/file")).await.is_err());
    assert_eq!(read(fixture, &path("dir/file")).await.unwrap(), b"behind the link");
}

/// A scan compares the targets of both sides.
pub async fn targets_of_symlinks_are_read_on_both_sides(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    if !sink.capabilities().symlinks {
        return;
    }
    write(fixture, &path("file"), b"x").await;
    for (at, target) in [("a", &b"dir/file"[..]), ("b", b"../not \xff UTF-8/./x//"), ("c", b"/an/absolute one")] {
        // A storage may reject a target, but not keep another one without saying so.
        if let Err(error) = sink.create_symlink(&path(at), target).await {
            assert_ne!(error.kind(), ErrorKind::Unsupported, "{error}");
            continue;
        }
        assert_eq!(source.read_link(&path(at)).await.unwrap(), target, "read by the source");
        assert_eq!(sink.read_link(&path(at)).await.unwrap(), target, "read by the sink");
    }
    assert_eq!(source.read_link(&path("missing")).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(source.read_link(&path("file")).await.is_err(), "a file is not a link");
}

/// A listing need not have targets, but those that it has are right.
pub async fn listed_targets_are_those_that_are_read(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    if !sink.capabilities().symlinks {
        return;
    }
    write(fixture, &path("file"), b"x").await;
    sink.create_symlink(&path("to-file"), b"file").await.unwrap();
    sink.create_symlink(&path("to-nowhere"), b"no/where").await.unwrap();
    for entry in list(fixture, &RelPath::root()).await.unwrap() {
        if let Some(listed) = entry.target {
            assert_eq!(fixture.source().read_link(&path(&entry.name)).await.unwrap(), listed);
        }
    }
}
