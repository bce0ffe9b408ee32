//! A service that asks for fewer requests gets fewer, and everything in the end; one that is full gets no more.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use towpath_backend::{
    Bytes, ErrorKind, Kind, Metadata, RelPath, Sink as _, Source as _, Timestamp, Tree as _, WriteOptions,
};
use towpath_opendal::OpendalTree;

use super::faulty::{Answer, Outcome, Server};

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

async fn write(tree: &OpendalTree, name: &str) -> towpath_backend::Result<Metadata> {
    let metadata = Metadata::new(Kind::File, 1, Timestamp::from_ns(1_700_000_000_000_000_000));
    tree.write_whole(&path(name), Bytes::from_static(b"1"), &metadata, &WriteOptions::default()).await
}

/// Writes these many files at a time.
async fn write_all(tree: &OpendalTree, files: usize) -> Vec<towpath_backend::Result<Metadata>> {
    let writing: Vec<_> = (0..files)
        .map(|i| {
            let tree = tree.clone();
            tokio::spawn(async move { write(&tree, &format!("f{i}")).await })
        })
        .collect();
    let mut written = Vec::new();
    for file in writing {
        written.push(file.await.unwrap());
    }
    written
}

#[tokio::test]
async fn no_request_starts_before_the_time_that_the_service_asked_for() {
    let first = Mutex::new(None);
    let server = Server::start(move |request, _| {
        if request.method != "PUT" {
            return Outcome::Serve;
        }
        let began = *first.lock().unwrap().get_or_insert_with(Instant::now);
        match began.elapsed() < Duration::from_millis(1500) {
            true => Answer::error(503, "SlowDown").header("Retry-After", "2").instead(),
            false => Outcome::Serve,
        }
    });
    let tree = server.tree();
    assert!(write_all(&tree, 16).await.iter().all(Result::is_ok));
    let store = server.store();
    assert_eq!(store.objects.len(), 16, "all of them are there");
    let first = store.requests[0].at;
    let early = store.requests.iter().filter(|request| request.at - first > Duration::from_millis(500));
    let early = early.filter(|request| request.at - first < Duration::from_millis(1950)).count();
    assert_eq!(early, 0, "requests while none was wanted");
}

#[tokio::test]
async fn a_service_that_refuses_often_gets_each_file_in_the_end() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |request, _| match request.method.as_str() {
        // More often in a row than other errors are retried.
        "PUT" if count.fetch_add(1, SeqCst) < 6 => Answer::of(429).header("Retry-After", "0").instead(),
        _ => Outcome::Serve,
    });
    write(&server.tree(), "file").await.unwrap();
    assert_eq!(server.store().count("PUT"), 7);
}

#[tokio::test]
async fn reading_and_listing_wait_too() {
    let count = AtomicUsize::new(0);
    let server = Server::start(move |_, _| match count.fetch_add(1, SeqCst) % 2 {
        0 => Answer::error(503, "SlowDown").header("Retry-After", "0").instead(),
        _ => Outcome::Serve,
    });
    let server = server.with([("a".to_owned(), "content")]);
    let tree = server.tree();
    assert_eq!(tree.metadata(&path("a")).await.unwrap().size_bytes, 7);
    let read = tree.read_whole(&path("a"), 7, Vec::new(), &towpath_backend::ReadOptions::default()).await.unwrap();
    assert_eq!(read.data, b"content");
    tree.identity().await.unwrap();
}

#[tokio::test]
async fn a_stop_ends_the_waiting() {
    let server = Server::start(|request, _| match request.method.as_str() {
        "PUT" => Answer::error(503, "SlowDown").header("Retry-After", "600").instead(),
        _ => Outcome::Serve,
    });
    let tree = server.tree();
    let stop = async {
        while server.store().count("PUT") == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tree.stop_waiting();
    };
    let (written, ()) = tokio::join!(write(&tree, "file"), stop);
    let error = written.unwrap_err();
    assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Unavailable, true));
    assert!(error.to_string().contains("(SlowDown, HTTP status 503)"), "{error}");
}

#[tokio::test]
async fn a_full_storage_is_full_at_the_first_attempt() {
    for answer in
        [|| Answer::of(507), || Answer::error(403, "QuotaExceeded"), || Answer::error(507, "XMinioStorageFull")]
    {
        let server = Server::start(move |request, _| match request.method.as_str() {
            "PUT" => answer().instead(),
            _ => Outcome::Serve,
        });
        let error = write(&server.tree(), "file").await.unwrap_err();
        assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::NoSpace, false), "{error}");
        assert_eq!(server.store().count("PUT"), 1);
    }
}

#[tokio::test]
async fn what_does_not_pass_is_tried_once() {
    for status in [401, 403, 404, 409, 423] {
        let server = Server::start(move |request, _| match request.method.as_str() {
            "PUT" => Answer::of(status).instead(),
            _ => Outcome::Serve,
        });
        let error = write(&server.tree(), "file").await.unwrap_err();
        assert!(!error.is_temporary(), "{status}: {error}");
        assert_eq!(server.store().count("PUT"), 1, "{status}");
    }
}
