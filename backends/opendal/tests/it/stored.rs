//! Servers that answer with success and store something else; checksums, and what buckets with Object Lock want.

use std::fs;

use reqsign_aws_v4::{RequestSigner, StaticCredentialProvider};
use reqsign_core::{Context, Signer};
use towpath_backend::ext::SinkExt as _;
use towpath_backend::{Bytes, Kind, Metadata, RelPath, Sink as _, Timestamp, Tree as _, WriteOptions};
use towpath_local::LocalSource;
use towpath_opendal::OpendalTree;

use crate::fake_dav;
use crate::fake_objects::Server;
use crate::http::{Answer, Request};
use crate::run::Run;

/// Of more than one part.
const LARGE_BYTES: usize = 20 << 20;

/// Writes a file of this size.
async fn write(tree: &OpendalTree, size: usize) -> towpath_backend::Result<()> {
    let path = RelPath::new("file").unwrap();
    if size < 1 << 20 {
        return tree.write(&path, &vec![7; size], Timestamp::from_ns(0)).await.map(drop);
    }
    let metadata = Metadata::new(Kind::File, size as u64, Timestamp::from_ns(0));
    let mut writer = tree.create(&path, &metadata, &WriteOptions::default()).await?;
    for offset in (0..size).step_by(1 << 20) {
        writer.write_at(offset as u64, Bytes::from(vec![7; (size - offset).min(1 << 20)])).await?;
    }
    writer.finish(size as u64, &metadata.times()).await.map(drop)
}

/// What is made of contents before they are stored.
fn made(change: Change) -> impl Fn(&mut Request) -> Option<Answer> + Send + Sync {
    move |request| {
        if request.method == "PUT" && !request.body.is_empty() {
            change(&mut request.body);
        }
        None
    }
}

type Change = fn(&mut Vec<u8>);

const CHANGES: [(&str, Change); 3] = [
    ("empty", Vec::clear),
    ("shorter", |content| content.truncate(content.len() - 1)),
    ("another of the same length", |content| content[0] ^= 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_otherwise_is_no_success_and_is_removed() {
    for (name, change) in CHANGES {
        let s3 = Server::start(made(change));
        let azure = Server::start(made(change));
        let dav = fake_dav::Server::with_faults(&[], |one| one.response(&one.encoded()), made(change));
        let same_length = name.starts_with("another");
        for size in [5, LARGE_BYTES] {
            let error = write(&s3.s3(&[]), size).await.unwrap_err().to_string();
            assert!(error.contains("stored something else"), "{name}, {size}: {error}");
            assert!(s3.state.lock().unwrap().objects.is_empty(), "{name}, {size}");
            // Only the length is seen there.
            if !same_length {
                let error = write(&dav.tree(&[]), size).await.unwrap_err().to_string();
                assert!(error.contains("stored something else"), "{name}, {size}: {error}");
                assert!(!dav.files.lock().unwrap().contains_key("/dav/file"), "{name}, {size}");
                write(&s3.s3(&[("checksum", "none")]), size).await.unwrap_err();
            }
        }
        let error = write(&azure.azure(), 5).await.unwrap_err().to_string();
        assert!(error.contains("stored something else"), "{name}: {error}");
        assert!(azure.state.lock().unwrap().objects.is_empty(), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_as_it_was_sent_costs_a_small_object_no_request_more() {
    let (s3, azure) = (Server::start(|_| None), Server::start(|_| None));
    for size in [0, 5, LARGE_BYTES] {
        write(&s3.s3(&[]), size).await.unwrap();
    }
    write(&azure.azure(), 5).await.unwrap();
    // That of the file in parts.
    assert_eq!((s3.count("HEAD"), azure.count("HEAD")), (1, 0));
    assert_eq!(s3.object("file").content, vec![7; LARGE_BYTES]);
    // What may only be written counts as written.
    let closed = Server::start(|request| (request.method == "HEAD").then(|| Answer::new(403, "")));
    write(&closed.s3(&[("checksum", "none")]), 5).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_etag_of_an_encrypted_object_is_not_compared() {
    let encrypted = Server::start(|request| {
        (request.method == "PUT").then(|| {
            Answer::new(200, "")
                .with("ETag", "\"0123456789abcdef0123456789abcdef\"")
                .with("x-amz-server-side-encryption", "aws:kms")
        })
    });
    write(&encrypted.s3(&[("server_side_encryption", "aws:kms"), ("sse_kms_key_id", "k")]), 5).await.unwrap();
    let state = encrypted.state.lock().unwrap();
    let put = state.requests.iter().find(|request| request.method == "PUT").unwrap();
    assert_eq!(put.header("x-amz-server-side-encryption"), Some("aws:kms"));
    assert_eq!(put.header("x-amz-server-side-encryption-aws-kms-key-id"), Some("k"));
}

/// As S3 does: what a header says is not taken unless it is signed.
fn verified(request: &mut Request) -> Option<Answer> {
    let authorization = request.header("authorization").unwrap_or_default().to_owned();
    let signed = authorization.split_once("SignedHeaders=").and_then(|(_, rest)| rest.split_once(','));
    let signed: Vec<_> = signed.map(|(names, _)| names.split(';').collect()).unwrap_or_default();
    let must_be_signed = |name: &str| name == "host" || name == "content-md5" || name.starts_with("x-amz-");
    let refused = |code: &str| Some(Answer::new(403, format!("<Error><Code>{code}</Code></Error>")));
    if request.headers.keys().any(|name| must_be_signed(name) && !signed.contains(&name.as_str())) {
        return refused("AccessDenied");
    }
    let query: Vec<_> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let uri = format!("http://{}{}?{}", request.headers["host"], request.path, query.join("&"));
    let mut again = http::Request::builder().method(request.method.as_str()).uri(uri);
    for name in signed.iter().filter(|name| **name != "x-amz-date") {
        again = again.header(*name, &request.headers[*name]);
    }
    let (mut again, ()) = again.body(()).unwrap().into_parts();
    let keys = StaticCredentialProvider::new("id", "key");
    let signer = Signer::new(Context::new(), keys, RequestSigner::new("s3", "us-east-1"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(signer.sign(&mut again, None)).unwrap();
    // It was signed in this second or not.
    let is_comparable = again.headers["x-amz-date"] == request.headers["x-amz-date"];
    if is_comparable && again.headers["authorization"] != authorization.as_str() {
        return refused("SignatureDoesNotMatch");
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn checksums_are_signed() {
    let server = Server::start(verified);
    for checksum in ["md5", "crc32c", "none"] {
        for options in [vec![], vec![("session_token", "token"), ("storage_class", "STANDARD_IA")]] {
            let tree = server.s3(&[vec![("checksum", checksum)], options].concat());
            for size in [0, 5, LARGE_BYTES] {
                write(&tree, size).await.unwrap();
            }
        }
    }
    let state = server.state.lock().unwrap();
    let puts = state.requests.iter().filter(|request| request.method == "PUT");
    assert!(puts.filter(|request| request.headers.contains_key("content-md5")).count() >= 8);
}

/// As a bucket with a default retention does.
fn locked(request: &mut Request) -> Option<Answer> {
    let is_checked = |name: &String| name == "content-md5" || name.starts_with("x-amz-checksum-");
    let refused = request.method == "PUT" && !request.headers.keys().any(is_checked);
    refused.then(|| Answer::new(400, "<Error><Code>InvalidRequest</Code></Error>"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_with_object_lock_takes_files_parts_and_markers() {
    for checksum in ["md5", "crc32c"] {
        let server = Server::start(locked);
        let tree = server.s3(&[("checksum", checksum)]);
        for size in [0, 5, 300_000, LARGE_BYTES] {
            write(&tree, size).await.unwrap();
        }
        tree.create_dir(&RelPath::new("dir").unwrap(), None).await.unwrap();
        let names: Vec<_> = server.state.lock().unwrap().objects.keys().cloned().collect();
        assert_eq!(names, ["dir/", "file"], "{checksum}");
    }
    let server = Server::start(locked);
    assert!(write(&server.s3(&[("checksum", "none")]), 5).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn options_of_what_is_written_are_sent() {
    let server = Server::start(|_| None);
    let key = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    let tree = server.s3(&[
        ("acl", "bucket-owner-full-control"),
        ("storage_class", "STANDARD_IA"),
        ("requester_pays", "true"),
        ("sse_customer_key", key),
    ]);
    write(&tree, 5).await.unwrap();
    tree.metadata(&RelPath::new("file").unwrap()).await.unwrap();
    let state = server.state.lock().unwrap();
    let of = |method: &str| state.requests.iter().find(|request| request.method == method).unwrap();
    assert_eq!(of("PUT").header("x-amz-acl"), Some("bucket-owner-full-control"));
    assert_eq!(of("PUT").header("x-amz-storage-class"), Some("STANDARD_IA"));
    for method in ["PUT", "HEAD"] {
        assert_eq!(of(method).header("x-amz-request-payer"), Some("requester"));
        assert_eq!(of(method).header("x-amz-server-side-encryption-customer-key"), Some(key));
    }
}

/// The file is reported, and no later run takes it for one in sync.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_reports_what_is_stored_otherwise_until_it_is_right() {
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_broken = std::sync::Arc::clone(&broken);
    let server = Server::start(move |request| {
        if request.method == "PUT"
            && request.path.ends_with("/a")
            && is_broken.load(std::sync::atomic::Ordering::SeqCst)
        {
            request.body[0] ^= 1;
        }
        None
    });
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("old")).unwrap();
    for name in ["a", "b"] {
        fs::write(folder.path().join("old").join(name), name).unwrap();
    }
    let source = || LocalSource::open(&folder.path().join("old")).unwrap();
    for (is_broken, failures) in [(true, 1), (true, 1), (false, 0)] {
        broken.store(is_broken, std::sync::atomic::Ordering::SeqCst);
        let run = Run::between(source(), server.s3(&[]), &folder.path().join("state")).await;
        assert_eq!(run.failed.len(), failures, "{:?}", run.failed);
    }
    assert_eq!((server.object("a").content, server.object("b").content), (b"a".to_vec(), b"b".to_vec()));
}
