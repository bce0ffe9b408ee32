//! How many files are under way at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use tokio::time::sleep;
use towpath::Options;
use towpath_backend::{Bytes, Capabilities, FileWriter, Kind, Metadata, Result, Times, async_trait};

use crate::mocks::*;

const SMALL: usize = 10;
const LARGE: usize = 1 << 20;
/// More than suit most.
const SUITS: usize = 20;

/// A file that is closed once as many are open as are expected.
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
        // Time for one too many.
        sleep(Duration::from_millis(50)).await;
        self.open.fetch_sub(1, SeqCst);
        Ok(metadata(Kind::File, self.size))
    }
}

/// The most files of `size` that were open at a time, where the sink takes its time to close each.
async fn most_at_a_time(size: usize, options: Options, expected: usize) -> usize {
    let (open, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let mut sink = finds_nothing(empty_sink_with(Capabilities { lanes: SUITS, ..capabilities() }));
    let peak = Arc::clone(&most);
    sink.expect_create().returning(move |_, _, _| {
        peak.fetch_max(open.fetch_add(1, SeqCst) + 1, SeqCst);
        Ok(Box::new(Slow { open: Arc::clone(&open), most: Arc::clone(&peak), expected, size }))
    });
    sink.expect_flush().returning(|| Ok(()));
    let files: Vec<_> = (0..SUITS + 5).map(|n| (&*n.to_string().leak(), size)).collect();
    let source = source(files.leak(), &Journal::default());
    assert!(Bench::new(options).run(source, sink).await.result.unwrap().all_in_sync());
    most.load(SeqCst)
}

#[tokio::test(flavor = "multi_thread")]
async fn as_many_files_are_under_way_as_suit_the_storage() {
    assert_eq!(most_at_a_time(SMALL, Options::default(), SUITS).await, SUITS);
    assert_eq!(most_at_a_time(SMALL, Options { lanes: Some(3), ..Options::default() }, 3).await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_large_files_are_open_than_there_are_blocks_for() {
    assert_eq!(most_at_a_time(LARGE, Options::default(), SUITS / 2).await, SUITS / 2);
    assert_eq!(most_at_a_time(LARGE, Options { queue_capacity: 2, ..Options::default() }, 2).await, 2);
}
