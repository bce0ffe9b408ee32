//! Keys and tokens that cannot be read again end a run when they expire, with what expired and what to do; no file fails
//! for it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use towpath_backend::ErrorKind;
use towpath_backend::Tree as _;
use towpath_local::{LocalSink, LocalSource};
use towpath_opendal::OpendalTree;

use crate::http::{Answer, Request};
use crate::run::Run;
use crate::{fake_gcs, fake_objects};

const FILES: usize = 300;
/// What succeeds before the credentials expire.
const REQUESTS: usize = 100;

/// As Azure answers to a signature of the past. A `HEAD` has the code alone.
fn azure(request: &Request) -> Answer {
    let detail = "Signature not valid in the specified time frame: Start [x] - Expiry [y] - Current [z]";
    let body = format!(
        "<?xml version=\"1.0\"?><Error><Code>AuthenticationFailed</Code><Message>Server failed to authenticate the request.\n\
         RequestId:1\nTime:2</Message><AuthenticationErrorDetail>{detail}</AuthenticationErrorDetail></Error>"
    );
    let body = if request.method == "HEAD" { String::new() } else { body };
    Answer::new(403, body).with("x-ms-error-code", "AuthenticationFailed")
}

fn s3(status: u16, code: &'static str) -> impl Fn(&Request) -> Answer {
    move |request| match request.method.as_str() {
        "HEAD" => Answer::new(status, ""),
        _ => Answer::new(status, format!("<Error><Code>{code}</Code><Message>Message of {code}.</Message></Error>")),
    }
}

fn google(_: &Request) -> Answer {
    let error = "{\"reason\": \"authError\", \"message\": \"Invalid Credentials\"}";
    let body = format!("{{\"error\": {{\"code\": 401, \"message\": \"Invalid Credentials\", \"errors\": [{error}]}}}}");
    Answer::new(401, body)
}

/// Puts files into a source, and says how many requests succeed before the credentials expire.
fn fill(server: &fake_objects::Server, is_source: bool, left: &AtomicUsize) {
    let one_byte = || fake_objects::Object { content: b"1".to_vec(), ..fake_objects::Object::default() };
    if is_source {
        server.state.lock().unwrap().objects.extend((0..FILES).map(|i| (format!("f{i}"), one_byte())));
    }
    // The scan of the source is to succeed: a listing and a stat of each object.
    left.store(if is_source { FILES + REQUESTS } else { REQUESTS }, SeqCst);
}

/// Answers so after a number of requests for objects.
fn expires(
    answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> (Arc<AtomicUsize>, impl Fn(&mut Request) -> Option<Answer> + Send + Sync + 'static) {
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let shared = Arc::clone(&left);
    let fault = move |request: &mut Request| {
        let is_over = shared.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_err();
        is_over.then(|| answer(request))
    };
    (left, fault)
}

/// What a run reports whose source or destination is this tree.
async fn ends(tree: OpendalTree, is_source: bool, folder: &Path) -> String {
    let state = folder.join("state");
    let run = if is_source {
        let sink = folder.join("new");
        fs::create_dir(&sink).unwrap();
        Run::between(tree.clone(), LocalSink::open(&sink).unwrap(), &state).await
    } else {
        let source = folder.join("old");
        fs::create_dir(&source).unwrap();
        for i in 0..FILES {
            fs::write(source.join(format!("f{i}")), "1").unwrap();
        }
        Run::between(LocalSource::open(&source).unwrap(), tree.clone(), &state).await
    };
    assert_eq!(run.failed, Vec::<String>::new(), "no file failed");
    let error = run.report.unwrap_err().to_string();
    let side = if is_source { "source" } else { "destination" };
    assert!(error.contains(&format!("the {side} ")) && error.contains("rejects the credentials"), "{error}");
    assert!(error.contains("run the same command again"), "{error}");
    let identity = tree.identity().await.unwrap_err();
    assert_eq!((identity.kind(), identity.is_temporary()), (ErrorKind::Credentials, false));
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_s3() {
    for (status, code) in [(400, "ExpiredToken"), (403, "InvalidAccessKeyId")] {
        for is_source in [true, false] {
            let (left, fault) = expires(s3(status, code));
            let server = fake_objects::Server::start(fault);
            fill(&server, is_source, &left);
            let folder = tempfile::tempdir().unwrap();
            let error = ends(server.s3(&[]), is_source, folder.path()).await;
            assert!(error.contains(&format!("Message of {code}. ({code}, HTTP status {status})")), "{error}");
            assert!(error.contains("session_token (AWS_SESSION_TOKEN)"), "{error}");
            assert!(server.state.lock().unwrap().requests.len() < 2 * FILES, "the backlog was left alone");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_azure() {
    for is_source in [true, false] {
        let (left, fault) = expires(azure);
        let server = fake_objects::Server::start(fault);
        fill(&server, is_source, &left);
        let folder = tempfile::tempdir().unwrap();
        let error = ends(server.azure_by_signature(), is_source, folder.path()).await;
        let said = "Signature not valid in the specified time frame: Start [x] - Expiry [y] - Current [z] \
                    (AuthenticationFailed, HTTP status 403)";
        assert!(error.contains(said) && error.contains("sas_token (AZURE_STORAGE_SAS_TOKEN)"), "{error}");
    }
}

/// Where the code alone says what is wrong with one `HEAD`, a listing says whether it is the credentials.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_of_azure_that_is_denied_is_explained_by_a_listing() {
    let server = fake_objects::Server::start(|request| (request.method == "HEAD").then(|| azure(request)));
    let path = towpath_backend::RelPath::new("a").unwrap();
    let error = server.azure().metadata(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    let server = fake_objects::Server::start(|request| Some(azure(request)));
    let error = server.azure().metadata(&path).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Credentials, "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_google() {
    let (left, fault) = expires(google);
    let server = fake_gcs::Server::start(fault);
    left.store(REQUESTS, SeqCst);
    let folder = tempfile::tempdir().unwrap();
    let error = ends(server.tree(), false, folder.path()).await;
    assert!(error.contains("Invalid Credentials (authError, HTTP status 401)"), "{error}");
    assert!(error.contains("credential_path (GOOGLE_APPLICATION_CREDENTIALS)"), "{error}");
}
