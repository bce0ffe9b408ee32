//! Cases about hard links and renames.

use super::fixture::{Fixture, metadata, names, path, read, write};
use crate::{Bytes, ErrorKind, Kind, RelPath, WriteOptions};

/// Both names show the same file, and the metadata say so.
pub async fn a_hard_link_is_another_name_of_the_file(fixture: &dyn Fixture) {
    let (sink, source, first, second) = (fixture.sink(), fixture.source(), path("first"), path("dir/second"));
    let kept = write(fixture, &first, b"content").await;
    sink.create_dir(&path("dir"), None).await.unwrap();
    if !sink.capabilities().hard_links {
        assert_eq!(sink.create_hard_link(&first, &second).await.unwrap_err().kind(), ErrorKind::Unsupported);
        return;
    }
    sink.create_hard_link(&first, &second).await.unwrap();
    assert_eq!(read(fixture, &second).await.unwrap(), b"content");
    let (one, other) = (source.metadata(&first).await.unwrap(), source.metadata(&second).await.unwrap());
    assert_eq!((one.names, other.names, one.id), (2, 2, other.id));
    assert_eq!(one.modified, kept.modified);
    sink.remove_file(&first).await.unwrap();
    assert_eq!(read(fixture, &second).await.unwrap(), b"content");
    assert_eq!(source.metadata(&second).await.unwrap().names, 1);
}

/// An existing entry is not replaced, and a missing file cannot be linked.
pub async fn a_hard_link_needs_a_file_and_a_free_name(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    if !sink.capabilities().hard_links {
        return;
    }
    write(fixture, &path("file"), b"one").await;
    write(fixture, &path("taken"), b"other").await;
    let link = async |existing: &str, at: &str| sink.create_hard_link(&path(existing), &path(at)).await;
    assert_eq!(link("file", "taken").await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(link("missing", "new").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(link("file", "missing/new").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(names(fixture, &RelPath::root()).await, [&b"file"[..], b"taken"]);
    assert_eq!(read(fixture, &path("taken")).await.unwrap(), b"other");
}

/// Writing to one of the names makes it a separate file.
pub async fn writing_to_one_hard_link_leaves_the_others_unchanged(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    if !sink.capabilities().hard_links {
        return;
    }
    write(fixture, &path("kept"), b"as it was").await;
    for at in ["whole", "steps"].map(path) {
        sink.create_hard_link(&path("kept"), &at).await.unwrap();
    }
    write(fixture, &path("whole"), b"new").await;
    let mut writer = sink.create(&path("steps"), &metadata(5), &WriteOptions::default()).await.unwrap();
    writer.write_at(0, Bytes::from_static(b"newer")).await.unwrap();
    writer.finish(5, &metadata(5).times()).await.unwrap();
    for (at, expected) in [("kept", &b"as it was"[..]), ("whole", b"new"), ("steps", b"newer")] {
        assert_eq!(read(fixture, &path(at)).await.unwrap(), expected, "{at}");
        assert_eq!(fixture.source().metadata(&path(at)).await.unwrap().names, 1, "{at}");
    }
}

/// Only the name changes, also across directories.
pub async fn a_renamed_file_keeps_its_content_and_time(fixture: &dyn Fixture) {
    let (sink, source, from, to) = (fixture.sink(), fixture.source(), path("from"), path("dir/to"));
    let kept = write(fixture, &from, b"content").await;
    sink.create_dir(&path("dir"), None).await.unwrap();
    if !sink.capabilities().renames {
        assert_eq!(sink.rename(&from, &to).await.unwrap_err().kind(), ErrorKind::Unsupported);
        return;
    }
    sink.rename(&from, &to).await.unwrap();
    assert_eq!(read(fixture, &to).await.unwrap(), b"content");
    assert_eq!(source.metadata(&to).await.unwrap().modified, kept.modified);
    assert_eq!(names(fixture, &RelPath::root()).await, [b"dir"]);
    assert_eq!(sink.rename(&from, &to).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(sink.rename(&to, &path("missing/to")).await.unwrap_err().kind(), ErrorKind::NotFound);
    sink.rename(&to, &to).await.unwrap();
    assert_eq!(read(fixture, &to).await.unwrap(), b"content", "renaming it to its own name changes nothing");
}

/// The file or link at the destination is replaced; a link's target is not touched.
pub async fn renaming_replaces_a_file_or_symlink(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    if !sink.capabilities().renames {
        return;
    }
    write(fixture, &path("from"), b"new").await;
    write(fixture, &path("to"), b"old and longer").await;
    sink.rename(&path("from"), &path("to")).await.unwrap();
    assert_eq!(read(fixture, &path("to")).await.unwrap(), b"new");
    if sink.capabilities().symlinks {
        sink.create_symlink(&path("link"), b"to").await.unwrap();
        write(fixture, &path("from"), b"newest").await;
        sink.rename(&path("from"), &path("link")).await.unwrap();
        assert_eq!(read(fixture, &path("link")).await.unwrap(), b"newest");
        sink.create_symlink(&path("other"), b"nowhere").await.unwrap();
        sink.rename(&path("other"), &path("link")).await.unwrap();
        assert_eq!(fixture.source().read_link(&path("link")).await.unwrap(), b"nowhere");
        sink.remove_file(&path("link")).await.unwrap();
    }
    assert_eq!(read(fixture, &path("to")).await.unwrap(), b"new");
    assert_eq!(names(fixture, &RelPath::root()).await, [b"to"]);
}

/// POSIX does nothing in this case, and reports success.
pub async fn renaming_onto_another_hard_link_leaves_one_name(fixture: &dyn Fixture) {
    let (sink, capabilities) = (fixture.sink(), fixture.sink().capabilities());
    if !capabilities.renames || !capabilities.hard_links || capabilities.names.folds() {
        return;
    }
    write(fixture, &path("from"), b"content").await;
    sink.create_hard_link(&path("from"), &path("to")).await.unwrap();
    sink.rename(&path("from"), &path("to")).await.unwrap();
    assert_eq!(names(fixture, &RelPath::root()).await, [b"to"]);
    assert_eq!(read(fixture, &path("to")).await.unwrap(), b"content");
}

/// A directory is neither replaced nor moved.
pub async fn directories_are_neither_renamed_nor_replaced(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    if !sink.capabilities().renames {
        return;
    }
    write(fixture, &path("file"), b"content").await;
    for dir in ["dir", "other"] {
        sink.create_dir(&path(dir), None).await.unwrap();
    }
    let error = sink.rename(&path("file"), &path("dir")).await.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::IsADirectory | ErrorKind::AlreadyExists), "{error}");
    assert!(sink.rename(&path("other"), &path("dir")).await.is_err(), "a directory does not replace an empty one");
    assert_eq!(names(fixture, &RelPath::root()).await, [&b"dir"[..], b"file", b"other"]);
    assert_eq!(fixture.source().metadata(&path("dir")).await.unwrap().kind, Kind::Dir);
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"content");
}
