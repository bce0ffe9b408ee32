//! Specifics of mounted paths: links, special files, long paths, other trees.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tokio::time::timeout;
use towpath_backend::{
    Bytes, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Sink, Source, Timestamp, Tree, WriteOptions,
};
use towpath_local::{LocalSink, LocalSource};

fn path(text: impl AsRef<[u8]>) -> RelPath {
    RelPath::new(text).unwrap()
}

fn metadata(size_bytes: u64) -> Metadata {
    let modified = Timestamp::from_ns(1_600_000_000_000_000_000);
    Metadata { permissions: Some(0o400), ..Metadata::new(Kind::File, size_bytes, modified) }
}

async fn write(sink: &LocalSink, at: &RelPath, data: &'static [u8]) -> towpath_backend::Result<Metadata> {
    sink.write_whole(at, Bytes::from_static(data), &metadata(data.len() as u64), &WriteOptions::default()).await
}

#[tokio::test]
async fn fifos_block_no_caller() {
    let folder = tempfile::tempdir().unwrap();
    mknodat(CWD, folder.path().join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    let fifo = path("fifo");
    let patience = Duration::from_secs(5);
    assert!(timeout(patience, source.open(&fifo, &ReadOptions::default())).await.unwrap().is_err());
    let whole = timeout(patience, source.read_whole(&fifo, 10, Vec::new(), &ReadOptions::default())).await.unwrap();
    assert!(!whole.is_ok_and(|whole| whole.metadata.kind == Kind::File));
    assert!(timeout(patience, sink.create(&fifo, &metadata(1), &WriteOptions::default())).await.unwrap().is_err());
    let error = timeout(patience, write(&sink, &fifo, b"x")).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(source.metadata(&fifo).await.unwrap().kind, Kind::Other);
}

#[tokio::test]
async fn special_files_are_never_read_and_the_error_is_permanent() {
    let folder = tempfile::tempdir().unwrap();
    let source = LocalSource::open(folder.path()).unwrap();
    mknodat(CWD, folder.path().join("fifo"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
    // A device without an end, where creating one is allowed.
    let zero = rustix::fs::makedev(1, 5);
    let _needs_root = mknodat(CWD, folder.path().join("zero"), FileType::CharacterDevice, Mode::RUSR, zero);
    fs::create_dir(folder.path().join("dir")).unwrap();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let name = entry.unwrap().file_name();
        let at = path(name.as_encoded_bytes());
        let opened = source.open(&at, &ReadOptions::default()).await.map(drop).unwrap_err();
        let read = source.read_whole(&at, 10, Vec::new(), &ReadOptions::default()).await.unwrap_err();
        for error in [opened, read] {
            assert!(!error.is_temporary(), "{error}");
            assert_eq!(error.kind() == ErrorKind::IsADirectory, name == "dir", "{error}");
        }
    }
}

#[tokio::test]
async fn times_before_1970_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let sink = LocalSink::open(folder.path()).unwrap();
    for ns in [-1, -1_500_000_001, 4_000_000_000_000_000_001] {
        let mut given = metadata(1);
        given.modified = Timestamp::from_ns(ns);
        let kept =
            sink.write_whole(&path("file"), Bytes::from_static(b"x"), &given, &WriteOptions::default()).await.unwrap();
        assert_eq!(kept.modified, Timestamp::from_ns(ns));
        let mut writer = sink.create(&path("steps"), &given, &WriteOptions::default()).await.unwrap();
        writer.write_at(0, Bytes::from_static(b"x")).await.unwrap();
        assert_eq!(writer.finish(1, &given.times()).await.unwrap().modified, Timestamp::from_ns(ns));
    }
}

#[tokio::test]
async fn large_files_pass_the_window_and_leave_their_pages_unharmed() {
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    // More than the window, in steps that are not multiples of a page.
    let data: Vec<u8> = (0..20_000_003_u32).map(|n| (n % 251) as u8).collect();
    let mut writer = sink.create(&path("file"), &metadata(data.len() as u64), &WriteOptions::default()).await.unwrap();
    for (n, step) in data.chunks(70_001).enumerate() {
        writer.write_at(n as u64 * 70_001, Bytes::copy_from_slice(step)).await.unwrap();
    }
    writer.finish(data.len() as u64, &metadata(0).times()).await.unwrap();
    for step in [65_536, 99_999, 3 << 20] {
        let mut reader = source.open(&path("file"), &ReadOptions::default()).await.unwrap();
        let mut back = Vec::new();
        while back.len() < data.len() {
            back = reader.read_at(back.len() as u64, step, back).await.unwrap();
        }
        assert!(back == data, "in steps of {step}");
        // Back at the start, where pages were dropped.
        assert_eq!(reader.read_at(1, 3, Vec::new()).await.unwrap(), data[1..4]);
    }
}

#[tokio::test]
async fn a_disk_accepts_all_names_that_are_not_too_long() {
    let folder = tempfile::tempdir().unwrap();
    let sink = LocalSink::open(folder.path()).unwrap();
    for name in [&b"new\nline"[..], b"\xff\xfe", b"a\\b", b"-rf", b"...", b" "] {
        write(&sink, &path(name), b"x").await.unwrap();
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6);
    let long = path("n".repeat(256));
    assert_eq!(write(&sink, &long, b"x").await.unwrap_err().kind(), ErrorKind::InvalidName);
    assert_eq!(sink.create_dir(&long, None).await.unwrap_err().kind(), ErrorKind::InvalidName);
}

#[tokio::test]
async fn reading_does_not_change_the_atime() {
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    let mut given = metadata(1);
    // Older than the mtime: a plain read would touch it even where atimes are kept lazily.
    given.accessed = Some(Timestamp::from_ns(1_500_000_000_000_000_000));
    sink.write_whole(&path("file"), Bytes::from_static(b"x"), &given, &WriteOptions::default()).await.unwrap();
    source.read_whole(&path("file"), 1, Vec::new(), &ReadOptions::default()).await.unwrap();
    source.open(&path("file"), &ReadOptions::default()).await.unwrap().read_at(0, 1, Vec::new()).await.unwrap();
    assert_eq!(source.metadata(&path("file")).await.unwrap().accessed, given.accessed);
}

#[tokio::test]
async fn a_limit_beyond_all_memory_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "x").unwrap();
    let source = LocalSource::open(folder.path()).unwrap();
    assert!(source.read_whole(&path("file"), usize::MAX, Vec::new(), &ReadOptions::default()).await.is_err());
}

#[tokio::test]
async fn paths_longer_than_path_max_work_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (source, sink) = (LocalSource::open(folder.path()).unwrap(), LocalSink::open(folder.path()).unwrap());
    let mut dir = RelPath::root();
    for _ in 0..30 {
        dir = dir.join("d".repeat(200)).unwrap();
        sink.create_dir(&dir, None).await.unwrap();
    }
    assert!(dir.as_bytes().len() > 5000);
    let file = dir.join("file").unwrap();
    write(&sink, &file, b"far down").await.unwrap();
    assert_eq!(source.read_whole(&file, 100, Vec::new(), &ReadOptions::default()).await.unwrap().data, b"far down");
    assert_eq!(source.metadata(&file).await.unwrap().size_bytes, 8);
    assert!(source.read_dir(&dir, &ReadOptions::default()).await.is_ok());
    sink.remove_file(&file).await.unwrap();
    sink.remove_dir(&dir).await.unwrap();
}

#[tokio::test]
async fn modes_of_the_source_are_not_applied_and_old_modes_are_kept_within_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let sink = LocalSink::open(folder.path()).unwrap();
    let at = folder.path().join("file");
    let mode = || fs::metadata(&at).unwrap().permissions().mode() & 0o7777;
    let write = async |permissions| {
        let metadata = Metadata { permissions, ..metadata(3) };
        sink.write_whole(&path("file"), Bytes::from_static(b"one"), &metadata, &WriteOptions::default()).await.unwrap();
    };
    write(Some(0o400)).await;
    assert_eq!(mode(), 0o600, "still writable");
    fs::set_permissions(&at, fs::Permissions::from_mode(0o640)).unwrap();
    for (permissions, kept) in [(None, 0o640), (Some(0o444), 0o640), (Some(0o604), 0o600)] {
        write(permissions).await;
        assert_eq!(mode(), kept, "{permissions:?}");
    }
}

#[tokio::test]
async fn another_directory_in_the_roots_place_is_another_tree() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("root");
    fs::create_dir(&root).unwrap();
    let source = LocalSource::open(&root).unwrap();
    let before = source.identity().await.unwrap();
    fs::rename(&root, folder.path().join("moved")).unwrap();
    assert!(source.identity().await.is_err(), "a missing tree is an error");
    fs::create_dir(&root).unwrap();
    assert_ne!(source.identity().await.unwrap(), before);
}

#[tokio::test]
async fn local_files_are_located_only_inside_the_tree() {
    let folder = tempfile::tempdir().unwrap();
    let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
    fs::create_dir_all(root.join("dir")).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(root.join("dir"), outside.join("link")).unwrap();
    let source = LocalSource::open(&root).unwrap();
    assert_eq!(source.locate(&root.join("dir/missing.db")), Some(path("dir/missing.db")));
    assert_eq!(source.locate(&outside.join("link/x.db")), Some(path("dir/x.db")));
    assert_eq!(source.locate(&outside.join("x.db")), None);
    assert_eq!(source.locate(&folder.path().join("root.db")), None);
}

#[test]
fn unusable_roots_are_reported_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let reported = |error: towpath_local::OpenError| error.to_string();
    assert!(
        reported(LocalSource::open(&folder.path().join("missing")).unwrap_err()).ends_with("missing does not exist")
    );
    assert!(reported(LocalSource::open(&file).unwrap_err()).ends_with("file is not a directory"));
    assert!(reported(LocalSink::open(&file).unwrap_err()).ends_with("file is not a directory"));
    assert!(reported(LocalSink::open(&folder.path().join("a/b")).unwrap_err()).contains("above it"));
    assert!(!folder.path().join("a").exists());
}
