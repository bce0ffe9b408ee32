//! `--on-event`: commands that are run for what happens in a run.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::*;

/// Where the commands of a bench write.
fn told(bench: &Bench) -> PathBuf {
    bench.path("told")
}

/// A command that keeps the objects, and fails if the variable names another event.
fn keep(bench: &Bench) -> String {
    format!(
        r#"read -r line; echo "$line" >> '{}'; case $line in '{{"event":"'$TOWPATH_EVENT'",'*) ;; *) exit 9; esac"#,
        told(bench).display()
    )
}

fn objects(bench: &Bench) -> Vec<Value> {
    // A line that is being written is no object yet.
    let text = fs::read_to_string(told(bench)).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn names(bench: &Bench) -> Vec<String> {
    objects(bench).iter().map(|object| object["event"].as_str().unwrap().to_owned()).collect()
}

fn ctl(bench: &Bench, words: &[&str]) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("ctl").args(words).arg("--database").arg(bench.database());
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(0);
}

/// A run that needs hours at its limit, once it sends.
fn start_slow(bench: &Bench, options: &[&str]) -> Running {
    bench.write("large", noise(1, 8 << 20));
    let options = [&["--bwlimit", "1K"], options].concat();
    bench.start_until(&options, || bench.path("backlog.db.sock").exists() && bench.has_arrivals())
}

#[test]
fn a_command_learns_how_a_run_is_steered_and_that_it_was_stopped() {
    let bench = Bench::new();
    let run = start_slow(&bench, &["--on-event", &keep(&bench)]);
    ctl(&bench, &["pause"]);
    ctl(&bench, &["limit", "20K"]);
    ctl(&bench, &["resume"]);
    wait_until("three events", || objects(&bench).len() == 3);
    ctl(&bench, &["stop"]);
    let ended = end(run).with_status(130);
    assert!(!ended.stderr.contains("--on-event"), "{}", ended.stderr);
    assert_eq!(names(&bench), ["paused", "limit-set", "resumed", "stopped"]);
    let objects = objects(&bench);
    for object in &objects {
        assert_eq!(object["source"], bench.source().to_str().unwrap());
        assert_eq!(object["dest"], bench.dest().to_str().unwrap());
        assert_eq!(object["database"], bench.database().to_str().unwrap());
        assert!(object["time"].is_string() && object["text"].is_string(), "{object}");
        assert_eq!(object["status"]["files"]["pending"], 1, "{object}");
    }
    let [paused, limit, resumed, stopped] = &objects[..] else { panic!() };
    assert!(paused["reason"].as_str().unwrap().starts_with("by user "), "{paused}");
    assert_eq!(paused["status"]["state"], "paused");
    assert_eq!(limit["bwlimit"], 20 << 10);
    assert!(resumed["text"].as_str().unwrap().starts_with("resumed by user "), "{resumed}");
    assert_eq!((&stopped["exit_status"], &stopped["status"]["state"]), (&130.into(), &"stopped".into()));
}

#[test]
fn a_command_learns_how_a_run_ended_before_the_program_does() {
    let bench = Bench::new();
    bench.write("a", "data");
    // The program waits for it.
    let command = format!("sleep 0.3; {}", keep(&bench));
    bench.sync(&["--on-event", &command]).with_status(0);
    bench.write("b", "data");
    fs::create_dir(bench.dest().join("b")).unwrap();
    fs::write(bench.dest().join("b/full"), "").unwrap();
    bench.sync(&["--on-event", &command]).with_status(3);
    let objects = objects(&bench);
    assert_eq!(names(&bench), ["finished", "finished"]);
    let ends: Vec<_> = objects.iter().map(|object| (&object["exit_status"], &object["status"]["state"])).collect();
    assert_eq!(ends, [(&0.into(), &"finished".into()), (&3.into(), &"finished".into())]);
    assert_eq!(objects[0]["status"]["runs"][0]["sent"]["files"], 1, "{}", objects[0]);
    assert_eq!(objects[1]["status"]["files"]["failed"], 1, "{}", objects[1]);
    bench.sync(&["--on-event", &command, "--dry-run"]).with_status(3);
    assert_eq!(names(&bench).len(), 2, "a dry run is nothing to report");
}

#[test]
fn a_command_learns_of_a_run_that_could_not_begin_and_of_a_guard() {
    let bench = Bench::new();
    bench.write("a", "data");
    bench.sync(&[]).with_status(0);
    fs::rename(bench.source(), bench.path("away")).unwrap();
    let command = keep(&bench);
    bench.sync(&["--on-event", &command]).with_status(1);
    fs::create_dir(bench.source()).unwrap();
    let refused = bench.sync(&["--on-event", &command]).with_status(4);
    assert_eq!(names(&bench), ["failed", "failed"]);
    let [away, guard] = &objects(&bench)[..] else { panic!() };
    assert_eq!((&away["exit_status"], &away["status"]), (&1.into(), &Value::Null));
    assert_eq!(away["source"], bench.source().to_str().unwrap());
    assert_eq!(away["text"], format!("failed: {}", away["error"].as_str().unwrap()));
    assert_eq!(guard["exit_status"], 4);
    assert!(refused.stderr.contains(guard["error"].as_str().unwrap()), "{guard} {}", refused.stderr);
}

#[test]
fn a_command_learns_that_the_deadline_is_at_risk() {
    let bench = Bench::new();
    let run = start_slow(&bench, &["--on-event", &keep(&bench), "--deadline", "2026-01-01"]);
    wait_until("the deadline is at risk", || names(&bench).contains(&"deadline-at-risk".to_owned()));
    send_signal(&run, Signal::TERM);
    end(run).with_status(143);
    let objects = objects(&bench);
    let risk = objects.iter().find(|object| object["event"] == "deadline-at-risk").unwrap();
    assert!(risk["deadline"].is_string() && risk["text"].as_str().unwrap().contains("deadline"), "{risk}");
    assert_eq!(objects.last().unwrap()["event"], "stopped");
}

#[test]
fn a_command_that_fails_is_a_warning_with_its_last_words_and_changes_nothing() {
    let bench = Bench::new();
    bench.write("a", "data");
    let command = "echo first >&2; echo 'no route to host' >&2; exit 7";
    let ended = bench.sync(&["--on-event", command, "--quiet"]).with_status(0);
    assert_eq!(ended.stderr, "warning: --on-event for `finished`: exit status 7: no route to host\n");
    assert_eq!(ended.stdout, "");
    let run = start_slow(&bench, &["--on-event", "echo unheard; kill -KILL $$", "--quiet"]);
    ctl(&bench, &["pause"]);
    ctl(&bench, &["stop"]);
    let ended = end(run).with_status(130);
    let warnings =
        ["paused", "stopped"].map(|event| format!("warning: --on-event for `{event}`: killed by signal 9\n"));
    assert_eq!(ended.stderr, warnings.concat());
}

#[test]
fn a_command_inherits_nothing_of_the_run_and_leaves_no_zombie() {
    let bench = Bench::new();
    let list = format!("ls -l /proc/$$/fd > '{0}'; env >> '{0}'; mv '{0}' '{0}.done'", told(&bench).display());
    let mut command = bench.command(&["--bwlimit", "1K", "--on-event", &list]);
    bench.write("large", noise(1, 8 << 20));
    command.env("NOTIFY_SOCKET", "/nowhere").env("WATCHDOG_USEC", "60000000");
    let run = Running::from(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    wait_until("it sends", || bench.path("backlog.db.sock").exists() && bench.has_arrivals());
    ctl(&bench, &["pause"]);
    let done = bench.path("told.done");
    wait_until("the command has run", || done.exists());
    let text = fs::read_to_string(done).unwrap();
    let open: Vec<_> = text.lines().filter(|line| line.contains(" -> ")).collect();
    assert!(open.len() >= 3, "{text}");
    let folder = bench.folder.path().to_str().unwrap();
    let is_of_run = |line: &&&str| {
        let is_own = line.ends_with("/told");
        line.contains("socket:") || line.contains("anon_inode:") || (line.contains(folder) && !is_own)
    };
    assert_eq!(open.iter().filter(is_of_run).count(), 0, "{text}");
    assert!(text.contains("TOWPATH_EVENT=paused") && !text.contains("NOTIFY_SOCKET") && !text.contains("WATCHDOG"));
    wait_until("no child is left", || {
        let tasks = fs::read_dir(format!("/proc/{}/task", run.id())).unwrap();
        tasks.flatten().all(|task| fs::read_to_string(task.path().join("children")).unwrap_or_default().is_empty())
    });
    ctl(&bench, &["stop"]);
    end(run).with_status(130);
}
