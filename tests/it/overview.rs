//! The database is read beside a run, after a kill, and of any version, without changing a file.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use rustix::process::Signal;
use towpath::{Overview, RecordedOutcome, Totals};

use crate::common::{Bench, end, noise, send_signal};

fn read(bench: &Bench) -> Overview {
    Overview::read(bench.database(), 10).unwrap().unwrap()
}

/// The database and everything beside it, except the log.
fn state(bench: &Bench) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = fs::read_dir(bench.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.is_file() && *path != bench.log_file());
    files.map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}

/// Reads it and checks that no file was changed, created or removed.
fn read_unchanged(bench: &Bench) -> Overview {
    let before = state(bench);
    let overview = read(bench);
    let after = state(bench);
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, content) in &before {
        assert!(after[path] == *content, "{} was changed", path.display());
    }
    overview
}

/// Forty files, of which a slow run has sent some.
fn with_some_sent(bench: &Bench) -> crate::common::Running {
    for n in 0..40 {
        bench.write(format!("{n:02}"), noise(n, 100_000));
    }
    bench.start_until(&["--bwlimit", "500K", "--lanes", "2"], || {
        fs::read_to_string(bench.log_file()).is_ok_and(|log| log.contains("\"synced\""))
    })
}

#[test]
fn a_migration_that_finished_is_read_without_locks_and_files() {
    let bench = Bench::new();
    bench.write("a", "data");
    bench.sync(&[]).with_status(0);
    let overview = read_unchanged(&bench);
    assert_eq!(overview.process, None);
    assert!(overview.source.ends_with(b"/old") && overview.sink.ends_with(b"/new"));
    let backlog = overview.backlog.unwrap();
    assert_eq!((backlog.source.files, backlog.source.bytes, backlog.pending), (1, 4, Totals::default()));
    let run = &overview.runs[0];
    assert_eq!((run.outcome, run.sent), (Some(RecordedOutcome::Finished), Some(Totals::new(1, 4))));
    assert!(run.finished.unwrap() >= run.started);
    assert_eq!(run.log.as_ref().unwrap(), &bench.log_file());
}

#[test]
fn a_migration_that_was_killed_is_read_without_recovering_its_files() {
    let bench = Bench::new();
    let mut run = with_some_sent(&bench);
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(state(&bench).keys().any(|path| path.to_str().unwrap().ends_with("-wal")));
    let overview = read_unchanged(&bench);
    let newest = &overview.runs[0];
    assert_eq!((overview.process, newest.finished, newest.outcome), (None, None, None));
    let synced = u64::try_from(bench.logged("synced").len()).unwrap();
    let backlog = overview.backlog.unwrap();
    assert_eq!(backlog.pending, Totals::new(40 - synced, u128::from(40 - synced) * 100_000));
    assert_eq!(newest.sent.unwrap().files, synced);
}

#[test]
fn a_killed_migration_without_its_index_is_reported_and_unchanged() {
    let bench = Bench::new();
    let mut run = with_some_sent(&bench);
    run.kill().unwrap();
    run.wait().unwrap();
    fs::remove_file(bench.path("backlog.db-shm")).unwrap();
    let before = state(&bench);
    let error = Overview::read(bench.database(), 10).unwrap_err().to_string();
    assert!(error.contains("run the same command again"), "{error}");
    assert!(state(&bench) == before);
}

#[test]
fn a_run_is_read_while_it_works_and_is_not_disturbed() {
    let bench = Bench::new();
    let run = with_some_sent(&bench);
    let pid = run.id();
    let logged = || fs::read_to_string(bench.log_file()).unwrap().matches("\"synced\"").count() as u64;
    let mut reads = 0;
    loop {
        let synced = logged();
        let overview = read(&bench);
        reads += 1;
        let Some(process) = overview.process else { break };
        assert_eq!((process, overview.runs.len()), (pid, 1));
        // What is in the log was committed before.
        let pending = overview.backlog.unwrap().pending.files;
        assert!(pending <= 40 - synced, "{pending} pending, {synced} logged");
    }
    let ended = end(run).with_status(0);
    assert!(ended.stderr.is_empty(), "{}", ended.stderr);
    assert!(reads > 10, "{reads}");
    assert_eq!(read(&bench).backlog.unwrap().pending.files, 0);
}

#[test]
fn a_run_that_was_stopped_says_by_what() {
    let bench = Bench::new();
    let run = with_some_sent(&bench);
    send_signal(&run, Signal::TERM);
    end(run).with_status(143);
    let newest = read_unchanged(&bench).runs.remove(0);
    assert_eq!(newest.outcome, Some(RecordedOutcome::Stopped));
    assert_eq!(newest.stopped_by.as_deref(), Some("signal SIGTERM"));
}

#[test]
fn without_a_database_there_is_no_migration() {
    let bench = Bench::new();
    assert!(Overview::read(bench.database(), 10).unwrap().is_none());
    fs::write(bench.database(), "").unwrap();
    assert!(Overview::read(bench.database(), 10).unwrap().is_none());
    fs::write(bench.database(), "something else").unwrap();
    assert!(Overview::read(bench.database(), 10).unwrap_err().to_string().contains("not a database of towpath"));
}

/// A database of an older schema: a scan that found two files, of which one is pending.
fn of_version(bench: &Bench, version: i32, schema: &str) {
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.execute_batch(schema).unwrap();
    let sql = format!(
        "INSERT INTO tree(side, root, prefix) VALUES (0, '/a', '/a/'), (1, '/b', '/b/');
         INSERT INTO run(id, started, finished, outcome) VALUES (1, 1, 2, 'stopped'), (2, 3, NULL, NULL);
         INSERT INTO scan(id, run, started, finished, source_files, source_bytes) VALUES (1, 1, 1, 2, 2, 11);
         INSERT INTO dir(id, path) VALUES (1, '');
         INSERT INTO file(dir, name, size, modified, status, scan) VALUES (1, 'x', 4, 5, 0, 1), (1, 'y', 7, 5, 1, 1);
         PRAGMA application_id = 0x546f7770; PRAGMA user_version = {version}"
    );
    connection.execute_batch(&sql).unwrap();
}

#[test]
fn databases_of_older_versions_are_read_as_far_as_they_go() {
    for (version, schema) in [(1, include_str!("schema-1.sql")), (4, include_str!("schema-4.sql"))] {
        let bench = Bench::new();
        of_version(&bench, version, schema);
        let overview = read_unchanged(&bench);
        let backlog = overview.backlog.unwrap();
        assert_eq!((overview.schema, backlog.source.files, backlog.pending), (version, 2, Totals::new(1, 4)));
        assert_eq!(overview.runs.iter().map(|run| run.scanned).collect::<Vec<_>>(), [Some(false), Some(true)]);
        assert_eq!((overview.runs[1].outcome, overview.runs[1].sent), (Some(RecordedOutcome::Stopped), None));
    }
    let bench = Bench::new();
    of_version(&bench, 999, include_str!("schema-4.sql"));
    let error = Overview::read(bench.database(), 10).unwrap_err().to_string();
    assert!(error.contains("newer version"), "{error}");
}
