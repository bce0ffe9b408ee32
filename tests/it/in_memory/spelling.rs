//! Sinks that do not distinguish upper and lower case.

use towpath::Mirror;
use towpath_backend::Sink as _;

use super::bench::*;

fn mirrored() -> Bench {
    let mut bench = Bench::with_sink_that_folds_case();
    let mirror = Mirror::default();
    bench.options = bench.options.mirror(mirror);
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_renamed_only_in_case_is_renamed_at_the_sink() {
    let bench = mirrored();
    write(&bench.source, "readme.txt", b"one").await;
    write(&bench.source, "same.txt", b"two").await;
    assert!(bench.run().await.report.all_in_sync());
    bench.source.remove_file(&path("readme.txt")).await.unwrap();
    bench.source.remove_file(&path("same.txt")).await.unwrap();
    write_at(&bench.source, "README.txt", b"changed", 1_700_000_009).await;
    write(&bench.source, "Same.txt", b"two").await;

    let ran = bench.run().await;
    assert!(ran.report.all_in_sync(), "{:?}", ran.events);
    assert_eq!(
        (ran.report.synced.files, ran.report.deleted_files),
        (1, 0),
        "a new spelling does not send the content again"
    );
    assert_eq!(names(&bench.sink, "").await, ["README.txt", "Same.txt"]);
    assert_eq!(read(&bench.sink, "README.txt").await.unwrap(), b"changed");
    assert_eq!(bench.logged("renamed"), ["README.txt", "Same.txt"]);
    let ran = bench.run().await;
    assert_eq!((ran.report.synced.files, bench.logged("renamed").len()), (0, 2), "{:?}", ran.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn directories_renamed_only_in_case_keep_their_content() {
    let bench = mirrored();
    for name in ["Docs/Sub/deep/a", "Docs/b", "Docs/Sub/c", "other"] {
        write(&bench.source, name, b"data").await;
    }
    assert!(bench.run().await.report.all_in_sync());
    for name in ["docs/SUB/deep/a", "docs/b", "docs/SUB/C", "other"] {
        write(&bench.source, name, b"data").await;
    }
    for name in ["Docs/Sub/deep/a", "Docs/b", "Docs/Sub/c"] {
        bench.source.remove_file(&path(name)).await.unwrap();
    }
    for dir in ["Docs/Sub/deep", "Docs/Sub", "Docs"] {
        bench.source.remove_dir(&path(dir)).await.unwrap();
    }
    write(&bench.sink, "Docs/Sub/extra", b"x").await;

    let ran = bench.run().await;
    assert!(ran.report.all_in_sync(), "{:?}", ran.events);
    assert_eq!((ran.report.synced.files, ran.report.deleted_files), (0, 1), "{:?}", ran.events);
    assert_eq!(names(&bench.sink, "").await, names(&bench.source, "").await);
    // The files of a renamed directory are counted once.
    assert_eq!((ran.report.source.files, bench.logged("renamed").len()), (4, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_names_of_the_source_collide() {
    let bench = mirrored();
    write(&bench.source, "Name", b"first").await;
    write(&bench.source, "name", b"second").await;
    write_at(&bench.sink, "NAME", b"stale", 1_600_000_000).await;
    let ran = bench.run().await;
    assert_eq!((ran.report.failed_files, ran.report.synced.files, ran.report.deleted_files), (1, 1, 0));
    assert_eq!(names(&bench.sink, "").await, ["Name"]);
    assert_eq!(read(&bench.sink, "Name").await.unwrap(), b"first");
    assert!(ran.mentions("does not distinguish its name from Name"), "{:?}", ran.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_kind_under_another_spelling_is_replaced() {
    let bench = mirrored();
    write(&bench.source, "DIR/file", b"data").await;
    write(&bench.source, "FILE", b"data").await;
    write(&bench.sink, "dir", b"a file in place of a directory").await;
    write(&bench.sink, "file/inner", b"a directory in place of a file").await;
    bench.run().await;
    let ran = bench.run().await;
    assert!(ran.report.all_in_sync(), "{:?}", ran.events);
    assert_eq!(read(&bench.sink, "DIR/file").await.unwrap(), b"data");
    assert_eq!(read(&bench.sink, "FILE").await.unwrap(), b"data");
}

/// A file system that reports a rename to the other spelling without doing it.
#[tokio::test(flavor = "multi_thread")]
async fn content_arrives_even_if_the_sink_keeps_the_old_spelling() {
    use towpath_backend::ErrorKind;
    use towpath_backend::layer::{Fault, Faults, Operation, Rule};
    let bench = mirrored();
    write(&bench.source, "Docs/readme", b"one").await;
    assert!(bench.run().await.report.all_in_sync());
    bench.source.remove_file(&path("Docs/readme")).await.unwrap();
    bench.source.remove_dir(&path("Docs")).await.unwrap();
    write_at(&bench.source, "docs/README", b"changed", 1_700_000_009).await;
    for sent in [1, 0] {
        let rule = Rule::new(ErrorKind::Unsupported).on(Operation::Respell);
        let sink = Fault::new(bench.sink.clone(), Faults::new(1).with(rule));
        let ran = bench.run_between(bench.source.clone(), sink).await;
        assert!(ran.report.all_in_sync(), "{:?}", ran.events);
        assert_eq!((ran.report.synced.files, ran.report.deleted_files), (sent, 0));
        assert_eq!(names(&bench.sink, "").await, ["Docs", "Docs/readme"]);
        assert_eq!(read(&bench.sink, "docs/README").await.unwrap(), b"changed");
        assert!(bench.logged("renamed").is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_different_spelling_of_a_name_of_a_folding_source_is_an_extra() {
    let folding = Bench::with_sink_that_folds_case();
    let bench = Bench { source: folding.sink.clone(), ..mirrored() };
    let bench = Bench { sink: towpath_memory::MemoryTree::new("new"), ..bench };
    write(&bench.source, "Report", b"one").await;
    write(&bench.sink, "report", b"old").await;
    let ran = bench.run().await;
    assert!(ran.report.all_in_sync(), "{:?}", ran.events);
    assert_eq!(names(&bench.sink, "").await, ["Report"]);
}
