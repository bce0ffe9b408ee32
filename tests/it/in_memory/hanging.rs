//! Calls that do not return: what the run waits for is known in every phase.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use towpath::{CancellationToken, CurrentOperation, MaxDelete, Mirror, Phase, Side};
use towpath_backend::async_trait;
use towpath_backend::layer::{Call, Hook, Hooked, Operation};

use super::bench::*;

/// Holds the calls of an operation.
struct Holds {
    operation: Operation,
    path: &'static str,
    released: Semaphore,
}

#[async_trait]
impl Hook for Holds {
    async fn wait(&self, call: &Call<'_>) {
        if call.operation == self.operation && call.path.as_bytes() == self.path.as_bytes() {
            let _released = self.released.acquire().await;
        }
    }
}

/// A bench that transfers, deletes and sets attributes of a directory.
async fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.options.mirror = Some(Mirror::default().max_delete(MaxDelete::Percent(100)));
    write(&bench.source, "dir/file", b"data").await;
    write(&bench.sink, "old/letter", b"data").await;
    bench
}

/// What a run shows while a call of a side hangs.
async fn shown_while_held(side: Side, operation: Operation, path: &'static str) -> (Phase, CurrentOperation) {
    let bench = bench().await;
    let holds = Arc::new(Holds { operation, path, released: Semaphore::new(0) });
    let free = Arc::new(Holds { operation, path, released: Semaphore::new(1000) });
    let held = |of| Arc::clone(if of == side { &holds } else { &free });
    let source = Hooked::around(bench.source.clone(), held(Side::Source));
    let sink = Hooked::around(bench.sink.clone(), held(Side::Sink));
    let (migration, _events) = bench.migration(source, sink, CancellationToken::new());
    let progress = migration.progress();
    let run = tokio::spawn(migration.run());
    let began = Instant::now();
    let shown = loop {
        let snapshot = progress.snapshot();
        match snapshot.operation {
            Some(hanging) if hanging.side == Some(side) && hanging.since.elapsed() > Duration::from_millis(300) => {
                break (snapshot.phase, hanging);
            }
            _ => assert!(began.elapsed() < Duration::from_secs(60), "{snapshot:?}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    holds.released.add_permits(1000);
    assert!(run.await.unwrap().unwrap().all_in_sync());
    assert_eq!(progress.snapshot().operation, None, "all calls have returned");
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_hangs_is_shown_with_its_side_operation_and_path() {
    let cases = [
        (Side::Source, Operation::Identity, "", Phase::Starting, "identify", None),
        (Side::Source, Operation::ReadDir, "dir", Phase::Scanning, "list", Some("dir")),
        (Side::Sink, Operation::Flush, "", Phase::Transferring, "flush", None),
        (Side::Sink, Operation::RemoveFile, "old/letter", Phase::Mirroring, "remove", Some("old/letter")),
        (Side::Sink, Operation::RemoveDir, "old", Phase::Mirroring, "remove directory", Some("old")),
        (Side::Sink, Operation::SetTimes, "dir", Phase::Finalizing, "set attributes", Some("dir")),
    ];
    for (side, operation, path, phase, name, shown_path) in cases {
        let (shown_phase, shown) = shown_while_held(side, operation, path).await;
        assert_eq!((shown_phase, shown.name), (phase, name));
        assert_eq!(shown.path, shown_path.map(self::path), "{name}");
    }
}
