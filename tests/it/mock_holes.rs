//! Files with long holes: sums of their sizes, and that they do not delay other files.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use towpath::{Event, Migration, Options, Progress, Report, Snapshot};
use towpath_backend::mock::{MockSink, MockSource};
use towpath_backend::{
    Bytes, Capabilities, Entry, FileId, FileReader, FileWriter, Kind, Metadata, Result, Times, Timestamp, async_trait,
};

use crate::mocks::*;

const EIB: u64 = 1 << 60;

/// A file of zeros with ones in its ranges of data.
struct Sparse {
    size_bytes: u64,
    data: Vec<Range<u64>>,
    changes: Arc<Changes>,
    /// Whether it was read since its metadata were last compared.
    is_begun: bool,
}

/// How many more times a file changes while it is read.
#[derive(Default)]
struct Changes {
    left: AtomicUsize,
    seen: AtomicUsize,
}

#[async_trait]
impl FileReader for Sparse {
    async fn metadata(&mut self) -> Result<Metadata> {
        if self.is_begun && self.changes.left.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok() {
            self.changes.seen.fetch_add(1, SeqCst);
        }
        self.is_begun = true;
        let later_s = 5 * i64::try_from(self.changes.seen.load(SeqCst)).unwrap();
        let modified = Timestamp::from_parts(MTIME.seconds() + later_s, 0);
        Ok(Metadata { size_bytes: self.size_bytes, modified, ..metadata(Kind::File, 0) })
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let end = self.size_bytes.min(offset + length_bytes as u64);
        for at in offset..end {
            buffer.push(u8::from(self.data.iter().any(|data| data.contains(&at))));
        }
        Ok(buffer)
    }

    async fn next_data(&mut self, offset: u64) -> Result<Option<Range<u64>>> {
        let data = self.data.iter().find(|data| data.end > offset);
        Ok(data.map(|data| data.start.max(offset)..data.end))
    }
}

/// A writer that discards all data and reports the size passed to `finish`.
struct Discarding;

#[async_trait]
impl FileWriter for Discarding {
    async fn write_at(&mut self, _offset: u64, _data: Bytes) -> Result<()> {
        Ok(())
    }

    async fn finish(self: Box<Self>, size_bytes: u64, times: &Times) -> Result<Metadata> {
        Ok(Metadata { size_bytes, modified: times.modified, ..metadata(Kind::File, 0) })
    }
}

/// A source of files, each with its name, size and ranges of data.
fn source(files: Vec<(String, u64, Vec<Range<u64>>)>) -> MockSource {
    let listed: Vec<_> = files.iter().map(|(name, size, _)| (name.as_str(), usize::try_from(*size).unwrap())).collect();
    let mut source = listing(&listed);
    source.expect_open().returning(move |at, _| {
        let (_, size_bytes, data) = files.iter().find(|(name, ..)| path(name) == *at).unwrap().clone();
        Ok(Box::new(Sparse { size_bytes, data, changes: Arc::default(), is_begun: false }))
    });
    source
}

fn sink() -> MockSink {
    let mut sink = without_files(empty_sink_with(Capabilities { holes: true, ..capabilities() }));
    sink.expect_create().returning(|_, _, _| Ok(Box::new(Discarding)));
    sink.expect_flush().returning(|| Ok(()));
    sink
}

fn huge(count: usize) -> Vec<(String, u64, Vec<Range<u64>>)> {
    (0..count).map(|n| (format!("huge{n}"), 7 * EIB, Vec::new())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_beyond_64_bits_are_exact_in_events_and_report() {
    let bench = Bench::new(Options::default().checksum(None));
    let ran = bench.run(source(huge(9)), sink()).await;
    let all = u128::from(EIB) * 63;
    let scanned = ran.events.iter().find_map(|event| match event {
        Event::ScanFinished { source, pending, .. } => Some((source.bytes, pending.bytes)),
        _ => None,
    });
    assert_eq!(scanned, Some((all, all)));
    let report = ran.result.unwrap();
    assert_eq!((report.source.bytes, report.synced.bytes, report.pending.bytes), (all, all, 0));
    assert_eq!((report.hole_bytes, report.written_bytes), (all, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_beyond_64_bits_are_exact_in_a_dry_run() {
    let bench = Bench::new(Options::default().checksum(None).dry_run(true));
    let planned = bench.run(source(huge(9)), sink()).await.result.unwrap().planned.unwrap();
    assert_eq!((planned.sent.files, planned.sent.bytes), (9, u128::from(EIB) * 63));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_largest_possible_size_arrives() {
    let bench = Bench::new(Options::default().checksum(None));
    let size = i64::MAX.cast_unsigned();
    let data = size - 5..size;
    let report = bench.run(source(vec![("max".to_owned(), size, vec![data])]), sink()).await.result.unwrap();
    assert_eq!((report.all_in_sync(), report.written_bytes), (true, 5));
    assert_eq!(report.hole_bytes, u128::from(size) - 5);
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Options for which holes of more than 64 KiB are long; files of more than 8 MiB are sent last.
fn short(lanes: usize) -> Options {
    Options::default().long_holes_bytes(64 * KIB).lanes(lanes)
}

fn all_hole(name: &str, size_bytes: u64) -> (String, u64, Vec<Range<u64>>) {
    (name.to_owned(), size_bytes, Vec::new())
}

fn all_data(name: &str, size_bytes: u64) -> (String, u64, Vec<Range<u64>>) {
    let whole = 0..size_bytes;
    (name.to_owned(), size_bytes, vec![whole])
}

/// The names of the files in the order in which they were recorded.
fn synced(ran: &Ran) -> Vec<String> {
    let name = |dest: &[u8]| String::from_utf8_lossy(dest).rsplit('/').next().unwrap().to_owned();
    let synced = ran.events.iter().filter_map(|event| match event {
        Event::Synced { paths, .. } => Some(name(&paths.dest)),
        _ => None,
    });
    synced.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_long_holes_arrive_beside_and_after_the_others() {
    for lanes in [1, 2, 8] {
        let bench = Bench::new(short(lanes));
        let mut files = vec![all_hole("largest", 9 * MIB)];
        files.extend((1..=6).map(|n| all_hole(&format!("hole{n}"), n * MIB)));
        files.extend((0..20).map(|n| all_data(&format!("data{n:02}"), 10 * n)));
        let ran = bench.run(source(files), sink()).await;
        let (report, order) = (ran.result.as_ref().unwrap(), synced(&ran));
        assert!(report.all_in_sync(), "{lanes} lanes: {report:?}");
        assert_eq!(order.len(), 27);
        assert_eq!(order.last().unwrap(), "largest", "it is sent last: {order:?}");
        assert_eq!((report.hole_bytes, report.pending.files), (u128::from(30 * MIB), 0));
        if lanes == 1 {
            let last: Vec<_> = (1..=6).map(|n| format!("hole{n}")).chain(["largest".to_owned()]).collect();
            assert_eq!(order[20..], last, "the smallest first");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_file_at_a_time_hashes_long_holes() {
    let bench = Bench::new(short(8));
    let (migration, _) = bench.migration(source((0..12).map(|n| all_hole(&n.to_string(), 2 * MIB)).collect()), sink());
    let (most, report) =
        watched(migration, |now| now.current.iter().filter(|file| file.has_long_holes || file.hashes_hole).count())
            .await;
    assert!(report.all_in_sync());
    assert_eq!(most, 1);
}

/// Runs a migration; returns the largest `count` of all snapshots.
async fn watched(migration: Migration, count: impl Fn(&Snapshot) -> usize + Send + 'static) -> (usize, Report) {
    let progress = migration.progress();
    let (done, mut is_done) = tokio::sync::oneshot::channel::<()>();
    let watcher = tokio::spawn(async move {
        let mut most = 0;
        while is_done.try_recv().is_err() {
            most = most.max(count(&progress.snapshot()));
            tokio::task::yield_now().await;
        }
        most
    });
    let report = migration.run().await.unwrap();
    done.send(()).unwrap();
    (watcher.await.unwrap(), report)
}

#[tokio::test(flavor = "multi_thread")]
async fn disk_images_with_as_much_data_as_holes_are_ordinary_files() {
    let bench = Bench::new(short(8));
    let images: Vec<_> = (0..4)
        .map(|n| (n.to_string(), 2 * MIB, (0..8).map(|n| n * 256 * KIB + 128 * KIB..(n + 1) * 256 * KIB).collect()))
        .collect();
    let ran = bench.run(source(images), sink()).await;
    assert!(!ran.events.iter().any(|event| matches!(event, Event::LongHoles { .. })));
    assert_eq!(ran.result.unwrap().hole_bytes, u128::from(4 * MIB));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_hole_found_late_is_handled_like_others() {
    let bench = Bench::new(short(2));
    // More ranges of data than are listed in advance, followed by the hole.
    let data: Vec<_> = (0..300).map(|n| n * KIB..n * KIB + 512).collect();
    let ran = bench.run(source(vec![("late".to_owned(), 4 * MIB, data)]), sink()).await;
    assert!(ran.events.iter().any(|event| matches!(event, Event::LongHoles { .. })));
    assert!(ran.result.unwrap().all_in_sync());
    let bytes: Vec<_> = (0..4 * MIB).map(|at| u8::from(at < 300 * KIB && at % KIB < 512)).collect();
    let lines = bench.log_lines();
    let synced = lines.iter().find(|line| line["status"] == "synced").unwrap();
    assert_eq!(synced["checksum"], sha256(&bytes));
}

fn sha256(bytes: &[u8]) -> String {
    towpath::Hasher::hash(towpath::Algorithm::Sha256, bytes).as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_with_long_holes_is_retried_and_then_reported() {
    for (changes, arrives) in [(1, true), (9, false)] {
        let bench = Bench::new(short(2));
        let changes = Arc::new(Changes { left: AtomicUsize::new(changes), ..Changes::default() });
        let mut source = listing(&[("changes", 2 << 20), ("other", 10)]);
        source.expect_open().returning(move |at, _| {
            let is_other = *at == path("other");
            let changes = if is_other { Arc::default() } else { Arc::clone(&changes) };
            let size_bytes = if is_other { 10 } else { 2 * MIB };
            Ok(Box::new(Sparse { size_bytes, data: Vec::new(), changes, is_begun: false }))
        });
        let ran = bench.run(source, sink()).await;
        let report = ran.result.as_ref().unwrap();
        assert_eq!((report.synced.files, report.failed_files), if arrives { (2, 0) } else { (1, 1) });
        assert_eq!(report.pending.files, u64::from(!arrives));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_names_of_a_file_with_long_holes_are_linked_to_it() {
    for (lanes, size_bytes) in [(2, 2 * MIB), (1, 2 * MIB), (2, 9 * MIB)] {
        let bench = Bench::new(short(lanes));
        let linked = Metadata {
            names: 2,
            id: Some(FileId { device: 1, inode: 7 }),
            ..metadata(Kind::File, usize::try_from(size_bytes).unwrap())
        };
        let mut source = MockSource::new();
        source.expect_root().return_const(b"/old".to_vec());
        source.expect_capabilities().return_const(Capabilities { hard_links: true, ..capabilities() });
        source.expect_locate().return_const(None);
        source.expect_identity().returning(|| Ok(towpath_backend::Identity::new("old")));
        source.expect_metadata().returning(move |at| Ok(if at.is_root() { metadata(Kind::Dir, 0) } else { linked }));
        source.expect_read_dir().returning(move |_, _| {
            let entry = |name: &str| Entry::new(name, linked);
            Ok(Box::pin(tokio_stream::iter([Ok(vec![entry("one"), entry("two")])])))
        });
        source.expect_open().returning(move |_, _| {
            Ok(Box::new(Sparse { size_bytes, data: Vec::new(), changes: Arc::default(), is_begun: false }))
        });
        let capabilities = Capabilities { holes: true, hard_links: true, ..capabilities() };
        let mut sink = without_files(empty_sink_with(capabilities));
        sink.expect_create().returning(|_, _, _| Ok(Box::new(Discarding)));
        sink.expect_flush().returning(|| Ok(()));
        sink.expect_create_hard_link().returning(|_, _| Ok(()));
        let ran = bench.run(source, sink).await;
        assert!(ran.result.as_ref().unwrap().all_in_sync(), "{:?}", ran.events);
        assert_eq!(synced(&ran), ["one", "two"]);
    }
}

/// Cancels a migration once `when` is true; returns how long it took to stop.
async fn cancelled(migration: Migration, when: impl Fn(&Snapshot) -> bool) -> (Duration, Report) {
    let (progress, stop): (Progress, _) = (migration.progress(), migration.cancellation());
    let run = tokio::spawn(migration.run());
    let patience = Instant::now() + Duration::from_secs(30);
    while !when(&progress.snapshot()) {
        assert!(Instant::now() < patience, "{:?}", progress.snapshot());
        tokio::task::yield_now().await;
    }
    let asked = Instant::now();
    stop.cancel();
    let report = run.await.unwrap().unwrap();
    (asked.elapsed(), report)
}

#[tokio::test(flavor = "multi_thread")]
async fn files_with_huge_holes_do_not_delay_other_files() {
    for queue_capacity in [1, 20] {
        let bench = Bench::new(Options::default().lanes(8).queue_capacity(queue_capacity));
        let mut files = huge(7);
        // Blocks before and after the hole, which must not hold slots that other files need.
        files.extend((7..9).map(|n| (format!("huge{n}"), 7 * EIB, vec![0..1000, 6 * EIB..6 * EIB + 1000])));
        files.extend((0..20).map(|n| all_data(&format!("real{n}"), 300_000)));
        let is_hashing = |now: &Snapshot| now.synced.files == 20 && now.current.iter().any(|file| file.hashes_hole);
        let (time, report) = cancelled(bench.migration(source(files), sink()).0, is_hashing).await;
        assert!(time < Duration::from_secs(5), "{time:?}");
        assert_eq!((report.synced.files, report.pending.files, report.failed_files), (20, 9, 0));
        assert_eq!(report.pending.bytes, u128::from(EIB) * 63);
        assert_eq!(bench.rows().iter().filter(|(_, status)| status == "pending").count(), 9);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn progress_is_reported_while_a_hole_is_hashed() {
    let bench = Bench::new(Options::default());
    let (migration, _) = bench.migration(source(huge(1)), sink());
    let moved = |now: &Snapshot| now.current.iter().any(|file| file.position_bytes() > 0 && file.written_bytes == 0);
    let (_, report) = cancelled(migration, moved).await;
    assert_eq!((report.written_bytes, report.hole_bytes), (0, 0), "the file is not finished");
}
