//! Credentials that expire are read again, and what cannot be read again says so at once.

use std::sync::{Arc, Mutex};

use towpath_backend::registry::OpenError;
use towpath_backend::{ErrorKind, ReadOptions, RelPath, Source as _, Tree as _, WaitObserver, WaitReason};

use super::faulty::{Answer, Outcome, Request, Server, location};

fn path(text: &str) -> RelPath {
    RelPath::new(text).unwrap()
}

/// Answers as S3 does to a token that has expired: a HEAD has no body.
fn expired(request: &Request) -> Outcome {
    match request.method.as_str() {
        "HEAD" => Answer::of(400).instead(),
        _ => Answer::error(400, "ExpiredToken").instead(),
    }
}

/// Sets up the environment of this test's process: nextest runs each test in its own.
fn home(config: &str, credentials: &str) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("config"), config).unwrap();
    std::fs::write(home.path().join("credentials"), credentials).unwrap();
    home
}

fn keys(key: &str) -> String {
    format!("[default]\naws_access_key_id = {key}\naws_secret_access_key = s\naws_session_token = t\n")
}

/// Runs one of the `#[ignore]`d tests below in a process with these files as its profile.
fn in_process(test: &str, home: &tempfile::TempDir) {
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env_clear();
    command.env("AWS_CONFIG_FILE", home.path().join("config"));
    command.env("AWS_SHARED_CREDENTIALS_FILE", home.path().join("credentials"));
    command.env("AWS_EC2_METADATA_DISABLED", "true").env("PATH", std::env::var_os("PATH").unwrap());
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

#[derive(Default)]
struct Seen {
    reports: Mutex<Vec<String>>,
    /// The file to write new keys to.
    renews: Option<std::path::PathBuf>,
}

impl WaitObserver for Seen {
    fn waiting(&self, reason: WaitReason, cause: &str) {
        self.reports.lock().unwrap().push(format!("{reason:?}: {cause}"));
        if let Some(file) = &self.renews {
            std::fs::write(file, keys("NEW")).unwrap();
        }
    }

    fn resumed(&self) {
        self.reports.lock().unwrap().push("resumed".to_owned());
    }
}

#[test]
fn a_renewed_file_is_read_again() {
    in_process("credentials::renewed_file", &home("", &keys("OLD")));
}

#[tokio::test]
#[ignore = "run by a_renewed_file_is_read_again, with an environment of its own"]
async fn renewed_file() {
    let server = Server::start(|request, store| {
        let is_new = request.headers["authorization"].contains("Credential=NEW/");
        if is_new || store.count("GET") < 2 { Outcome::Serve } else { expired(request) }
    });
    let server = server.with((0..5).map(|i| (format!("f{i}"), "content")));
    let tree = server.tree_with(&[]);
    // Somebody renews them when they are asked to.
    let renews = std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").map(Into::into);
    let seen = Arc::new(Seen { renews, ..Seen::default() });
    tree.observe_waits(Arc::clone(&seen) as Arc<dyn WaitObserver>);
    for i in 0..5 {
        let at = path(&format!("f{i}"));
        assert_eq!(tree.metadata(&at).await.unwrap().size_bytes, 7);
        assert_eq!(tree.read_whole(&at, 7, Vec::new(), &ReadOptions::default()).await.unwrap().data, b"content");
    }
    let seen = seen.reports.lock().unwrap();
    assert!(seen[0].starts_with("Credentials: Message of ExpiredToken. (ExpiredToken"), "{seen:?}");
    assert_eq!(seen[1..], ["resumed"]);
}

#[test]
fn a_credential_process_is_run() {
    // Quoted, as other clients take it.
    let process = r#"printf '{"Version":1,"AccessKeyId":"PROC","SecretAccessKey":"s","SessionToken":"t"}'"#;
    in_process("credentials::process", &home(&format!("[default]\ncredential_process = {process}\n"), ""));
}

#[tokio::test]
#[ignore = "run by a_credential_process_is_run, with an environment of its own"]
async fn process() {
    let server = Server::start(|_, _| Outcome::Serve).with([("a".to_owned(), "content")]);
    assert_eq!(server.tree_with(&[]).metadata(&path("a")).await.unwrap().size_bytes, 7);
    assert!(server.store().requests[0].headers["authorization"].contains("Credential=PROC/"));
}

#[test]
fn a_profile_that_needs_what_is_not_supported_says_so_at_the_start() {
    in_process("credentials::unsupported", &home("[default]\nrole_arn = arn:x\nsource_profile = base\n", &keys("OLD")));
}

#[test]
#[ignore = "run by a_profile_that_needs_what_is_not_supported_says_so_at_the_start, with an environment of its own"]
fn unsupported() {
    let settings = towpath_backend::registry::Settings::of(vec![("region", "eu-central-1".to_owned())]);
    match towpath_opendal::services::S3.tree(&location(), &settings).map(drop) {
        Err(OpenError::Usage(problem)) => assert!(problem.contains("(role_arn), which is not supported"), "{problem}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn keys_that_cannot_be_renewed_are_reported_at_once_with_the_services_code() {
    let server = Server::start(|request, _| expired(request));
    let tree = server.tree();
    tree.observe_waits(Arc::new(Seen::default()));
    let error = tree.metadata(&path("a")).await.unwrap_err();
    assert_eq!((error.kind(), error.is_temporary()), (ErrorKind::Credentials, true));
    assert!(error.to_string().contains("ExpiredToken"), "{error}");
    // The tree as a whole does not come back by itself.
    assert!(!tree.identity().await.unwrap_err().is_temporary());
}
