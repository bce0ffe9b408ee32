//! The engine against mocked trees that fail once or always, and the effect on other files.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use towpath::{Error, Event};
use towpath_backend::mock::{MockFileReader, MockFileWriter};
use towpath_backend::{ErrorKind, Kind};

use crate::mocks::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_flush_leaves_all_files_pending_and_fails_the_run() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut sink = without_files(empty_sink());
    let noted = Arc::clone(&calls);
    sink.expect_create().returning(move |_, _, _| Ok(Box::new(accepting_writer(&noted))));
    sink.expect_flush().returning(|| Err(error(ErrorKind::Other, "flush", &path(""))));
    let ran = bench.run(source(&[("a", 10), ("b", 10)], &calls), sink).await;
    assert!(matches!(ran.result, Err(Error::Tree { .. })));
    assert!(bench.rows().iter().all(|(_, status)| status == "pending"), "{:?}", bench.rows());
    assert!(bench.log_lines().is_empty());
}

/// Runs with the files `bad` and `good`; `reader` and `writer` are the mocks of `bad`, or `None` to fail the open.
async fn with_one_bad(
    reader: impl Fn(&CallLog) -> Option<MockFileReader> + Send + 'static,
    writer: impl Fn(&CallLog) -> Option<MockFileWriter> + Send + 'static,
) -> (Bench, Ran) {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let size = 2 * BLOCK;
    let mut source = listing(&[("bad", 2 * BLOCK), ("good", 2 * BLOCK)]);
    let noted = Arc::clone(&calls);
    source.expect_open().returning(move |at, _| {
        if at == &path("good") {
            return Ok(Box::new(sevens(size, &noted)));
        }
        reader(&noted).map(|reader| Box::new(reader) as _).ok_or_else(|| error(ErrorKind::PermissionDenied, "open", at))
    });
    let mut sink = without_files(empty_sink());
    let noted = Arc::clone(&calls);
    sink.expect_create().returning(move |at, _, _| {
        if at == &path("good") {
            return Ok(Box::new(accepting_writer(&noted)));
        }
        writer(&noted)
            .map(|writer| Box::new(writer) as _)
            .ok_or_else(|| error(ErrorKind::PermissionDenied, "create", at))
    });
    sink.expect_flush().returning(|| Ok(()));
    sink.expect_metadata().returning(|at| Err(error(ErrorKind::NotFound, "stat", at)));
    let ran = bench.run(source, sink).await;
    (bench, ran)
}

fn assert_only_bad_failed(bench: &Bench, ran: &Ran, reason: &str) {
    let report = ran.result.as_ref().unwrap();
    assert_eq!((report.failed_files, report.synced.files, report.all_in_sync()), (1, 1, false));
    let statuses = [("/old/bad", "pending"), ("/old/good", "synced")];
    assert_eq!(bench.rows(), statuses.map(|(name, status)| (name.to_owned(), status.to_owned())));
    let failures: Vec<_> = bench.log_lines().into_iter().filter(|line| line["status"] == "failed").collect();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0]["error"].as_str().unwrap().contains(reason), "{failures:?}");
    assert!(ran.events.iter().any(|event| matches!(event, Event::Failed { paths, .. } if paths.source == b"/old/bad")));
}

fn good_reader(calls: &CallLog) -> Option<MockFileReader> {
    Some(sevens(2 * BLOCK, calls))
}

fn good_writer(calls: &CallLog) -> Option<MockFileWriter> {
    Some(accepting_writer(calls))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_fails_alone() {
    let (bench, ran) = with_one_bad(|_| None, good_writer).await;
    assert_only_bad_failed(&bench, &ran, "source: open bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_created_fails_alone() {
    let (bench, ran) = with_one_bad(good_reader, |_| None).await;
    assert_only_bad_failed(&bench, &ran, "destination: create bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_reading_fails_midway_fails_alone() {
    let reader = |_: &CallLog| {
        let mut reader = MockFileReader::new();
        reader.expect_metadata().returning(|| Ok(metadata(Kind::File, 2 * BLOCK)));
        reader.expect_read_at().returning(|offset, length, buffer| {
            if offset == 0 {
                Ok([buffer, vec![7; length]].concat())
            } else {
                Err(error(ErrorKind::Other, "read", &path("bad")))
            }
        });
        Some(reader)
    };
    let (bench, ran) = with_one_bad(reader, good_writer).await;
    assert_only_bad_failed(&bench, &ran, "source: read bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_writing_fails_midway_fails_alone() {
    let writer = |_: &CallLog| {
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|offset, _| {
            if offset == 0 { Ok(()) } else { Err(error(ErrorKind::Other, "write", &path("bad"))) }
        });
        writer.expect_finish().never();
        Some(writer)
    };
    let (bench, ran) = with_one_bad(good_reader, writer).await;
    assert_only_bad_failed(&bench, &ran, "destination: write bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_reported_only_on_close_is_a_failure() {
    let writer = |_: &CallLog| {
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer.expect_finish().returning(|_, _| Err(error(ErrorKind::Other, "close", &path("bad"))));
        Some(writer)
    };
    let (bench, ran) = with_one_bad(good_reader, writer).await;
    assert_only_bad_failed(&bench, &ran, "destination: close bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_another_size_at_the_sink_fails() {
    let writer = |_: &CallLog| {
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer.expect_finish().returning(|_, _| Ok(metadata(Kind::File, 1)));
        Some(writer)
    };
    let (bench, ran) = with_one_bad(good_reader, writer).await;
    assert_only_bad_failed(&bench, &ran, "the destination reports 1 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_error_is_retried() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut source = listing(&[("a", 10)]);
    let (noted, tries) = (Arc::clone(&calls), AtomicUsize::new(0));
    source.expect_open().returning(move |at, _| {
        if tries.fetch_add(1, SeqCst) < 2 {
            return Err(error(ErrorKind::Other, "open", at).with_temporary(true));
        }
        Ok(Box::new(sevens(10, &noted)))
    });
    let ran = bench.run(source, without_files(accepting_sink(&calls))).await;
    assert!(ran.result.unwrap().all_in_sync());
    let retries = ran.events.iter().filter(|event| matches!(event, Event::WillRetry { .. })).count();
    assert_eq!(retries, 2);
    let logged: Vec<_> = bench.log_lines().iter().map(|line| line["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(logged, ["will-retry", "will-retry", "synced"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_keeps_changing_fails_and_is_never_finished() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut source = listing(&[("a", 2 * BLOCK)]);
    let clock = Arc::new(AtomicUsize::new(1));
    source.expect_open().returning(move |_, _| {
        let mut reader = MockFileReader::new();
        let clock = Arc::clone(&clock);
        reader.expect_metadata().returning(move || {
            let mut now = metadata(Kind::File, 2 * BLOCK);
            now.modified = towpath_backend::Timestamp::from_ns(clock.fetch_add(1, SeqCst) as i64);
            Ok(now)
        });
        reader.expect_read_at().returning(|offset, length, buffer| Ok(sevens_of(2 * BLOCK, offset, length, buffer)));
        Ok(Box::new(reader))
    });
    let ran = bench.run(source, without_files(accepting_sink(&calls))).await;
    assert_eq!(ran.result.unwrap().failed_files, 1);
    assert!(!calls.lock().unwrap().contains(&"finish".to_owned()));
    assert_eq!(bench.rows()[0].1, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_sink_ends_the_run_and_leaves_the_rest_pending() {
    let calls = CallLog::default();
    let bench = Bench::new(one_lane());
    let mut sink = without_files(empty_sink());
    sink.expect_create().returning(|at, _, _| Err(error(ErrorKind::NoSpace, "create", at)));
    sink.expect_flush().returning(|| Ok(()));
    let ran = bench.run(source(&[("a", 10), ("b", 10), ("c", 10)], &calls), sink).await;
    let text = ran.result.unwrap_err().to_string();
    assert!(text.contains("/new") && text.contains("free some space"), "{text}");
    assert!(bench.rows().iter().all(|(_, status)| status == "pending"));
}
