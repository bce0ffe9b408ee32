//! The engine against mocked trees: the order of calls, stopping, and trees that differ from those that were scanned.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use towpath::{Event, RunOutcome, Side};
use towpath_backend::mock::MockFileWriter;
use towpath_backend::{ErrorKind, Kind};

use crate::mocks::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_written_and_closed_in_order() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let size = 2 * BLOCK + 5;
    let ran = bench.run(source(&[("a", 2 * BLOCK + 5)], &calls), without_files(accepting_sink(&calls))).await;
    assert!(ran.result.unwrap().all_in_sync());
    // Blocks grow, so that the writer can start early.
    let blocks = ["0+262144", "262144+524288", "786432+1048576", "1835008+262149"];
    let writes = blocks.map(|block| format!("write {block}"));
    // All but the first are read in halves of whole pages.
    let halves = [
        "0+262144",
        "262144+262144",
        "524288+262144",
        "786432+524288",
        "1310720+524288",
        "1835008+135168",
        "1970176+126981",
    ];
    let reads = halves.map(|half| format!("read {half}"));
    let reads = [&["open a".to_owned(), "stat".to_owned()][..], &reads, &["stat".to_owned()]].concat();
    // The second flush follows the directories' times; the third precedes the removal of the in-flight mark.
    let ends = ["finish", "flush", "flush", "flush"].map(str::to_owned);
    let writes = [&["create a".to_owned()][..], &writes, &ends].concat();
    let seen = calls.lock().unwrap().clone();
    for expected in [&reads[..], &writes[..]] {
        let ours: Vec<_> = seen.iter().filter(|line| expected.contains(line)).cloned().collect();
        assert_eq!(ours, expected);
    }
    assert!(position(&calls, "read 1970176+126981") < position(&calls, "finish"));
    let line = &bench.log_lines()[0];
    assert_eq!((&line["status"], line["size"].as_u64()), (&"synced".into(), Some(size as u64)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_files_are_sent_first() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    const FILES: &[(&str, usize)] = &[("a", 2 * BLOCK), ("b", BLOCK), ("c", 3 * BLOCK)];
    let ran = bench.run(source(FILES, &calls), without_files(accepting_sink(&calls))).await;
    assert!(ran.result.unwrap().all_in_sync());
    let opened: Vec<_> = calls.lock().unwrap().iter().filter(|line| line.starts_with("open")).cloned().collect();
    assert_eq!(opened, ["open c", "open a", "open b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_created_without_a_write() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let ran = bench.run(source(&[("empty", 0)], &calls), without_files(accepting_sink(&calls))).await;
    assert!(ran.result.unwrap().all_in_sync());
    let seen = calls.lock().unwrap().clone();
    assert!(seen.contains(&"create empty".to_owned()) && seen.contains(&"finish".to_owned()), "{seen:?}");
    assert!(!seen.iter().any(|line| line.starts_with("write")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_synced_only_after_the_flush() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut sink = without_files(empty_sink());
    let noted = Arc::clone(&calls);
    sink.expect_create().returning(move |_, _, _| Ok(Box::new(accepting_writer(&noted))));
    let (database, at_flush) = (bench.database(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&at_flush);
    sink.expect_flush().returning(move || {
        seen.lock().unwrap().extend(rows(&database));
        Ok(())
    });
    let ran = bench.run(source(&[("a", 10)], &calls), sink).await;
    assert!(ran.result.unwrap().all_in_sync());
    assert_eq!(at_flush.lock().unwrap()[0], ("/old/a".to_owned(), "pending".to_owned()));
    assert_eq!(bench.rows(), [("/old/a".to_owned(), "synced".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_directories_are_created_and_the_file_is_retried() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut sink = empty_sink();
    let created = Arc::new(AtomicUsize::new(0));
    let (noted, dirs) = (Arc::clone(&calls), Arc::clone(&created));
    sink.expect_create().returning(move |at, _, _| {
        if dirs.load(SeqCst) == 0 {
            return Err(error(ErrorKind::NotFound, "create", at));
        }
        Ok(Box::new(accepting_writer(&noted)))
    });
    let dirs = Arc::clone(&created);
    sink.expect_create_dir().returning(move |_, _| {
        dirs.fetch_add(1, SeqCst);
        Ok(())
    });
    sink.expect_metadata().returning(|_| Ok(metadata(Kind::Dir, 0)));
    sink.expect_flush().returning(|| Ok(()));
    // The root has a directory `d`, which has a file `a`.
    let mut source = listed_source(|dir| {
        page(vec![if dir.is_root() { entry("d", Kind::Dir, 0) } else { entry("a", Kind::File, 10) }])
    });
    let noted = Arc::clone(&calls);
    source.expect_open().returning(move |_, _| Ok(Box::new(sevens(10, &noted))));
    let ran = bench.run(source, sink).await;
    assert!(ran.result.unwrap().all_in_sync());
    assert!(created.load(SeqCst) >= 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_during_a_file_leaves_it_pending() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let token = towpath::CancellationToken::new();
    let mut sink = without_files(empty_sink());
    let stop = token.clone();
    sink.expect_create().returning(move |_, _, _| {
        let mut writer = MockFileWriter::new();
        let stop = stop.clone();
        writer.expect_write_at().returning(move |_, _| {
            stop.cancel();
            Ok(())
        });
        writer.expect_finish().never();
        Ok(Box::new(writer))
    });
    sink.expect_flush().returning(|| Ok(()));
    let built = towpath::Migration::builder()
        .source(source(&[("a", 50 * BLOCK)], &calls))
        .sink(sink)
        .database(bench.database())
        .audit_log(bench.database().with_file_name("audit.jsonl"))
        .options(one_lane())
        .cancellation(token)
        .build()
        .unwrap();
    let report = run(built).await.result.unwrap();
    assert_eq!((report.outcome, report.pending.files), (RunOutcome::Stopped, 1));
    assert_eq!(bench.rows()[0].1, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_became_another_tree_does_not_make_files_vanish() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let asked = AtomicUsize::new(0);
    let identity = move || if asked.fetch_add(1, SeqCst) == 0 { "old" } else { "an empty mount point" };
    let mut source = identified_source(identity, |_| page(vec![entry("a", Kind::File, 10)]));
    source.expect_open().returning(|at, _| Err(error(ErrorKind::NotFound, "open", at)));
    let ran = bench.run(source, without_files(accepting_sink(&calls))).await;
    assert!(ran.result.unwrap_err().is_refusal());
    assert_eq!(bench.rows(), [("/old/a".to_owned(), "pending".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_not_resumed_on_another_tree() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut first = listing(&[("a", 10)]);
    first.expect_open().returning(|at, _| Err(error(ErrorKind::PermissionDenied, "open", at)));
    assert_eq!(bench.run(first, without_files(accepting_sink(&calls))).await.result.unwrap().pending.files, 1);

    let other = identified_source(|| "an empty mount point", |_| panic!("it is listed"));
    let refusal = bench.run(other, without_files(accepting_sink(&calls))).await.result.unwrap_err();
    assert!(refusal.is_refusal() && refusal.to_string().contains("--accept-new-tree"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_directory_is_reported_and_the_rest_is_copied() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut source = listed_source(|dir| {
        if !dir.is_root() {
            return Err(error(ErrorKind::PermissionDenied, "list", dir));
        }
        page(vec![entry("a", Kind::File, 10), entry("secret", Kind::Dir, 0)])
    });
    let noted = Arc::clone(&calls);
    source.expect_open().returning(move |_, _| Ok(Box::new(sevens(10, &noted))));
    let mut sink = without_files(accepting_sink(&calls));
    sink.expect_create_dir().returning(|_, _| Ok(()));
    sink.expect_metadata().returning(|_| Ok(metadata(Kind::Dir, 0)));
    let ran = bench.run(source, sink).await;
    let report = ran.result.unwrap();
    assert_eq!((report.synced.files, report.unreadable_dirs, report.all_in_sync()), (1, 1, false));
    let reported =
        |event: &Event| matches!(event, Event::Unreadable { side: Side::Source, path, .. } if path == b"/old/secret");
    assert!(ran.events.iter().any(reported));
}
