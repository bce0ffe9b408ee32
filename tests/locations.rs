//! Where trees are: paths and URLs, and the options that belong to them.

mod common;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use common::Bench;

#[test]
fn a_file_url_is_the_path_and_has_its_state() {
    let bench = Bench::new();
    fs::write(bench.path("old/file"), "content").unwrap();
    let (source, sink) = (bench.source().display().to_string(), bench.dest().display().to_string());
    let state = bench.folder.path().join("state");
    let run = |source: &str, sink: &str| {
        let ended = bench.run_with_state(&["sync", source, sink], &state).with_status(0);
        ended.stdout.lines().find(|line| line.starts_with("database")).unwrap().to_owned()
    };
    let by_path = run(&source, &sink);
    assert_eq!(fs::read(bench.path("new/file")).unwrap(), b"content");
    assert_eq!(run(&format!("file://{source}"), &format!("file://{sink}/")), by_path);
}

#[test]
fn an_unknown_scheme_is_wrong_usage_and_lists_the_known_ones() {
    let bench = Bench::new();
    let sink = bench.dest().display().to_string();
    let ended = bench.run_with_state(&["sync", "gopher://host/x", &sink], bench.folder.path()).with_status(2);
    assert!(ended.stderr.contains("gopher://") && ended.stderr.contains("paths, file://"), "{}", ended.stderr);
}

#[test]
fn a_password_in_a_url_is_refused_and_not_repeated() {
    let bench = Bench::new();
    let sink = bench.dest().display().to_string();
    let ended = bench.run_with_state(&["sync", "sftp://me:hunter2@host/x", &sink], bench.folder.path()).with_status(2);
    assert!(ended.stderr.contains("has a password") && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

#[test]
fn a_configuration_file_that_others_may_read_is_refused() {
    let bench = Bench::new();
    let config = bench.folder.path().join("config.toml");
    fs::write(&config, "[s3]\nsecret_access_key = \"hunter2\"\n").unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o644)).unwrap();
    let [source, sink, file] = [&bench.source(), &bench.dest(), &config].map(|path| path.display().to_string());
    let arguments = ["sync", &source, &sink, "--config", &file];
    let ended = bench.run_with_state(&arguments, bench.folder.path()).with_status(2);
    assert!(ended.stderr.contains("chmod 600") && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    bench.run_with_state(&arguments, bench.folder.path()).with_status(0);
}

#[test]
fn what_can_be_opened_is_listed() {
    let bench = Bench::new();
    let ended = bench.run_with_state(&["backends"], bench.folder.path()).with_status(0);
    assert!(ended.stdout.starts_with("local    mounted paths"), "{}", ended.stdout);
    let ended = bench.run_with_state(&["backends", "--format", "json"], bench.folder.path()).with_status(0);
    for line in ended.stdout.lines() {
        let backend: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(backend["name"].is_string() && backend["keeps"].is_array(), "{line}");
    }
}
