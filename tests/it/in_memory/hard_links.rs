//! Files with several names whose carrier (the name that carries the content) fails.

use towpath::{Migration, RunOutcome};
use towpath_backend::layer::{Fault, Faults, Operation, Rule};
use towpath_backend::{ByteSet, Capabilities, ErrorKind, NameRules, Sink as _, Tree as _};
use towpath_memory::MemoryTree;

use super::bench::*;

/// A bench whose source has a file with these names.
async fn with_names(names: &[&str]) -> Bench {
    let bench = Bench::new();
    write(&bench.source, names[0], b"content").await;
    for name in &names[1..] {
        bench.source.create_hard_link(&path(names[0]), &path(name)).await.unwrap();
    }
    bench
}

/// Asserts that these names of the sink are names of one file with the content.
async fn assert_one_file(sink: &MemoryTree, names: &[&str]) {
    let first = sink.metadata(&path(names[0])).await.unwrap().id;
    for name in names {
        assert_eq!(read(sink, name).await.unwrap(), b"content", "{name}");
        assert_eq!(sink.metadata(&path(name)).await.unwrap().id, first, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_first_names_are_blocked_the_next_one_carries_the_content() {
    let bench = with_names(&["a", "b", "c", "d", "e", "f", "g"]).await;
    // More blocked names than a run has attempts.
    for blocked in ["a", "b", "c", "d", "e"] {
        write(&bench.sink, &format!("{blocked}/full"), b"x").await;
    }
    let ran = bench.run().await;
    assert_eq!((ran.report.failed_files, ran.report.synced.files), (5, 2), "{:?}", ran.events);
    assert_one_file(&bench.sink, &["f", "g"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocked_name_becomes_a_hard_link_once_it_is_free() {
    let mut bench = with_names(&["a", "b", "c"]).await;
    write(&bench.sink, "a/full", b"x").await;
    bench.options.mirror = Some(towpath::Mirror::default());
    let ran = bench.run().await;
    assert!(ran.report.all_in_sync(), "{:?}", ran.events);
    assert_one_file(&bench.sink, &["a", "b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_the_sink_cannot_hold_leaves_the_content_to_the_next() {
    let all = MemoryTree::new("all").capabilities();
    let names = NameRules { rejected: ByteSet::of(b":"), ..NameRules::BYTES };
    let bench = with_names(&["a:1", "b", "c"]).await;
    let bench = Bench { sink: MemoryTree::with_capabilities("new", Capabilities { names, ..all }), ..bench };
    let ran = bench.run().await;
    assert_eq!((ran.report.failed_files, ran.report.synced.files), (1, 2), "{:?}", ran.events);
    assert_one_file(&bench.sink, &["b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_cannot_be_read_leaves_the_content_to_the_next() {
    for temporary in [false, true] {
        let bench = with_names(&["a", "b", "c"]).await;
        let rule = Rule::new(ErrorKind::PermissionDenied).at(|at| at.as_bytes() == b"a").temporary(temporary);
        let rule = rule.on(Operation::ReadWhole).on(Operation::Open);
        let source = Fault::new(bench.source.clone(), Faults::new(1).with(rule));
        let ran = bench.run_between(source, bench.sink.clone()).await;
        assert_eq!(ran.report.failed_files, 1, "{:?}", ran.events);
        assert_one_file(&bench.sink, &["b", "c"]).await;
        // The name that failed becomes another name of the file, not a copy.
        assert!(bench.run().await.report.all_in_sync());
        assert_one_file(&bench.sink, &["a", "b", "c"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_name_that_vanishes_leaves_the_content_to_the_next() {
    let bench = with_names(&["a", "b", "c"]).await;
    let source = before(bench.source.clone(), Operation::ReadWhole, "a", 1, removes(&bench.source, "a"));
    let ran = bench.run_between(source, bench.sink.clone()).await;
    assert_eq!((ran.report.vanished_files, ran.report.failed_files), (1, 0), "{:?}", ran.events);
    assert_one_file(&bench.sink, &["b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_removed_between_two_runs_does_not_turn_the_others_into_copies() {
    let bench = with_names(&["a", "b", "c"]).await;
    // The first run sends only the content.
    let rule = Rule::new(ErrorKind::Unavailable).on(Operation::CreateHardLink);
    let sink = Fault::new(bench.sink.clone(), Faults::new(1).with(rule));
    let ran = bench.run_between(bench.source.clone(), sink).await;
    assert_eq!((ran.report.synced.files, read(&bench.sink, "b").await), (1, None), "{:?}", ran.events);
    // Pretend that the run was stopped there, so that the next run resumes.
    let stopped = "UPDATE run SET outcome = 'stopped'";
    rusqlite::Connection::open(bench.database()).unwrap().execute(stopped, []).unwrap();
    bench.source.remove_file(&path("a")).await.unwrap();
    let ran = bench.run().await;
    assert!(!ran.report.scanned);
    assert_eq!(ran.report.synced.files, 2, "{:?}", ran.events);
    assert!(!ran.mentions("changed"), "{:?}", ran.events);
    assert_one_file(&bench.sink, &["a", "b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_name_that_became_another_file_leaves_the_content_to_the_next() {
    let bench = with_names(&["a", "b", "c"]).await;
    let source = bench.source.clone();
    let replaces = move || -> std::pin::Pin<Box<dyn Future<Output = ()> + Send>> {
        let source = source.clone();
        Box::pin(async move {
            source.remove_file(&path("a")).await.unwrap();
            write_at(&source, "a", b"another", 1_700_000_001).await;
        })
    };
    // `a` carries the content and then becomes another file.
    let sink = before(bench.sink.clone(), Operation::Flush, "", 1, replaces);
    let ran = bench.run_between(bench.source.clone(), sink).await;
    assert_eq!(ran.report.failed_files, 0, "{:?}", ran.events);
    assert_one_file(&bench.sink, &["b", "c"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stopped_during_a_long_statement_ends_as_stopped_and_can_be_resumed() {
    let bench = with_names(&["a", "b", "c"]).await;
    let rule = Rule::new(ErrorKind::Unavailable).on(Operation::CreateHardLink);
    bench.run_between(bench.source.clone(), Fault::new(bench.sink.clone(), Faults::new(1).with(rule))).await;
    // A backlog large enough for a long statement.
    let many = "WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 20000)
        INSERT INTO file(dir, name, size, modified, status, turn, scan) SELECT 1, 'gone' || i, 0, 0, 0, 1, 1 FROM n";
    rusqlite::Connection::open(bench.database()).unwrap().execute(many, []).unwrap();
    let (migration, events) = Migration::builder()
        .source(bench.source.clone())
        .sink(bench.sink.clone())
        .database(bench.database())
        .audit_log(bench.folder.path().join("audit.jsonl"))
        .build()
        .unwrap();
    migration.cancellation().cancel();
    drop(events);
    let report = migration.run().await.unwrap();
    assert_eq!(report.outcome, RunOutcome::Stopped);
    let runs = "SELECT count(*) FROM run";
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    let runs: i64 = connection.query_row(runs, [], |row| row.get(0)).unwrap();
    assert_eq!(runs, 1, "the first run only: the second was interrupted before it was recorded");
    connection.execute("DELETE FROM file WHERE name LIKE 'gone%'", []).unwrap();
    drop(connection);
    let ran = bench.run().await;
    assert_eq!((ran.report.outcome, ran.report.failed_files), (RunOutcome::Finished, 0), "{:?}", ran.events);
    assert_one_file(&bench.sink, &["a", "b", "c"]).await;
}
