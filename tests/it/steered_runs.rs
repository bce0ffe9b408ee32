//! Runs that are steered from outside while they copy: `towpath ctl`, `towpath status` and the control API.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::*;

/// Runs `towpath` with the database of the bench.
fn ask(bench: &Bench, words: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(words).arg("--database").arg(bench.database());
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// The status as JSON; null without a migration.
fn status(bench: &Bench) -> Value {
    serde_json::from_str(&ask(bench, &["status", "--json"]).stdout).unwrap_or_default()
}

/// Whether a run sends, and answers. Before it listens, its state is known from the database.
fn sends(bench: &Bench) -> bool {
    let status = status(bench);
    status["state"] == "transferring" && status["limit"].is_object()
}

/// A run that needs two hours at its limit, once it sends.
fn start_slow(bench: &Bench, options: &[&str]) -> Running {
    bench.write("large", noise(1, 8 << 20));
    let options = [&["--bwlimit", "1K"], options].concat();
    bench.start_until(&options, || sends(bench))
}

#[test]
fn each_command_takes_effect_within_a_second_and_is_logged_with_the_user() {
    let bench = Bench::new();
    let run = start_slow(&bench, &[]);
    let takes_effect = |words: &[&str], has_effect: &dyn Fn(&Value) -> bool| {
        ask(&bench, words).with_status(0);
        let asked = Instant::now();
        assert!(has_effect(&status(&bench)), "{words:?}: {}", status(&bench));
        // Starting two programs takes most of this time.
        assert!(asked.elapsed() < Duration::from_secs(20));
    };
    takes_effect(&["ctl", "pause"], &|status| status["state"] == "paused");
    let paused = status(&bench);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(status(&bench)["session_bytes"], paused["session_bytes"], "nothing is sent in a pause");
    takes_effect(&["ctl", "limit", "200M", "--for", "2h"], &|status| {
        status["limit"]["bytes_per_s"] == 200 << 20
            && status["limit"]["set_by"] == "control"
            && status["limit"]["until"].is_string()
    });
    takes_effect(&["ctl", "limit", "--reset"], &|status| {
        status["limit"]["bytes_per_s"] == 1024 && status["limit"]["set_by"] == "option"
    });
    takes_effect(&["ctl", "limit", "off"], &|status| status["limit"]["bytes_per_s"].is_null());
    ask(&bench, &["ctl", "resume"]).with_status(0);
    end(run).with_status(0);
    bench.assert_same_trees();
    let log = bench.log();
    let by: Vec<_> = log.iter().filter(|line| line["by"].is_string()).collect();
    let statuses: Vec<_> = by.iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["paused", "limit-set", "limit-set", "limit-set", "resumed"]);
    let uid = format!("uid {}", rustix::process::getuid().as_raw());
    assert!(by.iter().all(|line| line["by"].as_str().unwrap().contains(&uid)), "{by:?}");
    assert_eq!(status(&bench)["state"], "finished");
    ask(&bench, &["ctl", "pause"]).with_status(1);
}

#[test]
fn a_run_is_stopped_from_outside_and_resumed_by_the_same_command() {
    let bench = Bench::new();
    let run = start_slow(&bench, &[]);
    ask(&bench, &["ctl", "stop"]).with_status(0);
    end(run).with_status(130);
    let stopped = status(&bench);
    assert_eq!((&stopped["state"], &stopped["files"]["pending"]), (&"stopped".into(), &1.into()));
    assert!(stopped["reason"].as_str().unwrap().contains("uid"), "{stopped}");
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_run_that_is_starting_is_waited_for() {
    let bench = Bench::new();
    bench.write("large", noise(1, 8 << 20));
    // It does not go on before it has read its configuration.
    let mut command = bench.command(&["--bwlimit", "1K", "--config", "/dev/stdin"]);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut run = Running::from(spawned.unwrap());
    let mut stderr = String::new();
    wait_until("the run is starting", || {
        stderr = ask(&bench, &["ctl", "pause"]).with_status(1).stderr;
        !stderr.contains("no run with the database")
    });
    assert_eq!(stderr, "towpath: the run is still starting and does not answer after 5 s: try again\n");
    let unknown = ask(&bench, &["status"]).with_status(1).stderr;
    assert!(unknown.contains("a run is starting and does not answer yet; the database is read instead"), "{unknown}");
    let [mut pause, status] = [&["ctl", "pause"][..], &["status", "--json"]].map(|words| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.args(words).arg("--database").arg(bench.database());
        Running::from(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    });
    drop(run.stdin.take());
    wait_until("the run is paused", || pause.try_wait().unwrap().is_some());
    end(pause).with_status(0);
    let status: Value = serde_json::from_str(&end(status).with_status(0).stdout).unwrap();
    assert_eq!(status["pid"], run.id(), "{status}");
    ask(&bench, &["ctl", "resume"]).with_status(0);
    ask(&bench, &["ctl", "limit", "off"]).with_status(0);
    end(run).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_run_without_a_socket_is_named() {
    let bench = Bench::new();
    // Something else has its place.
    write(&bench.path(""), "backlog.db.sock", "");
    bench.write("large", noise(1, 8 << 20));
    let run = bench.start_until(&["--bwlimit", "1K"], || status(&bench)["state"] == "transferring");
    let ended = ask(&bench, &["ctl", "limit", "off"]).with_status(1);
    assert!(
        ended.stderr.contains(&format!("the run of process {} has no control socket", run.id())),
        "{}",
        ended.stderr
    );
    send_signal(&run, Signal::TERM);
    end(run).with_status(143);
}

#[test]
fn a_killed_run_has_a_status_and_its_socket_is_replaced() {
    let bench = Bench::new();
    let run = start_slow(&bench, &[]);
    let socket = bench.path("backlog.db.sock");
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    send_signal(&run, Signal::KILL);
    drop(end(run));
    assert!(socket.exists());
    let killed = status(&bench);
    assert_eq!(killed["state"], "stopped", "{killed}");
    assert_eq!(killed["runs"][0]["outcome"], "killed", "{killed}");
    ask(&bench, &["ctl", "pause"]).with_status(1);
    let run = bench.start_until(&["--bwlimit", "1K"], || sends(&bench));
    ask(&bench, &["ctl", "limit", "off"]).with_status(0);
    end(run).with_status(0);
    assert!(!socket.exists(), "removed at the end");
}

/// The first line and the body of an answer over TCP.
fn over_tcp(address: &str, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.lines().next().unwrap().to_owned(), body.to_owned())
}

#[test]
fn over_tcp_the_status_is_served_and_changes_need_a_token() {
    let bench = Bench::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let run = start_slow(&bench, &["--listen", &address]);
    let get = |route: &str, host: &str| {
        over_tcp(&address, &format!("GET {route} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    let (head, body) = get("/v1/status", &address);
    assert!(head.contains("200") && body.contains("\"transferring\""), "{head} {body}");
    let (head, body) = get("/metrics", &address);
    assert!(
        head.contains("200")
            && body.lines().any(|line| line.starts_with("towpath_backlog_files{") && line.ends_with(" 1")),
        "{head} {body}"
    );
    let (head, _) = get("/v1/status", "attacker.example");
    assert!(!head.contains("200"), "{head}");
    let pause = format!(
        "POST /v1/pause HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
         Connection: close\r\n\r\n{{}}"
    );
    let (head, _) = over_tcp(&address, &pause);
    assert!(head.contains("401") || head.contains("403"), "{head}");
    assert_eq!(status(&bench)["state"], "transferring");
    ask(&bench, &["ctl", "stop"]).with_status(0);
    drop(end(run));
    let refused = bench.sync(&["--listen", "0.0.0.0:0"]).with_status(1);
    assert!(refused.stderr.contains("--listen-token-file"), "{}", refused.stderr);
}

#[test]
fn errors_are_listed_with_their_reasons() {
    let bench = Bench::new();
    bench.write("blocked", "data");
    write(&bench.dest(), "blocked/by a file", "data");
    let run = start_slow(&bench, &[]);
    let mut answer = Value::Null;
    wait_until("the failure is listed", || {
        answer = over_unix(&bench, "/v1/errors");
        answer["errors"][0].is_object()
    });
    ask(&bench, &["ctl", "stop"]).with_status(0);
    drop(end(run));
    let error = &answer["errors"][0];
    assert_eq!((&error["status"], answer["errors"].as_array().unwrap().len()), (&"failed".into(), 1));
    assert!(error["source"].as_str().unwrap().ends_with("/blocked") && error["error"].is_string(), "{error}");
}

fn over_unix(bench: &Bench, route: &str) -> Value {
    let mut stream = std::os::unix::net::UnixStream::connect(bench.path("backlog.db.sock")).unwrap();
    write!(stream, "GET {route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn who_follows_a_run_learns_how_it_ended() {
    let bench = Bench::new();
    let run = start_slow(&bench, &[]);
    let mut stream = std::os::unix::net::UnixStream::connect(bench.path("backlog.db.sock")).unwrap();
    write!(stream, "GET /v1/events?only=status HTTP/1.0\r\nHost: x\r\n\r\n").unwrap();
    let (mut head, mut first) = ([0; 12], [0; 512]);
    stream.read_exact(&mut head).unwrap();
    stream.read_exact(&mut first).unwrap();
    let history = over_unix(&bench, "/v1/history?window=all");
    assert_eq!((&history["window"], &history["step_s"]), (&"all".into(), &5.into()), "{history}");
    assert_eq!(history["bytes_per_s"].as_array().map(Vec::len), history["delay_ms"].as_array().map(Vec::len));
    ask(&bench, &["ctl", "limit", "off"]).with_status(0);
    end(run).with_status(0);
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    let (_, last) = rest.rsplit_once("event: status\ndata: ").unwrap();
    let (status, end) = last.split_once("\n\n").unwrap();
    let status: Value = serde_json::from_str(status).unwrap();
    assert_eq!((&status["state"], &status["runs"][0]["outcome"]), (&"finished".into(), &"finished".into()));
    assert!(end.contains("event: end\n"), "{end}");
}

#[test]
fn clients_that_do_not_read_do_not_stop_a_run() {
    let bench = Bench::new();
    for name in 0..3000 {
        bench.write(format!("small/{name}"), b"data");
    }
    let run = start_slow(&bench, &[]);
    // Clients that ask for events and never read them.
    let clients: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = std::os::unix::net::UnixStream::connect(bench.path("backlog.db.sock")).unwrap();
            write!(stream, "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            stream
        })
        .collect();
    ask(&bench, &["ctl", "limit", "off"]).with_status(0);
    end(run).with_status(0);
    bench.assert_same_trees();
    drop(clients);
}
