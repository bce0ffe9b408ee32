//! Credentials of the configuration file and key files that somebody replaces while a run waits for that.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use towpath_backend::registry::{Backend as _, ConfigSources, Location, Registry};
use towpath_backend::{ErrorKind, ReadOptions, RelPath, Source as _, Tree as _, WaitObserver, WaitReason};
use towpath_opendal::OpendalTree;
use towpath_opendal::services::{self, AZBLOB, GCS, S3, Service};

use crate::http::{Answer, Request};
use crate::{fake_gcs, fake_objects};

/// A configuration file: options by their names.
type File = Arc<Mutex<Vec<(&'static str, String)>>>;

fn file(options: &[(&'static str, &str)]) -> File {
    Arc::new(Mutex::new(options.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()))
}

fn sources(section: &str, file: &File) -> ConfigSources {
    let mut sources = ConfigSources::none();
    for (name, value) in file.lock().unwrap().iter() {
        sources.add(section, name, value.clone(), "the file");
    }
    sources
}

/// The tree of a service, with the options of a file that may be replaced.
fn tree(service: Service, url: &str, file: &File) -> OpendalTree {
    let (mut around, section) = (sources(service.name(), file), service.name());
    let again = Arc::clone(file);
    around.reread_by(move || Ok(sources(section, &again)));
    let mut registry = Registry::new();
    services::register(&mut registry).unwrap();
    let location = Location::parse(url.as_ref()).unwrap();
    let found = registry.find(&location, &around).unwrap();
    service.tree(&location, found.settings()).unwrap()
}

/// Replaces the credentials as soon as the backend reports that requests wait for new ones.
struct Administrator {
    replaces: Box<dyn Fn() + Send + Sync>,
    reports: Mutex<Vec<String>>,
}

impl Administrator {
    fn of(replaces: impl Fn() + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self { replaces: Box::new(replaces), reports: Mutex::default() })
    }
}

impl WaitObserver for Administrator {
    fn waiting(&self, reason: WaitReason, cause: &str) {
        self.reports.lock().unwrap().push(format!("{reason:?}: {cause}"));
        (self.replaces)();
    }

    fn resumed(&self) {
        self.reports.lock().unwrap().push("resumed".to_owned());
    }
}

/// Asks for two objects, of which the second one needs other credentials. Returns what was reported meanwhile.
async fn goes_on(tree: &OpendalTree, expire: impl FnOnce(), administrator: &Arc<Administrator>) -> Vec<String> {
    tree.observe_waits(Arc::clone(administrator) as Arc<dyn WaitObserver>);
    let path = |name: &str| RelPath::new(name).unwrap();
    assert_eq!(tree.metadata(&path("a")).await.unwrap().size_bytes, 1);
    expire();
    assert_eq!(tree.metadata(&path("b")).await.unwrap().size_bytes, 1);
    let whole = tree.read_whole(&path("b"), 1, Vec::new(), &ReadOptions::default()).await;
    if tree.identity().await.unwrap().to_string().starts_with("gcs") {
        // Its fake has no contents.
        drop(whole);
    } else {
        assert_eq!(whole.unwrap().data, b"1");
    }
    administrator.reports.lock().unwrap().clone()
}

/// Rejects requests that `is_old` finds, from some moment on.
fn expiring(
    is_old: fn(&Request) -> bool,
    rejects: impl Fn(&Request) -> Answer + Send + Sync + 'static,
) -> (Arc<Mutex<bool>>, impl Fn(&mut Request) -> Option<Answer> + Send + Sync + 'static) {
    let expired = Arc::new(Mutex::new(false));
    let shared = Arc::clone(&expired);
    (expired, move |request: &mut Request| (*shared.lock().unwrap() && is_old(request)).then(|| rejects(request)))
}

fn error(request: &Request, status: u16, body: &str) -> Answer {
    Answer::new(status, if request.method == "HEAD" { "" } else { body })
}

fn objects() -> [(String, fake_objects::Object); 2] {
    ["a", "b"].map(|key| (key.to_owned(), fake_objects::Object { content: b"1".to_vec(), ..Default::default() }))
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_s3() {
    let (expired, fault) = expiring(
        |request| !request.headers["authorization"].contains("Credential=NEW/"),
        |request| error(request, 400, "<Error><Code>ExpiredToken</Code><Message>It has expired.</Message></Error>"),
    );
    let server = fake_objects::Server::start(fault);
    server.state.lock().unwrap().objects.extend(objects());
    let endpoint = server.endpoint();
    let options = |key| [("endpoint", endpoint.as_str()), ("access_key_id", key), ("secret_access_key", "s")];
    let file = file(&options("OLD"));
    let (replaced, shared) = (self::file(&options("NEW")), Arc::clone(&file));
    let administrator = Administrator::of(move || *shared.lock().unwrap() = replaced.lock().unwrap().clone());
    let tree = tree(S3, "s3://bucket", &file);
    let reports = goes_on(&tree, || *expired.lock().unwrap() = true, &administrator).await;
    assert!(reports[0].starts_with("Credentials: It has expired. (ExpiredToken"), "{reports:?}");
    assert_eq!(reports[1..], ["resumed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_of_azure() {
    let (expired, fault) = expiring(
        |request| request.query["sig"] != "new+=",
        |request| {
            let body = "<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature not valid in the \
                        specified time frame</AuthenticationErrorDetail></Error>";
            error(request, 403, body).with("x-ms-error-code", "AuthenticationFailed")
        },
    );
    let server = fake_objects::Server::start(fault);
    server.state.lock().unwrap().objects.extend(objects());
    let endpoint = server.endpoint();
    let options = |sas| [("endpoint", endpoint.as_str()), ("account_name", "me"), ("sas_token", sas)];
    let file = file(&options("sv=2024-11-04&sig=old"));
    let replaced = self::file(&options("?sv=2024-11-04&sig=new%2B%3D"));
    let shared = Arc::clone(&file);
    let administrator = Administrator::of(move || *shared.lock().unwrap() = replaced.lock().unwrap().clone());
    let tree = tree(AZBLOB, "azblob://bucket", &file);
    let reports = goes_on(&tree, || *expired.lock().unwrap() = true, &administrator).await;
    assert!(reports[0].starts_with("Credentials: Signature not valid in the specified time frame"), "{reports:?}");
    assert_eq!(reports[1..], ["resumed"]);
}

/// A key file whose token is a text in another file.
fn key_file(folder: &std::path::Path, token_url: &str, subject: &str) -> PathBuf {
    let (key, token) = (folder.join("key.json"), folder.join(subject));
    fs::write(&token, subject).unwrap();
    let content = format!(
        "{{\"type\": \"external_account\", \"audience\": \"a\", \"token_url\": \"{token_url}\", \
         \"subject_token_type\": \"urn:ietf:params:oauth:token-type:jwt\", \
         \"credential_source\": {{\"file\": \"{}\", \"format\": {{\"type\": \"text\"}}}}}}",
        token.display()
    );
    fs::write(&key, content).unwrap();
    key
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_of_google() {
    let (expired, fault) = expiring(
        |request| request.header("authorization").is_some_and(|token| token != "Bearer new"),
        |request| {
            let body = "{\"error\": {\"code\": 401, \"message\": \"Invalid Credentials\", \"errors\": \
                        [{\"reason\": \"authError\", \"message\": \"Invalid Credentials\"}]}}";
            error(request, 401, body)
        },
    );
    let server = fake_gcs::Server::start(move |request| {
        if request.path != "/token" {
            return fault(request);
        }
        // The token is named like the subject.
        let asked = String::from_utf8_lossy(&request.body).into_owned();
        let token = if asked.contains("subject_token=new") { "new" } else { "old" };
        let body = format!("{{\"access_token\": \"{token}\", \"token_type\": \"Bearer\", \"expires_in\": 3600}}");
        Some(Answer::new(200, body))
    });
    server.state.lock().unwrap().objects.extend(["a", "b"].map(|key| (key.to_owned(), (b"1".to_vec(), None))));
    let (folder, endpoint) = (tempfile::tempdir().unwrap(), server.endpoint());
    let token_url = format!("{endpoint}/token");
    let key = key_file(folder.path(), &token_url, "old");
    let options = file(&[("endpoint", &endpoint), ("credential_path", key.to_str().unwrap())]);
    let tree = tree(GCS, "gcs://bucket", &options);
    let at = folder.path().to_owned();
    let administrator = Administrator::of(move || drop(key_file(&at, &token_url, "new")));
    let reports = goes_on(&tree, || *expired.lock().unwrap() = true, &administrator).await;
    assert!(reports[0].starts_with("Credentials: Invalid Credentials (authError"), "{reports:?}");
    assert_eq!(reports[1..], ["resumed"]);
}

/// What is not in the file stays as it is, and the error says what would be read again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_elsewhere_ends_with_what_to_do() {
    let expired = "<Error><Code>ExpiredToken</Code><Message>It has expired.</Message></Error>";
    let server = fake_objects::Server::start(move |request| Some(error(request, 400, expired)));
    let endpoint = server.endpoint();
    let of_file = file(&[("endpoint", &endpoint), ("secret_access_key", "s")]);
    for tree in [tree(S3, "s3://bucket?access_key_id=OLD", &of_file), server.s3(&[])] {
        tree.observe_waits(Administrator::of(|| panic!("it does not wait")));
        let error = tree.identity().await.unwrap_err();
        assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Credentials, false));
        let error = error.to_string();
        let said =
            "a run reads them again only in the configuration file: access_key_id, secret_access_key, session_token";
        assert!(error.contains("ExpiredToken") && error.contains(said), "{error}");
    }
}
