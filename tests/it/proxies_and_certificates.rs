//! Proxies and certificates that the environment names, for storages over HTTP and HTTPS.

use std::fs;
use std::process::{Command, Stdio};

use crate::common::*;
use crate::faulty::Outcome;
use crate::gateway::Gateway;
use crate::tls::{Authority, storage};
use crate::{faulty, tls};

/// `towpath sync` to the destination of the bench, with nothing in the environment that names proxies and certificates.
fn sync(bench: &Bench, from: &str, environment: &[(&str, &str)]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["sync", from]).arg(bench.dest()).arg("--rescan");
    command.arg("--database").arg(bench.database()).arg("--log-file").arg(bench.log_file());
    for name in ["ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUEST_METHOD"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    for name in ["AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name);
    }
    command.env("HOME", bench.path("home")).env("XDG_STATE_HOME", bench.path("state"));
    command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "key");
    command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    end(command.spawn().unwrap())
}

/// The same from `s3://bucket` at this endpoint.
fn sync_s3(bench: &Bench, endpoint: &str, environment: &[(&str, &str)]) -> ProcessOutput {
    sync(bench, "s3://bucket", &[&[("AWS_ENDPOINT_URL", endpoint)], environment].concat())
}

fn bucket() -> faulty::Server {
    faulty::Server::start(|_, _| Outcome::Serve).with([("file".to_owned(), "content")])
}

#[track_caller]
fn assert_arrived(bench: &Bench) {
    assert_eq!(fs::read(bench.dest().join("file")).unwrap(), b"content");
}

#[test]
fn requests_go_through_the_proxy_for_http() {
    let server = bucket();
    for variable in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let (bench, proxy) = (Bench::new(), Gateway::to(server.port).opened());
        // A name that only the proxy could know.
        sync_s3(&bench, "http://storage.invalid:8080", &[(variable, &proxy.url())]).with_status(0);
        assert_arrived(&bench);
        let passed = proxy.passed();
        let is_for_it = |line: &String| line.contains(" http://storage.invalid:8080/bucket");
        assert!(!passed.is_empty() && passed.iter().all(is_for_it), "{variable}: {passed:?}");
    }
    let (bench, dav) = (Bench::new(), crate::http::serve(storage));
    let proxy = Gateway::to(dav).opened();
    sync(&bench, "webdav://storage.invalid/dav", &[("HTTP_PROXY", &proxy.url())]).with_status(0);
    assert!(proxy.passed()[0].contains(" http://storage.invalid/dav/"), "{:?}", proxy.passed());
}

#[test]
fn connections_go_through_the_proxy_for_https() {
    let authority = Authority::named("Towpath's tests");
    let server = authority.serve("storage.invalid", storage);
    for (variable, from) in [
        ("HTTPS_PROXY", "s3://bucket"),
        ("https_proxy", "s3://bucket"),
        ("ALL_PROXY", "s3://bucket"),
        ("HTTPS_PROXY", "webdavs://storage.invalid/dav"),
    ] {
        let (bench, proxy) = (Bench::new(), Gateway::to(server.port).opened());
        let bundle = bench.path("bundle.pem");
        fs::write(&bundle, &authority.pem).unwrap();
        let environment = [
            (variable, &*proxy.url()),
            // It is for the other scheme.
            ("HTTP_PROXY", "http://127.0.0.1:9"),
            ("AWS_CA_BUNDLE", bundle.to_str().unwrap()),
            ("AWS_ENDPOINT_URL", "https://storage.invalid"),
        ];
        sync(&bench, from, &environment).with_status(0);
        let passed = proxy.passed();
        let is_for_it = |line: &String| line == "CONNECT storage.invalid:443 HTTP/1.1";
        assert!(!passed.is_empty() && passed.iter().all(is_for_it), "{variable}: {passed:?}");
    }
}

#[test]
fn addresses_of_no_proxy_are_reached_without_it() {
    let server = bucket();
    for (host, variable, excepted) in [
        ("127.0.0.1", "NO_PROXY", "127.0.0.1"),
        ("127.0.0.1", "no_proxy", "example.org, 127.0.0.1"),
        ("127.0.0.1", "NO_PROXY", "127.0.0.0/8"),
        ("127.0.0.1", "NO_PROXY", "*"),
        ("127.0.0.1", "no_proxy", "example.org, *"),
        ("localhost", "NO_PROXY", "localhost"),
    ] {
        let (bench, proxy) = (Bench::new(), Gateway::to(server.port).opened());
        let endpoint = format!("http://{host}:{}", server.port);
        sync_s3(&bench, &endpoint, &[("HTTP_PROXY", &proxy.url()), (variable, excepted)]).with_status(0);
        assert_arrived(&bench);
        assert_eq!(proxy.passed(), Vec::<String>::new(), "{host}, {excepted}");
    }
    // Loopback is no exception by itself, nor is another name.
    for (host, excepted) in [("127.0.0.1", ""), ("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.2,10.0.0.0/8")] {
        let (bench, proxy) = (Bench::new(), Gateway::to(server.port).opened());
        let endpoint = format!("http://{host}:{}", server.port);
        sync_s3(&bench, &endpoint, &[("HTTP_PROXY", &proxy.url()), ("NO_PROXY", excepted)]).with_status(0);
        assert!(!proxy.passed().is_empty(), "{host}, {excepted}");
    }
}

#[test]
fn a_domain_of_no_proxy_covers_the_names_below_it() {
    let server = bucket();
    for (excepted, is_covered) in [
        ("example.invalid", true),
        (".example.invalid", true),
        ("ample.invalid", false),
        ("deep.storage.example.invalid", false),
    ] {
        let (bench, proxy) = (Bench::new(), Gateway::to(server.port).opened());
        let environment = [("HTTP_PROXY", &*proxy.url()), ("NO_PROXY", excepted)];
        let ended = sync_s3(&bench, "http://storage.example.invalid", &environment);
        if is_covered {
            // Nobody knows that name here.
            assert!(ended.with_status(1).stderr.contains("the name of the server cannot be resolved"));
        } else {
            ended.with_status(0);
        }
        assert_eq!(proxy.passed().is_empty(), is_covered, "{excepted}: {:?}", proxy.passed());
    }
}

fn https(server: &tls::Server) -> String {
    format!("https://127.0.0.1:{}", server.port)
}

#[test]
fn certificates_of_the_named_files_are_trusted() {
    let authority = Authority::named("Towpath's tests");
    let server = authority.serve("127.0.0.1", storage);
    for variable in ["AWS_CA_BUNDLE", "SSL_CERT_FILE"] {
        let bench = Bench::new();
        let bundle = bench.path("bundle.pem");
        // Others beside it.
        fs::write(&bundle, [Authority::named("another").pem, authority.pem.clone()].concat()).unwrap();
        sync_s3(&bench, &https(&server), &[(variable, bundle.to_str().unwrap())]).with_status(0);
        assert_arrived(&bench);
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_named_and_not_tried_again() {
    let authority = Authority::named("Towpath's tests");
    for (host, is_trusted) in [("127.0.0.1", false), ("other.example", true)] {
        let (bench, server) = (Bench::new(), authority.serve(host, storage));
        let bundle = bench.path("bundle.pem");
        fs::write(&bundle, if is_trusted { authority.pem.clone() } else { Authority::named("another").pem }).unwrap();
        let ended = sync_s3(&bench, &https(&server), &[("AWS_CA_BUNDLE", bundle.to_str().unwrap())]).with_status(1);
        let named = format!(
            "the certificate of 127.0.0.1 is rejected (subject CN=server of {host}, issuer CN=Towpath's tests; \
             AWS_CA_BUNDLE or SSL_CERT_FILE can name a file with its issuer): invalid peer certificate: "
        );
        assert!(ended.stderr.contains(&named), "{}", ended.stderr);
        assert!(!ended.stderr.contains("trying again"), "{}", ended.stderr);
        // The request, and the question whose certificate it is.
        assert!(server.connections() <= 2, "{} connections", server.connections());
    }
}
