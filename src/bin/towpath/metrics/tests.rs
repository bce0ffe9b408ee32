//! The catalog, the documentation, the alerts and the dashboard agree.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use towpath::{Cause, Estimator, Event, FilePaths, LimitedBy, Progress};

use super::catalog::ALL;
use super::source::LaneTime;
use super::*;
use crate::listener::Observer as _;
use crate::status::live::{About as AboutStatus, Live};
use crate::status::model::State;

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

fn metrics(database: PathBuf) -> Metrics {
    let (source, dest, log) = (b"/old".to_vec(), b"/new".to_vec(), PathBuf::from("/x.log"));
    let about = AboutStatus { source, dest, database: database.clone(), log, runs: Vec::new(), last_scan: None };
    let live = Live::new(Progress::default(), Estimator::default(), about);
    let about = About {
        migration: "0123456789ab".to_owned(),
        checksum: "sha256".to_owned(),
        source_kind: "local".to_owned(),
        destination_kind: "s3".to_owned(),
        deadline: Some(Timestamp::UNIX_EPOCH),
        database,
    };
    Metrics::new(about, live)
}

/// The names of metrics in a text.
fn names_in(text: &str) -> BTreeSet<&str> {
    let is_part = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    let ends = |rest: &str| rest.find(|char| !is_part(char)).unwrap_or(rest.len());
    text.match_indices("towpath_").map(|(at, _)| &text[at..at + ends(&text[at..])]).collect()
}

/// Both lists name nothing but metrics that exist.
#[track_caller]
fn exist(text: &str) {
    let all: BTreeSet<_> = ALL.iter().map(|metric| metric.name()).collect();
    let unknown: Vec<_> = names_in(text).into_iter().filter(|name| !all.contains(*name)).collect();
    assert!(unknown.is_empty(), "no such metrics: {unknown:?}");
}

#[test]
fn names_are_distinct_and_have_base_units() {
    let names: BTreeSet<_> = ALL.iter().map(|metric| metric.name()).collect();
    assert_eq!(names.len(), ALL.len());
    for metric in ALL {
        let units = [None, Some("bytes"), Some("seconds"), Some("ratio"), Some("bytes_per_second")];
        assert!(units.contains(&metric.unit), "{metric:?}");
        // The encoder for OpenMetrics takes help texts as they are.
        assert!(!metric.help.contains(['\\', '\n', '"']) && !metric.help.ends_with('.'), "{metric:?}");
    }
}

#[test]
fn the_documentation_has_a_row_for_each_metric() {
    const HEAD: &str = "| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n";
    let path = "docs/metrics.md";
    let page = read(path);
    let (before, rest) = page.split_once(HEAD).unwrap();
    let after = &rest[rest.find("\n\n").unwrap_or(rest.len() - 1)..];
    let after = if rest.starts_with('\n') { rest } else { after.strip_prefix('\n').unwrap_or(after) };
    let row = |metric: &&Metric| {
        let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
        format!("| `{}` | {} | {} | {} |\n", metric.name(), metric.kind.name(), labels.join(", "), metric.help)
    };
    let expected = format!("{before}{HEAD}{}{after}", ALL.iter().map(row).collect::<String>());
    if std::env::var_os("DOCS").is_some_and(|value| value == "update") {
        fs::write(repository().join(path), expected).unwrap();
    } else {
        assert!(page == expected, "the table of {path} is stale: run DOCS=update cargo test --all-features metrics::");
    }
    exist(&page);
}

#[test]
fn alerts_and_dashboard_ask_for_metrics_that_exist() {
    let alerts = read("packaging/prometheus/alerts.yml");
    let rules: Vec<_> = alerts.split("- alert: ").skip(1).collect();
    assert!(rules.len() >= 8 && rules.iter().all(|rule| rule.contains("expr: ") && !names_in(rule).is_empty()));
    exist(&alerts);
    let dashboard: serde_json::Value = serde_json::from_str(&read("packaging/grafana/towpath.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() > 10);
    for panel in panels {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            assert!(!names_in(query).is_empty(), "{query}");
            exist(query);
        }
    }
    exist(&dashboard["templating"].to_string());
}

#[test]
fn a_figure_that_is_not_known_is_absent() {
    let text = metrics("/nowhere/x.db".into()).figures(None).text(Format::Text).unwrap();
    let absent =
        ["outcome=\"synced\"", "towpath_errors_total", "towpath_run_exit_status", "towpath_limit_bytes_per_second"];
    for absent in absent {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
    for present in [
        "towpath_limited{migration=\"0123456789ab\"} 0\n",
        "towpath_state{migration=\"0123456789ab\",state=\"scanning\"} 1\n",
        "towpath_state{migration=\"0123456789ab\",state=\"failed\"} 0\n",
        "source_kind=\"local\",destination_kind=\"s3\"} 1\n",
        "towpath_deadline_timestamp_seconds{migration=\"0123456789ab\"} 0",
    ] {
        assert!(text.contains(present), "{present} not in\n{text}");
    }
    assert!(!text.contains("/old") && !text.contains("/nowhere"), "a path in\n{text}");
    exist(&text);
}

#[test]
fn the_size_of_the_database_has_each_file_once() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().canonicalize().unwrap().join("x.db");
    fs::write(&database, [0; 100]).unwrap();
    fs::write(folder.path().join("x.db-wal"), [0; 11]).unwrap();
    let text = metrics(database).figures(None).text(Format::Text).unwrap();
    assert!(text.contains("towpath_database_bytes{migration=\"0123456789ab\"} 111\n"), "{text}");
}

#[test]
fn events_of_this_run_are_counted_by_outcome() {
    let mut metrics = metrics("/x.db".into());
    metrics.event(&Event::Vanished { paths: FilePaths::new("/old/a", "/new/a") });
    let text = metrics.figures(None).text(Format::Text).unwrap();
    assert!(text.contains("outcome=\"vanished\"} 1\n") && text.contains("outcome=\"retried\"} 0\n"), "{text}");
}

#[test]
fn the_time_of_a_cause_never_falls() {
    let times = |seconds: &[(Cause, u64)]| -> LimitedBy {
        seconds.iter().map(|(cause, seconds)| (*cause, Duration::from_secs(*seconds))).collect()
    };
    let mut reported = LaneTime::default();
    let mut seconds = |limited_by: LimitedBy| -> Vec<u64> {
        let all = reported.rising(&limited_by);
        all.iter()
            .filter(|(cause, _)| [Cause::Source, Cause::Hash].contains(cause))
            .map(|(_, time)| time.as_secs())
            .collect()
    };
    assert_eq!(seconds(times(&[(Cause::Source, 5)])), [5, 0]);
    // The last seconds turn out to be another cause's.
    assert_eq!(seconds(times(&[(Cause::Source, 3), (Cause::Hash, 2)])), [5, 2]);
    assert_eq!(seconds(times(&[(Cause::Source, 6), (Cause::Hash, 2)])), [6, 2]);
}

#[test]
fn a_path_is_checked_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let check = |name: &str| MetricsPath::check(&at(name), [at("x.db").as_path()]).map(|path| path.note().is_some());
    assert_eq!(check("towpath.prom"), Ok(false));
    assert_eq!(check("towpath.txt"), Ok(true), "node_exporter would not read it");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "checking leaves nothing");
    fs::write(at("mine"), "# HELP node_").unwrap();
    fs::create_dir(at("folder.prom")).unwrap();
    for (name, problem) in [
        ("missing/a.prom", "cannot write in"),
        ("mine", "something else than metrics"),
        ("folder.prom", "not a regular file"),
        ("x.db", "the database or the log"),
        ("..", "is not the name of a file"),
    ] {
        let error = check(name).unwrap_err();
        assert!(error.starts_with("--metrics-file ") && error.contains(problem), "{name}: {error}");
    }
    for content in ["", "# HELP towpath_files_total Files\n"] {
        fs::write(at("towpath.prom"), content).unwrap();
        assert_eq!(check("towpath.prom"), Ok(false));
    }
}

fn ended() -> Ended {
    Ended { state: State::Stopped, exit_status: 130, at: Timestamp::UNIX_EPOCH }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_replaced_and_has_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("towpath.prom");
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let before = fs::metadata(&path).unwrap().ino();
    let to = MetricsPath::check(&path, []).unwrap();
    let file = MetricsFile::start(to, metrics("/x.db".into()), |note| panic!("{note}"));
    file.end(ended()).await;
    let (text, after) = (fs::read_to_string(&path).unwrap(), fs::metadata(&path).unwrap());
    assert!(after.ino() != before && after.mode() & 0o777 == 0o644, "{after:?}");
    for expected in
        ["state=\"stopped\"} 1\n", "towpath_run_exit_status{migration=\"0123456789ab\"} 130\n", "towpath_run_end"]
    {
        assert!(text.contains(expected), "{expected} not in\n{text}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
}

#[tokio::test(start_paused = true)]
async fn a_write_that_fails_is_one_note_and_later_ones_are_tried() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sub/towpath.prom");
    fs::create_dir(folder.path().join("sub")).unwrap();
    let to = MetricsPath::check(&path, []).unwrap();
    fs::remove_dir(folder.path().join("sub")).unwrap();
    let notes = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&notes);
    let file = MetricsFile::start(to, metrics("/x.db".into()), move |note| noted.lock().unwrap().push(note));
    tokio::time::sleep(Duration::from_secs(60)).await;
    fs::create_dir(folder.path().join("sub")).unwrap();
    file.end(ended()).await;
    assert!(path.exists(), "the last one is written");
    let notes = notes.lock().unwrap();
    assert!(notes.len() == 1 && notes[0].contains("towpath.prom") && notes[0].contains("the run goes on"), "{notes:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_hangs_does_not_hold_up_the_end() {
    let (release, released) = std::sync::mpsc::channel::<()>();
    let released = Mutex::new(released);
    let hangs = move |_| {
        let _released = released.lock().unwrap().recv();
        Ok(())
    };
    let file = MetricsFile::start_with(hangs, |note| panic!("{note}"));
    // Returns, although the write does not.
    file.end(ended()).await;
    drop(release);
}
