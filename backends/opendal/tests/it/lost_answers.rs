//! An operation whose answer was lost has taken effect, or not: what the server has decides.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use towpath_backend::{
    Bytes, FileWriter, Kind, Metadata, RelPath, Result, Sink as _, Times, Timestamp, Tree as _, WriteOptions,
};
use towpath_opendal::OpendalTree;

use super::faulty::{Answer, Outcome, Request, Server};

const SIZE_BYTES: usize = 17 << 20;
const MODIFIED: Timestamp = Timestamp::from_ns(1_700_000_000_000_000_000);

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn completes(request: &Request) -> bool {
    request.method == "POST" && request.query.contains_key("uploadId")
}

async fn write_large(tree: &OpendalTree) -> Result<Metadata> {
    let metadata = Metadata::new(Kind::File, SIZE_BYTES as u64, MODIFIED);
    let mut writer: Box<dyn FileWriter> = tree.create(&path("large"), &metadata, &WriteOptions::default()).await?;
    writer.write_at(0, Bytes::from(vec![7; SIZE_BYTES])).await?;
    writer.finish(SIZE_BYTES as u64, &Times { modified: MODIFIED, accessed: None }).await
}

/// Loses the answer to the first request for which `is_lost`.
fn loses_first(is_lost: impl Fn(&Request) -> bool + Send + Sync + 'static) -> Server {
    let lost = AtomicBool::new(false);
    Server::start(move |request, _| match is_lost(request) && !lost.swap(true, SeqCst) {
        true => Outcome::LoseAnswer,
        false => Outcome::Serve,
    })
}

#[tokio::test]
async fn an_upload_that_was_completed_is_not_sent_again() {
    let server = loses_first(completes);
    let written = write_large(&server.tree()).await.unwrap();
    assert_eq!(written.size_bytes, SIZE_BYTES as u64);
    let store = server.store();
    assert_eq!(store.objects["large"].0.len(), SIZE_BYTES);
    assert_eq!(store.requests.iter().filter(|request| completes(request)).count(), 2);
}

#[tokio::test]
async fn an_older_object_is_not_taken_for_the_upload() {
    let attempts = AtomicUsize::new(0);
    let server = Server::start(move |request, _| match (completes(request), attempts.load(SeqCst)) {
        (true, 0) => {
            attempts.store(1, SeqCst);
            // Not even tried.
            Answer::error(500, "InternalError").instead()
        }
        (true, _) => Answer::error(404, "NoSuchUpload").instead(),
        _ => Outcome::Serve,
    });
    server.store().objects.insert("large".to_owned(), (vec![1; SIZE_BYTES], Some("1600000000".to_owned())));
    let error = write_large(&server.tree()).await.unwrap_err();
    assert!(error.is_temporary(), "the file is sent again: {error}");
    assert!(error.to_string().contains("NoSuchUpload"), "{error}");
    assert_eq!(server.store().objects["large"].0[0], 1);
}

#[tokio::test]
async fn a_file_that_was_put_or_deleted_is_no_error() {
    let server = loses_first(|request| request.method == "PUT");
    let metadata = Metadata::new(Kind::File, 1, MODIFIED);
    let tree = server.tree();
    let written = tree.write_whole(&path("small"), Bytes::from_static(b"1"), &metadata, &WriteOptions::default()).await;
    assert_eq!(written.unwrap().modified, MODIFIED);
    assert_eq!(tree.metadata(&path("small")).await.unwrap().modified, MODIFIED);

    let server = loses_first(|request| request.method == "DELETE").with([("small".to_owned(), "1")]);
    server.tree().remove_file(&path("small")).await.unwrap();
    assert!(server.store().objects.is_empty());
}
