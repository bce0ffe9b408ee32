//! Rotation of the log by its size: each line once and one chain, wherever a run ends.

use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::audit::{AuditLog, ChainCheck, Line};
use crate::event::FilePaths;
use crate::journal::store::db::Db;
use crate::journal::store::open_beside::open_beside_runs;
use crate::own_files::companion;

const MAX_BYTES: u64 = 3000;

fn open(folder: &Path) -> Db {
    let mut db = super::open(folder);
    db.prepare_log(false).unwrap();
    db
}

/// A run that links its lines and rotates.
fn begin(folder: &Path) -> Db {
    let mut db = open(folder);
    let log = folder.join("log").display().to_string();
    db.in_transaction(|db| {
        db.begin_chain(true)?;
        let values = (log, std::process::id(), MAX_BYTES.cast_signed());
        db.execute("INSERT INTO run(started, log, pid, max_log_bytes) VALUES (1, ?1, ?2, ?3)", values)
    })
    .unwrap();
    db.commit().unwrap();
    db
}

fn record(db: &mut Db, names: &[String]) {
    let paths =
        |name: &String| FilePaths { source: format!("/old/{name}").into(), dest: format!("/new/{name}").into() };
    let lines: Vec<_> = names.iter().map(|name| Line::now("synced", paths(name))).collect();
    db.in_transaction(|db| {
        db.add_lines(&lines);
        Ok(())
    })
    .unwrap();
    db.commit().unwrap();
}

/// The logs with their content, the oldest first.
fn logs(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let closed = (1..).map(|number| format!("log.{number}")).take_while(|name| folder.join(name).exists());
    let names = closed.chain(folder.join("log").exists().then(|| "log".to_owned()));
    names.map(|name| (name.clone(), std::fs::read(folder.join(&name)).unwrap())).collect()
}

/// The names of files in these logs, which must be one whole chain, and name each other.
fn names(logs: &[(String, Vec<u8>)]) -> Vec<String> {
    let (mut chain, mut names) = (ChainCheck::new(), Vec::new());
    let mut before = None;
    for (log, text) in logs {
        let text = std::str::from_utf8(text).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'), "{log}");
        let lines: Vec<_> = text.lines().collect();
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(chain.line(line.as_bytes()), None, "{log}, line {number}: {line}");
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            let is_named = |key: &str, name: &Option<String>| Some(line[key].as_str().unwrap()) == name.as_deref();
            match line["status"].as_str().unwrap() {
                "log-begun" => assert!(number == 0 && is_named("previous_log", &before), "{log}: {line}"),
                "log-closed" => {
                    assert!(number + 1 == lines.len() && is_named("log", &Some(log.clone())), "{log}: {line}");
                    before = Some(log.clone());
                }
                _ => names.push(line["source"].as_str().unwrap().trim_start_matches("/old/").to_owned()),
            }
        }
        assert!(log == "log" || before.as_ref() == Some(log), "{log} is not closed");
    }
    names
}

/// Files as they are on disk.
struct Disk(Vec<(PathBuf, Vec<u8>)>);

impl Disk {
    fn of_database(folder: &Path) -> Self {
        let database = folder.join("db");
        let files = [database.clone(), companion(&database, "-wal")];
        Self(files.into_iter().map(|file| (file.file_name().unwrap().into(), std::fs::read(&file).unwrap())).collect())
    }

    fn restore(&self, logs: &[(String, Vec<u8>)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        self.0.iter().for_each(|(name, content)| std::fs::write(folder.path().join(name), content).unwrap());
        logs.iter().for_each(|(name, content)| std::fs::write(folder.path().join(name), content).unwrap());
        folder
    }
}

/// What a process that was killed may leave of the logs, which were `before` and would have become `after`.
fn left_behind(before: &[(String, Vec<u8>)], after: &[(String, Vec<u8>)], cut: f64) -> Vec<Vec<(String, Vec<u8>)>> {
    let (closed, (_, old)) = (&before[..before.len() - 1], &before[before.len() - 1]);
    let (_, new) = after.last().unwrap();
    let torn = |from: usize, text: &[u8]| text[..from + ((text.len() - from) as f64 * cut) as usize].to_vec();
    let with = |logs: Vec<(&str, Vec<u8>)>| {
        let logs = logs.into_iter().map(|(name, text)| (name.to_owned(), text));
        closed.iter().cloned().chain(logs).collect()
    };
    if before.len() == after.len() {
        return vec![with(vec![("log", torn(old.len(), new))])];
    }
    let (name, whole) = &after[after.len() - 2];
    vec![
        with(vec![("log", old.clone())]),
        with(vec![(name, old.clone())]),
        with(vec![(name, torn(old.len(), whole))]),
        with(vec![(name, whole.clone()), ("log", torn(0, new))]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn each_line_is_there_once_wherever_a_run_is_killed(
        batches in prop::collection::vec(1..9_usize, 4..12),
        cut in 0.0..=1.0_f64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut db = begin(folder.path());
        let mut recorded: Vec<String> = Vec::new();
        let mut rotations = 0;
        for count in batches {
            let before = logs(folder.path());
            let lines: Vec<_> = (recorded.len()..recorded.len() + count).map(|number| number.to_string()).collect();
            record(&mut db, &lines);
            recorded.extend(lines);
            let (after, disk) = (logs(folder.path()), Disk::of_database(folder.path()));
            prop_assert_eq!(names(&after), recorded.clone());
            rotations += after.len() - before.len();
            for (log, text) in &after {
                prop_assert!(text.len() as u64 <= MAX_BYTES, "{} has {} bytes", log, text.len());
            }
            for left in left_behind(&before, &after, cut) {
                let restored = disk.restore(&left);
                let mut next = open(restored.path());
                record(&mut next, &["later".to_owned()]);
                prop_assert_eq!(names(&logs(restored.path())), [&recorded[..], &["later".to_owned()]].concat());
            }
        }
        prop_assert_eq!(rotations + 1, logs(folder.path()).len());
    }
}

#[test]
fn two_writers_rotate_one_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = begin(folder.path());
    let path = folder.path().join("db");
    let beside = open_beside_runs(&path).unwrap();
    let mut guest = Db::new(beside.opened, AuditLog::open(&beside.log).unwrap(), path).beside_runs();
    guest.prepare_log(beside.is_run_active).unwrap();
    let lines = |of: &str, number: usize| vec![format!("{of} {number}"), format!("{of} {number} again")];
    let mut expected = Vec::new();
    for number in 0..40 {
        // Each of them rotates at some time, and each finds the log rotated by the other.
        let of = if number % 3 == 0 { "guest" } else { "run" };
        record(if number % 3 == 0 { &mut guest } else { &mut run }, &lines(of, number));
        expected.extend(lines(of, number));
    }
    let logs = logs(folder.path());
    assert!(logs.len() > 5, "{} logs", logs.len());
    assert_eq!(names(&logs), expected);
}
