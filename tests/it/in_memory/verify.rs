//! Verification of trees in memory, with injected failures.

use towpath::{Event, Source, Verification, VerifyClass, VerifyOptions, VerifyReport, VerifyResult};
use towpath_backend::ErrorKind;
use towpath_backend::layer::{Fault, Faults, Operation, Rule};

use super::bench::{Bench, noise, path, write};

/// Verifies the bench with this sink; returns the report, and each file's class.
async fn verify(bench: &Bench, sink: impl Source + 'static) -> (VerifyReport, Vec<(String, VerifyClass)>) {
    let (verification, mut events) = Verification::builder()
        .source(bench.source.clone())
        .sink(sink)
        .database(bench.database())
        .options(VerifyOptions::default().lanes(2))
        .build()
        .unwrap();
    let listener = tokio::spawn(async move {
        let mut results = Vec::new();
        while let Some(event) = events.next().await {
            if let Event::Verified { paths, result, .. } = event {
                if let VerifyResult::Unreadable { error, .. } = &result {
                    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
                }
                results.push((String::from_utf8(paths.dest).unwrap(), result.class()));
            }
        }
        results.sort();
        results
    });
    (verification.run().await.unwrap(), listener.await.unwrap())
}

async fn synced_bench() -> Bench {
    let bench = Bench::new();
    for (name, length) in [("a", 10), ("b", 600_000), ("c", 0)] {
        write(&bench.source, name, &noise(length)).await;
    }
    assert!(bench.run().await.report.all_in_sync());
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_read_is_a_class_of_its_own() {
    let bench = synced_bench().await;
    let of_path = |name: &'static str| Rule::new(ErrorKind::PermissionDenied).at(move |at| *at == path(name));
    let faults = Faults::new(1).with(of_path("a").on(Operation::ReadWhole)).with(of_path("b").on(Operation::ReadAt));
    let (report, results) = verify(&bench, Fault::new(bench.sink.clone(), faults)).await;
    let classes = [VerifyClass::Unreadable, VerifyClass::Unreadable, VerifyClass::Matches];
    assert_eq!(results.iter().map(|(_, class)| *class).collect::<Vec<_>>(), classes, "{results:?}");
    assert_eq!((report.bad_files(), report.of(VerifyClass::Unreadable).files), (2, 2));
    // What could not be read is tried again.
    let (report, results) = verify(&bench, bench.sink.clone()).await;
    assert_eq!((report.bad_files(), results.len()), (0, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_that_passes_is_no_result() {
    let bench = synced_bench().await;
    let faults = Faults::new(1).with(Rule::new(ErrorKind::Other).on(Operation::ReadAt).nth(1).temporary(true));
    let (report, _) = verify(&bench, Fault::new(bench.sink.clone(), faults)).await;
    assert_eq!((report.of(VerifyClass::Matches).files, report.bad_files()), (3, 0));
}
