//! Deletion against mocked trees: entries that cannot be checked never count as absent.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use towpath::{Event, MaxDelete, Mirror, Options};
use towpath_backend::mock::{MockSink, MockSource};
use towpath_backend::{Entry, ErrorKind, FileId, Identity, Kind, Metadata, RelPath, Result};

use crate::mocks::*;

fn mirrored() -> Options {
    let mirror = Some(Mirror::default().max_delete(MaxDelete::Percent(100)));
    Options::default().mirror(mirror).lanes(1)
}

fn entry(name: &str, kind: Kind) -> Entry {
    crate::mocks::entry(name, kind, 0)
}

/// A directory with this inode number.
fn dir(inode: u64) -> Metadata {
    Metadata { id: Some(FileId { device: 1, inode }), ..metadata(Kind::Dir, 0) }
}

fn dir_entry(name: &str, inode: u64) -> Entry {
    Entry::new(name.as_bytes().to_vec(), dir(inode))
}

/// A source with a file `keep` in its root and in `a` and `b`.
fn source(stat: impl Fn(&RelPath) -> Result<Metadata> + Send + 'static) -> MockSource {
    let mut source = bare_source(dir(1), capabilities());
    source.expect_read_dir().returning(|at, _| match at.as_bytes() {
        b"" => page(vec![entry("keep", Kind::File), dir_entry("a", 10), dir_entry("b", 11)]),
        b"a" => page(vec![entry("keep", Kind::File), dir_entry("deep", 12)]),
        _ => page(vec![entry("keep", Kind::File)]),
    });
    source.expect_metadata().returning(stat);
    source
}

/// The metadata of the listed entries; nothing else is found.
fn as_listed(at: &RelPath) -> Result<Metadata> {
    match at.as_bytes() {
        b"a" => Ok(dir(10)),
        b"b" => Ok(dir(11)),
        b"a/deep" => Ok(dir(12)),
        _ if at.name() == Some(b"keep") => Ok(metadata(Kind::File, 0)),
        _ => Err(error(ErrorKind::NotFound, "stat", at)),
    }
}

type Removed = Arc<Mutex<Vec<String>>>;

/// A sink with the same entries and a file `extra` beside each `keep`.
fn sink() -> (MockSink, Removed) {
    let removed = Removed::default();
    let mut sink = MockSink::new();
    sink.expect_root().return_const(b"/new".to_vec());
    sink.expect_capabilities().return_const(capabilities());
    sink.expect_locate().return_const(None);
    sink.expect_identity().returning(|| Ok(Identity::new("new")));
    sink.expect_read_dir().returning(|at, _| {
        let mut entries = vec![entry("keep", Kind::File), entry("extra", Kind::File)];
        match at.as_bytes() {
            b"" => entries.extend([entry("a", Kind::Dir), entry("b", Kind::Dir)]),
            b"a" => entries.push(entry("deep", Kind::Dir)),
            _ => {}
        }
        page(entries)
    });
    sink.expect_metadata().returning(|at| {
        let is_file = matches!(at.name(), Some(b"keep" | b"extra"));
        Ok(metadata(if is_file { Kind::File } else { Kind::Dir }, 0))
    });
    sink.expect_set_times().returning(|_, _| Ok(()));
    sink.expect_flush().returning(|| Ok(()));
    let noted = Arc::clone(&removed);
    sink.expect_remove_file().returning(move |at| {
        noted.lock().unwrap().push(at.to_string());
        Ok(())
    });
    (sink, removed)
}

fn keep_identity(source: &mut MockSource) {
    source.expect_identity().returning(|| Ok(Identity::new("old")));
}

fn sorted(removed: &Removed) -> Vec<String> {
    let mut removed = removed.lock().unwrap().clone();
    removed.sort();
    removed
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_proven_absent_from_the_source_are_deleted() {
    let mut source = source(as_listed);
    keep_identity(&mut source);
    let (sink, removed) = sink();
    let ran = Bench::new(mirrored()).run(source, sink).await;
    assert_eq!(ran.result.unwrap().deleted_files, 4);
    assert_eq!(sorted(&removed), ["a/deep/extra", "a/extra", "b/extra", "extra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_not_found_proves_absence_and_any_other_error_protects_the_directory() {
    for kind in [
        ErrorKind::PermissionDenied,
        ErrorKind::NotADirectory,
        ErrorKind::Unavailable,
        ErrorKind::Escapes,
        ErrorKind::Other,
    ] {
        let mut source = source(move |at| match at.as_bytes() {
            b"a/extra" => Err(error(kind, "stat", at)),
            _ => as_listed(at),
        });
        keep_identity(&mut source);
        let (sink, removed) = sink();
        let ran = Bench::new(mirrored()).run(source, sink).await;
        let report = ran.result.unwrap();
        // Directories are checked in the order of their ids: `a` before its subdirectories.
        assert_eq!(sorted(&removed), ["b/extra", "extra"], "{kind:?}");
        assert_eq!((report.deleted_files, report.protected), (2, 2), "{kind:?}");
        let reported = ran.events.iter().filter(|event| matches!(event, Event::Protected { .. })).count();
        assert!(reported >= 1, "{kind:?}: the run reports it");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_directory_proves_no_absence() {
    // Another inode, another device, no id at all, and not a directory.
    let others = [
        Metadata { id: Some(FileId { device: 1, inode: 99 }), ..metadata(Kind::Dir, 0) },
        Metadata { id: Some(FileId { device: 2, inode: 10 }), ..metadata(Kind::Dir, 0) },
        metadata(Kind::Dir, 0),
        metadata(Kind::File, 0),
    ];
    for other in others {
        let mut source = source(move |at| if at.as_bytes() == b"a" { Ok(other) } else { as_listed(at) });
        keep_identity(&mut source);
        let (sink, removed) = sink();
        Bench::new(mirrored()).run(source, sink).await.result.unwrap();
        let removed = sorted(&removed);
        assert!(!removed.contains(&"a/extra".to_owned()), "{other:?}: {removed:?}");
        assert!(removed.contains(&"b/extra".to_owned()), "{other:?}: {removed:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_below_directories_that_the_scan_could_not_read() {
    let mut source = bare_source(dir(1), capabilities());
    source.expect_read_dir().returning(|at, _| match at.as_bytes() {
        b"" => page(vec![entry("keep", Kind::File), dir_entry("a", 10), dir_entry("b", 11)]),
        // A listing that fails after its first entry.
        b"a" => {
            let broken = error(ErrorKind::Other, "list", at);
            Ok(Box::pin(tokio_stream::iter([Ok(vec![entry("keep", Kind::File)]), Err(broken)])))
        }
        _ => page(vec![entry("keep", Kind::File)]),
    });
    source.expect_metadata().returning(as_listed);
    keep_identity(&mut source);
    let (sink, removed) = sink();
    let ran = Bench::new(mirrored()).run(source, sink).await;
    let report = ran.result.unwrap();
    assert_eq!(sorted(&removed), ["b/extra", "extra"]);
    // The three files below, and the directory that the listing did not reach.
    assert_eq!((report.unreadable_dirs, report.protected), (1, 4));
}

/// A sink that lacks `keep` in `a`, so that it must be sent.
fn lacking(sink: &mut MockSink) {
    sink.checkpoint();
    sink.expect_root().return_const(b"/new".to_vec());
    sink.expect_capabilities().return_const(capabilities());
    sink.expect_locate().return_const(None);
    sink.expect_identity().returning(|| Ok(Identity::new("new")));
    sink.expect_metadata().returning(|at| {
        let is_file = matches!(at.name(), Some(b"keep" | b"extra"));
        Ok(metadata(if is_file { Kind::File } else { Kind::Dir }, 0))
    });
    sink.expect_set_times().returning(|_, _| Ok(()));
    sink.expect_flush().returning(|| Ok(()));
    sink.expect_read_dir().returning(|at, _| match at.as_bytes() {
        b"" => page(vec![
            entry("keep", Kind::File),
            entry("extra", Kind::File),
            entry("a", Kind::Dir),
            entry("b", Kind::Dir),
        ]),
        b"a" => page(vec![entry("extra", Kind::File), entry("deep", Kind::Dir)]),
        _ => page(vec![entry("keep", Kind::File), entry("extra", Kind::File)]),
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_could_not_be_read_protects_only_its_directory() {
    let mut source = source(as_listed);
    keep_identity(&mut source);
    source.expect_open().returning(|at, _| Err(error(ErrorKind::PermissionDenied, "open", at)));
    let (mut sink, removed) = sink();
    lacking(&mut sink);
    let noted = Arc::clone(&removed);
    sink.expect_remove_file().returning(move |at| {
        noted.lock().unwrap().push(at.to_string());
        Ok(())
    });
    let report = Bench::new(mirrored()).run(source, sink).await.result.unwrap();
    assert_eq!(report.failed_files, 1);
    assert_eq!(sorted(&removed), ["b/extra", "extra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_could_not_be_written_protects_nothing() {
    let mut source = source(as_listed);
    keep_identity(&mut source);
    let (mut sink, removed) = sink();
    lacking(&mut sink);
    source.expect_open().returning(|_, _| Ok(Box::new(sevens(0, &CallLog::default()))));
    sink.expect_create().returning(|at, _, _| Err(error(ErrorKind::InvalidName, "create", at)));
    let noted = Arc::clone(&removed);
    sink.expect_remove_file().returning(move |at| {
        noted.lock().unwrap().push(at.to_string());
        Ok(())
    });
    let report = Bench::new(mirrored()).run(source, sink).await.result.unwrap();
    assert_eq!(report.failed_files, 1);
    assert_eq!(sorted(&removed), ["a/deep/extra", "a/extra", "b/extra", "extra"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_deleted_after_the_source_was_replaced() {
    // From the n-th check of the identity on, the source is another tree
    // in which nothing is found.
    let mut refused_before_deletion = 0;
    for n in 1..12 {
        let asked = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&asked);
        let mut source =
            source(
                move |at| {
                    if seen.load(SeqCst) >= n { Err(error(ErrorKind::NotFound, "stat", at)) } else { as_listed(at) }
                },
            );
        source
            .expect_identity()
            .returning(move || Ok(Identity::new(if asked.fetch_add(1, SeqCst) + 1 >= n { "other" } else { "old" })));
        let (sink, removed) = sink();
        let ran = Bench::new(mirrored()).run(source, sink).await;
        let removed = sorted(&removed);
        match ran.result {
            // The source was replaced before the run began, so the run sees only the other tree.
            Ok(report) if n == 1 => assert_eq!(report.failed_files, 0),
            Ok(report) if report.refusal.is_some() => refused_before_deletion += usize::from(removed.is_empty()),
            Ok(report) => assert_eq!(
                (report.deleted_files, removed.len()),
                (4, 4),
                "the identity was checked fewer than {n} times"
            ),
            Err(refusal) => assert!(refusal.is_refusal() && removed.is_empty(), "{refusal} {removed:?}"),
        }
    }
    assert!(refused_before_deletion >= 2, "before the first batch, and before the guard");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_deletion_is_reported_and_does_not_stop_the_others() {
    let mut source = source(as_listed);
    keep_identity(&mut source);
    let (mut sink, removed) = sink();
    lacking(&mut sink);
    source.expect_open().returning(|_, _| Ok(Box::new(sevens(0, &CallLog::default()))));
    sink.expect_create().returning(|_, _, _| Ok(Box::new(accepting_writer(&CallLog::default()))));
    let noted = Arc::clone(&removed);
    sink.expect_remove_file().returning(move |at| {
        if at.as_bytes() == b"b/extra" {
            return Err(error(ErrorKind::PermissionDenied, "remove", at));
        }
        noted.lock().unwrap().push(at.to_string());
        Ok(())
    });
    let ran = Bench::new(mirrored()).run(source, sink).await;
    let report = ran.result.unwrap();
    assert_eq!((report.deleted_files, report.protected), (3, 1));
    assert_eq!(sorted(&removed), ["a/deep/extra", "a/extra", "extra"]);
}
