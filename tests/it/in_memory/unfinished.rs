//! Unfinished copies: files written in place whose transfer cannot be finished.

use towpath::WriteMode;
use towpath_backend::layer::{Fault, Faults, Operation, Rule};
use towpath_backend::{ErrorKind, Sink as _};

use super::bench::*;

const LARGE: usize = 3 << 20;

/// A bench with a large file, with an older copy at the sink if `older` is set.
async fn with_large(older: bool) -> Bench {
    let bench = Bench::new();
    write(&bench.source, "large", &noise(LARGE)).await;
    write(&bench.source, "other", b"data").await;
    if older {
        write_at(&bench.sink, "large", b"the older content", 1_600_000_000).await;
    }
    bench
}

/// Runs with a source whose file `large` disappears before its second block, as on a server.
async fn run_with_vanishing_source(bench: &Bench) -> Ran {
    let rule = || Rule::new(ErrorKind::NotFound).at(|at| at.as_bytes() == b"large");
    let faults = Faults::new(1).with(rule().on(Operation::ReadAt).nth(2));
    let vanishing = Fault::new(bench.source.clone(), faults);
    let source = before(vanishing, Operation::ReadAt, "large", 2, removes(&bench.source, "large"));
    bench.run_between(source, bench.sink.clone()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_copy_of_a_file_that_vanishes_is_removed() {
    let bench = with_large(false).await;
    let ran = run_with_vanishing_source(&bench).await;
    assert_eq!((ran.report.vanished_files, ran.report.failed_files), (1, 0), "{:?}", ran.events);
    assert_eq!(names(&bench.sink, "").await, ["other"]);
    assert!(bench.run().await.report.all_in_sync());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incomplete_copy_over_an_older_file_is_reported_until_it_is_removed() {
    let bench = with_large(true).await;
    let ran = run_with_vanishing_source(&bench).await;
    assert_eq!((ran.report.vanished_files, ran.report.failed_files), (1, 1), "{:?}", ran.events);
    assert!(!ran.report.all_in_sync());
    assert_eq!(bench.logged("incomplete"), ["large"]);
    let recorded = towpath::Overview::read(bench.database(), 1).unwrap().unwrap();
    let size_bytes = read(&bench.sink, "large").await.unwrap().len() as u128;
    assert_eq!(recorded.runs[0].failed, Some(towpath::Totals::new(1, size_bytes)), "it counts as failed");
    assert_eq!((recorded.failures.len(), recorded.failures[0].count), (1, 1), "{:?}", recorded.failures);
    assert_ne!(read(&bench.sink, "large").await.unwrap(), b"the older content");

    assert!(!bench.run().await.report.all_in_sync(), "the incomplete copy is still there");
    bench.sink.remove_file(&path("large")).await.unwrap();
    assert!(bench.run().await.report.all_in_sync());
    assert_eq!(bench.logged("incomplete").len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomically_replaced_older_copy_stays_complete() {
    let mut bench = with_large(true).await;
    bench.options.write_mode = WriteMode::Atomic;
    let ran = run_with_vanishing_source(&bench).await;
    assert_eq!((ran.report.vanished_files, ran.report.failed_files), (1, 0), "{:?}", ran.events);
    assert_eq!(read(&bench.sink, "large").await.unwrap(), b"the older content");
    assert_eq!(names(&bench.sink, "").await, ["large", "other"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_and_then_vanishes_leaves_no_unreported_partial_copy() {
    for older in [false, true] {
        let bench = with_large(older).await;
        // The file changes before its last check and is removed before the next attempt opens it.
        let changing = bench.source.clone();
        let changes = move || -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
            let tree = changing.clone();
            Box::pin(async move { write_at(&tree, "large", &noise(LARGE + 1), 1_700_000_001).await })
        };
        let changed = before(bench.source.clone(), Operation::ReadAt, "large", 3, changes);
        let source = before(changed, Operation::Open, "large", 2, removes(&bench.source, "large"));
        let ran = bench.run_between(source, bench.sink.clone()).await;
        assert_eq!((ran.report.vanished_files, ran.report.failed_files), (1, u64::from(older)), "{:?}", ran.events);
        assert_eq!(bench.logged("incomplete").len(), usize::from(older));
        assert_eq!(read(&bench.sink, "large").await.is_some(), older);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_halfway_leaves_no_partial_file() {
    for (side, older) in [("source", false), ("source", true), ("sink", false), ("sink", true)] {
        let bench = with_large(older).await;
        let operation = if side == "source" { Operation::ReadAt } else { Operation::WriteAt };
        let rule = Rule::new(ErrorKind::Other).on(operation).at(|at| at.as_bytes() == b"large").nth(2);
        let faults = Faults::new(1).with(rule.temporary(false));
        let ran = if side == "source" {
            bench.run_between(Fault::new(bench.source.clone(), faults), bench.sink.clone()).await
        } else {
            bench.run_between(bench.source.clone(), Fault::new(bench.sink.clone(), faults)).await
        };
        assert_eq!(ran.report.failed_files, 1, "{side} {older} {:?}", ran.events);
        let status = if older { "incomplete" } else { "failed" };
        assert_eq!(bench.logged(status), ["large"], "{side} {older}");
        assert_eq!(read(&bench.sink, "large").await.is_some(), older, "{side}");
        assert!(bench.run().await.report.all_in_sync(), "the next run sends it");
        assert_eq!(read(&bench.sink, "large").await.unwrap(), noise(LARGE));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_older_copy_is_not_reported_as_incomplete() {
    let bench = with_large(true).await;
    let rule = Rule::new(ErrorKind::PermissionDenied).on(Operation::Create);
    let sink = Fault::new(bench.sink.clone(), Faults::new(1).with(rule));
    let ran = bench.run_between(bench.source.clone(), sink).await;
    assert_eq!((ran.report.failed_files, bench.logged("failed")), (1, vec!["large".to_owned()]));
    assert_eq!(read(&bench.sink, "large").await.unwrap(), b"the older content");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_copy_of_a_stopped_run_is_reported_once_its_source_is_gone() {
    let bench = with_large(true).await;
    let token = towpath::CancellationToken::new();
    let stops = token.clone();
    let source = before(bench.source.clone(), Operation::ReadAt, "large", 3, move || {
        let stops = stops.clone();
        Box::pin(async move { stops.cancel() })
    });
    let stopped = bench.run_until_cancelled(source, bench.sink.clone(), token).await;
    assert_eq!(stopped.report.outcome, towpath::RunOutcome::Stopped);
    bench.source.remove_file(&path("large")).await.unwrap();
    for rescan in [false, true] {
        let bench = Bench { options: bench.options.clone().rescan(rescan), ..bench.clone() };
        let ran = bench.run().await;
        assert!(!ran.report.all_in_sync() && ran.mentions("Incomplete"), "{:?}", ran.events);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_created_by_somebody_else_since_the_scan_is_not_removed() {
    let bench = with_large(false).await;
    let theirs = bench.sink.clone();
    let creates = move || -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        let tree = theirs.clone();
        Box::pin(async move { write_at(&tree, "large", b"somebody's work", 1_600_000_000).await })
    };
    let rule = Rule::new(ErrorKind::NotFound).at(|at| at.as_bytes() == b"large").on(Operation::ReadAt).nth(2);
    let vanishing = Fault::new(bench.source.clone(), Faults::new(1).with(rule));
    let vanishing = before(vanishing, Operation::ReadAt, "large", 2, removes(&bench.source, "large"));
    let source = before(vanishing, Operation::Open, "large", 1, creates);
    let ran = bench.run_between(source, bench.sink.clone()).await;
    assert!(!ran.report.all_in_sync() && bench.logged("incomplete") == ["large"], "{:?}", ran.events);
    assert!(read(&bench.sink, "large").await.is_some());
}
