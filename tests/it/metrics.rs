//! Metrics as Prometheus reads them: over HTTP, and from a file.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::common::*;

/// Parses metrics with Prometheus' own library for Python, in the format that the first argument names, and prints each
/// sample: its name, its labels in order, its value.
const PARSE: &str = r#"
import sys
if sys.argv[1] == "openmetrics":
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse
else:
    from prometheus_client.parser import text_string_to_metric_families as parse
names = set()
for family in parse(sys.stdin.read()):
    assert family.documentation.endswith("."), family
    assert family.name not in names, family.name
    names.add(family.name)
    assert family.type in ("counter", "gauge", "info"), family
    for sample in family.samples:
        labels = ",".join(f"{key}={value}" for key, value in sorted(sample.labels.items()) if key != "migration")
        assert len(sample.labels["migration"]) == 12, sample
        print(sample.name, labels, sample.value, sep="\t")
"#;

/// A tool beside the build or in the path.
fn tool(name: &str) -> PathBuf {
    let prepared = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools").join(name);
    if prepared.exists() { prepared } else { PathBuf::from(name.rsplit('/').next().unwrap()) }
}

/// A Python that has Prometheus' parser, or why there is none.
fn python() -> Option<PathBuf> {
    let python = tool("prometheus/bin/python3");
    let checked = Command::new(&python).args(["-c", "import prometheus_client"]).stderr(Stdio::null()).status();
    if checked.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    skip(
        "needs prometheus_client for Python (tests/prometheus/install.sh): metrics are not parsed by Prometheus' parser",
    );
    None
}

fn with_input(command: &mut Command, input: &str) -> ProcessOutput {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    end(child)
}

/// The samples as Prometheus understands them: name, labels, value.
fn samples(python: &Path, format: &str, text: &str) -> Vec<(String, String, f64)> {
    let parsed = with_input(Command::new(python).args(["-c", PARSE, format]), text).with_status(0);
    let sample = |line: &str| {
        let mut columns = line.split('\t').map(str::to_owned);
        let mut next = || columns.next().unwrap();
        (next(), next(), next().parse().unwrap())
    };
    parsed.stdout.lines().map(sample).collect()
}

#[track_caller]
fn value(samples: &[(String, String, f64)], name: &str, labels: &str) -> f64 {
    let found = samples.iter().find(|sample| sample.0 == name && sample.1 == labels);
    found.unwrap_or_else(|| panic!("{name} {labels} is not in {samples:#?}")).2
}

/// The content type and the metrics of a run.
fn scrape(bench: &Bench, accept: &str) -> Option<(String, String)> {
    let mut stream = UnixStream::connect(bench.path("backlog.db.sock")).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: {accept}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let content_type =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-type: ").map(str::to_owned));
    Some((content_type?, body.to_owned()))
}

fn has(bench: &Bench, sample: &str) -> bool {
    scrape(bench, "*/*").is_some_and(|(_, text)| text.contains(sample))
}

/// A run that has sent a small file, failed one, and needs hours for a large one.
fn start(bench: &Bench, options: &[&str]) -> Running {
    bench.write("large", noise(1, 8 << 20));
    bench.write("small", "1234");
    bench.write("blocked", "data");
    write(&bench.dest(), "blocked/by a file", "data");
    let options = [&["--bwlimit", "1K"], options].concat();
    bench.start_until(&options, || has(bench, "outcome=\"failed\"} 1\n") && has(bench, "outcome=\"synced\"} 1\n"))
}

const TEXT: &str = "text/plain;version=0.0.4";
const OPEN_METRICS: &str = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.3";

#[test]
fn prometheus_understands_both_formats_and_counters_go_on_after_a_kill() {
    let bench = Bench::new();
    let run = start(&bench, &["--deadline", "2999-12-24"]);
    let (content_type, text) = scrape(&bench, TEXT).unwrap();
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    let (content_type, open_metrics) = scrape(&bench, OPEN_METRICS).unwrap();
    assert_eq!(content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert!(!text.contains(bench.folder.path().to_str().unwrap()), "a path in\n{text}");
    send_signal(&run, Signal::KILL);
    drop(end(run));
    let run = bench.start_until(&["--bwlimit", "1K"], || has(&bench, "outcome=\"synced\"}"));
    let (_, resumed) = scrape(&bench, TEXT).unwrap();
    send_signal(&run, Signal::KILL);
    drop(end(run));
    let synced = |text: &str| {
        let line = text.lines().find(|line| line.starts_with("towpath_files_total{") && line.contains("synced"));
        line.unwrap_or_else(|| panic!("{text}")).to_owned()
    };
    assert!(synced(&text).ends_with(" 1") && synced(&resumed) == synced(&text), "{text}\n{resumed}");

    let Some(python) = python() else { return };
    let (text, open_metrics) = (samples(&python, "text", &text), samples(&python, "openmetrics", &open_metrics));
    let names = |samples: &[(String, String, f64)]| -> Vec<_> {
        // Whether there is a forecast may change in between.
        let lasting = samples.iter().filter(|(name, ..)| !name.starts_with("towpath_eta_"));
        lasting.map(|(name, labels, _)| (name.clone(), labels.clone())).collect()
    };
    assert_eq!(names(&text), names(&open_metrics), "both formats have the same samples");
    for (name, labels, expected) in [
        ("towpath_files_total", "outcome=synced", 1.0),
        ("towpath_file_bytes_total", "outcome=synced", 4.0),
        ("towpath_file_bytes_total", "outcome=failed", 4.0),
        ("towpath_state", "state=transferring", 1.0),
        ("towpath_state", "state=paused", 0.0),
        ("towpath_limit_bytes_per_second", "", 1024.0),
        ("towpath_limited", "", 1.0),
        ("towpath_paused", "", 0.0),
        ("towpath_scan_entries", "side=source,type=file", 3.0),
        ("towpath_deadline_timestamp_seconds", "", value(&text, "towpath_deadline_timestamp_seconds", "")),
    ] {
        assert_eq!(value(&text, name, labels), expected, "{name} {labels}");
        assert_eq!(value(&open_metrics, name, labels), expected, "{name} {labels}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    for name in ["run_start", "last_commit", "last_progress", "collected"] {
        let at = value(&text, &format!("towpath_{name}_timestamp_seconds"), "");
        assert!((now - 300.0..=now).contains(&at), "{name}: {at}, now {now}");
    }
}

/// The queries of the dashboard as rules, for promtool.
fn queries_of_dashboard() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/grafana/towpath.json");
    let dashboard: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    for (number, target) in panels.flat_map(|panel| panel["targets"].as_array().unwrap()).enumerate() {
        let query = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
        rules += &format!("      - record: query_{number}\n        expr: {}\n", serde_json::to_string(&query).unwrap());
    }
    rules
}

#[test]
fn prometheus_finds_no_fault_with_names_units_and_rules() {
    let bench = Bench::new();
    let file = bench.path("towpath.prom");
    bench.write("a", "data");
    bench.sync(&["--metrics-file", file.to_str().unwrap(), "--bwlimit", "auto:50M"]).with_status(0);
    let promtool = tool("prometheus/bin/promtool");
    let version = Command::new(&promtool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !version.is_ok_and(|status| status.success()) {
        skip("needs promtool (tests/prometheus/install.sh): metrics and alerts are not checked by it");
        return;
    }
    let metrics = fs::read_to_string(&file).unwrap();
    let checked = with_input(Command::new(&promtool).args(["check", "metrics"]), &metrics).with_status(0);
    assert!(checked.stdout.is_empty() && checked.stderr.is_empty(), "{}{}", checked.stdout, checked.stderr);
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let rules = Command::new(&promtool)
        .args(["check", "rules"])
        .arg(repository.join("packaging/prometheus/alerts.yml"))
        .output()
        .unwrap();
    assert!(rules.status.success(), "{rules:?}");
    let queries = bench.path("queries.yml");
    fs::write(&queries, queries_of_dashboard()).unwrap();
    let checked = Command::new(&promtool).args(["check", "rules"]).arg(&queries).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let tested = Command::new(&promtool)
        .args(["test", "rules"])
        .arg(repository.join("tests/prometheus/alerts-test.yml"))
        .output()
        .unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&[tested.stdout, tested.stderr].concat()));
}

#[test]
fn a_file_of_metrics_says_how_the_run_ended() {
    let bench = Bench::new();
    let file = bench.path("towpath.prom");
    let option = ["--metrics-file", file.to_str().unwrap()];
    let run = start(&bench, &option);
    let text = fs::read_to_string(&file).unwrap();
    assert!(
        !text.contains("towpath_run_exit_status") && text.contains("towpath_collected_timestamp_seconds"),
        "{text}"
    );
    send_signal(&run, Signal::TERM);
    end(run).with_status(143);
    let text = fs::read_to_string(&file).unwrap();
    let ends = |text: &str, state: &str, status: u8| {
        let status = text
            .lines()
            .any(|line| line.starts_with("towpath_run_exit_status{") && line.ends_with(&format!(" {status}")));
        assert!(status && text.contains(&format!("state=\"{state}\"}} 1\n")), "{state} {status}\n{text}");
        assert!(text.contains("towpath_run_end_timestamp_seconds{"));
    };
    ends(&text, "stopped", 143);
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o644);
    let done = bench.sync(&[&option[..], &["--then-scan"]].concat()).with_status(3);
    assert!(!done.stderr.contains("metrics"), "{}", done.stderr);
    let text = fs::read_to_string(&file).unwrap();
    ends(&text, "finished", 3);
    assert!(text.contains("outcome=\"synced\"} 2\n"), "both runs together\n{text}");
    fs::remove_file(bench.source().join("blocked")).unwrap();
    bench.sync(&option).with_status(0);
    ends(&fs::read_to_string(&file).unwrap(), "finished", 0);
    if let Some(python) = python() {
        let samples = samples(&python, "text", &fs::read_to_string(&file).unwrap());
        assert_eq!(value(&samples, "towpath_run_exit_status", ""), 0.0);
    }
}

#[test]
fn a_file_of_metrics_that_cannot_be_written_is_an_error_before_anything_is_done() {
    let bench = Bench::new();
    bench.write("a", "data");
    let refused = |path: &Path, problem: &str| {
        let refused = bench.sync(&["--metrics-file", path.to_str().unwrap()]).with_status(1);
        assert!(refused.stderr.contains("--metrics-file") && refused.stderr.contains(problem), "{}", refused.stderr);
        assert!(!bench.dest().exists(), "nothing was done");
    };
    refused(&bench.path("missing/towpath.prom"), "cannot write in");
    refused(&bench.database(), "the database or the log");
    refused(&bench.path("old/a"), "something else than metrics");
    let note = bench.sync(&["--metrics-file", bench.path("towpath.txt").to_str().unwrap()]).with_status(0);
    assert!(note.stderr.contains("node_exporter reads only files"), "{}", note.stderr);
    bench.sync(&["--metrics-file", "x.prom", "--dry-run"]).with_status(2);
}
