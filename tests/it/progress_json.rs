//! `--progress json`: one object a line on standard output.

use serde_json::Value;

use crate::common::*;

fn objects(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn names(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["event"].as_str().unwrap()).collect()
}

#[test]
fn each_line_is_an_event_and_the_last_one_the_summary() {
    let bench = Bench::new();
    bench.write("blocked", "data");
    bench.write("large", noise(1, 300_000));
    write(&bench.dest(), "blocked/inner", "");
    let options = ["--progress", "json", "--bwlimit", "200K", "--progress-interval", "200ms"];
    let ended = bench.sync(&options).with_status(3);
    assert_eq!(ended.stderr, "");
    let objects = objects(&ended.stdout);
    let names = names(&objects);
    for name in ["scan-started", "scan-finished", "attempt-started", "failed", "status"] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"synced"), "files that arrive need -v");
    let status = objects.iter().find(|object| object["state"] == "transferring").unwrap();
    assert_eq!((&status["event"], &status["files"]["total"]), (&"status".into(), &2.into()), "{status}");
    let summary = objects.last().unwrap();
    assert_eq!(summary["event"], "summary");
    assert_eq!(
        (&summary["outcome"], &summary["failed_files"], &summary["all_in_sync"]),
        (&"finished".into(), &1.into(), &false.into())
    );
    assert_eq!(summary["sent"], serde_json::json!({"files": 1, "bytes": 300_000}));
    assert_eq!(summary["errors"][0]["count"], 1, "{summary}");
    assert!(summary["errors"][0]["path"].as_str().unwrap().ends_with("/blocked"));
}

#[test]
fn with_verbose_each_file_is_an_event() {
    let bench = Bench::new();
    bench.write("a", "data");
    bench.write("b", "data");
    let ended = bench.sync(&["--progress", "json", "-v"]).with_status(0);
    let objects = objects(&ended.stdout);
    assert_eq!(names(&objects).iter().filter(|name| **name == "synced").count(), 2);
    let synced = objects.iter().find(|object| object["event"] == "synced").unwrap();
    assert_eq!((&synced["size"], &synced["algorithm"]), (&4.into(), &"sha256".into()));
}

#[test]
fn a_dry_run_and_quiet_have_other_formats() {
    let bench = Bench::new();
    let ended = bench.sync(&["--progress", "json", "--dry-run"]).with_status(2);
    assert!(ended.stderr.contains("--dry-run --format json"), "{}", ended.stderr);
    bench.sync(&["--progress", "json", "--quiet"]).with_status(2);
}
