//! The number of files and bytes in flight at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use towpath::{Bandwidth, Options};
use towpath_backend::mock::MockSink;
use towpath_backend::{
    Bytes, FileReader, FileWriter, Hints, Kind, Metadata, Result, Sink as _, Times, WriteOptions, async_trait,
};
use towpath_memory::MemoryTree;

use crate::mocks::*;

const SMALL: usize = 10;
const LARGE: usize = 1 << 20;
/// More than the default of most storages.
const SUITS: usize = 20;

/// A file that is closed once as many files are open as expected.
struct Slow {
    open: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    expected: usize,
    size: usize,
}

#[async_trait]
impl FileWriter for Slow {
    async fn write_at(&mut self, _offset: u64, _data: Bytes) -> Result<()> {
        Ok(())
    }

    async fn finish(self: Box<Self>, _size_bytes: u64, _times: &Times) -> Result<Metadata> {
        let patience = Instant::now() + Duration::from_secs(30);
        while self.most.load(SeqCst) < self.expected && Instant::now() < patience {
            sleep(Duration::from_millis(1)).await;
        }
        // The subject of the test: time for one more to be opened by mistake.
        sleep(Duration::from_millis(50)).await;
        self.open.fetch_sub(1, SeqCst);
        Ok(metadata(Kind::File, self.size))
    }
}

/// The most files of `size` that were open at a time in a sink that is slow to close files.
async fn most_at_a_time(size: usize, options: Options, expected: usize) -> usize {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut sink = without_files(empty_sink());
    let peak = Arc::clone(&most);
    sink.expect_create().returning(move |_, _, _| {
        peak.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
        Ok(Box::new(Slow { open: Arc::clone(&open), most: Arc::clone(&peak), expected, size }))
    });
    sink.expect_flush().returning(|| Ok(()));
    let source = MemoryTree::new("old").with_hints(Hints { lanes: SUITS, ..Hints::DEFAULT });
    let content = Bytes::from(vec![7; size]);
    // Enough for each lane, whatever the lanes that begin first take in advance.
    for n in 0..4 * SUITS {
        let (content, metadata) = (content.clone(), metadata(Kind::File, size));
        source.write_whole(&path(&n.to_string()), content, &metadata, &WriteOptions::default()).await.unwrap();
    }
    assert!(Bench::new(options).run(source, sink).await.result.unwrap().all_in_sync());
    most.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_storage_determines_how_many_files_are_in_flight() {
    assert_eq!(most_at_a_time(SMALL, Options::default(), SUITS).await, SUITS);
    assert_eq!(most_at_a_time(SMALL, Options::default().lanes(3), 3).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_limits_how_many_large_files_are_open() {
    assert_eq!(most_at_a_time(LARGE, Options::default(), SUITS / 2).await, SUITS / 2);
    assert_eq!(most_at_a_time(LARGE, Options::default().queue_capacity(2), 2).await, 2);
}

/// The bytes that were read and not yet written: the current number and the maximum.
#[derive(Clone, Default)]
struct InFlight {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

/// A file of `size` bytes whose blocks are slow to read.
struct SlowReader {
    in_flight: InFlight,
    size: usize,
    pause: Duration,
}

#[async_trait]
impl FileReader for SlowReader {
    async fn metadata(&mut self) -> Result<Metadata> {
        Ok(metadata(Kind::File, self.size))
    }

    async fn read_at(&mut self, offset: u64, length_bytes: usize, buffer: Vec<u8>) -> Result<Vec<u8>> {
        let before = buffer.len();
        let data = sevens_of(self.size, offset, length_bytes, buffer);
        let read = data.len() - before;
        self.in_flight.most.fetch_max(self.in_flight.now.fetch_add(read, SeqCst) + read, SeqCst);
        // The subject of the test: one side is slower than the other.
        sleep(self.pause).await;
        Ok(data)
    }
}

/// A file of `size` bytes whose blocks are slow to write.
struct SlowWriter {
    in_flight: InFlight,
    size: usize,
    pause: Duration,
}

#[async_trait]
impl FileWriter for SlowWriter {
    async fn write_at(&mut self, _offset: u64, data: Bytes) -> Result<()> {
        // The subject of the test: one side is slower than the other.
        sleep(self.pause).await;
        self.in_flight.now.fetch_sub(data.len(), SeqCst);
        Ok(())
    }

    async fn finish(self: Box<Self>, _size_bytes: u64, _times: &Times) -> Result<Metadata> {
        Ok(metadata(Kind::File, self.size))
    }
}

fn sink_of(create: impl Fn() -> Box<dyn FileWriter> + Send + 'static) -> MockSink {
    let mut sink = without_files(empty_sink());
    sink.expect_create().returning(move |_, _, _| Ok(create()));
    sink.expect_flush().returning(|| Ok(()));
    sink
}

/// The most bytes in flight if each block takes these times.
async fn most_bytes_in_flight(options: Options, read_pause: Duration, write_pause: Duration) -> usize {
    const SIZE: usize = 24 * BLOCK;
    let in_flight = InFlight::default();
    let mut source = listing(&[("a", SIZE), ("b", SIZE), ("c", SIZE)]);
    let counted = in_flight.clone();
    source
        .expect_open()
        .returning(move |_, _| Ok(Box::new(SlowReader { in_flight: counted.clone(), size: SIZE, pause: read_pause })));
    let counted = in_flight.clone();
    let sink = sink_of(move || Box::new(SlowWriter { in_flight: counted.clone(), size: SIZE, pause: write_pause }));
    assert!(Bench::new(options).run(source, sink).await.result.unwrap().all_in_sync());
    in_flight.most.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_sink_never_buffers_more_than_the_queue_capacity() {
    for (queue_capacity, lanes) in [(1, 1), (1, 3), (4, 1), (4, 3)] {
        let options = one_lane().lanes(lanes).queue_capacity(queue_capacity);
        let most = most_bytes_in_flight(options, Duration::ZERO, Duration::from_millis(3)).await;
        assert!(most <= queue_capacity * BLOCK, "{most} bytes in {queue_capacity} slots, {lanes} lanes");
        // One lane holds at most three blocks. On a busy machine blocks stay smaller.
        let full = queue_capacity.min(3 * lanes) * BLOCK;
        assert!(most >= full / 2, "the queue was never full: {most} bytes of {full}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_slow_source_does_not_exceed_the_queue_capacity() {
    let most = most_bytes_in_flight(one_lane(), Duration::from_millis(3), Duration::ZERO).await;
    assert!(most <= 4 * BLOCK);
}

/// A small file whose write waits until another file is read.
struct WaitingWriter {
    other_is_read: Arc<Semaphore>,
    size: usize,
}

#[async_trait]
impl FileWriter for WaitingWriter {
    async fn write_at(&mut self, _offset: u64, _data: Bytes) -> Result<()> {
        let read = timeout(Duration::from_secs(30), self.other_is_read.acquire()).await;
        assert!(read.is_ok(), "the second file is not read while the first one is written");
        Ok(())
    }

    async fn finish(self: Box<Self>, _size_bytes: u64, _times: &Times) -> Result<Metadata> {
        Ok(metadata(Kind::File, self.size))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn small_files_are_read_while_others_are_written_with_any_queue() {
    const SIZE: usize = 64 << 10;
    let options = one_lane().queue_capacity(1).bandwidth(Bandwidth::Limit(1 << 20));
    let second_is_read = Arc::new(Semaphore::new(0));
    let mut source = listing(&[("a", SIZE), ("b", SIZE)]);
    let (opened, read) = (AtomicUsize::new(0), Arc::clone(&second_is_read));
    source.expect_open().returning(move |_, _| {
        if opened.fetch_add(1, SeqCst) == 1 {
            read.add_permits(2);
        }
        Ok(Box::new(sevens(SIZE, &CallLog::default())))
    });
    let sink = sink_of(move || Box::new(WaitingWriter { other_is_read: Arc::clone(&second_is_read), size: SIZE }));
    assert!(Bench::new(options).run(source, sink).await.result.unwrap().all_in_sync());
}
