//! `towpath ctl`: how a run is addressed, and what is printed.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use crate::common::*;
use crate::root::is_root_or_skip;

fn ctl(bench: &Bench, words: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.env("XDG_STATE_HOME", bench.path("state")).env("TZ", "Europe/Berlin").arg("ctl").args(words);
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Answers one request; returns it.
fn answer_once(listener: &UnixListener, status: &str, body: &str) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let mut request = String::new();
    while !request.ends_with('}') {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        request += std::str::from_utf8(&buffer[..count]).unwrap();
    }
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).unwrap();
    request
}

#[test]
fn without_a_run_nothing_is_created_and_the_database_is_named() {
    let bench = Bench::new();
    let ended = ctl(&bench, &["pause", bench.source().to_str().unwrap(), bench.dest().to_str().unwrap()]);
    let ended = ended.with_status(1);
    assert!(
        ended.stderr.starts_with("towpath: no run from ") && ended.stderr.contains("/state/towpath/"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.stderr.lines().count(), 1);
    assert!(!bench.path("state").exists() && !bench.dest().exists());
    let ended = ctl(&bench, &["resume", "--database", bench.database().to_str().unwrap()]).with_status(1);
    assert!(ended.stderr.contains("no run with the database"), "{}", ended.stderr);
    // The socket of a killed run.
    let socket = format!("{}.sock", bench.database().display());
    drop(UnixListener::bind(&socket).unwrap());
    ctl(&bench, &["resume", "--database", bench.database().to_str().unwrap()]).with_status(1);
}

#[test]
fn the_run_at_the_socket_is_asked_and_its_answer_printed() {
    let bench = Bench::new();
    let listener = UnixListener::bind(format!("{}.sock", bench.database().display())).unwrap();
    let run = std::thread::spawn(move || {
        let body = r#"{"state":"paused","limit":{"kind":"fixed","bytes_per_s":20971520,"set_by":"timetable"},
            "next_limit":{"kind":"off","time":"2199-12-24T17:00:00Z"},
            "pause":{"until":"2199-12-24T08:00:00Z","by":"user alice (uid 1000)"}}"#;
        let asked = answer_once(&listener, "200 OK", body);
        let error = r#"{"error":{"code":"conflict","message":"the run is ending"}}"#;
        (asked, answer_once(&listener, "409 Conflict", error))
    });
    let database = bench.database();
    let address = ["--database", database.to_str().unwrap()];
    let paused = ctl(&bench, &[&["pause", "--until", "2199-12-24T09:00"], &address[..]].concat()).with_status(0);
    insta::assert_snapshot!(paused.stdout, @r"
    paused until 2199-12-24 09:00, by user alice (uid 1000)
    limit: 20 MiB/s each way, set by timetable
    next:  none at 2199-12-24 18:00
    ");
    let refused = ctl(&bench, &[&["limit", "off"], &address[..]].concat()).with_status(1);
    assert_eq!(refused.stderr, "towpath: the run cannot do that: the run is ending\n");
    let (paused, limited) = run.join().unwrap();
    assert!(paused.starts_with("POST /v1/pause HTTP/1.1\r\n"), "{paused}");
    assert!(paused.ends_with(r#"{"until":"2199-12-24T08:00:00Z"}"#), "{paused}");
    assert!(limited.starts_with("PUT /v1/limit HTTP/1.1\r\n"), "{limited}");
    assert!(limited.ends_with(r#"{"rate":"off","until":null}"#), "{limited}");
}

#[test]
fn arguments_that_name_no_run_or_no_time_are_usage_errors() {
    let bench = Bench::new();
    for (words, problem) in [
        (&["pause"][..], "SOURCE"),
        (&["limit", "20M", "/a"], "either SOURCE and DEST, or --database"),
        (&["limit", "20Q", "/a", "/b"], "K, M, G"),
        (&["pause", "/a", "/b", "--until", "soon"], "use 18:00"),
        (&["stop", "/a", "/b", "--until", "18:00"], "--until"),
    ] {
        let ended = ctl(&bench, words).with_status(2);
        assert!(ended.stderr.contains(problem), "{words:?}: {}", ended.stderr);
    }
}

#[test]
fn help_is_for_newcomers() {
    let bench = Bench::new();
    for action in ["", "pause", "limit", "stop"] {
        let words: Vec<_> = [action, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let ended = ctl(&bench, &words).with_status(0);
        insta::assert_snapshot!(format!("ctl_help_{action}"), ended.stdout);
    }
}

#[test]
fn the_socket_beside_a_database_in_a_tree_is_no_part_of_the_tree() {
    for in_source in [true, false] {
        let bench = Bench::new();
        std::fs::write(bench.source().join("file"), "x").unwrap();
        bench.sync(&[]).with_status(0);
        let tree = if in_source { bench.source() } else { bench.dest() };
        let database = tree.join("a.db");
        let socket = tree.join("a.db.sock");
        drop(UnixListener::bind(&socket).unwrap());
        let (database, log) = (database.to_str().unwrap(), bench.path("other.log"));
        let options = ["--database", database, "--log-file", log.to_str().unwrap(), "--delete-extras", "--rescan"];
        let trees = [bench.source(), bench.dest()];
        let listed = towpath_sync(&bench, &trees, &[&options[..], &["--dry-run"]].concat()).with_status(0);
        assert!(!listed.stdout.contains("a.db.sock"), "{}", listed.stdout);
        towpath_sync(&bench, &trees, &options).with_status(0);
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(!log.contains("a.db.sock"), "{log}");
    }
}

fn towpath_sync(bench: &Bench, trees: &[std::path::PathBuf; 2], options: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.env("XDG_STATE_HOME", bench.path("state")).arg("sync").args(trees).args(options);
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn the_run_of_another_user_cannot_be_steered() {
    use std::os::unix::fs::PermissionsExt as _;
    if !is_root_or_skip("a program that runs as another user") {
        return;
    }
    let bench = Bench::new();
    let socket = format!("{}.sock", bench.database().display());
    let _listener = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(bench.path(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o600)).unwrap();
    // Other users may not access the build folder.
    let program = bench.path("towpath");
    std::fs::copy(env!("CARGO_BIN_EXE_towpath"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
    command.args(["ctl", "stop", "--database", bench.database().to_str().unwrap()]);
    let ended = end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(1);
    assert!(ended.stderr.contains("it belongs to another user: run this as that user or as root"), "{}", ended.stderr);
}
