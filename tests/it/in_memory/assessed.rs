//! Runs that only scan, and observers of what they list.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use rusqlite::Connection;
use towpath::{
    BacklogOrigin, CancellationToken, Event, Extent, Migration, NotCopied, Options, RunOutcome, ScanObserver,
    ScanReason, SeenEntry,
};
use towpath_backend::RelPath;
use towpath_backend::layer::Operation;

use super::bench::{Bench, Ran, before, names, write};

/// Remembers what it sees, and which directories ended.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Names>>);

/// Each name, with the reason why it is not copied, and the directories that ended.
type Names = (BTreeMap<String, Option<NotCopied>>, BTreeSet<String>);

impl ScanObserver for Seen {
    fn listed(&self, dir: &RelPath, entries: &[SeenEntry<'_>]) {
        let mut seen = self.0.lock().unwrap();
        for entry in entries {
            let path = dir.join(entry.name).unwrap().to_string();
            assert!(seen.0.insert(path.clone(), entry.not_copied).is_none(), "{path} twice");
        }
    }

    fn dir_ended(&self, dir: &RelPath) {
        assert!(self.0.lock().unwrap().1.insert(dir.to_string()), "{dir} twice");
    }
}

impl Bench {
    fn only_scanning(&self) -> Self {
        Self { options: self.options.clone().extent(Extent::Scan), ..self.clone() }
    }

    fn outcomes(&self) -> Vec<String> {
        let database = Connection::open(self.database()).unwrap();
        let mut rows = database.prepare("SELECT outcome FROM run ORDER BY id").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

/// How a run began.
fn beginning(ran: &Ran) -> Vec<Result<ScanReason, BacklogOrigin>> {
    let begins = |event: &Event| match event {
        Event::ScanStarted { reason } => Some(Ok(*reason)),
        Event::Resuming { origin, .. } => Some(Err(*origin)),
        _ => None,
    };
    ran.events.iter().filter_map(begins).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_only_scans_sends_nothing_and_the_next_one_sends_its_backlog_without_a_scan() {
    let bench = Bench::new();
    for name in ["a", "b", "in-sync"] {
        write(&bench.source, name, b"data").await;
    }
    write(&bench.sink, "in-sync", b"data").await;
    let ran = bench.only_scanning().run().await;
    assert_eq!(beginning(&ran), [Ok(ScanReason::FirstRun)]);
    assert_eq!((ran.report.pending.files, ran.report.in_sync_files, ran.report.synced.files), (2, 1, 0));
    assert!(ran.report.scanned && !ran.report.all_in_sync());
    assert_eq!(names(&bench.sink, "").await, ["in-sync"]);
    assert_eq!(bench.run_lines().last().unwrap()["result"], "assessed");

    write(&bench.source, "later", b"data").await;
    let ran = bench.run().await;
    assert_eq!(beginning(&ran), [Err(BacklogOrigin::Assessed)]);
    assert!(!ran.report.scanned && ran.report.all_in_sync());
    assert_eq!(names(&bench.sink, "").await, ["a", "b", "in-sync"], "what is newer than the scan is unknown");
    assert_eq!(bench.outcomes(), ["assessed", "finished"]);
    assert_eq!(beginning(&bench.run().await), [Ok(ScanReason::BacklogEmpty)]);
    assert_eq!(names(&bench.sink, "").await, ["a", "b", "in-sync", "later"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_scans_whatever_an_earlier_run_left() {
    let bench = Bench::new();
    write(&bench.source, "a", b"data").await;
    bench.only_scanning().run().await;
    write(&bench.source, "b", b"data").await;
    let again = bench.only_scanning().run().await;
    assert_eq!((beginning(&again), again.report.pending.files), (vec![Ok(ScanReason::Requested)], 2));
    assert_eq!(beginning(&bench.run().await), [Err(BacklogOrigin::Assessed)]);
    assert_eq!(names(&bench.sink, "").await, ["a", "b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn its_backlog_is_one_of_an_interrupted_run_once_a_run_that_sends_it_was_stopped() {
    let bench = Bench::new();
    write(&bench.source, "a", b"data").await;
    bench.only_scanning().run().await;
    let token = CancellationToken::new();
    let stop = token.clone();
    let source = before(bench.source.clone(), Operation::ReadWhole, "a", 1, move || {
        let stop = stop.clone();
        Box::pin(async move { stop.cancel() })
    });
    let stopped = bench.run_until_cancelled(source, bench.sink.clone(), token).await;
    assert_eq!(stopped.report.outcome, RunOutcome::Stopped);
    assert_eq!(beginning(&bench.run().await), [Err(BacklogOrigin::Interrupted)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scan_that_is_stopped_is_no_assessment() {
    let bench = Bench::new();
    write(&bench.source, "a", b"data").await;
    let token = CancellationToken::new();
    let stop = token.clone();
    let source = before(bench.source.clone(), Operation::ReadDir, "", 1, move || {
        let stop = stop.clone();
        Box::pin(async move { stop.cancel() })
    });
    let stopped = bench.only_scanning().run_until_cancelled(source, bench.sink.clone(), token).await;
    assert_eq!(stopped.report.outcome, RunOutcome::Stopped);
    assert_eq!(bench.outcomes(), ["stopped"]);
    assert_eq!(beginning(&bench.run().await), [Ok(ScanReason::Interrupted)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_the_sink_cannot_hold_are_foreseen() {
    let bench = Bench::with_sink_that_folds_case();
    for name in ["a", "A", "b"] {
        write(&bench.source, name, b"data").await;
    }
    let ran = bench.only_scanning().run().await;
    let foreseen = |event: &Event| match event {
        Event::Planned { action, paths, reason, .. } => {
            Some(format!("{} {} {reason}", action.name(), paths.source.escape_ascii()))
        }
        _ => None,
    };
    let foreseen: Vec<_> = ran.events.iter().filter_map(foreseen).collect();
    assert_eq!(foreseen, ["fail mem://old/a the destination does not distinguish its name from A"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_needs_no_sink_shows_each_entry_once_and_records_none() {
    let bench = Bench::new();
    for name in ["a", "dir/b", "dir/inner/c", "left-out.tmp"] {
        write(&bench.source, name, b"data").await;
    }
    write(&bench.source, "dir/large", &[0; 100]).await;
    let rules = towpath::Rules::new([towpath::Rule::exclude("*.tmp").unwrap()]).unwrap();
    let filter = towpath::Filter::default().max_size_bytes(50).rules(rules);
    let seen = Seen::default();
    let (migration, _) = Migration::builder()
        .source(bench.source.clone())
        .database(bench.database())
        .audit_log(bench.log_file())
        .observer(seen.clone())
        .options(Options::default().extent(Extent::Listing).filter(filter))
        .build()
        .unwrap();
    let report = migration.run().await.unwrap();
    assert_eq!((report.source.files, report.source.dirs), (3, 2));
    let seen = seen.0.lock().unwrap().clone();
    let expected = [("a", None), ("dir", None), ("dir/b", None), ("dir/inner", None), ("dir/inner/c", None)];
    let left_out = ("dir/large", Some(NotCopied::TooLarge));
    let expected: BTreeMap<_, _> =
        expected.into_iter().chain([left_out]).map(|(name, reason)| (name.to_owned(), reason)).collect();
    assert_eq!(seen.0, expected);
    assert_eq!(seen.1.len(), 3);
    let files: i64 = Connection::open(bench.database())
        .unwrap()
        .query_row("SELECT (SELECT count(*) FROM file) + (SELECT count(*) FROM sink_entry)", [], |row| row.get(0))
        .unwrap();
    assert_eq!(files, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observer_of_a_scan_sees_the_source_alone() {
    let bench = Bench::new();
    write(&bench.source, "dir/a", b"data").await;
    write(&bench.sink, "extra/b", b"data").await;
    let seen = Seen::default();
    let (migration, _) = Migration::builder()
        .source(bench.source.clone())
        .sink(bench.sink.clone())
        .database(bench.database())
        .audit_log(bench.log_file())
        .observer(seen.clone())
        .build()
        .unwrap();
    assert!(migration.run().await.unwrap().all_in_sync());
    let names: Vec<_> = seen.0.lock().unwrap().0.keys().cloned().collect();
    assert_eq!(names, ["dir", "dir/a"]);
}
