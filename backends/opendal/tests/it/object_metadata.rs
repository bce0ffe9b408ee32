//! Headers and user metadata that object stores keep: carried between them, and guessed for local files.

use std::collections::BTreeMap;
use std::fs;

use towpath_local::{LocalSink, LocalSource};
use towpath_opendal::OpendalTree;

use crate::fake_objects::{Headers, Object, Server};
use crate::run::{Run, files};

const HEADERS: [(&str, &str); 6] = [
    ("content-type", "text/x-odd; charset=latin1"),
    ("content-encoding", "gzip"),
    ("content-disposition", "attachment; filename=\"x\""),
    ("cache-control", "max-age=60"),
    ("x-amz-meta-origin", "scanner 7"),
    ("x-amz-meta-two-words", "y"),
];

/// A store with a small object and one in parts, which have these headers and an mtime.
fn source() -> Server {
    let server = Server::start(|_| None);
    let mut headers: Headers = HEADERS.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    headers.insert("x-amz-meta-mtime".to_owned(), "1700000000.5".to_owned());
    for (key, size) in [("small.bin", 5), ("dir/large.bin", 20 << 20)] {
        let object = Object { content: vec![7; size], headers: headers.clone() };
        server.state.lock().unwrap().objects.insert(key.to_owned(), object);
    }
    server
}

async fn copied(source: OpendalTree, sink: OpendalTree) {
    let folder = tempfile::tempdir().unwrap();
    let run = Run::between(source, sink, folder.path()).await;
    assert!(run.report.as_ref().is_ok_and(towpath::Report::all_in_sync), "{:?} {:?}", run.report, run.failed);
}

/// The headers of both objects, which are the same.
fn kept(server: &Server) -> BTreeMap<String, String> {
    let [small, large] = ["small.bin", "dir/large.bin"].map(|key| server.object(key).headers);
    assert_eq!(small, large);
    small
}

#[tokio::test(flavor = "multi_thread")]
async fn all_headers_go_from_one_s3_to_another() {
    let (source, sink) = (source(), Server::start(|_| None));
    copied(source.s3(&[]), sink.s3(&[])).await;
    assert_eq!(kept(&sink), source.object("small.bin").headers);
}

#[tokio::test(flavor = "multi_thread")]
async fn azure_gets_what_it_can_hold() {
    let (source, sink) = (source(), Server::start(|_| None));
    copied(source.s3(&[]), sink.azure()).await;
    let kept = kept(&sink);
    let of = |name: &str| kept.get(name).map(String::as_str);
    assert_eq!((of("content-type"), of("cache-control")), (Some("text/x-odd; charset=latin1"), Some("max-age=60")));
    assert_eq!((of("x-ms-meta-origin"), of("x-ms-meta-mtime")), (Some("scanner 7"), Some("1700000000.5")));
    assert!(of("x-ms-meta-two-words").is_none() && of("content-encoding").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_metadata_only_the_mtime_is_kept() {
    for (source_options, sink_options) in [(&[][..], &[("metadata", "false")][..]), (&[("metadata", "false")], &[])] {
        let (source, sink) = (source(), Server::start(|_| None));
        copied(source.s3(source_options), sink.s3(sink_options)).await;
        let mut kept = kept(&sink);
        let guessed = kept.remove("content-type");
        assert_eq!(guessed.as_deref(), sink_options.is_empty().then_some("application/octet-stream"));
        assert_eq!(kept, Headers::from([("x-amz-meta-mtime".to_owned(), "1700000000.5".to_owned())]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_file_gets_the_content_type_of_its_name_and_none_comes_back() {
    let (folder, server) = (tempfile::tempdir().unwrap(), Server::start(|_| None));
    let types =
        [("a.HTML", Some("text/html")), ("b.tar.gz", Some("application/gzip")), ("c", None), ("d.unheard-of", None)];
    fs::create_dir(folder.path().join("old")).unwrap();
    for (name, _) in types {
        fs::write(folder.path().join("old").join(name), name).unwrap();
    }
    let old = LocalSource::open(&folder.path().join("old")).unwrap();
    Run::between(old, server.s3(&[]), &folder.path().join("there")).await.report.unwrap();
    for (name, content_type) in types {
        let headers = server.object(name).headers;
        assert_eq!(headers.get("content-type").map(String::as_str), content_type, "{name}");
    }
    fs::create_dir(folder.path().join("new")).unwrap();
    let new = LocalSink::open(&folder.path().join("new")).unwrap();
    Run::between(server.s3(&[]), new, &folder.path().join("back")).await.report.unwrap();
    assert_eq!(files(&folder.path().join("new")), files(&folder.path().join("old")));
}
