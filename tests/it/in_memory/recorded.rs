//! What the counters say of all runs: only what was committed, and never less than before.

use towpath::{CancellationToken, MaxDelete, Mirror, Recorded, Side, Totals};

use super::bench::{Bench, write};

/// Runs it; returns what was recorded at the end.
async fn run(bench: &Bench) -> Recorded {
    let (migration, events) = bench.migration(bench.source.clone(), bench.sink.clone(), CancellationToken::new());
    drop(events);
    let progress = migration.progress();
    assert_eq!(progress.snapshot().recorded, None, "nothing is known before the database is open");
    migration.run().await.unwrap();
    progress.snapshot().recorded.unwrap()
}

fn failures(recorded: &Recorded) -> Vec<(Option<Side>, &str, u64)> {
    recorded.failures.iter().map(|failures| (failures.side, &*failures.kind, failures.count)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_go_on_from_what_earlier_runs_recorded() {
    let mut bench = Bench::new();
    write(&bench.source, "a", b"1234").await;
    write(&bench.source, "blocked", b"12345").await;
    write(&bench.sink, "blocked/by", b"content").await;
    let first = run(&bench).await;
    assert_eq!((first.sent, first.failed, first.deleted_files), (Totals::new(1, 4), Totals::new(1, 5), 0));
    let [(side, kind, 1)] = failures(&first)[..] else { panic!("{first:?}") };
    let committed = first.committed.unwrap();

    // It fails again, in the attempt at the backlog alone; the new file is sent.
    write(&bench.source, "b", b"123456").await;
    let second = run(&bench).await;
    assert_eq!((second.sent, second.failed), (Totals::new(2, 10), Totals::new(2, 10)));
    assert_eq!(failures(&second), [(side, kind, 2)]);
    assert!(second.committed.unwrap() > committed);

    bench.options = bench.options.mirror(Some(Mirror::default().max_delete(MaxDelete::Percent(100))));
    let third = run(&bench).await;
    assert_eq!((third.sent, third.deleted_files, third.deleted_dirs), (Totals::new(3, 15), 1, 1));
    assert_eq!((third.failed, failures(&third)), (second.failed, failures(&second)));
}
