//! `towpath status`: what a migration is doing, and how its last run ended.

use std::fs;
use std::process::Stdio;

use regex::Regex;
use rustix::process::Signal;
use serde_json::Value;

use crate::common::*;

impl Bench {
    /// `towpath status` with these arguments.
    fn status(&self, arguments: &[&str]) -> ProcessOutput {
        self.run_with_state(&[&["status"], arguments].concat(), &self.path("state"))
    }

    /// `towpath status --database` with the database of this bench.
    fn status_of_database(&self, arguments: &[&str]) -> ProcessOutput {
        let database = self.database();
        self.status(&[&["--database", database.to_str().unwrap()], arguments].concat())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.status_of_database(&["--json"]).with_status(0).stdout).unwrap()
    }

    /// A migration with the default database.
    fn sync_with_default_files(&self, source: &str) -> ProcessOutput {
        let (source, dest) = (self.path(source), self.path(format!("{source}-copy")));
        self.run_with_state(&["sync", source.to_str().unwrap(), dest.to_str().unwrap()], &self.path("state"))
    }

    /// A text without what differs from run to run.
    fn stable(&self, text: &str) -> String {
        let text = text.replace(self.folder.path().canonicalize().unwrap().to_str().unwrap(), "");
        let text = Regex::new(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}|\b[0-9]{2}:[0-9]{2}\b")
            .unwrap()
            .replace_all(&text, "TIME");
        Regex::new(r"after [0-9.]+ s").unwrap().replace_all(&text, "after A WHILE").into_owned()
    }
}

/// Forty files, of which a slow run has sent some.
fn with_some_sent(bench: &Bench) -> Running {
    for n in 0..40 {
        bench.write(format!("{n:02}"), noise(n, 100_000));
    }
    bench.start_until(&["--bwlimit", "500K", "--lanes", "2"], || {
        fs::read_to_string(bench.log_file()).is_ok_and(|log| log.contains("\"synced\""))
    })
}

#[test]
fn a_migration_that_finished_is_shown_with_its_runs() {
    let bench = Bench::new();
    bench.write("a", "data");
    bench.sync(&[]).with_status(0);
    bench.write("b", "more data");
    bench.sync(&[]).with_status(0);
    let text = bench.status_of_database(&[]).with_status(0).stdout;
    insta::assert_snapshot!(bench.stable(&text), @"
    finished TIME; nothing is pending
      trees     /old -> /new
      in sync   100.0 %: 13 B of 13 B, 2 of 2 files
      runs      TIME finished after A WHILE, scanned, sent 9 B in 1 file
                TIME finished after A WHILE, scanned, sent 4 B in 1 file
      database  /backlog.db
      log       /audit.jsonl
    ");
    let json = bench.json();
    assert_eq!(json["state"], "finished");
    assert_eq!(json["pid"], Value::Null);
    assert_eq!(json["files"], serde_json::json!({"total": 2, "synced": 2, "pending": 0, "failed": 0}));
    assert_eq!(json["bytes"], serde_json::json!({"total": 13, "synced": 13, "pending": 0, "failed": 0}));
    assert_eq!(json["runs"].as_array().unwrap().len(), 2);
    assert_eq!(json["runs"][0]["sent"], serde_json::json!({"files": 1, "bytes": 9}));
    assert_eq!(json["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn what_failed_is_shown_by_kind_and_side() {
    let bench = Bench::new();
    for name in ["a", "b"] {
        bench.write(name, "data");
        write(&bench.dest(), format!("{name}/in-the-way"), "x");
    }
    bench.sync(&["--lanes", "1"]).with_status(3);
    let text = bench.status_of_database(&[]).with_status(0).stdout;
    insta::assert_snapshot!(bench.stable(&text), @"
    finished TIME; 8 B in 2 files not in sync; run the same command to try again
      trees     /old -> /new
      in sync   0.0 %: 0 B of 8 B, 0 of 2 files
      errors    2 not-empty (destination), such as /new/a: destination: replace a: a non-empty directory has this name; empty it, or let --delete-extras do so
      runs      TIME finished after A WHILE, scanned, sent nothing, 2 failed
      database  /backlog.db
      log       /audit.jsonl
    ");
    let errors = &bench.json()["errors"];
    assert_eq!(
        (&errors[0]["kind"], &errors[0]["side"], &errors[0]["count"]),
        (&"not-empty".into(), &"dest".into(), &2.into())
    );
}

#[test]
fn a_run_that_was_stopped_says_by_what_and_what_to_do() {
    let bench = Bench::new();
    let run = with_some_sent(&bench);
    send_signal(&run, Signal::TERM);
    end(run).with_status(143);
    let text = bench.status_of_database(&[]).with_status(0).stdout;
    let first = bench.stable(text.lines().next().unwrap());
    assert!(
        first.starts_with("stopped TIME by SIGTERM; ")
            && first.ends_with(" files pending; run the same command to resume"),
        "{first}"
    );
    let json = bench.json();
    assert_eq!((&json["state"], &json["reason"]), (&"stopped".into(), &"signal SIGTERM".into()));
    assert_eq!(json["runs"][0]["outcome"], "stopped");
}

#[test]
fn a_run_that_was_killed_is_stopped_with_what_it_recorded() {
    let bench = Bench::new();
    let mut run = with_some_sent(&bench);
    run.kill().unwrap();
    run.wait().unwrap();
    let text = bench.status_of_database(&[]).with_status(0).stdout;
    assert!(text.contains("was killed; ") && text.contains("run the same command to resume"), "{text}");
    let json = bench.json();
    assert_eq!((&json["state"], &json["reason"]), (&"stopped".into(), &"killed".into()));
    assert_eq!(json["runs"][0]["outcome"], "killed");
    assert_eq!(json["runs"][0]["end"], Value::Null);
}

#[test]
fn all_migrations_are_listed_without_arguments() {
    let bench = Bench::new();
    let empty = bench.status(&[]).with_status(1);
    assert!(empty.stderr.contains("there are no migrations in"), "{}", empty.stderr);
    assert!(!bench.path("state").exists(), "asking creates nothing");
    for name in ["first", "second"] {
        write(&bench.path(name), "file", "data");
        bench.sync_with_default_files(name).with_status(0);
    }
    let table = bench.stable(&bench.status(&[]).with_status(0).stdout);
    // The widths depend on the folder.
    let table = Regex::new(" +").unwrap().replace_all(&table, " ").into_owned();
    insta::assert_snapshot!(table, @"
    STATE SOURCE DEST IN SYNC PENDING RATE WHEN
    finished /second /second-copy 100 % 0 - TIME
    finished /first /first-copy 100 % 0 - TIME
    ");
    let json = bench.status(&["--json"]).with_status(0).stdout;
    assert!(json.lines().all(|line| serde_json::from_str::<Value>(line).unwrap()["state"] == "finished"));
    assert_eq!(json.lines().count(), 2);
}

#[test]
fn a_migration_is_found_by_its_trees() {
    let bench = Bench::new();
    write(&bench.path("first"), "file", "data");
    bench.sync_with_default_files("first").with_status(0);
    let (source, dest) = (bench.path("first"), bench.path("first-copy"));
    let trees = [source.to_str().unwrap(), dest.to_str().unwrap()];
    assert!(bench.status(&trees).with_status(0).stdout.starts_with("finished"));
    let swapped = bench.status(&[trees[1], trees[0]]).with_status(1);
    assert!(swapped.stderr.contains("there is no migration") && swapped.stdout.is_empty(), "{}", swapped.stderr);
    let json = bench.status(&[trees[1], trees[0], "--json"]).with_status(1).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&json["state"], &json["source"]), (&"never_run".into(), &trees[1].into()));
    bench.status(&[trees[0]]).with_status(2);
}

#[test]
fn a_database_that_cannot_be_read_is_reported() {
    let bench = Bench::new();
    fs::write(bench.database(), "something else").unwrap();
    let ended = bench.status_of_database(&[]).with_status(1);
    assert!(ended.stderr.contains("is not a database of towpath"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1);
}

#[test]
fn a_watch_ends_with_the_run() {
    let bench = Bench::new();
    let run = with_some_sent(&bench);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["status", "--watch", "--json", "--interval", "100ms", "--database"]).arg(bench.database());
    let watching = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    end(run).with_status(0);
    let watched = end(watching).with_status(0).stdout;
    let states: Vec<_> =
        watched.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["state"].clone()).collect();
    assert!(states.len() > 2 && states[0] == "transferring", "{states:?}");
    assert_eq!(states.last().unwrap(), "finished");
}

/// What a run says of itself, its database says, too, once it is killed.
#[test]
fn a_run_and_its_database_agree_on_what_failed_and_when_the_trees_were_scanned() {
    let bench = Bench::new();
    bench.write("blocked", "12345");
    write(&bench.dest(), "blocked/in-the-way", "x");
    bench.write("large", noise(1, 8 << 20));
    let mut run = bench.start_until(&["--bwlimit", "1K"], || {
        let status = bench.status_of_database(&["--json"]).stdout;
        serde_json::from_str::<Value>(&status).is_ok_and(|status| {
            status["limit"].is_object() && status["files"]["failed"] == 1 && !status["errors"][0].is_null()
        })
    });
    let live = bench.json();
    run.kill().unwrap();
    run.wait().unwrap();
    let recorded = bench.json();
    assert_eq!((&live["state"], &live["bytes"]["failed"]), (&"transferring".into(), &5.into()), "{live}");
    for key in ["bytes", "files", "scanned_at", "errors", "version", "log", "source", "dest", "database"] {
        assert!(!live[key].is_null(), "{key}: {live}");
        assert_eq!(live[key], recorded[key], "{key}");
    }
    for key in ["number", "scanned", "sent", "deleted", "failed", "version"] {
        assert!(!live["runs"][0][key].is_null(), "{key}: {live}");
        assert_eq!(live["runs"][0][key], recorded["runs"][0][key], "{key}");
    }
}
