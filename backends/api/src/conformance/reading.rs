//! Cases about reading.

use super::fixture::{Fixture, assert_same, content, path, read, write};
use crate::{ErrorKind, Kind, Pacing, ReadOptions};

/// Every operation reports a missing file with the same kind.
pub async fn a_missing_file_is_not_found(fixture: &dyn Fixture) {
    let (missing, source) = (path("missing"), fixture.source());
    let error = source.metadata(&missing).await.unwrap_err();
    assert_eq!((error.kind(), error.path(), error.is_temporary()), (ErrorKind::NotFound, &missing, false));
    assert_eq!(source.open(&missing, &ReadOptions::default()).await.map(drop).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(
        source.read_whole(&missing, 10, Vec::new(), &ReadOptions::default()).await.unwrap_err().kind(),
        ErrorKind::NotFound
    );
    assert_eq!(source.metadata(&path("a/b")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// From empty to several blocks, in steps that do not divide the size.
pub async fn content_of_any_size_is_read_back(fixture: &dyn Fixture) {
    for size in [0, 1, 4095, 4096, 70_001, 3_000_001] {
        let (at, data) = (path(format!("{size}")), content(size));
        write(fixture, &at, &data).await;
        assert!(read(fixture, &at).await.unwrap() == data, "{size} bytes at once");
        let mut reader = fixture.source().open(&at, &ReadOptions::default()).await.unwrap();
        let mut back = Vec::new();
        loop {
            let part = reader.read_at(back.len() as u64, 65_537, Vec::new()).await.unwrap();
            back.extend_from_slice(&part);
            if part.len() < 65_537 {
                break;
            }
        }
        assert!(back == data, "{size} bytes in steps");
    }
}

/// Fewer bytes than requested mean the end; no bytes at all are not an error.
pub async fn reading_past_the_end_is_a_short_read(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"12345").await;
    let mut reader = fixture.source().open(&path("file"), &ReadOptions::default()).await.unwrap();
    assert_eq!(reader.read_at(3, 100, Vec::new()).await.unwrap(), b"45");
    assert_eq!(reader.read_at(5, 100, Vec::new()).await.unwrap(), b"");
    assert_eq!(reader.read_at(500, 100, Vec::new()).await.unwrap(), b"");
}

/// The buffer keeps its content, and gets no more than was requested.
pub async fn reading_appends_to_the_buffer(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"0123456789").await;
    let mut buffer = Vec::with_capacity(1 << 20);
    buffer.extend_from_slice(b"before ");
    let mut reader = fixture.source().open(&path("file"), &ReadOptions::default()).await.unwrap();
    assert_eq!(reader.read_at(2, 3, buffer).await.unwrap(), b"before 234");
    let whole =
        fixture.source().read_whole(&path("file"), 10, b"and ".to_vec(), &ReadOptions::default()).await.unwrap();
    assert_eq!(whole.data, b"and 0123456789");
}

/// The fast path for small files.
pub async fn read_whole_returns_content_and_metadata(fixture: &dyn Fixture) {
    let data = content(10_000);
    write(fixture, &path("file"), &data).await;
    let whole =
        fixture.source().read_whole(&path("file"), data.len(), Vec::new(), &ReadOptions::default()).await.unwrap();
    assert!(whole.data == data);
    assert_eq!((whole.metadata.kind, whole.metadata.size_bytes), (Kind::File, 10_000));
    assert_eq!(whole.metadata.modified, fixture.source().metadata(&path("file")).await.unwrap().modified);
}

/// A file that grew since it was listed is recognized.
pub async fn read_whole_stops_at_the_limit_and_reports_the_full_size(fixture: &dyn Fixture) {
    write(fixture, &path("file"), &content(1000)).await;
    let whole = fixture.source().read_whole(&path("file"), 10, Vec::new(), &ReadOptions::default()).await.unwrap();
    assert_eq!(whole.data, content(10));
    assert_eq!(whole.metadata.size_bytes, 1000);
}

/// Otherwise every file would seem to have changed after it was read.
pub async fn reading_does_not_change_the_file(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"12345").await;
    let before = fixture.source().metadata(&path("file")).await.unwrap();
    read(fixture, &path("file")).await.unwrap();
    let after = fixture.source().metadata(&path("file")).await.unwrap();
    assert_eq!((before.size_bytes, before.modified), (after.size_bytes, after.modified));
}

/// A directory in a file's place is an error, not an empty file.
pub async fn a_directory_is_not_read_as_a_file(fixture: &dyn Fixture) {
    fixture.sink().create_dir(&path("dir"), None).await.unwrap();
    assert!(read(fixture, &path("dir")).await.is_err());
    let whole = fixture.source().read_whole(&path("dir"), 10, Vec::new(), &ReadOptions::default()).await;
    assert!(!whole.is_ok_and(|whole| whole.metadata.kind == Kind::File));
}

/// A hint must not change what is read.
pub async fn prefetching_does_not_change_what_is_read(fixture: &dyn Fixture) {
    let (at, data) = (path("file"), content(300_000));
    write(fixture, &at, &data).await;
    let options = ReadOptions::default().paced_by(&Pacing::new(1 << 20));
    let mut reader = fixture.source().open(&at, &options).await.unwrap();
    for (offset, length) in [(0, 4096), (290_000, 1 << 20), (1 << 40, 1), (0, 0)] {
        reader.prefetch(offset, length).await;
    }
    assert_eq!(reader.read_at(0, data.len(), Vec::new()).await.unwrap(), data);
}

/// Whatever a backend does to read past a cache (larger requests, aligned ones) stays inside: any offset and length,
/// with and without a prefetch, and content that was just written, or overwritten with the same size and time.
pub async fn bypassing_caches_does_not_change_what_is_read(fixture: &dyn Fixture) {
    let (at, options) = (path("file"), ReadOptions::default().bypassing_cache());
    for seed in [0, 1] {
        let data: Vec<_> = content(300_001).into_iter().map(|byte| byte.wrapping_add(seed)).collect();
        write(fixture, &at, &data).await;
        let mut reader = fixture.source().open(&at, &options).await.unwrap();
        assert_eq!(reader.metadata().await.unwrap().size_bytes, data.len() as u64);
        let lengths =
            [(0, 70_000), (70_000, 1), (70_001, 4096), (250_000, 100_000), (513, 1023), (300_001, 10), (7, 0)];
        for prefetched in [0, 20_000, 1 << 20] {
            for (offset, length) in lengths {
                reader.prefetch(offset as u64, prefetched).await;
                let expected = &data[offset..(offset + length).min(data.len())];
                let part = reader.read_at(offset as u64, length, b"before".to_vec()).await.unwrap();
                assert!(part == [b"before", expected].concat(), "{length} bytes at {offset}");
            }
        }
        assert_eq!(reader.read_at(1 << 40, 10, Vec::new()).await.unwrap(), b"");
    }
    for size in [0, 1, 4096, 10_000] {
        let (at, data) = (path(format!("{size}")), content(size));
        write(fixture, &at, &data).await;
        let whole = fixture.source().read_whole(&at, size + 1, b"before".to_vec(), &options).await.unwrap();
        assert!(whole.data == [b"before", &data[..]].concat(), "{size} bytes");
        assert_eq!(whole.metadata.size_bytes, size as u64);
        let start = fixture.source().read_whole(&at, size / 2, Vec::new(), &options).await.unwrap();
        assert!(start.data == data[..size / 2], "half of {size} bytes");
    }
}

/// What a verification reports must not depend on the size of a file.
pub async fn readers_and_whole_files_have_the_same_freshness(fixture: &dyn Fixture) {
    let (at, options) = (path("file"), ReadOptions::default().bypassing_cache());
    write(fixture, &at, &content(10_000)).await;
    let whole = fixture.source().read_whole(&at, 10_000, Vec::new(), &options).await.unwrap();
    let mut reader = fixture.source().open(&at, &options).await.unwrap();
    reader.read_at(0, 10_000, Vec::new()).await.unwrap();
    assert_eq!(whole.freshness, reader.freshness());
}

/// Any offset of a file can be read after any other.
pub async fn offsets_are_read_in_any_order(fixture: &dyn Fixture) {
    let (at, data) = (path("file"), content(300_000));
    write(fixture, &at, &data).await;
    let mut reader = fixture.source().open(&at, &ReadOptions::default()).await.unwrap();
    for step in 0..200_u64 {
        // Forwards and backwards, across and inside blocks.
        let offset = (step * 104_729 % 300_000) as usize;
        let length = [1, 100, 4096, 70_000][(step % 4) as usize];
        let expected = &data[offset..(offset + length).min(data.len())];
        let part = reader.read_at(offset as u64, length, Vec::new()).await.unwrap();
        assert!(part == expected, "{length} bytes at {offset}");
    }
}

/// Readers of one file do not share a position.
pub async fn readers_of_one_file_are_independent(fixture: &dyn Fixture) {
    let (at, data) = (path("file"), content(100_000));
    write(fixture, &at, &data).await;
    let mut forwards = fixture.source().open(&at, &ReadOptions::default()).await.unwrap();
    let mut backwards = fixture.source().open(&at, &ReadOptions::default()).await.unwrap();
    for n in 0..10 {
        let (start, end) = (n * 10_000, 100_000 - n * 10_000);
        assert!(forwards.read_at(start as u64, 10_000, Vec::new()).await.unwrap() == data[start..start + 10_000]);
        let part = backwards.read_at(end as u64 - 10_000, 10_000, Vec::new()).await.unwrap();
        assert!(part == data[end - 10_000..end]);
    }
    drop(forwards);
    assert!(backwards.read_at(0, 10, Vec::new()).await.unwrap() == data[..10]);
}

/// An open file has the metadata that a stat reports.
pub async fn an_open_file_reports_the_same_metadata(fixture: &dyn Fixture) {
    let at = path("file");
    write(fixture, &at, &content(5000)).await;
    let mut reader = fixture.source().open(&at, &ReadOptions::default()).await.unwrap();
    let found = fixture.source().metadata(&at).await.unwrap();
    assert_same(&reader.metadata().await.unwrap(), &found, &at);
    reader.read_at(0, 100, Vec::new()).await.unwrap();
    assert_same(&reader.metadata().await.unwrap(), &found, &at);
}

/// At any offset, also past the end.
pub async fn a_read_of_zero_bytes_returns_nothing(fixture: &dyn Fixture) {
    write(fixture, &path("file"), b"12345").await;
    let mut reader = fixture.source().open(&path("file"), &ReadOptions::default()).await.unwrap();
    for offset in [0, 3, 5, 100] {
        assert_eq!(reader.read_at(offset, 0, b"kept".to_vec()).await.unwrap(), b"kept");
    }
    let whole = fixture.source().read_whole(&path("file"), 0, b"kept".to_vec(), &ReadOptions::default()).await.unwrap();
    assert_eq!((whole.data, whole.metadata.size_bytes), (b"kept".to_vec(), 5));
}
