//! An operation whose answer was lost has taken effect, or not: what the server has decides.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use towpath_backend::{
    Bytes, FileWriter, Kind, Metadata, RelPath, Result, Sink as _, Times, Timestamp, Tree as _, WriteOptions,
};
use towpath_opendal::OpendalTree;

use super::faulty::{Answer, Outcome, Request, Server};
use crate::{fake_dav, fake_gcs, fake_objects, http};

const SIZE_BYTES: usize = 17 << 20;
const MODIFIED: Timestamp = Timestamp::from_ns(1_700_000_000_000_000_000);

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

fn completes(request: &Request) -> bool {
    request.method == "POST" && request.query.contains_key("uploadId")
}

async fn write_small(tree: &OpendalTree, name: &str) -> Result<Metadata> {
    let metadata = Metadata::new(Kind::File, 1, MODIFIED);
    tree.write_whole(&path(name), Bytes::from_static(b"1"), &metadata, &WriteOptions::default()).await
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

/// Loses the answer to the first of these requests.
fn first(is_lost: fn(&http::Request) -> bool) -> impl Fn(&mut http::Request) -> Option<http::Answer> + Send + Sync {
    let lost = AtomicBool::new(false);
    move |request| {
        if is_lost(request) && !lost.swap(true, SeqCst) {
            request.lose_answer();
        }
        None
    }
}

/// The content of a file, if it is there.
type Files = Box<dyn Fn(&str) -> Option<Vec<u8>>>;

/// A service in memory.
struct Service {
    name: &'static str,
    tree: OpendalTree,
    file: Files,
}

/// All of them; each loses the answer to the first of these requests.
fn services(is_lost: fn(&http::Request) -> bool) -> Vec<Service> {
    let of_objects = |server: &fake_objects::Server| -> Files {
        let state = std::sync::Arc::clone(&server.state);
        Box::new(move |name| state.lock().unwrap().objects.get(name).map(|object| object.content.clone()))
    };
    let (s3, azure) = (fake_objects::Server::start(first(is_lost)), fake_objects::Server::start(first(is_lost)));
    let gcs = fake_gcs::Server::start(first(is_lost));
    let dav = fake_dav::Server::with_faults(&[], |one| one.response(&one.encoded()), first(is_lost));
    let (gcs_state, dav_files) = (std::sync::Arc::clone(&gcs.state), std::sync::Arc::clone(&dav.files));
    vec![
        Service { name: "s3", tree: s3.s3(&[]), file: of_objects(&s3) },
        Service { name: "azblob", tree: azure.azure(), file: of_objects(&azure) },
        Service {
            name: "gcs",
            tree: gcs.tree(),
            file: Box::new(move |name| gcs_state.lock().unwrap().objects.get(name).map(|object| object.0.clone())),
        },
        Service {
            name: "webdav",
            tree: dav.tree(&[]),
            file: Box::new(move |name| dav_files.lock().unwrap().get(&format!("/dav/{name}")).cloned().flatten()),
        },
    ]
}

fn writes(request: &http::Request) -> bool {
    // Google inserts by POST.
    request.method == "PUT" || request.path.starts_with("/upload/")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_answer_was_lost_is_no_error_on_any_service() {
    for Service { name, tree, file } in services(writes) {
        write_small(&tree, "small").await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file("small").as_deref(), Some(b"1".as_slice()), "{name}");
    }
    for Service { name, tree, file } in services(|request| request.method == "DELETE") {
        write_small(&tree, "small").await.unwrap();
        tree.remove_file(&path("small")).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(file("small"), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_their_completion_are_sent_again() {
    let part = |request: &http::Request| {
        request.method == "PUT" && request.query.get("comp").is_none_or(|comp| comp != "blocklist")
    };
    let completion = |request: &http::Request| {
        let is_list = request.query.get("comp").is_some_and(|comp| comp == "blocklist");
        is_list || request.method == "POST" && request.query.contains_key("uploadId")
    };
    for is_lost in [part as fn(&http::Request) -> bool, completion] {
        for Service { name, tree, file } in services(is_lost).into_iter().filter(|service| service.name != "webdav") {
            let written = write_large(&tree).await;
            written.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(file("large").is_some_and(|content| content == vec![7; SIZE_BYTES]), "{name}");
        }
    }
}

/// Another client may have written the file meanwhile, or Azure may have dropped the blocks.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_blocks_that_is_invalid_the_second_time_was_committed_or_not() {
    for was_committed in [true, false] {
        let lists = AtomicUsize::new(0);
        let server = fake_objects::Server::start(move |request| {
            if request.query.get("comp").is_none_or(|comp| comp != "blocklist") {
                return None;
            }
            let invalid = || http::Answer::new(400, "<Error><Code>InvalidBlockList</Code></Error>");
            match (lists.fetch_add(1, SeqCst), was_committed) {
                (0, true) => {
                    request.lose_answer();
                    None
                }
                (0, false) => Some(http::Answer::default()),
                _ => Some(invalid()),
            }
        });
        let written = write_large(&server.azure()).await;
        if was_committed {
            assert_eq!(written.unwrap().size_bytes, SIZE_BYTES as u64);
            assert_eq!(server.object("large").content.len(), SIZE_BYTES);
        } else {
            let error = written.unwrap_err();
            assert!(error.is_temporary() && error.to_string().contains("InvalidBlockList"), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_was_created_is_no_error() {
    let server = fake_dav::Server::with_faults(
        &[],
        |one| one.response(&one.encoded()),
        first(|request| request.method == "MKCOL"),
    );
    server.tree(&[]).create_dir(&path("dir"), None).await.unwrap();
    assert!(server.files.lock().unwrap().contains_key("/dav/dir/"));
}

/// It is read and sent again: nobody knows whether what the server has is this version.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_whose_answer_was_lost_is_for_another_attempt() {
    let server = fake_dav::Server::with_faults(&[], |one| one.response(&one.encoded()), first(writes));
    let error = write_large(&server.tree(&[])).await.unwrap_err();
    assert!(error.is_temporary(), "{error}");
    write_large(&server.tree(&[])).await.unwrap();
    assert_eq!(server.files.lock().unwrap()["/dav/large"].as_deref(), Some(vec![7; SIZE_BYTES].as_slice()));
}

/// A proxy closes the connection after each change; what was asked for is done all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_has_in_the_end_decides() {
    let lossy = |request: &mut http::Request| -> Option<http::Answer> {
        if ["PUT", "DELETE", "MKCOL"].contains(&request.method.as_str()) {
            request.lose_answer();
        }
        None
    };
    let (s3, azure) = (fake_objects::Server::start(lossy), fake_objects::Server::start(lossy));
    let dav = fake_dav::Server::with_faults(&[("old", b"1")], |one| one.response(&one.encoded()), lossy);
    let (s3, azure, dav_tree) = (s3.s3(&[]), azure.azure(), dav.tree(&[]));
    let (names, old) = ((path("small"), path("dir")), path("old"));
    let (one, other, made, gone) = tokio::join!(
        write_small(&s3, "small"),
        write_small(&azure, "small"),
        dav_tree.create_dir(&names.1, None),
        dav_tree.remove_file(&old),
    );
    assert_eq!((one.unwrap().modified, other.unwrap().modified), (MODIFIED, MODIFIED));
    made.unwrap();
    gone.unwrap();
    assert_eq!(s3.metadata(&names.0).await.unwrap().modified, MODIFIED);
    let files = dav.files.lock().unwrap();
    assert!(files.contains_key("/dav/dir/") && !files.contains_key("/dav/old"), "{files:?}");
}
