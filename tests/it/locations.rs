//! Location arguments: paths and URLs, and their options.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::common::Bench;

#[test]
fn a_file_url_has_the_same_state_as_its_path() {
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
fn an_unknown_scheme_is_a_usage_error_that_lists_the_supported_ones() {
    let bench = Bench::new();
    let sink = bench.dest().display().to_string();
    let ended = bench.run_with_state(&["sync", "gopher://host/x", &sink], bench.folder.path()).with_status(2);
    assert!(ended.stderr.contains("gopher://") && ended.stderr.contains("paths, file://"), "{}", ended.stderr);
}

#[test]
fn a_password_in_a_url_is_a_usage_error_that_does_not_repeat_it() {
    let bench = Bench::new();
    let sink = bench.dest().display().to_string();
    let ended = bench.run_with_state(&["sync", "sftp://me:hunter2@host/x", &sink], bench.folder.path()).with_status(2);
    assert!(ended.stderr.contains("has a password") && !ended.stderr.contains("hunter2"), "{}", ended.stderr);
}

/// A value that begins with `-` could become an option of `ssh` that runs any command.
#[cfg(feature = "sftp")]
#[test]
fn an_sftp_url_cannot_pass_options_to_ssh() {
    let bench = Bench::new();
    let ran = bench.path("ran");
    let proxy = format!("-oProxyCommand=touch%20{}", ran.display().to_string().replace('/', "%2F"));
    let sink = bench.dest().display().to_string();
    let encoded = format!("%2D{}", &proxy[1..]);
    let urls = [
        format!("sftp://{proxy}/x"),
        format!("sftp://{encoded}/x"),
        format!("sftp://me@{encoded}:22/x"),
        format!("sftp://{proxy}@host/x"),
        format!("sftp://host/x?key={proxy}"),
        format!("sftp://host/x?known_hosts={proxy}"),
        "sftp://ho%0Ast/x".to_owned(),
        "sftp://$(touch%20x)/x".to_owned(),
        "sftp://host/x?key=a%0Ab".to_owned(),
    ];
    for url in urls {
        for arguments in [["sync", &url, &sink], ["sync", &sink, &url]] {
            let ended = bench.run_with_state(&arguments, bench.folder.path()).with_status(2);
            assert!(!ended.stderr.contains("panicked") && ended.stderr.contains("sftp://"), "{}", ended.stderr);
        }
    }
    let config = bench.folder.path().join("config.toml");
    fs::write(&config, format!("[sftp]\nkey = \"-oProxyCommand=touch {}\"\n", ran.display())).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let arguments = ["sync", "sftp://host/x", &sink, "--config", &config.display().to_string()];
    let ended = bench.run_with_state(&arguments, bench.folder.path()).with_status(2);
    assert!(ended.stderr.contains("begins with `-`"), "{}", ended.stderr);
    assert!(!ran.exists(), "a command was run");
}

#[test]
fn a_configuration_file_readable_by_others_is_a_usage_error() {
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
fn backends_lists_the_supported_storages() {
    let bench = Bench::new();
    let ended = bench.run_with_state(&["backends"], bench.folder.path()).with_status(0);
    assert!(ended.stdout.starts_with("local    mounted paths"), "{}", ended.stdout);
    let ended = bench.run_with_state(&["backends", "--format", "json"], bench.folder.path()).with_status(0);
    for line in ended.stdout.lines() {
        let backend: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(backend["name"].is_string() && backend["keeps"].is_array(), "{line}");
    }
}

/// A secret must appear neither in the output nor in the database nor in the log.
#[cfg(feature = "s3")]
#[test]
fn secrets_are_in_no_output_and_no_file() {
    const SECRET: &str = "hunter2-and-some-more";
    let bench = Bench::new();
    fs::write(bench.path("old/file"), "content").unwrap();
    let config = bench.path("config.toml");
    fs::write(&config, format!("[\"s3://bucket\"]\nsession_token = \"{SECRET}\"\n")).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let state = bench.path("state");
    let [source, file] = [&bench.source(), &config].map(|path| path.display().to_string());
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_towpath"));
    // No server listens there, so the signed request fails.
    let url = "s3://bucket/x?endpoint=http%3A%2F%2F127.0.0.1%3A1";
    command.args(["sync", &source, url, "--config", &file, "-vv"]).env("XDG_STATE_HOME", &state);
    command.env("AWS_ACCESS_KEY_ID", "someone").env("AWS_SECRET_ACCESS_KEY", SECRET).env("RUST_LOG", "trace");
    let ended = command.output().unwrap();
    let output = [String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr)].concat();
    assert_eq!(ended.status.code(), Some(1), "{output}");
    assert!(output.contains("onnection refused") && !output.contains(SECRET), "{output}");
    let mut folders = vec![state];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).unwrap();
                assert!(!bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "{}", path.display());
            }
        }
    }
}
