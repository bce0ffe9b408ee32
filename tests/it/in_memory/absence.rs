//! "Not found" counts as absence only after it is proven.

use towpath_backend::ErrorKind;
use towpath_backend::layer::{Fault, Faults, Operation, Rule};

use super::bench::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_temporarily_not_found_is_sent() {
    for (size, operations) in
        [(100, vec![Operation::ReadWhole]), (3 << 20, vec![Operation::Open]), (3 << 20, vec![Operation::ReadAt])]
    {
        let bench = Bench::new();
        write(&bench.source, "file", &noise(size)).await;
        let rule = operations.iter().fold(Rule::new(ErrorKind::NotFound), |rule, operation| rule.on(*operation));
        let source = Fault::new(bench.source.clone(), Faults::new(1).with(rule.first(1)));
        let ran = bench.run_between(source, bench.sink.clone()).await;
        assert_eq!((ran.report.vanished_files, ran.report.synced.files), (0, 1), "{:?}", ran.events);
        assert!(ran.report.all_in_sync());
        assert_eq!(read(&bench.sink, "file").await.unwrap(), noise(size));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_file_that_is_never_found_fails() {
    let bench = Bench::new();
    write(&bench.source, "file", b"data").await;
    let rule = Rule::new(ErrorKind::NotFound).on(Operation::ReadWhole);
    let source = Fault::new(bench.source.clone(), Faults::new(1).with(rule));
    let ran = bench.run_between(source, bench.sink.clone()).await;
    assert_eq!((ran.report.vanished_files, ran.report.failed_files), (0, 1), "{:?}", ran.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_directory_that_a_listing_does_not_find_is_unreadable() {
    let bench = Bench::new();
    write(&bench.source, "dir/file", b"data").await;
    let rule = Rule::new(ErrorKind::NotFound).on(Operation::ReadDir).at(|at| at.as_bytes() == b"dir");
    let source = Fault::new(bench.source.clone(), Faults::new(1).with(rule));
    let ran = bench.run_between(source, bench.sink.clone()).await;
    assert_eq!((ran.report.unreadable_dirs, ran.report.all_in_sync()), (1, false), "{:?}", ran.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_reports_unreadable_directories_and_the_next_run_reads_them() {
    let bench = Bench::new();
    write(&bench.source, "dir/file", b"data").await;
    write(&bench.source, "large", &noise(3 << 20)).await;
    let stop = towpath::CancellationToken::new();
    let stops = stop.clone();
    let rule = Rule::new(ErrorKind::PermissionDenied).on(Operation::ReadDir).at(|at| at.as_bytes() == b"dir");
    let unreadable = Fault::new(bench.source.clone(), Faults::new(1).with(rule));
    let source = before(unreadable, Operation::ReadAt, "large", 2, move || {
        let stops = stops.clone();
        Box::pin(async move { stops.cancel() })
    });
    let stopped = bench.run_until_cancelled(source, bench.sink.clone(), stop).await;
    assert_eq!(stopped.report.outcome, towpath::RunOutcome::Stopped);

    let resumed = bench.run().await;
    assert!(!resumed.report.scanned && resumed.mentions("Unreadable"), "{:?}", resumed.events);
    assert_eq!((resumed.report.unreadable_dirs, resumed.report.all_in_sync()), (1, false));
    let next = bench.run().await;
    assert!(next.report.scanned && next.report.all_in_sync(), "{:?}", next.events);
    assert_eq!(read(&bench.sink, "dir/file").await.unwrap(), b"data");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_repeatedly_does_not_hide_unreadable_directories() {
    let bench = Bench::new();
    write(&bench.source, "dir/file", b"data").await;
    write(&bench.source, "bad", b"data").await;
    let bad = || Rule::new(ErrorKind::PermissionDenied).on(Operation::ReadWhole).at(|at| at.as_bytes() == b"bad");
    let dir = Rule::new(ErrorKind::PermissionDenied).on(Operation::ReadDir).at(|at| at.as_bytes() == b"dir");
    let source = Fault::new(bench.source.clone(), Faults::new(1).with(bad()).with(dir));
    assert!(!bench.run_between(source, bench.sink.clone()).await.report.all_in_sync());
    let source = Fault::new(bench.source.clone(), Faults::new(1).with(bad()));
    let ran = bench.run_between(source, bench.sink.clone()).await;
    assert_eq!((ran.report.scanned, ran.report.unreadable_dirs, ran.report.failed_files), (true, 0, 1));
    assert_eq!(read(&bench.sink, "dir/file").await.unwrap(), b"data");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_not_in_sync_where_the_destination_could_not_be_listed() {
    let mut bench = Bench::new();
    write(&bench.source, "dir/file", b"data").await;
    write(&bench.sink, "dir/file", b"data").await;
    write(&bench.sink, "dir/extra", b"data").await;
    let mirror = towpath::Mirror::default();
    for mirror in [Some(mirror), None] {
        bench.options.mirror = mirror;
        let rule = Rule::new(ErrorKind::PermissionDenied).on(Operation::ReadDir).at(|at| at.as_bytes() == b"dir");
        let sink = Fault::new(bench.sink.clone(), Faults::new(1).with(rule));
        let ran = bench.run_between(bench.source.clone(), sink).await;
        assert_eq!(ran.report.all_in_sync(), mirror.is_none(), "{:?}", ran.events);
    }
    assert!(read(&bench.sink, "dir/extra").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_lies_inside_the_destination_is_not_deleted() {
    let mirror = towpath::Mirror::default();
    for files in [&["a", "b", "dir/c"][..], &["dir/c"]] {
        let mut bench = Bench::new();
        bench.options.mirror = Some(mirror);
        for file in files {
            write(&bench.sink, &format!("data/new/{file}"), b"data").await;
        }
        let before = names(&bench.sink, "data").await;
        // Like a server that exports a directory of the destination's disk.
        let source = towpath_backend::layer::Prefix::new(bench.sink.clone(), &path("data/new"));
        let ran = bench.run_between(source, bench.sink.clone()).await;
        let refusal = ran.report.refusal.unwrap();
        assert!(
            matches!(&refusal, towpath::GuardRefusal::DeletesSource { dir, .. } if dir.ends_with(b"data/new")),
            "{refusal}"
        );
        assert_eq!(names(&bench.sink, "data").await, before);
    }
}
