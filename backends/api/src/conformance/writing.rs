//! Cases about writing.

use super::fixture::{Fixture, MTIME, assert_same, content, list, metadata, path, read, write};
use crate::{Bytes, ErrorKind, Kind, Metadata, Pacing, RelPath, Result, Times, Timestamp, WriteOptions};

/// The sink shows the mtime that it returned at the close.
pub async fn times_are_kept_to_the_precision(fixture: &dyn Fixture) {
    let capabilities = fixture.sink().capabilities();
    if !capabilities.sets_mtime {
        return;
    }
    for ns in [0, 1, 1_700_000_001_123_456_789, 1_000_000_000_000_000_000, 1_700_000_000_999_999_999] {
        let mut given = metadata(3);
        given.modified = Timestamp::from_ns(ns);
        let kept = fixture
            .sink()
            .write_whole(&path("file"), Bytes::from_static(b"abc"), &given, &WriteOptions::default())
            .await
            .unwrap();
        let shown = fixture.source().metadata(&path("file")).await.unwrap();
        assert!(kept.modified.distance_ns(given.modified) < capabilities.mtime_precision_ns, "{kept:?}");
        assert_eq!(kept.modified, shown.modified);
    }
}

/// Not every storage has such times; none may silently store another one.
pub async fn times_before_1970_are_kept_or_reported(fixture: &dyn Fixture) {
    if !fixture.sink().capabilities().sets_mtime {
        return;
    }
    for ns in [-1, -1_500_000_001, -86_400_000_000_000] {
        let mut given = metadata(3);
        given.modified = Timestamp::from_ns(ns);
        let written = fixture
            .sink()
            .write_whole(&path("file"), Bytes::from_static(b"abc"), &given, &WriteOptions::default())
            .await;
        if let Ok(kept) = written {
            let shown = fixture.source().metadata(&path("file")).await.unwrap();
            assert_eq!(kept.modified, shown.modified);
        }
    }
}

/// Nothing remains of longer content.
pub async fn overwriting_truncates_longer_content(fixture: &dyn Fixture) {
    write(fixture, &path("file"), &content(100_000)).await;
    let kept = write(fixture, &path("file"), b"short").await;
    assert_eq!(kept.size_bytes, 5);
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"short");
    write(fixture, &path("file"), b"").await;
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"");
}

/// The engine creates missing directories on this error.
pub async fn writing_into_a_missing_directory_is_not_found(fixture: &dyn Fixture) {
    let (at, sink) = (path("missing/file"), fixture.sink());
    if sink.capabilities().virtual_directories {
        return;
    }
    assert_eq!(
        sink.create(&at, &metadata(1), &WriteOptions::default()).await.map(drop).unwrap_err().kind(),
        ErrorKind::NotFound
    );
    let whole = sink.write_whole(&at, Bytes::from_static(b"x"), &metadata(1), &WriteOptions::default()).await;
    assert_eq!(whole.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(sink.create_dir(&path("missing/too"), None).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// A directory in a file's place is an error, unless directories are virtual.
pub async fn a_directory_is_not_overwritten_by_a_file(fixture: &dyn Fixture) {
    if fixture.sink().capabilities().virtual_directories {
        return;
    }
    fixture.sink().create_dir(&path("dir"), None).await.unwrap();
    assert!(fixture.sink().create(&path("dir"), &metadata(1), &WriteOptions::default()).await.is_err());
    assert!(
        fixture
            .sink()
            .write_whole(&path("dir"), Bytes::from_static(b"x"), &metadata(1), &WriteOptions::default())
            .await
            .is_err()
    );
    assert_eq!(fixture.source().metadata(&path("dir")).await.unwrap().kind, Kind::Dir);
}

/// At no moment, for new files and for existing ones that granted more.
pub async fn files_grant_no_more_than_the_given_permissions(fixture: &dyn Fixture) {
    let (sink, source) = (fixture.sink(), fixture.source());
    for (at, permissions) in [("file", 0o666), ("file", 0o640), ("file", 0o600), ("new", 0o600), ("large", 0o640)] {
        let (at, given) = (path(at), Metadata { permissions: Some(permissions), ..metadata(1) });
        let permitted = |shown: Metadata| shown.permissions.unwrap_or(0) & 0o077;
        let writer = sink.create(&at, &given, &WriteOptions::default()).await.unwrap();
        // A storage may show nothing until the file is complete.
        if let Ok(shown) = source.metadata(&at).await {
            assert_eq!(permitted(shown) & !permissions, 0, "{shown:?} before the first byte");
        }
        drop(writer);
        sink.write_whole(&at, Bytes::from_static(b"x"), &given, &WriteOptions::default()).await.unwrap();
        let shown = source.metadata(&at).await.unwrap();
        assert_eq!(permitted(shown) & !permissions, 0, "{shown:?} instead of {permissions:o}");
    }
}

/// Files in them are as private as they are.
pub async fn directories_grant_no_more_than_the_given_permissions(fixture: &dyn Fixture) {
    for (at, permissions) in [("public", 0o777), ("group", 0o750), ("private", 0o700), ("without write", 0o500)] {
        let at = path(at);
        fixture.sink().create_dir(&at, Some(permissions)).await.unwrap();
        let shown = fixture.source().metadata(&at).await.unwrap().permissions;
        assert!(shown.is_none_or(|shown| shown & 0o077 & !permissions == 0 && shown & 0o700 == 0o700), "{shown:?}");
        write(fixture, &at.join("file").unwrap(), b"x").await;
    }
}

/// The fast path has the same result as the general one.
pub async fn write_whole_is_the_same_as_writing_in_steps(fixture: &dyn Fixture) {
    let data = content(300_000);
    let whole = write(fixture, &path("whole"), &data).await;
    let mut writer =
        fixture.sink().create(&path("steps"), &metadata(data.len()), &WriteOptions::default()).await.unwrap();
    for (n, step) in data.chunks(70_000).enumerate() {
        writer.write_at(n as u64 * 70_000, Bytes::copy_from_slice(step)).await.unwrap();
    }
    let steps = writer.finish(data.len() as u64, &metadata(data.len()).times()).await.unwrap();
    assert_eq!((whole.size_bytes, whole.modified), (steps.size_bytes, steps.modified));
    assert!(read(fixture, &path("whole")).await.unwrap() == read(fixture, &path("steps")).await.unwrap());
}

/// After a transfer that stops midway, the tree still works.
pub async fn a_dropped_writer_does_no_harm(fixture: &dyn Fixture) {
    let mut writer = fixture.sink().create(&path("file"), &metadata(10), &WriteOptions::default()).await.unwrap();
    writer.write_at(0, Bytes::from_static(b"123")).await.unwrap();
    drop(writer);
    write(fixture, &path("file"), b"all of it!").await;
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"all of it!");
}

/// A flush has no visible effect.
pub async fn flushing_changes_nothing(fixture: &dyn Fixture) {
    let kept = write(fixture, &path("file"), b"data").await;
    fixture.sink().flush().await.unwrap();
    let shown = fixture.source().metadata(&path("file")).await.unwrap();
    assert_eq!(shown.size_bytes, 4);
    if fixture.sink().capabilities().sets_mtime {
        assert_eq!(shown.modified, kept.modified);
    }
}

/// Creating an existing directory is an error.
pub async fn a_directory_is_created_once(fixture: &dyn Fixture) {
    let sink = fixture.sink();
    sink.create_dir(&path("dir"), None).await.unwrap();
    assert_eq!(sink.create_dir(&path("dir"), None).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    assert_eq!(sink.create_dir(&RelPath::root(), None).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
    write(fixture, &path("file"), b"x").await;
    assert_eq!(sink.create_dir(&path("file"), None).await.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

/// Directories have times, or the sink reports that they have none.
pub async fn directory_times_can_be_set(fixture: &dyn Fixture) {
    let capabilities = fixture.sink().capabilities();
    if !capabilities.sets_mtime {
        return;
    }
    fixture.sink().create_dir(&path("dir"), None).await.unwrap();
    let set = fixture.sink().set_times(&path("dir"), &Times { modified: MTIME, accessed: None }).await;
    if is_unsupported(&set) {
        return;
    }
    set.unwrap();
    let shown = fixture.source().metadata(&path("dir")).await.unwrap();
    assert!(shown.modified.distance_ns(MTIME) < capabilities.mtime_precision_ns);
}

fn is_unsupported(result: &Result<()>) -> bool {
    result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unsupported)
}

/// Setting times creates nothing.
pub async fn setting_times_of_a_missing_entry_fails(fixture: &dyn Fixture) {
    if !fixture.sink().capabilities().sets_mtime {
        return;
    }
    let set = fixture.sink().set_times(&path("missing"), &metadata(0).times()).await;
    assert!(matches!(set.unwrap_err().kind(), ErrorKind::NotFound | ErrorKind::Unsupported));
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
}

/// A limit on the bytes in flight delays writes, but does not change the content.
pub async fn an_in_flight_limit_does_not_change_the_content(fixture: &dyn Fixture) {
    let (at, data) = (path("file"), content(500_000));
    let pacing = Pacing::new(100 << 20);
    let options = WriteOptions::default().paced_by(&pacing);
    let mut writer = fixture.sink().create(&at, &metadata(data.len()), &options).await.unwrap();
    for (i, step) in data.chunks(33_000).enumerate() {
        pacing.set_in_flight_bytes([1, 70_000, u64::MAX][i % 3]);
        writer.write_at(i as u64 * 33_000, Bytes::copy_from_slice(step)).await.unwrap();
    }
    let written = writer.finish(data.len() as u64, &metadata(data.len()).times()).await.unwrap();
    assert_eq!(written.size_bytes, data.len() as u64);
    assert_eq!(read(fixture, &at).await.unwrap(), data);
}

/// Small, large and empty ones.
pub async fn blocks_of_any_size_are_written(fixture: &dyn Fixture) {
    let (at, data) = (path("file"), content(200_000));
    let mut writer = fixture.sink().create(&at, &metadata(data.len()), &WriteOptions::default()).await.unwrap();
    let (mut rest, mut offset) = (&data[..], 0);
    for length in [0, 1, 2, 4095, 0, 4096, 70_000, 3].into_iter().cycle() {
        let (block, later) = rest.split_at(length.min(rest.len()));
        writer.write_at(offset, Bytes::copy_from_slice(block)).await.unwrap();
        (rest, offset) = (later, offset + block.len() as u64);
        if rest.is_empty() {
            break;
        }
    }
    writer.finish(data.len() as u64, &metadata(data.len()).times()).await.unwrap();
    assert!(read(fixture, &at).await.unwrap() == data);
}

/// A writer that writes nothing creates an empty file, whatever existed before.
pub async fn an_empty_file_replaces_a_longer_one(fixture: &dyn Fixture) {
    write(fixture, &path("old"), &content(10_000)).await;
    for at in ["old", "new"].map(path) {
        let writer = fixture.sink().create(&at, &metadata(0), &WriteOptions::default()).await.unwrap();
        let kept = writer.finish(0, &metadata(0).times()).await.unwrap();
        assert_eq!((kept.kind, kept.size_bytes), (Kind::File, 0));
        assert_eq!(read(fixture, &at).await.unwrap(), b"");
        assert_eq!(fixture.source().metadata(&at).await.unwrap().size_bytes, 0);
    }
}

/// The engine compares the metadata returned at the close, and the next scan those it lists.
pub async fn finish_returns_the_metadata_shown_later(fixture: &dyn Fixture) {
    let whole = write(fixture, &path("whole"), &content(5000)).await;
    let mut writer = fixture.sink().create(&path("steps"), &metadata(5000), &WriteOptions::default()).await.unwrap();
    writer.write_at(0, Bytes::from(content(5000))).await.unwrap();
    let steps = writer.finish(5000, &metadata(5000).times()).await.unwrap();
    for (mut reported, at) in [(whole, path("whole")), (steps, path("steps"))] {
        let shown = fixture.source().metadata(&at).await.unwrap();
        if !fixture.sink().capabilities().sets_mtime {
            // Then the mtime has no meaning.
            reported.modified = shown.modified;
        }
        assert_same(&reported, &shown, &at);
        assert_eq!((reported.kind, reported.size_bytes), (Kind::File, 5000));
    }
}

/// Only the times change; or the sink reports that it cannot set them.
pub async fn file_times_can_be_set_later(fixture: &dyn Fixture) {
    let capabilities = fixture.sink().capabilities();
    if !capabilities.sets_mtime {
        return;
    }
    write(fixture, &path("file"), b"content").await;
    let later = Timestamp::from_ns(1_500_000_000_000_000_000);
    let set = fixture.sink().set_times(&path("file"), &Times { modified: later, accessed: None }).await;
    if is_unsupported(&set) {
        return;
    }
    set.unwrap();
    let shown = fixture.source().metadata(&path("file")).await.unwrap();
    assert!(shown.modified.distance_ns(later) < capabilities.mtime_precision_ns, "{shown:?}");
    assert_eq!(read(fixture, &path("file")).await.unwrap(), b"content");
}

/// A flush without writes is not an error.
pub async fn flushing_an_empty_tree_succeeds(fixture: &dyn Fixture) {
    for _ in 0..3 {
        fixture.sink().flush().await.unwrap();
    }
    assert_eq!(list(fixture, &RelPath::root()).await.unwrap(), []);
}
