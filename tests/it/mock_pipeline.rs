//! The engine against mocked trees: order of calls, errors in each place,
//! bounds, slow sides, and stopping.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use towpath::{Error, Event, Options, Outcome, Side};
use towpath_backend::mock::{MockFileReader, MockFileWriter};
use towpath_backend::{ErrorKind, Kind};

use crate::mocks::*;

const BLOCK: usize = 1 << 20;

fn empty_sink() -> towpath_backend::mock::MockSink {
    finds_nothing(crate::mocks::empty_sink())
}

fn willing_sink(journal: &Journal) -> towpath_backend::mock::MockSink {
    finds_nothing(crate::mocks::willing_sink(journal))
}

/// One lane, blocks of one step: every call can be foretold.
fn one_lane() -> Options {
    Options { lanes: Some(1), block_size_bytes: BLOCK, queue_capacity: 4, ..Options::default() }
}

fn journal() -> Journal {
    Journal::default()
}

fn position(journal: &Journal, text: &str) -> usize {
    let journal = journal.lock().unwrap();
    journal.iter().position(|line| line == text).unwrap_or_else(|| panic!("no {text:?} in {journal:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_read_written_and_closed_in_order() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let size = 2 * BLOCK + 5;
    let ran = bench.run(source(&[("a", 2 * BLOCK + 5)], &journal), willing_sink(&journal)).await;
    assert!(ran.result.unwrap().all_in_sync());
    // Blocks grow, so that the writer begins soon.
    let blocks = ["0+262144", "262144+524288", "786432+1048576", "1835008+262149"];
    let writes = blocks.map(|block| format!("write {block}"));
    // But for the first, each is read in halves, of whole pages.
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
    // The second flush is that of the directories' times; the third comes before the mark goes that files are in flight.
    let ends = ["finish", "flush", "flush", "flush"].map(str::to_owned);
    let writes = [&["create a".to_owned()][..], &writes, &ends].concat();
    let seen = journal.lock().unwrap().clone();
    for expected in [&reads[..], &writes[..]] {
        let ours: Vec<_> = seen.iter().filter(|line| expected.contains(line)).cloned().collect();
        assert_eq!(ours, expected);
    }
    assert!(position(&journal, "read 1970176+126981") < position(&journal, "finish"));
    let line = &bench.log_lines()[0];
    assert_eq!((&line["status"], line["size"].as_u64()), (&"synced".into(), Some(size as u64)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_of_the_large_files_goes_first() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    const FILES: &[(&str, usize)] = &[("a", 2 * BLOCK), ("b", BLOCK), ("c", 3 * BLOCK)];
    let ran = bench.run(source(FILES, &journal), willing_sink(&journal)).await;
    assert!(ran.result.unwrap().all_in_sync());
    let opened: Vec<_> = journal.lock().unwrap().iter().filter(|line| line.starts_with("open")).cloned().collect();
    assert_eq!(opened, ["open c", "open a", "open b"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_file_is_made_and_nothing_is_written_to_it() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let ran = bench.run(source(&[("empty", 0)], &journal), willing_sink(&journal)).await;
    assert!(ran.result.unwrap().all_in_sync());
    let seen = journal.lock().unwrap().clone();
    assert!(seen.contains(&"create empty".to_owned()) && seen.contains(&"finish".to_owned()), "{seen:?}");
    assert!(!seen.iter().any(|line| line.starts_with("write")), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_synced_only_behind_the_flush() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut sink = empty_sink();
    let noted = Arc::clone(&journal);
    sink.expect_create().returning(move |_, _, _| Ok(Box::new(willing_writer(&noted))));
    let (database, at_flush) = (bench.database(), Arc::new(Mutex::new(Vec::new())));
    let seen = Arc::clone(&at_flush);
    sink.expect_flush().returning(move || {
        seen.lock().unwrap().extend(rows(&database));
        Ok(())
    });
    let ran = bench.run(source(&[("a", 10)], &journal), sink).await;
    assert!(ran.result.unwrap().all_in_sync());
    assert_eq!(at_flush.lock().unwrap()[0], ("/old/a".to_owned(), "pending".to_owned()));
    assert_eq!(bench.rows(), [("/old/a".to_owned(), "synced".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_flush_leaves_all_pending_and_ends_the_run() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut sink = empty_sink();
    let noted = Arc::clone(&journal);
    sink.expect_create().returning(move |_, _, _| Ok(Box::new(willing_writer(&noted))));
    sink.expect_flush().returning(|| Err(error(ErrorKind::Other, "flush", &path(""))));
    let ran = bench.run(source(&[("a", 10), ("b", 10)], &journal), sink).await;
    assert!(matches!(ran.result, Err(Error::Backend(_))));
    assert!(bench.rows().iter().all(|(_, status)| status == "pending"), "{:?}", bench.rows());
    assert!(bench.log_lines().is_empty());
}

/// Runs files `bad` and `good`, with what `bend` does to the mocks of `bad`.
async fn with_one_bad(
    reader: impl Fn(&Journal) -> Option<MockFileReader> + Send + 'static,
    writer: impl Fn(&Journal) -> Option<MockFileWriter> + Send + 'static,
) -> (Bench, Ran) {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let size = 2 * BLOCK;
    let mut source = listing(&[("bad", 2 * BLOCK), ("good", 2 * BLOCK)]);
    let noted = Arc::clone(&journal);
    source.expect_open().returning(move |at, _| {
        if at == &path("good") {
            return Ok(Box::new(sevens(size, &noted)));
        }
        reader(&noted).map(|reader| Box::new(reader) as _).ok_or_else(|| error(ErrorKind::PermissionDenied, "open", at))
    });
    let mut sink = empty_sink();
    let noted = Arc::clone(&journal);
    sink.expect_create().returning(move |at, _, _| {
        if at == &path("good") {
            return Ok(Box::new(willing_writer(&noted)));
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

fn good_reader(journal: &Journal) -> Option<MockFileReader> {
    Some(sevens(2 * BLOCK, journal))
}

fn good_writer(journal: &Journal) -> Option<MockFileWriter> {
    Some(willing_writer(journal))
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
async fn a_file_whose_reading_fails_in_its_middle_fails_alone() {
    let reader = |_: &Journal| {
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
async fn a_file_whose_writing_fails_in_its_middle_fails_alone() {
    let writer = |_: &Journal| {
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
async fn an_error_that_shows_only_at_the_close_is_a_failure() {
    let writer = |_: &Journal| {
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer.expect_finish().returning(|_, _| Err(error(ErrorKind::Other, "close", &path("bad"))));
        Some(writer)
    };
    let (bench, ran) = with_one_bad(good_reader, writer).await;
    assert_only_bad_failed(&bench, &ran, "destination: close bad");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_says_another_size_is_not_believed() {
    let writer = |_: &Journal| {
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| Ok(()));
        writer.expect_finish().returning(|_, _| Ok(metadata(Kind::File, 1)));
        Some(writer)
    };
    let (bench, ran) = with_one_bad(good_reader, writer).await;
    assert_only_bad_failed(&bench, &ran, "the destination says 1 bytes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_temporary_error_is_tried_again_and_passes() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut source = listing(&[("a", 10)]);
    let (noted, tries) = (Arc::clone(&journal), AtomicUsize::new(0));
    source.expect_open().returning(move |at, _| {
        if tries.fetch_add(1, SeqCst) < 2 {
            return Err(error(ErrorKind::Other, "open", at).with_temporary(true));
        }
        Ok(Box::new(sevens(10, &noted)))
    });
    let ran = bench.run(source, willing_sink(&journal)).await;
    assert!(ran.result.unwrap().all_in_sync());
    let retries = ran.events.iter().filter(|event| matches!(event, Event::WillRetry { .. })).count();
    assert_eq!(retries, 2);
    let logged: Vec<_> = bench.log_lines().iter().map(|line| line["status"].as_str().unwrap().to_owned()).collect();
    assert_eq!(logged, ["will-retry", "will-retry", "synced"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_never_rests_is_given_up_and_never_closed_as_done() {
    let journal = journal();
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
    let ran = bench.run(source, willing_sink(&journal)).await;
    assert_eq!(ran.result.unwrap().failed_files, 1);
    assert!(!journal.lock().unwrap().contains(&"finish".to_owned()));
    assert_eq!(bench.rows()[0].1, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_sink_ends_the_run_and_leaves_the_rest_pending() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut sink = empty_sink();
    sink.expect_create().returning(|at, _, _| Err(error(ErrorKind::NoSpace, "create", at)));
    sink.expect_flush().returning(|| Ok(()));
    let ran = bench.run(source(&[("a", 10), ("b", 10), ("c", 10)], &journal), sink).await;
    let text = ran.result.unwrap_err().to_string();
    assert!(text.contains("/new") && text.contains("make room"), "{text}");
    assert!(bench.rows().iter().all(|(_, status)| status == "pending"));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_directories_are_made_and_the_file_is_tried_again() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut sink = crate::mocks::empty_sink();
    let made = Arc::new(AtomicUsize::new(0));
    let (noted, dirs) = (Arc::clone(&journal), Arc::clone(&made));
    sink.expect_create().returning(move |at, _, _| {
        if dirs.load(SeqCst) == 0 {
            return Err(error(ErrorKind::NotFound, "create", at));
        }
        Ok(Box::new(willing_writer(&noted)))
    });
    let dirs = Arc::clone(&made);
    sink.expect_create_dir().returning(move |_, _| {
        dirs.fetch_add(1, SeqCst);
        Ok(())
    });
    sink.expect_metadata().returning(|_| Ok(metadata(Kind::Dir, 0)));
    sink.expect_flush().returning(|| Ok(()));
    // The listing has a directory `d`, and every directory has a file `a`; `d` itself holds no other.
    let mut source = towpath_backend::mock::MockSource::new();
    source.expect_root().return_const(b"/old".to_vec());
    source.expect_metadata().withf(towpath_backend::RelPath::is_root).returning(|_| Ok(metadata(Kind::Dir, 0)));
    source.expect_capabilities().return_const(capabilities());
    source.expect_locate().return_const(None);
    source.expect_identity().returning(|| Ok(towpath_backend::Identity::new("old")));
    source.expect_read_dir().returning(|dir, _| {
        let (name, kind) = if dir.is_root() { (b"d", Kind::Dir) } else { (b"a", Kind::File) };
        let entry = towpath_backend::Entry { name: name.to_vec(), metadata: metadata(kind, 10) };
        Ok(Box::pin(tokio_stream::iter([Ok(vec![entry])])))
    });
    let noted = Arc::clone(&journal);
    source.expect_open().returning(move |_, _| Ok(Box::new(sevens(10, &noted))));
    let ran = bench.run(source, sink).await;
    assert!(ran.result.unwrap().all_in_sync());
    assert!(made.load(SeqCst) >= 1);
}

/// The most bytes that were read and not yet written.
async fn most_bytes_under_way(options: Options, read_time: Duration, write_time: Duration) -> usize {
    const SIZE: usize = 24 * BLOCK;
    let bench = Bench::new(options);
    let (under_way, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut source = listing(&[("a", SIZE), ("b", SIZE), ("c", SIZE)]);
    let (counted, peak) = (Arc::clone(&under_way), Arc::clone(&most));
    source.expect_open().returning(move |_, _| {
        let mut reader = MockFileReader::new();
        reader.expect_metadata().returning(|| Ok(metadata(Kind::File, SIZE)));
        let (counted, peak) = (Arc::clone(&counted), Arc::clone(&peak));
        reader.expect_read_at().returning(move |offset, length, buffer| {
            let before = buffer.len();
            let data = sevens_of(SIZE, offset, length, buffer);
            let read = data.len() - before;
            peak.fetch_max(counted.fetch_add(read, SeqCst) + read, SeqCst);
            std::thread::sleep(read_time);
            Ok(data)
        });
        Ok(Box::new(reader))
    });
    let mut sink = empty_sink();
    sink.expect_create().returning(move |_, _, _| {
        let mut writer = MockFileWriter::new();
        let counted = Arc::clone(&under_way);
        writer.expect_write_at().returning(move |_, data| {
            std::thread::sleep(write_time);
            counted.fetch_sub(data.len(), SeqCst);
            Ok(())
        });
        writer.expect_finish().returning(|_, _| Ok(metadata(Kind::File, SIZE)));
        Ok(Box::new(writer))
    });
    sink.expect_flush().returning(|| Ok(()));
    assert!(bench.run(source, sink).await.result.unwrap().all_in_sync());
    most.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_sink_never_lets_more_pile_up_than_the_queue_holds() {
    for (queue_capacity, lanes) in [(1, 1), (1, 3), (4, 1), (4, 3)] {
        let options = Options { lanes: Some(lanes), queue_capacity, ..one_lane() };
        let most = most_bytes_under_way(options, Duration::ZERO, Duration::from_millis(3)).await;
        assert!(most <= queue_capacity * BLOCK, "{most} bytes in {queue_capacity} slots, {lanes} lanes");
        // One lane holds three blocks at most. On a busy machine blocks stay smaller.
        let full = queue_capacity.min(3 * lanes) * BLOCK;
        assert!(most >= full / 2, "the queue was never full: {most} bytes of {full}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn small_files_are_read_while_others_are_written_whatever_the_queue() {
    const SIZE: usize = 64 << 10;
    let options = Options { queue_capacity: 1, bandwidth: towpath::Bandwidth::Limit(1 << 20), ..one_lane() };
    let bench = Bench::new(options);
    let journal = journal();
    let mut source = listing(&[("a", SIZE), ("b", SIZE)]);
    let noted = Arc::clone(&journal);
    source.expect_open().returning(move |path, _| {
        let (noted, path) = (Arc::clone(&noted), path.clone());
        let mut reader = MockFileReader::new();
        reader.expect_metadata().returning(|| Ok(metadata(Kind::File, SIZE)));
        reader.expect_read_at().returning(move |offset, length, buffer| {
            noted.lock().unwrap().push(format!("read {path}"));
            Ok(sevens_of(SIZE, offset, length, buffer))
        });
        Ok(Box::new(reader))
    });
    let mut sink = empty_sink();
    let noted = Arc::clone(&journal);
    sink.expect_create().returning(move |path, _, _| {
        let (noted, path) = (Arc::clone(&noted), path.clone());
        let mut writer = MockFileWriter::new();
        writer.expect_write_at().returning(|_, _| {
            std::thread::sleep(Duration::from_millis(20));
            Ok(())
        });
        writer.expect_finish().returning(move |_, _| {
            noted.lock().unwrap().push(format!("finish {path}"));
            Ok(metadata(Kind::File, SIZE))
        });
        Ok(Box::new(writer))
    });
    sink.expect_flush().returning(|| Ok(()));
    assert!(bench.run(source, sink).await.result.unwrap().all_in_sync());
    assert!(position(&journal, "read b") < position(&journal, "finish a"), "{:?}", journal.lock().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_source_is_waited_for() {
    let most = most_bytes_under_way(one_lane(), Duration::from_millis(3), Duration::ZERO).await;
    assert!(most <= 4 * BLOCK);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_in_the_middle_of_a_file_leaves_it_pending() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let token = towpath::CancellationToken::new();
    let mut sink = empty_sink();
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
    let migration = towpath::Migration::builder()
        .source(source(&[("a", 50 * BLOCK)], &journal))
        .sink(sink)
        .database(bench.database())
        .audit_log(bench.database().with_file_name("audit.jsonl"))
        .options(one_lane())
        .cancellation(token)
        .build()
        .unwrap();
    let report = run(migration).await.result.unwrap();
    assert_eq!((report.outcome, report.pending.files), (Outcome::Stopped, 1));
    assert_eq!(bench.rows()[0].1, "pending");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_became_another_tree_is_not_believed_about_missing_files() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut source = towpath_backend::mock::MockSource::new();
    source.expect_root().return_const(b"/old".to_vec());
    source.expect_metadata().withf(towpath_backend::RelPath::is_root).returning(|_| Ok(metadata(Kind::Dir, 0)));
    source.expect_capabilities().return_const(capabilities());
    source.expect_locate().return_const(None);
    let asked = AtomicUsize::new(0);
    source.expect_identity().returning(move || {
        let tree = if asked.fetch_add(1, SeqCst) == 0 { "old" } else { "an empty mount point" };
        Ok(towpath_backend::Identity::new(tree))
    });
    source.expect_read_dir().returning(|_, _| {
        let entry = towpath_backend::Entry { name: b"a".to_vec(), metadata: metadata(Kind::File, 10) };
        Ok(Box::pin(tokio_stream::iter([Ok(vec![entry])])))
    });
    source.expect_open().returning(|at, _| Err(error(ErrorKind::NotFound, "open", at)));
    let ran = bench.run(source, willing_sink(&journal)).await;
    assert!(ran.result.unwrap_err().is_refusal());
    assert_eq!(bench.rows(), [("/old/a".to_owned(), "pending".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_not_taken_up_on_another_tree() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut first = listing(&[("a", 10)]);
    first.expect_open().returning(|at, _| Err(error(ErrorKind::PermissionDenied, "open", at)));
    assert_eq!(bench.run(first, willing_sink(&journal)).await.result.unwrap().pending.files, 1);

    let mut other = towpath_backend::mock::MockSource::new();
    other.expect_root().return_const(b"/old".to_vec());
    other.expect_metadata().withf(towpath_backend::RelPath::is_root).returning(|_| Ok(metadata(Kind::Dir, 0)));
    other.expect_capabilities().return_const(capabilities());
    other.expect_locate().return_const(None);
    other.expect_identity().returning(|| Ok(towpath_backend::Identity::new("an empty mount point")));
    let refusal = bench.run(other, willing_sink(&journal)).await.result.unwrap_err();
    assert!(refusal.is_refusal() && refusal.to_string().contains("--accept-new-tree"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_cannot_be_read_is_told_and_the_rest_goes_on() {
    let journal = journal();
    let bench = Bench::new(one_lane());
    let mut source = towpath_backend::mock::MockSource::new();
    source.expect_root().return_const(b"/old".to_vec());
    source.expect_metadata().withf(towpath_backend::RelPath::is_root).returning(|_| Ok(metadata(Kind::Dir, 0)));
    source.expect_capabilities().return_const(capabilities());
    source.expect_locate().return_const(None);
    source.expect_identity().returning(|| Ok(towpath_backend::Identity::new("old")));
    source.expect_read_dir().returning(|dir, _| {
        if !dir.is_root() {
            return Err(error(ErrorKind::PermissionDenied, "list", dir));
        }
        let entry = |name: &[u8], kind| towpath_backend::Entry { name: name.to_vec(), metadata: metadata(kind, 10) };
        Ok(Box::pin(tokio_stream::iter([Ok(vec![entry(b"a", Kind::File), entry(b"secret", Kind::Dir)])])))
    });
    let noted = Arc::clone(&journal);
    source.expect_open().returning(move |_, _| Ok(Box::new(sevens(10, &noted))));
    let mut sink = willing_sink(&journal);
    sink.expect_create_dir().returning(|_, _| Ok(()));
    sink.expect_metadata().returning(|_| Ok(metadata(Kind::Dir, 0)));
    let ran = bench.run(source, sink).await;
    let report = ran.result.unwrap();
    assert_eq!((report.synced.files, report.unreadable_dirs, report.all_in_sync()), (1, 1, false));
    let told =
        |event: &Event| matches!(event, Event::Unreadable { side: Side::Source, path, .. } if path == b"/old/secret");
    assert!(ran.events.iter().any(told));
}
