//! The scan against mocked trees: failures of either side, and rows of entries that are unknown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use towpath::{Error, Event, MaxDelete, Mirror, Options};
use towpath_backend::mock::{MockSink, MockSource};
use towpath_backend::{
    ByteSet, Capabilities, Entry, EntryStream, ErrorKind, Identity, Kind, NameRules, RelPath, Result,
};

use crate::mocks::*;

/// An entry; a file has ten bytes.
fn entry(name: &[u8], kind: Kind) -> Entry {
    crate::mocks::entry(name, kind, 10)
}

/// A source with this listing, and files of ten sevens.
fn source(list: impl Fn(&RelPath) -> Result<EntryStream> + Send + 'static) -> MockSource {
    let mut source = listed_source(list);
    source.expect_open().returning(|_, _| Ok(Box::new(sevens(10, &CallLog::default()))));
    source
}

fn sink() -> MockSink {
    let mut sink = accepting_sink(&CallLog::default());
    sink.expect_create_dir().returning(|_, _| Ok(()));
    sink.expect_metadata().returning(|_| Ok(metadata(Kind::Dir, 0)));
    sink
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_below_an_unreadable_directory_stay() {
    let bench = Bench::new(Options::default());
    let blocked = Arc::new(AtomicBool::new(false));
    let listing = |blocked: Arc<AtomicBool>| {
        move |dir: &RelPath| match dir.as_bytes() {
            b"" => page(vec![entry(b"a", Kind::Dir), entry(b"a-other", Kind::Dir), entry(b"b\xff", Kind::Dir)]),
            b"a" | b"b\xff" if blocked.load(SeqCst) => Err(error(ErrorKind::PermissionDenied, "list", dir)),
            b"a" | b"b\xff" => page(vec![entry(b"file", Kind::File), entry(b"deep\xfe", Kind::Dir)]),
            b"a-other" if blocked.load(SeqCst) => page(vec![]),
            _ => page(vec![entry(b"inner", Kind::File)]),
        }
    };
    let report = bench.run(source(listing(Arc::clone(&blocked))), sink()).await.result.unwrap();
    assert_eq!((report.synced.files, report.all_in_sync()), (5, true));

    blocked.store(true, SeqCst);
    let report = bench.run(source(listing(blocked)), sink()).await.result.unwrap();
    assert_eq!(report.unreadable_dirs, 2);
    // The file in `a-other` is known to be removed; the others are unknown.
    let count = rusqlite::Connection::open(bench.database())
        .unwrap()
        .query_row("SELECT count(*) FROM files WHERE status = 'synced'", [], |row| row.get::<_, i64>(0))
        .unwrap();
    assert_eq!(count, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn symlinks_of_a_source_without_symlink_support_are_skipped() {
    let bench = Bench::new(Options::default());
    let mut plain = bare_source(metadata(Kind::Dir, 0), Capabilities::PLAIN);
    plain.expect_identity().returning(|| Ok(Identity::new("old")));
    plain.expect_read_dir().returning(|_, _| page(vec![entry(b"link", Kind::Symlink), entry(b"file", Kind::File)]));
    plain.expect_open().returning(|_, _| Ok(Box::new(sevens(10, &CallLog::default()))));
    // Reading the target of the symlink would panic.
    let report = bench.run(plain, sink()).await.result.unwrap();
    assert_eq!((report.synced.files, report.skipped_files, report.failed_files), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_of_unknown_type_is_not_a_special_file() {
    let bench = Bench::new(Options::default());
    let other = |name: &[u8], size_bytes, permissions| {
        let metadata = towpath_backend::Metadata { permissions, ..metadata(Kind::Other, size_bytes) };
        Entry::new(name, metadata)
    };
    let list = move |_: &RelPath| {
        page(vec![other(b"fifo", 0, Some(0o600)), other(b"unknown", 0, None), other(b"has-content", 7, Some(0o600))])
    };
    let mut source = source(list);
    // Another stat does not know the type either.
    source.expect_metadata().returning(move |_| Ok(other(b"unknown", 0, None).metadata));
    let report = bench.run(source, sink()).await.result.unwrap();
    assert_eq!((report.special_files, report.skipped_files, report.all_in_sync()), (1, 2, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_a_source_cannot_describe_are_reported_and_the_rest_is_sent() {
    let bench = Bench::new(Options::default());
    let list = |_: &RelPath| {
        let unreadable = |name: &str, at: &str| {
            Entry::unreadable(name, error(ErrorKind::PermissionDenied, "stat", &RelPath::new(at).unwrap()))
        };
        // The second is a key that no path can express.
        page(vec![entry(b"file", Kind::File), unreadable("denied", "denied"), unreadable("a//b", "a/b")])
    };
    let ran = bench.run(source(list), sink()).await;
    let reported = |event: &Event| match event {
        Event::Unreadable { path, .. } => Some(String::from_utf8_lossy(path).into_owned()),
        _ => None,
    };
    let mut paths: Vec<_> = ran.events.iter().filter_map(reported).collect();
    paths.sort();
    assert_eq!(paths, ["/old/a/b", "/old/denied"]);
    let report = ran.result.unwrap();
    assert_eq!((report.synced.files, report.unreadable_dirs, report.all_in_sync()), (1, 2, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_vanishes_during_the_scan_is_no_failure() {
    let bench = Bench::new(Options::default());
    let list = |dir: &RelPath| {
        if dir.is_root() {
            return page(vec![entry(b"gone", Kind::Dir), entry(b"file", Kind::File)]);
        }
        Err(error(ErrorKind::NotFound, "list", dir))
    };
    let mut source = source(list);
    source.expect_metadata().returning(|at| Err(error(ErrorKind::NotFound, "stat", at)));
    let report = bench.run(source, sink()).await.result.unwrap();
    assert_eq!((report.synced.files, report.unreadable_dirs), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_root_fails_the_run() {
    let bench = Bench::new(Options::default());
    let list = |dir: &RelPath| Err(error(ErrorKind::PermissionDenied, "list", dir));
    let text = bench.run(source(list), sink()).await.result.unwrap_err().to_string();
    assert!(text.contains("the source /old cannot be read: list .: "), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_that_breaks_off_is_an_unreadable_directory() {
    let bench = Bench::new(Options::default());
    let list = |dir: &RelPath| -> Result<EntryStream> {
        if dir.is_root() {
            return page(vec![entry(b"dir", Kind::Dir)]);
        }
        let broken = error(ErrorKind::Other, "list", dir);
        Ok(Box::pin(tokio_stream::iter([Ok(vec![entry(b"first", Kind::File)]), Err(broken)])))
    };
    let report = bench.run(source(list), sink()).await.result.unwrap();
    assert_eq!((report.synced.files, report.unreadable_dirs, report.all_in_sync()), (1, 1, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_replaced_during_the_scan_leaves_no_backlog() {
    let bench = Bench::new(Options::default());
    let asked = AtomicUsize::new(0);
    let identity = move || if asked.fetch_add(1, SeqCst) == 0 { "old" } else { "another" };
    let source = identified_source(identity, |dir| {
        if dir.is_root() { page(vec![entry(b"dir", Kind::Dir)]) } else { Err(error(ErrorKind::NotFound, "list", dir)) }
    });
    let refusal = bench.run(source, sink()).await.result.unwrap_err();
    assert!(refusal.is_refusal(), "{refusal}");
    let unfinished = "SELECT count(*) FROM scan WHERE finished IS NULL";
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    assert_eq!(database.query_row(unfinished, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_listed_twice_is_counted_once() {
    let bench = Bench::new(Options::default());
    let list = |_: &RelPath| page(vec![entry(b"file", Kind::File), entry(b"file", Kind::File)]);
    let report = bench.run(source(list), sink()).await.result.unwrap();
    assert_eq!((report.synced.files, report.pending.files), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_rounds_times_is_in_sync_and_a_second_run_sends_nothing() {
    const TWO_SECONDS: u64 = 2_000_000_000;
    let mut bench = Bench::new(Options::default().modify_window(Duration::ZERO));
    let coarse = Capabilities { mtime_precision_ns: TWO_SECONDS, ..capabilities() };
    let rounded =
        towpath_backend::Timestamp::from_ns((MTIME.total_ns() - MTIME.total_ns() % i128::from(TWO_SECONDS)) as i64);
    let mut sink = empty_sink_with(coarse);
    sink.expect_flush().returning(|| Ok(()));
    sink.expect_create().returning(move |_, _, _| {
        let mut writer = towpath_backend::mock::MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer
            .expect_finish()
            .returning(move |_, _| Ok(towpath_backend::Metadata { modified: rounded, ..metadata(Kind::File, 10) }));
        Ok(Box::new(writer))
    });
    let list = |_: &RelPath| page(vec![entry(b"file", Kind::File)]);
    assert!(
        bench.run(source(list), sink).await.result.unwrap().all_in_sync(),
        "rounding is no failure, whatever the window"
    );

    let mut sink = bare_sink(coarse);
    sink.expect_read_dir().returning(move |_, _| {
        let metadata = towpath_backend::Metadata { modified: rounded, ..metadata(Kind::File, 10) };
        page(vec![Entry::new(b"file".to_vec(), metadata)])
    });
    sink.expect_create().never();
    bench.options = Options::default();
    let report = bench.run(source(list), sink).await.result.unwrap();
    assert_eq!((report.synced.files, report.all_in_sync()), (0, true));
}

#[test]
fn building_a_migration_names_what_is_missing() {
    let missing = towpath::Migration::builder().build().err().unwrap();
    assert!(matches!(&missing, Error::Usage(towpath::UsageError::NoSource)), "{missing}");
}

#[test]
fn deleted_files_are_not_moved_to_a_sink_without_a_place_for_them() {
    let source = MockSource::new();
    let migration = towpath::Migration::builder()
        .source(source)
        .sink(bare_sink(Capabilities::PLAIN))
        .database("backlog.db")
        .audit_log("audit.jsonl")
        .options(Options::default().mirror(Mirror::default().discard(true)));
    let error = migration.build().err().unwrap();
    assert!(matches!(&error, Error::Usage(towpath::UsageError::NoTrash)), "{error}");
}

/// A sink with these rules for names and this listing.
fn sink_with(names: NameRules, list: impl Fn(&RelPath) -> Result<EntryStream> + Send + 'static) -> MockSink {
    let mut sink = bare_sink(Capabilities { names, symlinks: true, ..Capabilities::PLAIN });
    sink.expect_read_dir().returning(move |dir, _| list(dir));
    sink.expect_flush().returning(|| Ok(()));
    sink.expect_create_dir().returning(|_, _| Ok(()));
    sink.expect_metadata().returning(|_| Ok(metadata(Kind::Dir, 0)));
    sink
}

/// Allows the creation of these files; any other fails the test.
fn allow(sink: &mut MockSink, names: &'static [&'static str]) {
    let calls = CallLog::default();
    sink.expect_create().returning(move |path, _, _| {
        assert!(names.contains(&path.to_string().as_str()), "{path} was written");
        Ok(Box::new(accepting_writer(&calls)))
    });
}

fn failures(ran: &Ran) -> Vec<String> {
    let reported = |event: &Event| match event {
        Event::Failed { paths, error } => Some(format!("{}: {error}", String::from_utf8_lossy(&paths.source))),
        _ => None,
    };
    ran.events.iter().filter_map(reported).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_sink_does_not_distinguish_never_become_one_file() {
    let rules = NameRules { folds_case: true, ..NameRules::BYTES };
    let list = |dir: &RelPath| match dir.as_bytes() {
        b"" => page(vec![
            entry(b"README", Kind::File),
            entry(b"readme", Kind::File),
            entry(b"alone", Kind::File),
            entry(b"Dir", Kind::Dir),
            entry(b"dir", Kind::Dir),
        ]),
        _ => page(vec![entry(b"inner", Kind::File)]),
    };
    let mut sink = sink_with(rules, |_| page(vec![]));
    allow(&mut sink, &["README", "alone", "Dir/inner"]);
    let ran = Bench::new(Options::default()).run(source(list), sink).await;
    let report = ran.result.as_ref().unwrap();
    assert_eq!((report.synced.files, report.failed_files, report.all_in_sync()), (3, 2, false));
    let failures = failures(&ran);
    assert!(failures.iter().any(|text| text.contains("/old/readme: ") && text.contains("README")), "{failures:?}");
    assert!(failures.iter().any(|text| text.contains("/old/dir/inner: ")), "{failures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_the_sink_spells_differently_is_neither_sent_nor_deleted() {
    let rules = NameRules { folds_case: true, folds_unicode: true, ..NameRules::BYTES };
    let list = |_: &RelPath| page(vec![entry(b"readme", Kind::File), entry("caf\u{e9}".as_bytes(), Kind::File)]);
    let there = |_: &RelPath| page(vec![entry(b"README", Kind::File), entry("cafe\u{301}".as_bytes(), Kind::File)]);
    let mut sink = sink_with(rules, there);
    allow(&mut sink, &[]);
    sink.expect_remove_file().never();
    let respelled = |from: &RelPath, to: &RelPath| (from.as_bytes() == b"README") == (to.as_bytes() == b"readme");
    sink.expect_respell().times(2).withf(respelled).returning(|_, _| Ok(()));
    let mirror = Some(Mirror::default().max_delete(MaxDelete::Percent(100)));
    let ran = Bench::new(Options::default().mirror(mirror)).run(source(list), sink).await;
    let report = ran.result.as_ref().unwrap();
    assert_eq!((report.synced.files, report.failed_files, report.deleted_files), (0, 0, 0), "{:?}", ran.events);
    assert!(report.all_in_sync());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_colliding_names_the_spelling_at_the_sink_is_migrated() {
    let rules = NameRules { folds_case: true, ..NameRules::BYTES };
    let list = |_: &RelPath| page(vec![entry(b"README", Kind::File), entry(b"readme", Kind::File)]);
    let mut sink = sink_with(rules, |_| page(vec![entry(b"readme", Kind::File)]));
    allow(&mut sink, &[]);
    let ran = Bench::new(Options::default()).run(source(list), sink).await;
    let failures = failures(&ran);
    assert!(failures.len() == 1 && failures[0].contains("/old/README"), "{failures:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_sink_cannot_hold_fail_without_an_attempt() {
    let rejected = ByteSet::of(b":");
    let rules = NameRules { rejected, trims_end: true, utf8_only: true, ..NameRules::BYTES };
    let list = |dir: &RelPath| match dir.as_bytes() {
        b"" => page(vec![
            entry(b"a:b", Kind::File),
            entry(b"dot.", Kind::File),
            entry(b"\xff", Kind::File),
            entry(b"fine", Kind::File),
            entry(b"c:", Kind::Dir),
        ]),
        _ => page(vec![entry(b"inner", Kind::File)]),
    };
    let mut sink = sink_with(rules, |_| page(vec![]));
    allow(&mut sink, &["fine"]);
    let bench = Bench::new(Options::default());
    let ran = bench.run(source(list), sink).await;
    assert_eq!(ran.result.as_ref().unwrap().failed_files, 4);
    assert!(
        failures(&ran).iter().any(|text| text.contains("c:/inner") && text.contains("':'")),
        "{:?}",
        failures(&ran)
    );
    let failed = bench.log_lines().into_iter().filter(|line| line["status"] == "failed").count();
    assert_eq!(failed, 4, "each has a line");

    // They do not count as a backlog that prevents a scan.
    let mut sink = sink_with(rules, |_| page(vec![entry(b"fine", Kind::File)]));
    allow(&mut sink, &[]);
    let again = bench.run(source(list), sink).await;
    assert!(again.result.unwrap().scanned);
}
