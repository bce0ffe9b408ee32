//! A second writer beside a run: both record in one database and one log.

use std::path::Path;
use std::thread;

use crate::audit::{AuditLog, ChainCheck, Line};
use crate::event::FilePaths;
use crate::journal::store::db::Db;
use crate::journal::store::open_beside::open_beside_runs;

/// A run that links its lines.
fn run(folder: &Path) -> Db {
    let mut db = super::open(folder);
    db.prepare_log(false).unwrap();
    let log = folder.join("log").display().to_string();
    db.in_transaction(|db| {
        db.begin_chain(true)?;
        db.execute("INSERT INTO run(started, log, pid) VALUES (1, ?1, ?2)", (log, std::process::id()))
    })
    .unwrap();
    db.commit().unwrap();
    db
}

fn guest(folder: &Path) -> Db {
    let path = folder.join("db");
    let beside = open_beside_runs(&path).unwrap();
    let mut db = Db::new(beside.opened, AuditLog::open(&beside.log).unwrap(), path).beside_runs();
    db.prepare_log(beside.is_run_active).unwrap();
    db
}

fn record(db: &mut Db, name: &str) {
    let paths = FilePaths { source: format!("/old/{name}").into(), dest: format!("/new/{name}").into() };
    db.in_transaction(|db| {
        db.add_lines([&Line::now("synced", paths)]);
        Ok(())
    })
    .unwrap();
    db.commit().unwrap();
}

/// The names in these logs, which must be one whole chain.
fn names(folder: &Path, logs: &[&str]) -> Vec<String> {
    let text: String = logs.iter().map(|log| std::fs::read_to_string(folder.join(log)).unwrap()).collect();
    let mut chain = ChainCheck::new();
    let name = |line: &str| {
        assert_eq!(chain.line(line.as_bytes()), None, "{text}");
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["source"].as_str().unwrap().trim_start_matches("/old/").to_owned()
    };
    text.lines().map(name).collect()
}

#[test]
fn a_run_and_another_writer_share_the_log_and_its_chain() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run(folder.path());
    let mut guest = guest(folder.path());
    let writer = thread::spawn(move || (0..100).for_each(|number| record(&mut guest, &format!("guest {number}"))));
    (0..100).for_each(|number| record(&mut run, &format!("run {number}")));
    writer.join().unwrap();
    let names = names(folder.path(), &["log"]);
    for writer in ["guest", "run"] {
        let of_writer: Vec<_> = names.iter().filter(|name| name.starts_with(writer)).cloned().collect();
        assert_eq!(of_writer, (0..100).map(|number| format!("{writer} {number}")).collect::<Vec<_>>());
    }
}

#[test]
fn lines_that_a_killed_writer_did_not_append_are_completed_by_the_other() {
    for cut in [0, 1, 50] {
        let folder = tempfile::tempdir().unwrap();
        let mut run = run(folder.path());
        record(&mut run, "first");
        let mut guest = guest(folder.path());
        let log = std::fs::read(folder.path().join("log")).unwrap();
        record(&mut guest, "of the guest");
        // Killed before it had appended the line, or part of it.
        drop(guest);
        let whole = std::fs::read(folder.path().join("log")).unwrap();
        std::fs::write(folder.path().join("log"), &whole[..log.len() + cut]).unwrap();
        record(&mut run, "last");
        assert_eq!(names(folder.path(), &["log"]), ["first", "of the guest", "last"], "cut at {cut}");
    }
}

#[test]
fn no_line_is_doubled_when_the_log_is_rotated_between_two_writers() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run(folder.path());
    let mut guest = guest(folder.path());
    let rotate = |to: &str| std::fs::rename(folder.path().join("log"), folder.path().join(to)).unwrap();
    record(&mut run, "1");
    record(&mut guest, "2");
    rotate("log.1");
    record(&mut run, "3");
    record(&mut guest, "4");
    record(&mut run, "5");
    rotate("log.2");
    record(&mut guest, "6");
    record(&mut run, "7");
    assert_eq!(names(folder.path(), &["log.1", "log.2", "log"]), ["1", "2", "3", "4", "5", "6", "7"]);
}

#[test]
fn a_writer_that_opens_a_rotated_log_leaves_the_lines_of_an_active_run_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run(folder.path());
    record(&mut run, "1");
    std::fs::rename(folder.path().join("log"), folder.path().join("log.1")).unwrap();
    let mut guest = guest(folder.path());
    record(&mut guest, "2");
    record(&mut run, "3");
    assert_eq!(names(folder.path(), &["log.1", "log"]), ["1", "2", "3"]);
}

#[test]
fn after_a_killed_run_the_lines_are_completed() {
    let folder = tempfile::tempdir().unwrap();
    let mut killed = run(folder.path());
    record(&mut killed, "1");
    drop(killed);
    std::fs::write(folder.path().join("log"), "").unwrap();
    let mut guest = guest(folder.path());
    record(&mut guest, "2");
    assert_eq!(names(folder.path(), &["log"]), ["1", "2"]);
}

#[test]
fn there_is_nothing_to_open_before_the_first_run() {
    let folder = tempfile::tempdir().unwrap();
    let problem = |path: &Path| open_beside_runs(path).err().unwrap().to_string();
    let missing = problem(&folder.path().join("db"));
    assert!(missing.contains("of no migration"), "{missing}");
    drop(super::open(folder.path()));
    let unused = problem(&folder.path().join("db"));
    assert!(unused.contains("of no migration"), "{unused}");
    assert!(!folder.path().join("log").exists() || std::fs::read(folder.path().join("log")).unwrap().is_empty());
}
