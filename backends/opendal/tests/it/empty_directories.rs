//! Empty directories on servers of objects that keep them, reject them, or accept them and lose them.

use std::error::Error as _;
use std::fs;

use towpath::{Event, Migration, Options, Report};
use towpath_backend::{ErrorKind, RelPath, Sink as _, Tree as _};
use towpath_local::LocalSource;
use towpath_opendal::OpendalTree;

use crate::fake::{Markers, Server};

/// A source with files in directories, and with empty directories.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for dir in ["full/deep", "empty/deep", "empty/two", "three", "four"] {
            fs::create_dir_all(folder.path().join("source").join(dir)).unwrap();
        }
        for file in ["plain", "full/file", "full/deep/file"] {
            fs::write(folder.path().join("source").join(file), file).unwrap();
        }
        Self { folder }
    }

    /// A run, and how many empty directories it said that are not kept, and why.
    async fn run(&self, sink: OpendalTree) -> (Report, Vec<(u64, String)>) {
        let (migration, mut events) = Migration::builder()
            .source(LocalSource::open(&self.folder.path().join("source")).unwrap())
            .sink(sink)
            .database(self.folder.path().join("db"))
            .audit_log(self.folder.path().join("log"))
            .options(Options::default().rescan(true))
            .build()
            .unwrap();
        let run = tokio::spawn(migration.run());
        let mut notes = Vec::new();
        while let Some(event) = events.next().await {
            match event {
                Event::EmptyDirsNotKept { dirs, error } => notes.push((dirs, error.source().unwrap().to_string())),
                Event::Failed { error, .. } => panic!("{error}"),
                _ => {}
            }
        }
        (run.await.unwrap().unwrap(), notes)
    }
}

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_no_markers_is_sent_no_further_ones_and_the_run_succeeds() {
    let servers = [
        (Markers::Rejected(500), 2, "the server rejects their markers: is a directory (InternalError)"),
        (Markers::Rejected(400), 2, "the server rejects their markers: is a directory (InternalError)"),
        (Markers::Lost, 1, "the server accepts their markers and does not list them"),
    ];
    for (markers, attempts, reason) in servers {
        let (server, bench) = (Server::start(markers), Bench::new());
        for _ in 0..2 {
            server.forget_requests();
            let (report, notes) = bench.run(server.tree(&[])).await;
            assert_eq!((report.failed_files, notes), (0, vec![(5, reason.to_owned())]), "{markers:?}");
            assert_eq!(server.sent_markers().len(), attempts, "{markers:?}");
            assert_eq!(server.keys(), ["full/deep/file", "full/file", "plain"]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_keeps_markers_gets_one_for_each_empty_directory() {
    let (server, bench) = (Server::start(Markers::Kept), Bench::new());
    let (report, notes) = bench.run(server.tree(&[])).await;
    assert_eq!((report.failed_files, notes), (0, Vec::new()));
    let mut sent = server.sent_markers();
    sent.sort();
    // It exists without one if a directory inside is created first.
    sent.retain(|marker| marker != "empty/");
    assert_eq!(sent, ["empty/deep/", "empty/two/", "four/", "three/"]);
    server.forget_requests();
    bench.run(server.tree(&[])).await;
    assert_eq!(server.sent_markers(), [""; 0], "they are there");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_directories_no_marker_is_sent_and_nothing_reported() {
    let (server, bench) = (Server::start(Markers::Rejected(500)), Bench::new());
    let tree = || server.tree(&[("directories", "false")]);
    assert!(!tree().capabilities().empty_directories);
    let (report, notes) = bench.run(tree()).await;
    assert_eq!((report.failed_files, notes), (0, Vec::new()));
    assert_eq!(server.sent_markers(), [""; 0]);
    assert_eq!(tree().create_dir(&path("a"), None).await.unwrap_err().kind(), ErrorKind::Unsupported);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_temporary_error_decides_nothing() {
    let server = Server::start(Markers::RejectedFirst(1));
    let tree = server.tree(&[]);
    for name in ["a", "b"] {
        tree.create_dir(&path(name), None).await.unwrap();
    }
    assert_eq!(server.keys(), ["a/", "b/"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_write_permission_is_reported() {
    let server = Server::start(Markers::Rejected(403));
    let tree = server.tree(&[]);
    for name in ["a", "b"] {
        assert_eq!(tree.create_dir(&path(name), None).await.unwrap_err().kind(), ErrorKind::PermissionDenied);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_an_objects_place_replaces_it_although_it_is_not_kept() {
    let (server, bench) = (Server::start(Markers::Lost), Bench::new());
    let source = bench.folder.path().join("source");
    fs::write(source.join("turned"), "a file").unwrap();
    bench.run(server.tree(&[])).await;
    fs::remove_file(source.join("turned")).unwrap();
    fs::create_dir(source.join("turned")).unwrap();
    let (report, notes) = bench.run(server.tree(&[])).await;
    assert_eq!((report.failed_files, notes.len()), (0, 1));
    assert!(!server.keys().contains(&"turned".to_owned()));
}
