//! Resuming the backlog of an earlier run, and when a run scans.

use std::time::Duration;

use towpath::{
    AfterBacklog, BacklogOrigin, CancellationToken, Error, Event, MaxDelete, Mirror, NoBacklog, RunOutcome, ScanReason,
};
use towpath_backend::ErrorKind;
use towpath_backend::layer::{Fault, Faults, Operation, Rule};
use towpath_memory::MemoryTree;

use super::bench::{Bench, Ran, before, names, read, removes, write};

/// The destination, where the file `bad` cannot be written.
fn denying(bench: &Bench) -> Fault<MemoryTree> {
    let rule = Rule::new(ErrorKind::PermissionDenied).at(|at| at.as_bytes() == b"bad").temporary(false);
    Fault::new(bench.sink.clone(), Faults::new(1).with(rule.on(Operation::WriteWhole)))
}

/// A bench with one lane, which sends the files in the order of their names.
fn one_at_a_time() -> Bench {
    let bench = Bench::new();
    Bench { options: bench.options.clone().lanes(1), ..bench }
}

/// A bench whose last run finished: `bad` failed and `good` is in sync. `new` was created afterwards.
async fn with_failed_file() -> Bench {
    let bench = one_at_a_time();
    write(&bench.source, "bad", b"data").await;
    write(&bench.source, "good", b"data").await;
    let ran = bench.run_between(bench.source.clone(), denying(&bench)).await;
    assert_eq!((ran.report.failed_files, ran.report.synced.files), (1, 1), "{:?}", ran.events);
    write(&bench.source, "new", b"data").await;
    bench
}

/// A bench whose last run was stopped after its scan and before its first file. `new` was created afterwards.
async fn with_interrupted_run() -> Bench {
    let bench = one_at_a_time();
    for name in ["one", "two"] {
        write(&bench.source, name, b"data").await;
    }
    let stopped = stopped_before(&bench, Operation::ReadWhole, "one").await;
    assert_eq!((stopped.report.outcome, stopped.report.pending.files), (RunOutcome::Stopped, 2));
    write(&bench.source, "new", b"data").await;
    bench
}

/// Runs until the engine calls `operation` of the source on `at`.
async fn stopped_before(bench: &Bench, operation: Operation, at: &str) -> Ran {
    let token = CancellationToken::new();
    let stop = token.clone();
    let source = before(bench.source.clone(), operation, at, 1, move || {
        let stop = stop.clone();
        Box::pin(async move { stop.cancel() })
    });
    bench.run_until_cancelled(source, bench.sink.clone(), token).await
}

/// The steps of a run in order: its relevant events and the files that it sent.
fn steps(ran: &Ran) -> Vec<String> {
    let name = |path: &[u8]| String::from_utf8_lossy(path.rsplit(|byte| *byte == b'/').next().unwrap()).into_owned();
    let step = |event: &Event| match event {
        Event::Resuming { origin, then_scan, .. } => Some(format!("resume {origin:?} {then_scan}")),
        Event::ScanStarted { reason } => Some(format!("scan {reason:?}")),
        Event::Synced { paths, .. } => Some(name(&paths.dest)),
        Event::WillRetry { paths, .. } => Some(format!("retry {}", name(&paths.dest))),
        Event::Failed { paths, .. } => Some(format!("failed {}", name(&paths.dest))),
        Event::Vanished { paths } => Some(format!("vanished {}", name(&paths.dest))),
        Event::Deleted { paths, .. } => Some(format!("deleted {}", name(&paths.dest))),
        _ => None,
    };
    ran.events.iter().filter_map(step).collect()
}

impl Bench {
    fn then(mut self, after_backlog: AfterBacklog) -> Self {
        self.options.after_backlog = after_backlog;
        self
    }

    fn mirroring(mut self) -> Self {
        let mirror = Mirror::default().max_delete(MaxDelete::Percent(100));
        self.options.mirror = Some(mirror);
        self
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_files_of_a_finished_run_are_retried_before_a_scan() {
    let bench = with_failed_file().await;
    let ran = bench.run().await;
    assert_eq!(steps(&ran), ["resume Failed true", "bad", "scan AfterFailed", "new"]);
    assert!(ran.report.all_in_sync() && ran.report.scanned);
    assert_eq!((ran.report.synced.files, ran.report.in_sync_files), (2, 3), "both stages are counted");
    assert_eq!(steps(&bench.run().await), ["scan BacklogEmpty"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_in_each_run_hides_no_new_files_and_is_logged_once_per_run() {
    let bench = with_failed_file().await;
    let ran = bench.run_between(bench.source.clone(), denying(&bench)).await;
    assert_eq!(steps(&ran), ["resume Failed true", "retry bad", "scan AfterFailed", "failed bad", "new"]);
    assert_eq!((ran.report.failed_files, ran.report.pending.files, ran.report.in_sync_files), (1, 1, 2));
    assert_eq!(bench.logged("failed"), ["bad", "bad"], "one line for each run");
    assert_eq!(bench.logged("will-retry"), ["bad"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fails_temporarily_has_one_attempt_before_the_scan_and_more_after_it() {
    let bench = with_failed_file().await;
    let rule = Rule::new(ErrorKind::Other).at(|at| at.as_bytes() == b"bad").on(Operation::WriteWhole).nth(1);
    let sink = Fault::new(bench.sink.clone(), Faults::new(1).with(rule.temporary(true)));
    let ran = bench.run_between(bench.source.clone(), sink).await;
    let steps = steps(&ran);
    assert_eq!(steps[..3], ["resume Failed true", "retry bad", "scan AfterFailed"]);
    assert!(ran.report.all_in_sync(), "{steps:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_scan_only_failed_files_are_retried() {
    let bench = with_failed_file().await.then(AfterBacklog::Stop);
    let ran = bench.run().await;
    assert_eq!(steps(&ran), ["resume Failed false", "bad"]);
    assert!(!ran.report.scanned && ran.report.scanned_at.is_some());
    assert_eq!(names(&bench.sink, "").await, ["bad", "good"]);
    // Nothing is pending any more, and the run still does not scan.
    let ran = bench.run().await;
    assert_eq!(steps(&ran), ["resume Failed false"]);
    assert_eq!((ran.report.in_sync_files, ran.report.source.files), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backlog_a_run_that_may_not_scan_does_nothing() {
    let bench = Bench::new().then(AfterBacklog::Stop);
    write(&bench.source, "file", b"data").await;
    let error = bench.try_run().await.unwrap_err();
    assert!(matches!(error, Error::NoBacklog(NoBacklog::NotScanned)), "{error}");
    let bench = bench.then(AfterBacklog::Auto);
    stopped_before(&bench, Operation::ReadDir, "").await;
    let bench = bench.then(AfterBacklog::Stop);
    let error = bench.try_run().await.unwrap_err().to_string();
    assert!(error.contains("scan was interrupted") && error.contains("--no-scan"), "{error}");
    assert!(bench.then(AfterBacklog::Auto).run().await.report.all_in_sync());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_scan_other_filters_are_an_error() {
    let mut bench = Bench::new();
    write(&bench.source, "file", b"data").await;
    bench.options.filter.max_size_bytes = Some(1);
    assert!(bench.run().await.report.all_in_sync());
    bench.options.filter.max_size_bytes = None;
    let error = bench.then(AfterBacklog::Stop).try_run().await.unwrap_err().to_string();
    assert!(error.contains("filters or options have changed"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumed_run_scans_only_on_request() {
    let ran = with_interrupted_run().await.run().await;
    assert_eq!(steps(&ran), ["resume Interrupted false", "one", "two"]);
    assert!(ran.report.all_in_sync() && !ran.report.scanned);

    let ran = with_interrupted_run().await.then(AfterBacklog::Scan).run().await;
    assert_eq!(steps(&ran), ["resume Interrupted true", "one", "two", "scan AfterBacklog", "new"]);
    assert!(ran.report.all_in_sync() && ran.report.scanned);
    assert_eq!((ran.report.synced.files, ran.report.in_sync_files, ran.report.pending.files), (3, 3, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stopped_in_the_scan_after_its_backlog_reports_what_it_sent() {
    let bench = with_interrupted_run().await.then(AfterBacklog::Scan);
    let stopped = stopped_before(&bench, Operation::ReadDir, "").await;
    assert_eq!((stopped.report.outcome, stopped.report.synced.files), (RunOutcome::Stopped, 2));
    assert!(stopped.report.scanned && stopped.report.scanned_at.is_none() && stopped.report.pending.files == 0);
    assert_eq!(steps(&bench.run().await), ["scan Interrupted", "new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scan_does_not_count_files_that_vanished_before_it() {
    let bench = with_interrupted_run().await.then(AfterBacklog::Scan);
    let source = before(bench.source.clone(), Operation::ReadWhole, "one", 1, removes(&bench.source, "one"));
    let ran = bench.run_between(source, bench.sink.clone()).await;
    assert_eq!(steps(&ran), ["resume Interrupted true", "vanished one", "two", "scan AfterBacklog", "new"]);
    let report = ran.report;
    assert_eq!((report.vanished_files, report.in_sync_files, report.source.files), (1, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_deletes_nothing_before_the_scan() {
    let bench = with_interrupted_run().await.mirroring().then(AfterBacklog::Scan);
    write(&bench.sink, "extra", b"extra").await;
    let ran = bench.run().await;
    let steps = steps(&ran);
    let scan = steps.iter().position(|step| step.starts_with("scan")).unwrap();
    assert_eq!(steps.iter().position(|step| step == "deleted extra"), Some(steps.len() - 1), "{steps:?}");
    assert!(scan < steps.len() - 1 && ran.report.deleted_files == 1);

    // The old scan found an extra; the new scan does not finish.
    let bench = with_failed_file().await.mirroring();
    write(&bench.sink, "extra", b"extra").await;
    let stopped = stopped_before(&bench, Operation::ReadDir, "").await;
    assert_eq!((stopped.report.outcome, stopped.report.deleted_files), (RunOutcome::Stopped, 0));
    assert!(read(&bench.sink, "extra").await.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_blocked_by_a_directory_is_sent_after_the_mirror_deleted_that() {
    let bench = one_at_a_time();
    write(&bench.source, "blocked", b"data").await;
    write(&bench.sink, "blocked/inner", b"conflicting").await;
    assert_eq!(bench.run().await.report.failed_files, 1);
    let ran = bench.mirroring().run().await;
    let steps = steps(&ran);
    assert_eq!(steps[..3], ["resume Failed true", "retry blocked", "scan AfterFailed"]);
    assert!(ran.report.all_in_sync() && steps.last().unwrap() == "blocked", "{steps:?}");
    assert_eq!(ran.report.failed_files, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stopped_while_it_retries_failed_files_is_followed_by_one_that_retries_and_scans() {
    let bench = with_failed_file().await;
    let stopped = stopped_before(&bench, Operation::ReadWhole, "bad").await;
    assert_eq!((stopped.report.outcome, stopped.report.scanned), (RunOutcome::Stopped, false));
    let ran = bench.run().await;
    assert_eq!(steps(&ran), ["resume Failed true", "bad", "scan AfterFailed", "new"]);
    assert!(ran.report.all_in_sync());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_that_is_too_old_is_scanned_again_and_what_is_pending_is_sent_with_the_rest() {
    for (rescan_after, first) in [(None, "resume Interrupted false"), (Some(3600), "resume Interrupted false")] {
        let mut bench = Bench::new();
        bench.options.rescan_after = rescan_after.map(Duration::from_secs);
        write(&bench.source, "a", b"data").await;
        stopped_before(&bench, Operation::ReadWhole, "a").await;
        write(&bench.source, "new", b"data").await;
        assert_eq!(steps(&bench.run().await), [first, "a"], "{rescan_after:?}");
    }
    let mut bench = Bench::new();
    write(&bench.source, "a", b"data").await;
    stopped_before(&bench, Operation::ReadWhole, "a").await;
    write(&bench.source, "new", b"data").await;
    bench.options.rescan_after = Some(Duration::ZERO);
    let ran = bench.run().await;
    let mut steps = steps(&ran);
    steps.sort();
    assert_eq!(steps, ["a", "new", "scan BacklogOld"]);
    assert!(ran.report.all_in_sync());
}

#[test]
fn scan_reasons_have_distinct_names() {
    use ScanReason::*;
    let all = [
        FirstRun,
        BacklogEmpty,
        BacklogOld,
        AfterBacklog,
        Interrupted,
        Incomplete,
        AfterFailed,
        OtherSettings,
        Requested,
    ];
    let names: std::collections::HashSet<_> = all.iter().map(|reason| reason.name()).collect();
    assert_eq!(names.len(), all.len());
    assert_ne!(BacklogOrigin::Failed, BacklogOrigin::Interrupted);
}
