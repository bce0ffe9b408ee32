//! Times, permissions and owners that a sink accepts but does not keep.

use towpath_backend::{
    Attributes, Bytes, Capabilities, Kind, Metadata, Owner, Sink as _, Times, Timestamp, Tree as _, WriteOptions,
};
use towpath_memory::{Keeps, MemoryTree};

use super::bench::*;

const YEAR_1601: i64 = -11_644_473_600;
const YEAR_2038: i64 = 2_147_483_647;
const YEAR_2300: i64 = 10_413_792_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(seconds, 0)
}

fn that_keeps(keeps: Keeps) -> Bench {
    let capabilities = MemoryTree::new("all").capabilities();
    Bench { sink: MemoryTree::that_keeps("new", capabilities, keeps), ..Bench::new() }
}

async fn modified(tree: &MemoryTree, of: &str) -> Timestamp {
    tree.metadata(&path(of)).await.unwrap().modified
}

/// A file, a directory and a link with this mtime.
async fn make_all_kinds(tree: &MemoryTree, seconds: i64) {
    write_at(tree, "dir/file", b"content", seconds).await;
    tree.create_symlink(&path("link"), b"nowhere").await.unwrap();
    for of in ["link", "dir"] {
        tree.set_times(&path(of), &Times { modified: at(seconds), accessed: None }).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mtimes_beyond_64_bits_of_nanoseconds_are_kept_and_recognized() {
    for seconds in [YEAR_1601, YEAR_2300, i64::MIN / 2, i64::MAX] {
        let bench = Bench::new();
        make_all_kinds(&bench.source, seconds).await;
        let first = bench.run().await;
        assert!(first.report.all_in_sync(), "{:?}", first.events);
        for of in ["dir/file", "dir", "link"] {
            assert_eq!(modified(&bench.sink, of).await, at(seconds), "{of}");
        }
        let again = bench.run().await;
        assert!(again.report.scanned);
        assert_eq!((again.report.synced.files, again.report.attributes_not_accepted), (0, 0), "{:?}", again.events);

        // A change of the time is found. For distant times the database compares in floating point, with a precision of
        // minutes.
        let apart_s = if seconds.abs() < i64::MAX / 4 { 1 } else { 3600 };
        write_at(&bench.source, "dir/file", b"CONTENT", seconds - apart_s).await;
        let changed = bench.run().await;
        assert_eq!(changed.report.synced.files, 1, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_mtime_that_the_sink_cannot_keep_is_reported_once_and_not_sent_again() {
    let until_2038 = Keeps { mtimes: at(0)..=at(YEAR_2038), ..Keeps::default() };
    for seconds in [YEAR_1601, YEAR_2300] {
        let bench = that_keeps(until_2038.clone());
        make_all_kinds(&bench.source, seconds).await;
        write_at(&bench.source, "large", &noise(1 << 20), seconds).await;
        let first = bench.run().await;
        assert!(first.report.all_in_sync(), "{:?}", first.events);
        assert_eq!(first.report.attributes_not_accepted, 4, "{:?}", first.events);
        let (kept, wanted) = if seconds < 0 { ("1970-01-01", "1601-01-01") } else { ("2038-01-19", "2300-01-01") };
        assert!(first.mentions(kept) && first.mentions(wanted), "{:?}", first.events);
        assert_eq!(bench.logged("refused").len(), 4);
        assert_eq!(bench.logged("synced").len(), 3);

        for _ in 0..2 {
            let again = bench.run().await;
            assert!(again.report.scanned && again.report.all_in_sync());
            assert_eq!((again.report.synced.files, again.report.attributes_not_accepted), (0, 0), "{:?}", again.events);
        }

        // A change on either side is still found.
        write_at(&bench.sink, "large", &noise(1 << 20), 1_000_000_000).await;
        write_at(&bench.source, "dir/file", b"CONTENT", seconds + 1).await;
        let changed = bench.run().await;
        assert_eq!(changed.report.synced.files, 2, "{:?}", changed.events);
        // The time of the directory was already reported.
        assert_eq!(changed.report.attributes_not_accepted, 2, "{:?}", changed.events);
        assert_eq!(read(&bench.sink, "dir/file").await.unwrap(), b"CONTENT");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_names_of_a_file_share_its_kept_attributes() {
    let bench = that_keeps(Keeps { mtimes: at(0)..=at(YEAR_2038), ..Keeps::default() });
    write_at(&bench.source, "a", b"content", YEAR_2300).await;
    bench.source.create_hard_link(&path("a"), &path("b")).await.unwrap();
    let first = bench.run().await;
    assert!(first.report.all_in_sync(), "{:?}", first.events);
    let again = bench.run().await;
    assert_eq!(again.report.synced.files, 0, "{:?}", again.events);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_and_owners_not_accepted_are_reported_once() {
    let mut bench = that_keeps(Keeps { attributes: false, ..Keeps::default() });
    bench.options.keep_permissions = true;
    bench.options.keep_owner = true;
    write(&bench.source, "dir/file", b"content").await;
    let owner = Some(Owner { user: 7, group: 8 });
    for of in ["dir/file", "dir"] {
        let attributes = Attributes { permissions: Some(0o777), owner, ..Attributes::default() };
        bench.source.set_attributes(&path(of), &attributes).await.unwrap();
    }
    let first = bench.run().await;
    assert!(first.report.all_in_sync(), "{:?}", first.events);
    assert!(first.mentions("instead of 0777"), "{:?}", first.events);
    let not_accepted = first.report.attributes_not_accepted;
    assert_eq!(not_accepted, 2, "{:?}", first.events);
    for _ in 0..2 {
        let again = bench.run().await;
        assert!(again.report.scanned && again.report.all_in_sync());
        assert_eq!(again.report.attributes_not_accepted, 0, "{:?}", again.events);
        assert_eq!(bench.logged("settled").len(), 0);
    }

    // A new mode in the source is applied again.
    let attributes = Attributes { permissions: Some(0o700), owner, ..Attributes::default() };
    bench.source.set_attributes(&path("dir/file"), &attributes).await.unwrap();
    let changed = bench.run().await;
    assert!(changed.mentions("instead of 0700"), "{:?}", changed.events);
    assert_eq!(changed.report.synced.files, 0, "a new mode does not send the content again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_content_with_the_mtime_that_the_sink_kept_is_sent() {
    let bench = that_keeps(Keeps { mtimes: at(0)..=at(YEAR_2038), ..Keeps::default() });
    write_at(&bench.source, "file", b"old", YEAR_2300).await;
    bench.run().await;
    write_at(&bench.source, "file", b"new", YEAR_2038).await;
    assert!(bench.run().await.report.all_in_sync());
    assert_eq!(read(&bench.sink, "file").await.unwrap(), b"new");
    assert_eq!(bench.run().await.report.synced.files, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_distant_time_that_the_sink_rounds_is_sent_once() {
    let capabilities = Capabilities { mtime_precision_ns: 100, ..MemoryTree::new("all").capabilities() };
    let bench = Bench { sink: MemoryTree::with_capabilities("new", capabilities), ..Bench::new() };
    for (name, nanoseconds) in [("a", 1), ("b", 99), ("c", 999_999_999)] {
        let metadata = Metadata::new(Kind::File, 1, Timestamp::from_parts(16_299_260_426, nanoseconds));
        bench
            .source
            .write_whole(&path(name), Bytes::from_static(b"x"), &metadata, &WriteOptions::default())
            .await
            .unwrap();
    }
    let first = bench.run().await;
    assert_eq!((first.report.synced.files, first.report.attributes_not_accepted), (3, 0), "{:?}", first.events);
    assert_eq!(bench.run().await.report.synced.files, 0);
}
