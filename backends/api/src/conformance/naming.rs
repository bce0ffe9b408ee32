//! Cases about names that are long, deep, similar, or reused.

use super::fixture::{Fixture, list, metadata, names, path, read, write};
use crate::{Bytes, ErrorKind, RelPath, WriteOptions};

/// `a` is neither `ab` nor a parent of `a.b`, even where paths are key prefixes.
pub async fn names_with_a_common_prefix_are_distinct(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    for dir in ["a", "a.b", "ab"] {
        sink.create_dir(&path(dir), None).await.unwrap();
    }
    for file in ["a/x", "a/x.1", "a.b/y", "ab/z"] {
        write(fixture, &path(file), file.as_bytes()).await;
    }
    assert_eq!(names(fixture, &path("a")).await, [&b"x"[..], b"x.1"]);
    sink.remove_file(&path("a/x")).await.unwrap();
    sink.remove_file(&path("a/x.1")).await.unwrap();
    sink.remove_dir(&path("a")).await.unwrap();
    assert_eq!(names(fixture, &RelPath::root()).await, [&b"a.b"[..], b"ab"]);
    assert_eq!(read(fixture, &path("a.b/y")).await.unwrap(), b"a.b/y");
    assert_eq!(read(fixture, &path("ab/z")).await.unwrap(), b"ab/z");
}

/// Sixty levels are more than most trees have.
pub async fn deep_paths_work(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    let mut dirs = vec![RelPath::root()];
    for level in 0..60 {
        let dir = dirs.last().unwrap().join(format!("level {level:>13}")).unwrap();
        sink.create_dir(&dir, None).await.unwrap();
        dirs.push(dir);
    }
    let file = dirs.last().unwrap().join("file").unwrap();
    write(fixture, &file, b"deep").await;
    assert_eq!(read(fixture, &file).await.unwrap(), b"deep");
    assert_eq!(names(fixture, dirs.last().unwrap()).await, [b"file"]);
    assert_eq!(source.metadata(&file).await.unwrap().size_bytes, 4);
    sink.remove_file(&file).await.unwrap();
    for dir in dirs.iter().skip(1).rev() {
        sink.remove_dir(dir).await.unwrap();
    }
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
}

/// A name is kept as it is or rejected as an invalid name; it is never shortened.
pub async fn names_that_are_too_long_are_rejected_as_such(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    let mut kept = Vec::new();
    for length in [255, 256, 1000, 5000] {
        let (file, dir) = ("f".repeat(length), "d".repeat(length));
        let written =
            sink.write_whole(&path(&file), Bytes::from_static(b"x"), &metadata(1), &WriteOptions::default()).await;
        let created = sink.create(&path(&file), &metadata(1), &WriteOptions::default()).await.map(drop);
        let dir_created = sink.create_dir(&path(&dir), None).await;
        let is_accepted = dir_created.is_ok();
        assert_eq!((written.is_ok(), created.is_ok()), (is_accepted, is_accepted), "{length} bytes");
        let errors = [written.map(drop), created, dir_created].into_iter().filter_map(Result::err);
        assert!(errors.into_iter().all(|error| error.kind() == ErrorKind::InvalidName), "{length} bytes");
        if is_accepted {
            kept.extend([dir.into_bytes(), file.into_bytes()]);
        }
    }
    kept.sort();
    assert_eq!(names(fixture, &RelPath::root()).await, kept);
}

/// A removed entry leaves nothing behind that conflicts with a new one.
pub async fn a_removed_name_can_be_reused(fixture: &dyn Fixture) {
    let (sink, at) = (fixture.sink(), path("name"));
    for round in 0..3_u8 {
        write(fixture, &at, &[round; 10]).await;
        assert_eq!(read(fixture, &at).await.unwrap(), [round; 10]);
        sink.remove_file(&at).await.unwrap();
        sink.create_dir(&at, None).await.unwrap();
        write(fixture, &path("name/inside"), b"x").await;
        sink.remove_file(&path("name/inside")).await.unwrap();
        sink.remove_dir(&at).await.unwrap();
        if sink.capabilities().symlinks {
            sink.create_symlink(&at, b"nowhere").await.unwrap();
            sink.remove_file(&at).await.unwrap();
        }
        assert_eq!(fixture.source().metadata(&at).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
}
