//! Holes take no space, and hard links stay separate names.

use std::fs;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};

use towpath_backend::{
    Bytes, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Sink, Source, Timestamp, Tree, WriteOptions,
};
use towpath_local::{LocalSink, LocalSource};

const TERABYTE: u64 = 1 << 40;

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

fn metadata(size_bytes: u64) -> Metadata {
    Metadata::new(Kind::File, size_bytes, Timestamp::from_ns(1_600_000_000_000_000_000))
}

#[tokio::test]
async fn a_hole_of_a_terabyte_takes_no_space_and_no_time() {
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    let size = TERABYTE + (4 << 20);
    let mut writer = sink.create(&path("file"), &metadata(size), &WriteOptions::default()).await.unwrap();
    for offset in [0, 1 << 30, TERABYTE] {
        // More than the window at the end, so that the old ranges are waited for.
        for step in 0..if offset == TERABYTE { 4 } else { 1 } {
            writer.write_at(offset + (step << 20), Bytes::from(vec![7; 1 << 20])).await.unwrap();
        }
    }
    let kept = writer.finish(size, &metadata(size).times()).await.unwrap();
    assert_eq!((kept.size_bytes, kept.modified), (size, metadata(size).modified));
    let room = fs::metadata(folder.path().join("file")).unwrap().blocks() * 512;
    assert!(room < 16 << 20, "{room} bytes");
    let (mut reader, mut offset, mut ranges) =
        (source.open(&path("file"), &ReadOptions::default()).await.unwrap(), 0, Vec::new());
    while let Some(data) = reader.next_data(offset).await.unwrap() {
        let part = reader.read_at(data.start, 10, Vec::new()).await.unwrap();
        assert_eq!(part, [7; 10]);
        offset = data.end;
        ranges.push((data.start, data.end));
    }
    assert_eq!(ranges, [(0, 1 << 20), (1 << 30, (1 << 30) + (1 << 20)), (TERABYTE, size)]);
}

#[tokio::test]
async fn only_files_that_take_less_space_than_their_size_may_have_holes() {
    let folder = tempfile::tempdir().unwrap();
    let source = LocalSource::open(folder.path()).unwrap();
    fs::write(folder.path().join("full"), vec![0; 100_000]).unwrap();
    let sparse = fs::File::create(folder.path().join("sparse")).unwrap();
    sparse.set_len(100_000).unwrap();
    for (name, may) in [("full", false), ("sparse", true)] {
        let whole = source.read_whole(&path(name), 100_000, Vec::new(), &ReadOptions::default()).await.unwrap();
        assert_eq!((whole.may_have_holes, whole.data), (may, vec![0; 100_000]), "{name}");
    }
    let mut reader = source.open(&path("sparse"), &ReadOptions::default()).await.unwrap();
    assert_eq!(reader.next_data(0).await.unwrap(), None);
    assert_eq!(reader.next_data(500_000).await.unwrap(), None, "past the end");
    sparse.write_at(b"x", 50_000).unwrap();
    let found = reader.next_data(0).await.unwrap().unwrap();
    assert!(found.contains(&50_000) && found.start > 0, "data that came later are found too: {found:?}");
    let mut reader = source.open(&path("full"), &ReadOptions::default()).await.unwrap();
    assert_eq!(reader.next_data(7).await.unwrap(), Some(7..u64::MAX));
}

#[tokio::test]
async fn a_file_recreated_for_one_name_is_no_more_accessible_than_before() {
    let folder = tempfile::tempdir().unwrap();
    let sink = LocalSink::open(folder.path()).unwrap();
    fs::write(folder.path().join("kept"), "as it was").unwrap();
    fs::set_permissions(folder.path().join("kept"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(folder.path().join("kept"), folder.path().join("written")).unwrap();
    sink.write_whole(&path("written"), Bytes::from_static(b"new"), &metadata(3), &WriteOptions::default())
        .await
        .unwrap();
    assert_eq!(fs::read(folder.path().join("kept")).unwrap(), b"as it was");
    let written = fs::metadata(folder.path().join("written")).unwrap();
    assert_eq!((written.nlink(), written.mode() & 0o777), (1, 0o600));
}

#[tokio::test]
async fn a_link_gets_a_second_name_itself() {
    let folder = tempfile::tempdir().unwrap();
    let sink = LocalSink::open(folder.path()).unwrap();
    assert!(sink.capabilities().hard_links && sink.capabilities().renames && sink.capabilities().holes);
    sink.create_symlink(&path("link"), b"/etc/passwd").await.unwrap();
    sink.create_hard_link(&path("link"), &path("second")).await.unwrap();
    assert_eq!(sink.metadata(&path("second")).await.unwrap().kind, Kind::Symlink);
    sink.create_dir(&path("dir"), None).await.unwrap();
    let error = sink.create_hard_link(&path("dir"), &path("third")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
}
