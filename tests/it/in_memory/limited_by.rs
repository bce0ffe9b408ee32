//! What limits a transfer: one slow part for each cause.
//!
//! Time is real: simulated time would jump to the next timer while the database, a thread of its own, works.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use towpath::{Algorithm, Bandwidth, CancellationToken, Cause, LimitedBy, Options};
use towpath_backend::layer::{Call, Hook, Hooked, Operation};
use towpath_backend::mock::MockFileReader;
use towpath_backend::{Kind, async_trait};
use towpath_memory::MemoryTree;

use super::bench::{Bench, noise, write};
use crate::mocks;

/// Delays these operations.
struct Slow(&'static [(Operation, u64)]);

#[async_trait]
impl Hook for Slow {
    async fn wait(&self, call: &Call<'_>) {
        for (_, ms) in self.0.iter().filter(|(operation, _)| *operation == call.operation) {
            sleep(Duration::from_millis(*ms)).await;
        }
    }
}

fn slow(tree: &MemoryTree, operations: &'static [(Operation, u64)]) -> Hooked<MemoryTree, Slow> {
    Hooked::around(tree.clone(), Arc::new(Slow(operations)))
}

const FAST: &[(Operation, u64)] = &[];

/// A bench with these files.
async fn bench(files: usize, size_bytes: usize, options: Options) -> Bench {
    let bench = Bench { options, ..Bench::new() };
    for file in 0..files {
        write(&bench.source, &format!("f{file}"), &noise(size_bytes)).await;
    }
    bench
}

async fn limited_by(
    bench: &Bench,
    source: &'static [(Operation, u64)],
    sink: &'static [(Operation, u64)],
) -> LimitedBy {
    let token = CancellationToken::new();
    let (migration, _events) = bench.migration(slow(&bench.source, source), slow(&bench.sink, sink), token);
    let progress = migration.progress();
    assert!(migration.run().await.unwrap().all_in_sync());
    progress.snapshot().limited_by
}

/// Checks that one cause has most of the time. How long the database takes depends on what else uses this machine's disk:
/// its time does not count.
#[track_caller]
fn assert_dominant(limited_by: &LimitedBy, cause: Cause) {
    let others: Vec<_> = limited_by.shares().into_iter().filter(|share| share.cause != Cause::Database).collect();
    let all: u32 = others.iter().map(|share| u32::from(share.percent)).sum();
    let is_dominant = others[0].cause == cause && u32::from(others[0].percent) * 100 > 60 * all;
    assert!(is_dominant, "{cause:?}: {:?}", limited_by.shares());
}

const LARGE: usize = 4 << 20;
const SMALL: usize = 4 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_slow_to_read() {
    let bench = bench(4, LARGE, Options::default().lanes(2)).await;
    let limited_by = limited_by(&bench, &[(Operation::ReadAt, 150)], &[(Operation::WriteAt, 30)]).await;
    assert_dominant(&limited_by, Cause::Source);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_slow_to_write() {
    let bench = bench(4, LARGE, Options::default().lanes(2)).await;
    let limited_by = limited_by(&bench, &[(Operation::ReadAt, 30)], &[(Operation::WriteAt, 150)]).await;
    assert_dominant(&limited_by, Cause::Destination);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_at_a_slow_source() {
    let bench = bench(200, SMALL, Options::default().lanes(4)).await;
    let limited_by = limited_by(&bench, &[(Operation::ReadWhole, 50)], &[(Operation::WriteWhole, 20)]).await;
    assert_dominant(&limited_by, Cause::SmallFilesAtSource);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_at_a_slow_destination() {
    let bench = bench(200, SMALL, Options::default().lanes(4)).await;
    let limited_by = limited_by(&bench, &[(Operation::ReadWhole, 20)], &[(Operation::WriteWhole, 50)]).await;
    assert_dominant(&limited_by, Cause::SmallFilesAtDestination);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_and_a_destination_that_are_equally_slow() {
    let bench = bench(200, SMALL, Options::default().lanes(4)).await;
    let both = limited_by(&bench, &[(Operation::ReadWhole, 50)], &[(Operation::WriteWhole, 50)]).await;
    let [source, destination] =
        [Cause::SmallFilesAtSource, Cause::SmallFilesAtDestination].map(|cause| both.time(cause));
    let (less, more) = (source.min(destination), source.max(destination));
    assert!(more < 3 * less, "{:?}", both.shares());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bandwidth_limit() {
    let options = Options::default().lanes(4).bandwidth(Bandwidth::Limit(8 << 20));
    let bench = bench(4, LARGE, options).await;
    let limited_by = limited_by(&bench, &[(Operation::ReadAt, 1)], &[(Operation::WriteAt, 1)]).await;
    assert_dominant(&limited_by, Cause::Limit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bandwidth_limit_for_small_files() {
    let options = Options::default().lanes(4).bandwidth(Bandwidth::Limit(384 << 10));
    let bench = bench(200, SMALL, options).await;
    let limited_by = limited_by(&bench, &[(Operation::ReadWhole, 1)], &[(Operation::WriteWhole, 1)]).await;
    assert_dominant(&limited_by, Cause::Limit);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_destination_that_is_slow_to_make_files_durable() {
    let bench = bench(20, SMALL, Options::default().lanes(4)).await;
    let limited_by = limited_by(&bench, FAST, &[(Operation::Flush, 1500), (Operation::WriteWhole, 1)]).await;
    assert_dominant(&limited_by, Cause::Flush);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause() {
    let options = Options::default().lanes(2).bandwidth(Bandwidth::Limit(8 << 20));
    let bench = bench(1, LARGE, options).await;
    let (migration, _events) = bench.migration(bench.source.clone(), bench.sink.clone(), CancellationToken::new());
    let (progress, control) = (migration.progress(), migration.control());
    let pausing = async {
        while progress.snapshot().written_bytes == 0 {
            sleep(Duration::from_millis(10)).await;
        }
        control.pause("test");
        sleep(Duration::from_secs(3)).await;
        assert_dominant(&progress.snapshot().limited_by, Cause::Paused);
        control.resume("test");
    };
    let (ran, ()) = tokio::join!(migration.run(), pausing);
    assert!(ran.unwrap().all_in_sync());
    assert_dominant(&progress.snapshot().limited_by, Cause::Paused);
}

/// An adaptive limit measures in real time, and begins with its lowest rate.
#[tokio::test(flavor = "multi_thread")]
async fn an_adaptive_limit() {
    let bench = bench(1, LARGE, Options::default().bandwidth(Bandwidth::Auto { max_bytes_per_s: None })).await;
    assert_dominant(&limited_by(&bench, FAST, FAST).await, Cause::OtherTraffic);
    let bench =
        Bench { options: Options::default().bandwidth(Bandwidth::Auto { max_bytes_per_s: Some(64 << 10) }), ..bench };
    write(&bench.source, "more", &noise(SMALL * 16)).await;
    assert_dominant(&limited_by(&bench, FAST, FAST).await, Cause::Limit);
}

/// Hashing takes real time: the trees are mocks that take none.
#[tokio::test(flavor = "multi_thread")]
async fn the_checksum_of_a_large_file() {
    const SIZE: usize = 256 << 20;
    static ZEROS: [u8; 1 << 20] = [0; 1 << 20];
    let mut source = mocks::listing(&[("a", SIZE)]);
    source.expect_open().returning(|_, _| {
        let mut reader = MockFileReader::new();
        reader.expect_metadata().returning(|| Ok(mocks::metadata(Kind::File, SIZE)));
        reader.expect_read_at().returning(|offset, length, mut buffer| {
            buffer.extend_from_slice(&ZEROS[..length.min(SIZE - offset as usize)]);
            Ok(buffer)
        });
        Ok(Box::new(reader))
    });
    let sink = mocks::without_files(mocks::accepting_sink(&mocks::CallLog::default()));
    let bench = mocks::Bench::new(Options::default().lanes(1).checksum(Some(Algorithm::Md5)));
    let (migration, _events) = bench.migration(source, sink);
    let progress = migration.progress();
    assert!(migration.run().await.unwrap().all_in_sync());
    assert_dominant(&progress.snapshot().limited_by, Cause::Hash);
}
