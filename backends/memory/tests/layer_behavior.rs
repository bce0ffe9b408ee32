//! What each layer does besides forwarding.

#![allow(clippy::unwrap_used, missing_docs)]

use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_stream::StreamExt as _;
use towpath_backend::layer::{Fault, Faults, Limiter, Metrics, Operation, Prefix, Rate, Retry, RetryPolicy, Rule};
use towpath_backend::{
    Bytes, ErrorKind, Kind, Metadata, ReadOptions, RelPath, Sink, Source, Timestamp, Tree as _, WriteOptions,
};
use towpath_memory::MemoryTree;

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn metadata(size_bytes: usize) -> Metadata {
    Metadata::new(Kind::File, size_bytes as u64, Timestamp::from_ns(1_700_000_000_123_456_789))
}

async fn write(sink: &impl Sink, at: &str, data: &'static [u8]) {
    sink.write_whole(&path(at), Bytes::from_static(data), &metadata(data.len()), &WriteOptions::default())
        .await
        .unwrap();
}

fn retried(tree: &MemoryTree, rule: Rule) -> Retry<Fault<MemoryTree>> {
    Retry::new(Fault::new(tree.clone(), Faults::new(1).with(rule)), RetryPolicy::default())
}

#[tokio::test(start_paused = true)]
async fn retry_waits_longer_each_time_and_stops() {
    let tree = MemoryTree::new("tree");
    let always = retried(&tree, Rule::new(ErrorKind::Unavailable));
    let start = Instant::now();
    assert_eq!(always.metadata(&path("")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(always.inner().hook().injected(), 5);
    // 0.2 + 0.4 + 0.8 + 1.6 s, each less up to a half.
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(1500) && waited <= Duration::from_millis(3010), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn retry_does_not_repeat_permanent_failures() {
    let tree = MemoryTree::new("tree");
    let denied = retried(&tree, Rule::new(ErrorKind::PermissionDenied));
    let start = Instant::now();
    assert!(denied.metadata(&path("")).await.is_err());
    assert_eq!((denied.inner().hook().injected(), start.elapsed()), (1, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn retry_repeats_nothing_that_may_have_taken_effect() {
    let tree = MemoryTree::new("tree");
    for operation in [
        Operation::CreateDir,
        Operation::CreateSymlink,
        Operation::CreateHardLink,
        Operation::Rename,
        Operation::RemoveFile,
        Operation::RemoveDir,
        Operation::Discard,
        Operation::Flush,
        Operation::WriteAt,
        Operation::Finish,
    ] {
        write(&tree, "file", b"x").await;
        let failing = retried(&tree, Rule::new(ErrorKind::Unavailable).on(operation).first(1));
        let (file, other) = (path("file"), path("other"));
        let failed = match operation {
            Operation::CreateDir => failing.create_dir(&other, None).await,
            Operation::CreateSymlink => failing.create_symlink(&other, b"x").await,
            Operation::CreateHardLink => failing.create_hard_link(&file, &other).await,
            Operation::Rename => failing.rename(&file, &other).await,
            Operation::Respell => failing.respell(&file, &other).await,
            Operation::RemoveFile => failing.remove_file(&file).await,
            Operation::RemoveDir => failing.remove_dir(&other).await,
            Operation::Discard => failing.discard(&file).await,
            Operation::Flush => failing.flush().await,
            Operation::WriteAt => {
                let mut writer = failing.create(&file, &metadata(1), &WriteOptions::default()).await.unwrap();
                writer.write_at(0, Bytes::from_static(b"x")).await
            }
            _ => failing
                .create(&file, &metadata(0), &WriteOptions::default())
                .await
                .unwrap()
                .finish(0, &metadata(0).times())
                .await
                .map(|_| ()),
        };
        assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable, "{operation:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fails_continues_only_with_the_same_file() {
    let tree = MemoryTree::new("tree");
    write(&tree, "file", b"0123456789").await;
    let failing = retried(&tree, Rule::new(ErrorKind::Unavailable).on(Operation::ReadAt).every(2));
    let mut reader = failing.open(&path("file"), &ReadOptions::default()).await.unwrap();
    for _ in 0..5 {
        assert_eq!(reader.read_at(3, 4, b"before ".to_vec()).await.unwrap(), b"before 3456");
    }
    write(&tree, "file", b"something else").await;
    let mut changed = None;
    for _ in 0..3 {
        changed = reader.read_at(3, 4, Vec::new()).await.err().or(changed);
    }
    let changed = changed.unwrap();
    assert!(changed.to_string().contains("changed while it was read"), "{changed}");
    assert!(changed.is_temporary(), "it can be read from its start");
    assert!(reader.metadata().await.is_err(), "it stays so");
}

#[tokio::test]
async fn metrics_count_calls_errors_bytes_and_entries() {
    let tree = Metrics::new(MemoryTree::new("tree"));
    write(&tree, "one", b"12345").await;
    write(&tree, "two", b"67").await;
    assert_eq!(
        tree.read_whole(&path("one"), 3, b"kept".to_vec(), &ReadOptions::default()).await.unwrap().data,
        b"kept123"
    );
    let mut reader = tree.open(&path("two"), &ReadOptions::default()).await.unwrap();
    reader.read_at(0, 100, Vec::new()).await.unwrap();
    assert!(tree.metadata(&path("missing")).await.is_err());
    let pages: Vec<_> = tree.read_dir(&RelPath::root(), &ReadOptions::default()).await.unwrap().collect().await;
    assert_eq!(pages.len(), 1);
    let counted = tree.snapshot();
    let of = |operation| {
        let counts = counted.of(operation);
        (counts.calls, counts.errors, counts.bytes, counts.entries)
    };
    assert_eq!(of(Operation::WriteWhole), (2, 0, 7, 0));
    assert_eq!(of(Operation::ReadWhole), (1, 0, 3, 0));
    assert_eq!(of(Operation::ReadAt), (1, 0, 2, 0));
    assert_eq!(of(Operation::Metadata), (1, 1, 0, 0));
    assert_eq!(of(Operation::NextPage), (2, 0, 0, 2), "a page, and the end");
    assert_eq!((counted.total().calls, counted.total().bytes), (9, 12));
}

#[tokio::test(start_paused = true)]
async fn a_shared_rate_limits_both_sides_together() {
    let limiter = Arc::new(Limiter::new(NonZeroU64::new(1000).unwrap()));
    let from = Rate::shared(MemoryTree::new("from"), limiter.clone());
    let to = Rate::shared(MemoryTree::new("to"), limiter);
    let start = Instant::now();
    write(from.inner(), "file", &[1; 500]).await;
    for round in 0..10 {
        let whole = from.read_whole(&path("file"), 1000, Vec::new(), &ReadOptions::default()).await.unwrap();
        to.write_whole(&path(&format!("{round}")), whole.data.into(), &metadata(500), &WriteOptions::default())
            .await
            .unwrap();
        to.metadata(&path(&format!("{round}"))).await.unwrap();
    }
    // 20 times 500 bytes; the last is not paid for yet.
    let elapsed = start.elapsed();
    assert!(elapsed >= Duration::from_millis(9500) && elapsed < Duration::from_millis(9600), "{elapsed:?}");
}

#[tokio::test]
async fn faults_reach_into_listings_and_end_them() {
    let tree = MemoryTree::new("tree");
    for number in 0..2000 {
        write(&tree, &number.to_string(), b"").await;
    }
    let rule = Rule::new(ErrorKind::Unavailable).on(Operation::NextPage).nth(2);
    let failing = Fault::new(tree, Faults::new(1).with(rule));
    let pages: Vec<_> = failing.read_dir(&RelPath::root(), &ReadOptions::default()).await.unwrap().collect().await;
    assert_eq!(pages.len(), 2);
    assert_eq!(pages[0].as_ref().unwrap().len(), 1024);
    assert_eq!(pages[1].as_ref().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_prefix_shows_only_its_directory_with_relative_paths() {
    let tree = MemoryTree::new("tree");
    for dir in ["dir", "dir/deeper", "dir2"] {
        tree.create_dir(&path(dir), None).await.unwrap();
    }
    write(&tree, "dir/deeper/file", b"inside").await;
    write(&tree, "dir2/file", b"outside").await;
    let below = Prefix::new(tree.clone(), &path("dir"));
    assert_eq!(below.root(), b"mem://tree/dir");
    assert_eq!(
        below.read_whole(&path("deeper/file"), 10, Vec::new(), &ReadOptions::default()).await.unwrap().data,
        b"inside"
    );
    let error = below.metadata(&path("deeper/missing")).await.unwrap_err();
    assert_eq!(error.path(), &path("deeper/missing"));
    let error = below.read_dir(&path("deeper/file"), &ReadOptions::default()).await.map(drop).unwrap_err();
    assert_eq!((error.kind(), error.path()), (ErrorKind::NotADirectory, &path("deeper/file")));
    assert_ne!(below.identity().await.unwrap(), tree.identity().await.unwrap());
    assert_ne!(below.identity().await.unwrap(), Prefix::new(tree.clone(), &path("dir2")).identity().await.unwrap());
    let missing = Prefix::new(tree.clone(), &path("missing")).identity().await.unwrap_err();
    assert_eq!((missing.kind(), missing.path()), (ErrorKind::NotFound, &RelPath::root()));
    let file = Prefix::new(tree, &path("dir2/file")).identity().await.unwrap_err();
    assert_eq!(file.kind(), ErrorKind::NotADirectory);
}
