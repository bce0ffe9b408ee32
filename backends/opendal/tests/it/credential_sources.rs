//! Credentials of AWS from a web identity, the metadata of an instance, a container and `credential_process`.

use std::process::Command;
use std::sync::Mutex;

use towpath_backend::registry::Backend as _;
use towpath_backend::{RelPath, Tree as _};
use towpath_opendal::services::S3;

use super::faulty::{Outcome, Server, location};
use crate::http::{Answer, Request, serve};

/// Runs one of the `#[ignore]`d tests below in a process with this environment alone.
fn in_process(test: &str, environment: &[(&str, &str)]) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture"]).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", home.path());
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.envs(environment.iter().copied());
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && out.contains("1 passed"), "{out}\n{err}");
}

/// The first request is signed with `KEY1`, which has expired by then, and the others with `KEY2`.
fn signs_with_keys(environment: &[(&str, &str)]) {
    in_process("credential_sources::signs", environment);
}

#[tokio::test]
#[ignore = "run by the tests below, with an environment of its own"]
async fn signs() {
    let server = Server::start(|_, _| Outcome::Serve).with([("a".to_owned(), "content")]);
    let tree = server.tree_with(&[]);
    for _ in 0..2 {
        assert_eq!(tree.metadata(&RelPath::new("a").unwrap()).await.unwrap().size_bytes, 7);
    }
    let store = server.store();
    for (i, request) in store.requests.iter().enumerate() {
        let key = if i == 0 { "KEY1" } else { "KEY2" };
        let authorization = &request.headers["authorization"];
        assert!(authorization.contains(&format!("Credential={key}/")), "{authorization}, not {key}");
        assert_eq!(request.headers["x-amz-security-token"], format!("token of {key}"));
    }
    assert!(store.requests.len() >= 2);
}

/// Why a bucket cannot be opened.
fn fails_with(cause: &str, environment: &[(&str, &str)]) {
    in_process("credential_sources::fails", &[environment, &[("EXPECTED", cause)]].concat());
}

#[tokio::test]
#[ignore = "run by the tests below, with an environment of its own"]
async fn fails() {
    let server = Server::start(|_, _| Outcome::Serve);
    let error = S3.open_source(&location(), &server.settings(&[])).await.map(drop).unwrap_err().to_string();
    assert!(error.contains(&std::env::var("EXPECTED").unwrap()), "{error}");
    assert!(server.store().requests.is_empty(), "nothing is sent unsigned");
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// Keys `KEY1`, which have expired, and then `KEY2`.
fn issue(issued: &Mutex<u32>) -> (String, &'static str) {
    let mut issued = issued.lock().unwrap();
    *issued += 1;
    (format!("KEY{issued}"), if *issued == 1 { "2020-01-01T00:00:00Z" } else { "2100-01-01T00:00:00Z" })
}

fn in_json(issued: &Mutex<u32>) -> Answer {
    let (key, expiration) = issue(issued);
    Answer::new(
        200,
        format!(
            "{{\"Code\": \"Success\", \"AccessKeyId\": \"{key}\", \"SecretAccessKey\": \"s\", \"Token\": \"token of {key}\", \
             \"Expiration\": \"{expiration}\"}}"
        ),
    )
}

#[test]
fn an_instance_gives_keys_and_others_before_they_expire() {
    let issued = Mutex::new(0);
    let port = serve(move |request| match (request.method.as_str(), request.path.as_str()) {
        ("PUT", "/latest/api/token") => Answer::new(200, "SESSION"),
        _ if request.header("x-aws-ec2-metadata-token") != Some("SESSION") => Answer::new(401, ""),
        ("GET", "/latest/meta-data/iam/security-credentials/") => Answer::new(200, "role"),
        ("GET", "/latest/meta-data/iam/security-credentials/role") => in_json(&issued),
        _ => Answer::new(404, ""),
    });
    let endpoint = url(port);
    signs_with_keys(&[("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)]);
}

#[test]
fn a_container_gives_keys() {
    let issued = Mutex::new(0);
    let port = serve(move |request| match request.header("authorization") {
        Some("TASK") => in_json(&issued),
        _ => Answer::new(403, ""),
    });
    let uri = format!("{}/credentials", url(port));
    let environment =
        [("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.as_str()), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "TASK")];
    signs_with_keys(&environment);
    fails_with("the container gives no credentials", &environment[..1]);
}

/// What STS answers to a token of this file.
fn exchanged(request: &Request, issued: &Mutex<u32>) -> Answer {
    let asked = String::from_utf8_lossy(&request.body).into_owned();
    assert!(asked.contains("Action=AssumeRoleWithWebIdentity") && asked.contains("RoleArn=arn%3Arole"), "{asked}");
    if asked.contains("WebIdentityToken=STALE") {
        let error = "<Code>ExpiredTokenException</Code><Message>Token expired.</Message>";
        return Answer::new(400, format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"));
    }
    if !asked.contains("WebIdentityToken=FRESH") {
        let error = "<Code>AccessDenied</Code><Message>Not authorized to assume the role.</Message>";
        return Answer::new(403, format!("<ErrorResponse><Error>{error}</Error></ErrorResponse>"));
    }
    let (key, expiration) = issue(issued);
    Answer::new(
        200,
        format!(
            "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{key}\
             </AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token of {key}</SessionToken><Expiration>\
             {expiration}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
        ),
    )
}

#[test]
fn a_web_identity_is_exchanged_for_keys_or_says_why_not() {
    let issued = Mutex::new(0);
    let endpoint = url(serve(move |request| exchanged(request, &issued)));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let environment = [
        ("AWS_ROLE_ARN", "arn:role"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", file.to_str().unwrap()),
        ("AWS_ENDPOINT_URL_STS", endpoint.as_str()),
    ];
    std::fs::write(&file, "FRESH\n").unwrap();
    signs_with_keys(&environment);
    std::fs::write(&file, "STALE").unwrap();
    fails_with("Token expired. (ExpiredTokenException", &environment);
    std::fs::write(&file, "FOREIGN").unwrap();
    fails_with("the web identity gives no credentials: AccessDenied: Not authorized to assume the role.", &environment);
    std::fs::remove_file(&file).unwrap();
    fails_with("the web identity gives no credentials: failed to read web identity token file", &environment);
}

#[test]
fn a_credential_process_that_fails_is_named_with_what_it_prints() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    let script = folder.path().join("process");
    std::fs::write(&script, "echo locked >&2; exit 4").unwrap();
    std::fs::write(&config, format!("[default]\ncredential_process = sh {}\n", script.display())).unwrap();
    let environment = [("AWS_CONFIG_FILE", config.to_str().unwrap())];
    fails_with(
        "credential_process gives no credentials: credential process failed with status 4: locked",
        &environment,
    );
}

#[test]
fn without_any_source_the_options_are_named() {
    fails_with("there are no credentials, or none that can be used", &[]);
    fails_with("access_key_id (AWS_ACCESS_KEY_ID)", &[]);
}
