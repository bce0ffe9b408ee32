//! The database and the log are deleted, moved or replaced during a run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::pin::Pin;

use serde_json::Value;
use towpath::{CancellationToken, Error};
use towpath_backend::layer::{Hooked, Operation};
use towpath_memory::MemoryTree;

use super::bench::{Before, Bench, before, write};

const FILES: usize = 6;

/// A bench with some files and one lane.
async fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.options.lanes = Some(1);
    for n in 0..FILES {
        write(&bench.source, &format!("{n}"), b"data").await;
    }
    bench
}

/// The source with an action before the fourth file is read, after the first ones are in the log.
fn when_half_is_logged(bench: &Bench, act: impl Fn() + Clone + Send + Sync + 'static) -> Hooked<MemoryTree, Before> {
    let log = bench.log_file();
    before(bench.source.clone(), Operation::ReadWhole, "3", 1, move || -> Pin<Box<dyn Future<Output = ()> + Send>> {
        let (log, act) = (log.clone(), act.clone());
        Box::pin(async move {
            while fs::read_to_string(&log).unwrap_or_default().matches("\"synced\"").count() < 3 {
                tokio::task::yield_now().await;
            }
            act();
        })
    })
}

/// The number of `synced` lines of each file in these logs, and the statuses of the lines about runs.
fn union(logs: &[PathBuf]) -> (BTreeMap<String, usize>, Vec<String>) {
    let (mut synced, mut runs) = (BTreeMap::new(), Vec::new());
    for log in logs {
        for line in fs::read_to_string(log).unwrap().lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            match line["status"].as_str().unwrap() {
                "synced" => *synced.entry(line["source"].as_str().unwrap().to_owned()).or_default() += 1,
                status => runs.push(status.to_owned()),
            }
        }
    }
    (synced, runs)
}

fn rows(database: &Path) -> BTreeMap<String, usize> {
    let connection = rusqlite::Connection::open(database).unwrap();
    let mut statement = connection.prepare("SELECT source_path FROM files WHERE status = 'synced'").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(|path| (path.unwrap(), 1)).collect()
}

/// Runs with `rotate` halfway, then once more; afterwards the database and the `logs` must agree.
async fn assert_that_logs_and_database_agree(
    bench: &Bench,
    logs: &[PathBuf],
    rotate: impl Fn() + Clone + Send + Sync + 'static,
) {
    let ran = bench.run_between(when_half_is_logged(bench, rotate), bench.sink.clone()).await;
    assert!(ran.report.all_in_sync(), "{:?}", ran.events);
    bench.run().await;
    let (synced, runs) = union(logs);
    assert_eq!((synced.len(), &synced), (FILES, &rows(&bench.database())));
    assert_eq!(runs, ["run-started", "run-ended", "run-started", "run-ended"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moved_log_is_created_again() {
    let bench = bench().await;
    let (log, moved) = (bench.log_file(), bench.in_folder("audit.1"));
    let logs = [moved.clone(), log.clone()];
    assert_that_logs_and_database_agree(&bench, &logs, move || fs::rename(&log, &moved).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_compressed_and_removed_is_created_again() {
    let bench = bench().await;
    let (log, copy) = (bench.log_file(), bench.in_folder("audit.1.gz"));
    let logs = [copy.clone(), log.clone()];
    // Like a compressing tool: reads the content, writes it elsewhere, and removes the file.
    let compress = move || {
        let moved = log.with_extension("1");
        fs::rename(&log, &moved).unwrap();
        fs::copy(&moved, &copy).unwrap();
        fs::remove_file(&moved).unwrap();
    };
    assert_that_logs_and_database_agree(&bench, &logs, compress).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_copied_and_truncated_continues_at_its_start() {
    let bench = bench().await;
    let (log, copy) = (bench.log_file(), bench.in_folder("audit.1"));
    let logs = [copy.clone(), log.clone()];
    let truncate = move || {
        fs::copy(&log, &copy).unwrap();
        fs::File::options().write(true).open(&log).unwrap().set_len(0).unwrap();
    };
    assert_that_logs_and_database_agree(&bench, &logs, truncate).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_folder_is_renamed_is_created_again_in_a_new_folder() {
    let bench = bench().await.with_log("logs/audit.jsonl");
    let (folder, renamed) = (bench.in_folder("logs"), bench.in_folder("older"));
    let logs = [renamed.join("audit.jsonl"), bench.log_file()];
    assert_that_logs_and_database_agree(&bench, &logs, move || fs::rename(&folder, &renamed).unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_replaced_by_a_symlink_continues_at_its_target() {
    for same_file in [true, false] {
        let bench = bench().await;
        let (log, moved, other) = (bench.log_file(), bench.in_folder("audit.1"), bench.in_folder("elsewhere"));
        let target = if same_file { moved.clone() } else { other.clone() };
        let logs = if same_file { vec![moved.clone()] } else { vec![moved.clone(), other] };
        let link = move || {
            fs::rename(&log, &moved).unwrap();
            std::os::unix::fs::symlink(&target, &log).unwrap();
        };
        assert_that_logs_and_database_agree(&bench, &logs, link).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_log_continues_with_the_following_lines() {
    let bench = bench().await;
    let log = bench.log_file();
    let source = when_half_is_logged(&bench, move || fs::remove_file(&log).unwrap());
    assert!(bench.run_between(source, bench.sink.clone()).await.report.all_in_sync());
    let (synced, runs) = union(&[bench.log_file()]);
    assert_eq!((synced.len(), runs), (FILES - 3, vec!["run-ended".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_rotated_between_two_runs_gets_no_line_twice() {
    let bench = bench().await;
    bench.run().await;
    let moved = bench.in_folder("audit.1");
    fs::rename(bench.log_file(), &moved).unwrap();
    bench.run().await;
    let (synced, runs) = union(&[moved, bench.log_file()]);
    assert_eq!(synced.into_values().collect::<Vec<_>>(), [1; FILES]);
    assert_eq!(runs, ["run-started", "run-ended", "run-started", "run-ended"]);
}

/// Runs with `act` halfway: the run must stop with an error that names `file`, and must not log any
/// file as in sync that is not committed.
async fn assert_that_it_stops(bench: &Bench, file: &str, act: impl Fn() + Clone + Send + Sync + 'static) {
    let source = when_half_is_logged(bench, act);
    let error = bench.try_run_between(source, bench.sink.clone(), CancellationToken::new()).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, Error::Database { .. }) && text.contains(file), "{file}: {text}");
    assert!(text.contains("run the same command again"), "{text}");
    let (synced, runs) = union(&[bench.log_file()]);
    assert_eq!((synced.len(), runs), (3, vec!["run-started".to_owned()]), "{file}: only what was committed is logged");
}

async fn assert_that_the_next_run_completes(bench: &Bench) {
    assert!(bench.run().await.report.all_in_sync());
    assert_eq!(rows(&bench.database()).len(), FILES);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_overwritten_in_place_stops_the_run() {
    let bench = bench().await;
    let file = bench.in_folder("backlog.db");
    assert_that_it_stops(&bench, "backlog.db", move || fs::write(&file, "garbage").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_deleted_or_moved_stops_the_run() {
    for name in ["backlog.db", "backlog.db-wal", "backlog.db-shm"] {
        for moved in [false, true] {
            let bench = bench().await;
            let (file, aside) = (bench.in_folder(name), bench.in_folder("aside"));
            let act = move || if moved { fs::rename(&file, &aside).unwrap() } else { fs::remove_file(&file).unwrap() };
            assert_that_it_stops(&bench, name, act).await;
            assert_that_the_next_run_completes(&bench).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_moved_without_its_log_has_everything_that_was_committed() {
    let bench = bench().await;
    let (file, aside) = (bench.database(), bench.in_folder("aside"));
    assert_that_it_stops(&bench, "backlog.db", move || fs::rename(&file, &aside).unwrap()).await;
    assert_eq!(rows(&bench.in_folder("aside")).len(), 3);
    fs::rename(bench.in_folder("aside"), bench.database()).unwrap();
    let ran = bench.run().await;
    assert!(!ran.report.scanned && ran.report.synced.files == 3, "it resumes: {:?}", ran.events);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_replaces_the_open_one_is_not_damaged() {
    let bench = bench().await;
    let other = Bench { folder: Bench::new().folder, sink: MemoryTree::new("new"), ..bench.clone() };
    other.run().await;
    let (file, aside, copy) = (bench.database(), bench.in_folder("aside"), other.database());
    assert_that_it_stops(&bench, "was replaced", move || {
        fs::rename(&file, &aside).unwrap();
        fs::copy(&copy, &file).unwrap();
    })
    .await;
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    drop(connection);
    assert_eq!((check.as_str(), rows(&bench.database())), ("ok", rows(&other.database())));
    fs::rename(bench.in_folder("aside"), bench.database()).unwrap();
    assert_that_the_next_run_completes(&bench).await;
}
