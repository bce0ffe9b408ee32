//! A destination that shows the files of the source under another path is a usage error: a mirror
//! would delete its own source.

use std::fs;
use std::path::Path;

use towpath::{Error, Migration, Options};
use towpath_backend::{Capabilities, Error as BackendError, ErrorKind, Identity, Kind};
use towpath_local::{LocalSink, LocalSource};

use crate::common::*;

fn bindfs(of: &Path, at: &Path) -> Option<Mount> {
    Mount::by("bindfs", at, &["-o", "nonempty", of.to_str().unwrap()])
}

fn mergerfs(of: [&Path; 2], policy: &str, at: &Path) -> Option<Mount> {
    let branches = format!("{}:{}", of[0].display(), of[1].display());
    Mount::by("mergerfs", at, &["-o", &format!("category.create={policy}"), &branches])
}

fn overlay(lower: &Path, upper: &Path, work: &Path, at: &Path) -> Option<Mount> {
    fs::create_dir_all(upper).unwrap();
    fs::create_dir_all(work).unwrap();
    // Relative names, so that the options do not show the paths.
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let options = format!("lowerdir={},upperdir={},workdir={}", name(lower), name(upper), name(work));
    let script = format!("cd {} && exec mount -t overlay overlay -o {options} \"$1\"", lower.parent()?.display());
    Mount::by("sh", at, &["-c", &script, "sh"])
}

fn bench() -> Bench {
    let bench = Bench::new();
    for n in 0..3 {
        bench.write(format!("dir/{n}"), format!("file {n}"));
    }
    bench
}

/// Asserts that a run and a dry run are usage errors and change nothing.
#[track_caller]
fn assert_usage_error(bench: &Bench, why: &str) {
    let before = (tree(&bench.source()), tree(&bench.dest()));
    for options in [&["--dry-run"][..], &[], &["--delete-extras"]] {
        let ended = bench.sync(options).with_status(2);
        assert!(ended.stderr.contains(why), "{options:?}: {}", ended.stderr);
    }
    assert!(!bench.database().exists(), "no run was begun");
    assert_eq!((tree(&bench.source()), tree(&bench.dest())), before);
}

#[test]
fn a_bindfs_of_the_source_is_a_usage_error() {
    let bench = bench();
    let Some(_mount) = bindfs(&bench.source(), &bench.dest()) else { return };
    assert_usage_error(&bench, "shows the files of the source");
}

#[test]
fn a_bindfs_of_a_directory_inside_or_above_the_source_is_a_usage_error() {
    let bench = bench();
    let Some(mount) = bindfs(&bench.source().join("dir"), &bench.dest()) else { return };
    assert_usage_error(&bench, "is inside the source");
    drop(mount);
    let Some(_mount) = bindfs(bench.folder.path(), &bench.dest()) else { return };
    let ended = bench.sync(&[]).with_status(2);
    assert!(ended.stderr.contains("is inside the destination"), "{}", ended.stderr);
}

#[test]
fn a_source_that_shows_a_directory_of_the_destination_is_a_usage_error() {
    let bench = bench();
    write(&bench.dest(), "inner/file", "precious");
    fs::remove_dir_all(bench.source()).unwrap();
    let Some(_mount) = bindfs(&bench.dest().join("inner"), &bench.source()) else { return };
    assert_usage_error(&bench, "is inside the destination");
    assert_eq!(fs::read(bench.dest().join("inner/file")).unwrap(), b"precious");
}

#[test]
fn a_mergerfs_with_the_source_is_a_usage_error_with_any_policy() {
    // New files go to the first branch: the source does not show them.
    for policy in ["mfs", "ff"] {
        let bench = bench();
        let other = bench.path("other");
        fs::create_dir(&other).unwrap();
        let Some(_mount) = mergerfs([&other, &bench.source()], policy, &bench.dest()) else { return };
        assert_usage_error(&bench, "shows the files of the source");
    }
}

#[test]
fn a_mergerfs_with_a_directory_of_the_source_is_a_usage_error() {
    let bench = bench();
    let (inner, other) = (bench.source().join("dir"), bench.path("other"));
    fs::create_dir(&other).unwrap();
    let Some(_mount) = mergerfs([&other, &inner], "ff", &bench.dest()) else { return };
    assert_usage_error(&bench, "is inside the source");
}

#[test]
fn an_overlay_on_the_source_is_a_usage_error() {
    let bench = bench();
    let (upper, work) = (bench.path("upper"), bench.path("work"));
    let Some(_mount) = overlay(&bench.source(), &upper, &work, &bench.dest()) else { return };
    assert_usage_error(&bench, "shows the files of the source");
}

#[test]
fn a_view_of_another_tree_is_an_ordinary_destination() {
    let bench = bench();
    let other = bench.path("other");
    fs::create_dir(&other).unwrap();
    let Some(mount) = bindfs(&other, &bench.dest()) else { return };
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    let again = bench.sync(&["--rescan"]).with_status(0);
    assert!(again.stdout.contains("sent 0 files"), "{}", again.stdout);
    drop(mount);
    assert_same(&bench.source(), &other);
}

#[test]
fn a_view_that_appears_between_two_runs_is_a_usage_error() {
    let bench = bench();
    bench.sync(&[]).with_status(0);
    bench.write("new", "file");
    let rows = bench.rows().len();
    let Some(_mount) = bindfs(&bench.source(), &bench.dest()) else { return };
    let ended = bench.sync(&["--delete-extras"]).with_status(2);
    assert!(ended.stderr.contains("shows the files of the source"), "{}", ended.stderr);
    assert_eq!(bench.rows().len(), rows, "nothing was recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_library_detects_a_destination_that_shows_the_source() {
    let bench = bench();
    let Some(_mount) = bindfs(&bench.source(), &bench.dest()) else { return };
    let before = tree(&bench.source());
    let (migration, _) = Migration::builder()
        .source(LocalSource::open(&bench.source()).unwrap())
        .sink(LocalSink::open(&bench.dest()).unwrap())
        .database(bench.database())
        .audit_log(bench.log_file())
        .build()
        .unwrap();
    assert!(matches!(migration.run().await, Err(Error::Usage(towpath::UsageError::SinkIsSource { .. }))));
    assert!(!bench.database().exists() && !bench.log_file().exists(), "no run was begun");
    let names = |tree: std::collections::BTreeMap<Vec<u8>, Node>| tree.into_keys().collect::<Vec<_>>();
    assert_eq!(names(tree(&bench.source())), names(before), "the probe is gone");
}

/// A run between mocked trees, where a file that is created in the sink's root also appears in the source if
/// `is_shown` is set.
async fn probed(is_shown: bool, options: Options) -> (crate::mocks::Ran, Vec<String>, bool) {
    use crate::mocks::{CallLog, metadata, note};
    let calls = CallLog::default();
    let mut source = towpath_backend::mock::MockSource::new();
    source.expect_root().return_const(b"/old".to_vec());
    source.expect_capabilities().return_const(crate::mocks::capabilities());
    source.expect_locate().return_const(None);
    source.expect_identity().returning(|| Ok(Identity::new("old")));
    source.expect_read_dir().returning(|_, _| Ok(Box::pin(tokio_stream::iter([Ok(Vec::new())]))));
    source.expect_metadata().returning(move |at| match at.is_root() {
        true => Ok(metadata(Kind::Dir, 0)),
        false if is_shown => Ok(metadata(Kind::File, 0)),
        false => Err(BackendError::new(ErrorKind::NotFound, "stat", at, "is not there")),
    });
    let mut sink = crate::mocks::empty_sink_with(Capabilities { probes: true, ..crate::mocks::capabilities() });
    let noted = calls.clone();
    sink.expect_create().returning(move |at, _, _| {
        note(&noted, format!("create {at}"));
        Ok(Box::new(crate::mocks::accepting_writer(&CallLog::default())))
    });
    let noted = calls.clone();
    sink.expect_remove_file().returning(move |at| {
        note(&noted, format!("remove {at}"));
        Ok(())
    });
    sink.expect_flush().returning(|| Ok(()));
    let bench = crate::mocks::Bench::new(options);
    let ran = bench.run(source, sink).await;
    let calls = calls.lock().unwrap().clone();
    (ran, calls, bench.database().exists())
}

#[tokio::test(flavor = "multi_thread")]
async fn trees_are_probed_for_overlap_before_a_run_begins() {
    let (ran, calls, began) = probed(true, Options::default()).await;
    assert!(matches!(&ran.result, Err(Error::Usage(_))), "{:?}", ran.result.err());
    assert!(!began && ran.events.is_empty());
    let [created, removed] = &calls[..] else { unreachable!("{calls:?}") };
    let probe = created.strip_prefix("create .towpath-probe-").unwrap();
    assert_eq!(removed.strip_prefix("remove .towpath-probe-").unwrap(), probe);

    let (ran, calls, _) = probed(false, Options::default()).await;
    assert!(ran.result.is_ok(), "{:?}", ran.result.err());
    assert_eq!(calls.len(), 2, "{calls:?}");

    let (ran, calls, _) = probed(true, Options::default().dry_run(true)).await;
    assert!(ran.result.is_ok() && calls.is_empty(), "a dry run writes nothing: {calls:?}");
}
