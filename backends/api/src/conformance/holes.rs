//! Cases about holes: ranges of a file that were never written.

use super::fixture::{Fixture, MTIME, content, metadata, path, read, write};
use crate::{Bytes, ReadOptions, RelPath, Times, WriteOptions};

const TIMES: Times = Times { modified: MTIME, accessed: None };
/// An offset for data that is not the start of any block.
const FAR: u64 = 5_000_001;

/// Writes `parts` and finishes the file at `size_bytes`; false if the tree has no holes.
async fn write_parts(fixture: &dyn Fixture, at: &RelPath, size_bytes: u64, parts: &[(u64, Vec<u8>)]) -> bool {
    if !fixture.sink().capabilities().holes {
        return false;
    }
    let mut writer = fixture.sink().create(at, &metadata(size_bytes as usize), &WriteOptions::default()).await.unwrap();
    for (offset, data) in parts {
        writer.write_at(*offset, Bytes::copy_from_slice(data)).await.unwrap();
    }
    let kept = writer.finish(size_bytes, &TIMES).await.unwrap();
    assert_eq!(kept.size_bytes, size_bytes);
    if fixture.sink().capabilities().sets_mtime {
        assert!(kept.modified.distance_ns(MTIME) < fixture.sink().capabilities().mtime_precision_ns);
    }
    true
}

/// The content as read by a caller that skips holes, and the number of bytes read; skipped ranges are zeros.
async fn read_data(fixture: &dyn Fixture, at: &RelPath) -> (Vec<u8>, u64) {
    let mut reader = fixture.source().open(at, &ReadOptions::default()).await.unwrap();
    let size = reader.metadata().await.unwrap().size_bytes;
    let (mut whole, mut offset, mut read) = (vec![0; size as usize], 0, 0);
    while let Some(data) = reader.next_data(offset).await.unwrap() {
        assert!(data.start >= offset && data.end > data.start, "{data:?} behind {offset}");
        let end = data.end.min(size);
        if data.start >= end {
            break;
        }
        let part = reader.read_at(data.start, (end - data.start) as usize, Vec::new()).await.unwrap();
        whole[data.start as usize..end as usize].copy_from_slice(&part);
        read += end - data.start;
        offset = end;
    }
    (whole, read)
}

/// No data is skipped, and the gaps are zeros.
pub async fn holes_read_as_zeros_and_data_is_found(fixture: &dyn Fixture) {
    let (at, first, second) = (path("file"), content(4000), content(100_000));
    let size = FAR + 100_000;
    if !write_parts(fixture, &at, size, &[(0, first.clone()), (FAR, second.clone())]).await {
        return;
    }
    let mut expected = vec![0; size as usize];
    expected[..4000].copy_from_slice(&first);
    expected[FAR as usize..].copy_from_slice(&second);
    assert!(read(fixture, &at).await.unwrap() == expected, "read as a whole");
    assert!(read_data(fixture, &at).await.0 == expected, "read where there are data");
    let whole = fixture.source().read_whole(&at, size as usize, Vec::new(), &ReadOptions::default()).await.unwrap();
    assert!(whole.data == expected);
    let (_, data_bytes) = read_data(fixture, &at).await;
    assert!(whole.may_have_holes || data_bytes == size, "holes are reported");
}

/// A hole at the end does not make the file shorter.
pub async fn a_hole_at_the_end_counts_towards_the_size(fixture: &dyn Fixture) {
    let at = path("file");
    if write_parts(fixture, &at, FAR, &[(0, b"data".to_vec())]).await {
        let mut expected = vec![0; FAR as usize];
        expected[..4].copy_from_slice(b"data");
        assert!(read(fixture, &at).await.unwrap() == expected);
        assert!(read_data(fixture, &at).await.0 == expected);
    }
}

/// A file that is one single hole can replace one with content.
pub async fn a_file_can_be_one_hole(fixture: &dyn Fixture) {
    let at = path("file");
    write(fixture, &at, &content(10_000)).await;
    if write_parts(fixture, &at, FAR, &[]).await {
        assert!(read(fixture, &at).await.unwrap() == vec![0; FAR as usize]);
        assert!(read_data(fixture, &at).await.0 == vec![0; FAR as usize]);
    }
}

/// A file that is longer than it should be must not count as finished.
pub async fn finishing_below_the_written_size_fails(fixture: &dyn Fixture) {
    let mut writer = fixture.sink().create(&path("file"), &metadata(3), &WriteOptions::default()).await.unwrap();
    writer.write_at(0, Bytes::from_static(b"four")).await.unwrap();
    assert!(writer.finish(3, &TIMES).await.is_err());
}

/// A caller that skips holes gets all of a plain file.
pub async fn files_without_holes_are_all_data(fixture: &dyn Fixture) {
    for size in [0, 1, 5000, 3_000_000] {
        let (at, data) = (path(format!("{size}")), content(size));
        write(fixture, &at, &data).await;
        assert!(read_data(fixture, &at).await.0 == data, "{size} bytes");
    }
}
