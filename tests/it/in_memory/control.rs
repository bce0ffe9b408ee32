//! A run that is steered: paused, limited, and stopped while it runs.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use towpath::{Bandwidth, CancellationToken, Control, Event, Mirror, Report, RunOutcome, SteerAction};
use towpath_backend::Source;
use towpath_backend::layer::{Call, Hook, Hooked, Operation};
use towpath_backend::{Sink, async_trait};

use super::bench::{Bench, names, read, write};

/// Steers at the `nth` call of an operation, and counts all calls.
struct Steers {
    operation: Operation,
    nth: u64,
    calls: AtomicU64,
    all_calls: AtomicU64,
    control: OnceLock<Control>,
    act: fn(&Control),
    acted: Notify,
}

impl Steers {
    fn at(operation: Operation, nth: u64, act: fn(&Control)) -> Arc<Self> {
        let (calls, all_calls) = (AtomicU64::new(0), AtomicU64::new(0));
        Arc::new(Self { operation, nth, calls, all_calls, control: OnceLock::new(), act, acted: Notify::new() })
    }

    /// Waits until nothing has been called for a while.
    async fn is_quiet(&self) -> u64 {
        loop {
            let before = self.all_calls.load(SeqCst);
            tokio::time::sleep(Duration::from_millis(200)).await;
            if self.all_calls.load(SeqCst) == before {
                return before;
            }
        }
    }
}

#[async_trait]
impl Hook for Steers {
    async fn wait(&self, call: &Call<'_>) {
        self.all_calls.fetch_add(1, SeqCst);
        if call.operation == self.operation && self.calls.fetch_add(1, SeqCst) + 1 == self.nth {
            (self.act)(self.control.get().unwrap());
            self.acted.notify_one();
        }
    }
}

struct Steered {
    report: JoinHandle<towpath::Result<Report>>,
    events: JoinHandle<Vec<(SteerAction, String)>>,
    control: Control,
}

impl Steered {
    async fn end(self) -> (Report, Vec<(SteerAction, String)>) {
        (self.report.await.unwrap().unwrap(), self.events.await.unwrap())
    }
}

/// Starts a run whose source and sink call `steers`.
fn start(bench: &Bench, steers: &Arc<Steers>) -> Steered {
    let source = Hooked::around(bench.source.clone(), Arc::clone(steers));
    let sink = Hooked::around(bench.sink.clone(), Arc::clone(steers));
    start_between(bench, source, sink, steers)
}

fn start_between(
    bench: &Bench,
    source: impl Source + 'static,
    sink: impl Sink + 'static,
    steers: &Arc<Steers>,
) -> Steered {
    let (migration, mut events) = bench.migration(source, sink, CancellationToken::new());
    let control = migration.control();
    assert!(steers.control.set(control.clone()).is_ok());
    let events = tokio::spawn(async move {
        let mut steered = Vec::new();
        while let Some(event) = events.next().await {
            if let Event::Steered { action, by } = event {
                steered.push((action, by));
            }
        }
        steered
    });
    Steered { report: tokio::spawn(migration.run()), events, control }
}

/// The statuses and requesters of the log's lines about steering.
fn logged(bench: &Bench) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(bench.log_file()).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of = |line: Value| Some((line["status"].as_str()?.to_owned(), line["by"].as_str()?.to_owned()));
    lines.filter_map(of).collect()
}

fn texts<const N: usize>(expected: [(&str, &str); N]) -> Vec<(String, String)> {
    expected.map(|(status, by)| (status.to_owned(), by.to_owned())).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_asks_for_nothing_and_goes_on_where_it_was() {
    let content = vec![7; 32 << 20];
    for bandwidth in [Bandwidth::Unlimited, Bandwidth::Limit(512 << 20)] {
        let mut bench = Bench::new();
        bench.options = bench.options.clone().bandwidth(bandwidth);
        write(&bench.source, "large", &content).await;
        let steers = Steers::at(Operation::ReadAt, 3, |control| control.pause("the test"));
        let run = start(&bench, &steers);
        steers.acted.notified().await;
        steers.is_quiet().await;
        assert!(run.control.is_paused() && !run.report.is_finished());
        assert_eq!(bench.logged("synced"), [""; 0]);
        run.control.resume("the test, too");
        let (report, events) = run.end().await;
        assert!(report.all_in_sync() && read(&bench.sink, "large").await.unwrap() == content);
        let expected = [(SteerAction::Paused, "the test"), (SteerAction::Resumed, "the test, too")];
        assert_eq!(events, expected.map(|(action, by)| (action, by.to_owned())));
        assert_eq!(logged(&bench), texts([("paused", "the test"), ("resumed", "the test, too")]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_stops_a_scan_and_a_deletion_too() {
    for (operation, phase) in [(Operation::ReadDir, "scan"), (Operation::RemoveFile, "deletion")] {
        let mut bench = Bench::new();
        bench.options = bench.options.clone().mirror(Mirror::default());
        for name in 0..50 {
            write(&bench.source, &format!("dir{name}/file"), b"data").await;
            write(&bench.sink, &format!("dir{name}/extra"), b"data").await;
        }
        let steers = Steers::at(operation, 3, |control| control.pause("the test"));
        let run = start(&bench, &steers);
        steers.acted.notified().await;
        steers.is_quiet().await;
        assert!(!run.report.is_finished(), "{phase}");
        let extras = names(&bench.sink, "").await.iter().filter(|name| name.ends_with("extra")).count();
        assert!(extras > 20, "{phase}: {extras} extras are left");
        run.control.resume("the test");
        let (report, _) = run.end().await;
        assert!(report.all_in_sync() && report.deleted_files == 50, "{phase}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_run_can_be_stopped() {
    let bench = Bench::new();
    write(&bench.source, "large", &vec![7; 8 << 20]).await;
    let steers = Steers::at(Operation::ReadAt, 1, |control| control.pause("the test"));
    let run = start(&bench, &steers);
    steers.acted.notified().await;
    run.control.stop("user alice");
    let (report, _) = run.end().await;
    assert_eq!((report.outcome, report.pending.files), (RunOutcome::Stopped, 1));
    assert_eq!(logged(&bench), texts([("paused", "the test"), ("stop-requested", "user alice")]));
    assert_eq!(bench.run_lines().last().unwrap()["stopped_by"], "user alice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_changed_for_a_file_in_flight() {
    let mut bench = Bench::new();
    // At this limit the file would take half an hour.
    bench.options = bench.options.clone().bandwidth(Bandwidth::Limit(16 << 10));
    write(&bench.source, "large", &vec![7; 32 << 20]).await;
    let steers = Steers::at(Operation::ReadAt, 1, |control| {
        assert!(control.set_bandwidth(Bandwidth::Limit(1023), "a typing error").is_err());
        assert_eq!(control.bandwidth(), Bandwidth::Limit(16 << 10));
        control.set_bandwidth(Bandwidth::Unlimited, "the test").unwrap();
        control.set_bandwidth(Bandwidth::Unlimited, "somebody who changes nothing").unwrap();
    });
    let (report, events) = start(&bench, &steers).end().await;
    assert!(report.all_in_sync());
    assert_eq!(events, [(SteerAction::Bandwidth(Bandwidth::Unlimited), "the test".to_owned())]);
    assert_eq!(logged(&bench), texts([("limit-set", "the test")]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_after_the_current_files_leaves_no_file_half_sent() {
    let mut bench = Bench::new();
    bench.options = bench.options.clone().lanes(2).queue_capacity(4);
    for name in 0..20 {
        write(&bench.source, &format!("{name}"), &vec![7; 4 << 20]).await;
    }
    let steers = Steers::at(Operation::ReadAt, 4, |control| control.stop_after_current("the test"));
    let (report, _) = start(&bench, &steers).end().await;
    assert_eq!(report.outcome, RunOutcome::Stopped);
    assert!((1..=6).contains(&report.synced.files) && report.failed_files == 0, "{report:?}");
    assert_eq!(report.synced.files + report.pending.files, 20);
    assert_eq!(names(&bench.sink, "").await.len() as u64, report.synced.files, "nothing was begun in vain");
    assert_eq!(bench.run_lines().last().unwrap()["stopped_by"], "the test");
    assert!(bench.run().await.report.all_in_sync());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_after_the_current_files_ends_a_scan_at_once() {
    let bench = Bench::new();
    for name in 0..50 {
        write(&bench.source, &format!("dir{name}/file"), b"data").await;
    }
    let steers = Steers::at(Operation::ReadDir, 2, |control| control.stop_after_current("the test"));
    let (report, _) = start(&bench, &steers).end().await;
    assert_eq!((report.outcome, report.synced.files), (RunOutcome::Stopped, 0));
    assert!(bench.run().await.report.all_in_sync());
}
