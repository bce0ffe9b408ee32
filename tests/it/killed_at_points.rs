//! Kills a run at every critical point, each time that it reaches the point: the next run completes the migration,
//! and the log has each line once.

use std::fs;
use std::os::unix::fs::symlink;

use rustix::process::Signal;

use crate::common::*;

const EXTRAS: &[&str] = &["extra/deep/file", "extra/file", "first", "last"];
const FILES: u64 = 12;

/// A source with files, symlinks and directories, and a destination that has only extras.
fn bench() -> Bench {
    let bench = Bench::new();
    for n in 0..FILES {
        bench.write(format!("dir{}/{n}", n % 3), noise(n, (n * 3000) as usize));
    }
    fs::hard_link(bench.source().join("dir0/3"), bench.source().join("dir1/second-name")).unwrap();
    symlink("../dir0/0", bench.source().join("dir2/link")).unwrap();
    fs::create_dir(bench.source().join("empty")).unwrap();
    for name in EXTRAS {
        write(&bench.dest(), name, "extra");
    }
    bench
}

/// Kills a run at the point, each time that it reaches it, and completes the migration with another run.
fn killed_at(point: &str, options: &[&str]) {
    let options = &[&["--delete-extras", "--lanes", "2"], options].concat();
    for time in 1.. {
        let bench = bench();
        let ended = bench.sync_with_signal_at(point, Signal::KILL, time, options);
        if ended.status == 0 {
            assert!(time > 1, "no run reaches {point}");
            return;
        }
        let context = format!("killed at {point} at hit {time}");
        assert_eq!(ended.status, 128 + Signal::KILL.as_raw(), "{context}: {}", ended.stderr);
        let ended = bench.sync(options);
        assert_eq!(ended.status, 0, "{context}\n{}\n{}", ended.stdout, ended.stderr);
        bench.assert_same_trees();
        let rows = bench.rows();
        assert_eq!(rows.len() as u64, FILES + 2, "{context}");
        assert!(rows.values().all(|row| row.status == "synced"), "{context}");
        let once = |status: &str| {
            let logged = bench.logged(status);
            assert!(logged.values().all(|times| *times == 1), "{context}: {logged:?}");
            logged.len()
        };
        assert_eq!(once("synced") as u64, FILES + 2, "{context}");
        assert_eq!(once("deleted"), EXTRAS.len() + 2, "{context}: each file and both directories");
        let started: Vec<_> = bench
            .run_lines()
            .into_iter()
            .filter(|line| line["status"] == "run-started")
            .map(|line| line["run"].as_i64())
            .collect();
        let runs = bench.count("SELECT count(*) FROM run");
        assert_eq!(started, (1..=runs).map(Some).collect::<Vec<_>>(), "{context}: each run has one first line");
    }
}

#[test]
fn a_kill_during_the_scan_loses_nothing() {
    killed_at("during-scan", &[]);
}

#[test]
fn a_kill_after_the_flush_loses_nothing() {
    killed_at("after-flush", &[]);
}

#[test]
fn a_kill_before_the_commit_loses_nothing() {
    killed_at("before-commit", &[]);
}

#[test]
fn a_kill_between_outbox_and_log_loses_nothing() {
    killed_at("between-outbox-and-log", &[]);
}

#[test]
fn a_kill_after_the_log_loses_nothing() {
    killed_at("after-log", &[]);
}

#[test]
fn a_kill_before_a_rename_loses_nothing() {
    killed_at("before-rename", &["--write-mode", "atomic"]);
}

#[test]
fn a_kill_before_a_removal_loses_nothing() {
    killed_at("before-removal", &[]);
}

#[test]
fn a_kill_after_a_removal_loses_nothing() {
    killed_at("after-removal", &[]);
}

#[test]
fn several_killed_runs_in_a_row_lose_nothing() {
    let bench = Bench::new();
    for n in 0..300u64 {
        bench.write(format!("{}/{n}", n % 20), noise(n, (n * 31 % 3000) as usize));
    }
    let mut resumed = 0;
    let points = ["before-commit", "between-outbox-and-log", "after-log"].map(|point| (point, 2));
    for (point, time) in points.into_iter().chain([("after-flush", 1)]).cycle().take(8) {
        let then_scan: &[_] = if resumed % 2 == 0 { &[] } else { &["--then-scan"] };
        // At this rate a run records more than one batch.
        let ended = bench.sync_with_signal_at(point, Signal::KILL, time, &[&["--bwlimit", "200K"], then_scan].concat());
        resumed += usize::from(ended.stdout.contains("resuming"));
    }
    bench.sync(&[]).with_status(0);
    assert!(resumed > 0, "no killed run left a backlog");
    bench.assert_same_trees();
    assert!(bench.rows().values().all(|row| row.status == "synced" && row.hash.is_some()));
    let synced = bench.logged("synced");
    assert!(synced.len() == 300 && synced.values().all(|times| *times == 1), "{synced:?}");
    let finished = bench.run_lines().into_iter().filter(|line| line["status"] == "run-ended").count() as i64;
    assert_eq!(finished, bench.count("SELECT count(*) FROM run WHERE finished IS NOT NULL"));
}

#[test]
fn an_interrupted_scan_leaves_no_backlog() {
    for signal in [Signal::KILL, Signal::INT] {
        let bench = Bench::new();
        for n in 0..400 {
            bench.write(format!("{}/{n}", n % 40), "");
        }
        let ended = bench.sync_with_signal_at("during-scan", signal, 20, &["--walkers", "1"]);
        ended.with_status(128 + signal.as_raw());
        assert_eq!(bench.count("SELECT count(*) FROM scan WHERE finished IS NULL"), 1);
        assert!(
            (1..400).contains(&bench.count("SELECT count(*) FROM file")),
            "the scan must be interrupted after it recorded some files"
        );
        let ended = bench.sync(&[]).with_status(0);
        assert!(ended.stdout.contains("the last scan was interrupted"), "{}", ended.stdout);
        bench.assert_same_trees();
        assert_eq!(bench.rows().len(), 400);
    }
}

#[test]
fn killed_deletions_are_resumed_and_logged_once() {
    let bench = Bench::new();
    bench.write("dir/file", "data");
    for n in 0..300 {
        write(&bench.dest(), format!("extra/{}/{n}", n % 10), "extra");
    }
    let options = ["--delete-extras", "--max-delete", "100%"];
    for (point, time) in [("before-removal", 1), ("after-removal", 1), ("after-removal", 100), ("before-removal", 150)]
    {
        let killed = bench.sync_with_signal_at(point, Signal::KILL, time, &options);
        assert_eq!(killed.status, 137, "{point}:{time}");
    }
    bench.sync(&options).with_status(0);
    bench.assert_same_trees();
    let deleted = bench.logged("deleted");
    assert_eq!(deleted.len(), 300 + 11, "each file and directory has its line");
    assert!(deleted.values().all(|times| *times == 1), "only one line: {deleted:?}");
}
