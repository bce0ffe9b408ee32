//! Simulated power cuts: the log has each line of a committed transaction exactly once.
//!
//! `tests/it/durability.rs` checks by system calls that a transaction with lines is durable
//! before its lines are appended, and that the log is synced before such a transaction.
//! These tests assume both, and truncate the log anywhere after its last synced byte.

use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use crate::audit::{AuditLog, Line, RunLine};
use crate::event::{FilePaths, Totals};
use crate::journal::store::db::Db;
use crate::journal::{EndedRun, Journal, Roots, RunEnd, RunRequest};
use crate::options::AfterBacklog;
use crate::own_files::companion;
use crate::progress::Progress;

/// A step of a run.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Adds this many lines and commits.
    Record(usize),
    /// Adds this many lines without committing.
    Log(usize),
    /// Changes a row and commits.
    Commit,
    /// The queue of jobs is empty.
    Idle,
}

/// The state of the disks after a step.
struct Moment {
    database: Vec<u8>,
    wal: Vec<u8>,
    log: Vec<u8>,
    /// Bytes of the log that were synced.
    durable_bytes: usize,
    /// What the log must contain after recovery.
    committed: Vec<u8>,
}

fn open(folder: &Path) -> Db {
    let mut db = super::open(folder);
    db.prepare_log(false).unwrap();
    db
}

fn line(number: usize) -> Line {
    let paths = FilePaths { source: format!("/old/{number}").into(), dest: format!("/new/{number}").into() };
    Line { time: jiff::Timestamp::UNIX_EPOCH, ..Line::now("synced", paths) }
}

fn text(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.fold(Vec::new(), |mut text, number| {
        line(number).write(&mut text);
        text
    })
}

/// Performs the steps; returns the state of the disks after each.
fn moments(folder: &Path, steps: &[Step]) -> Vec<Moment> {
    let mut db = open(folder);
    let (mut written, mut committed) = (0, 0);
    let mut moments = Vec::new();
    for step in steps {
        let count = if let Step::Record(count) | Step::Log(count) = *step { count } else { 0 };
        let lines: Vec<_> = (written..written + count).map(line).collect();
        written += count;
        db.in_transaction(|db| {
            db.add_lines(&lines);
            db.execute("INSERT INTO walk_queue(side, path) VALUES (0, 'x')", []).map(drop)
        })
        .unwrap();
        match step {
            Step::Record(_) | Step::Commit => db.commit().unwrap(),
            Step::Log(_) => {}
            Step::Idle => drop(db.commit_idle().unwrap()),
        }
        if !db.has_lines() {
            committed = written;
        }
        moments.push(moment(folder, &db, text(0..committed)));
    }
    moments
}

fn moment(folder: &Path, db: &Db, committed: Vec<u8>) -> Moment {
    let read = |path: &Path| std::fs::read(path).unwrap_or_default();
    let (database, log) = (folder.join("db"), folder.join("log"));
    Moment {
        wal: read(&companion(&database, "-wal")),
        database: read(&database),
        log: read(&log),
        durable_bytes: usize::try_from(db.log.durable_bytes().unwrap()).unwrap(),
        committed,
    }
}

/// The log after recovery from a power cut that left `cut` bytes of it, the last `zeros` of them zeros.
fn after_cut(moment: &Moment, cut: usize, zeros: usize) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut log = moment.log[..cut].to_vec();
    log[cut - zeros..].fill(0);
    std::fs::write(folder.path().join("db"), &moment.database).unwrap();
    std::fs::write(folder.path().join("db-wal"), &moment.wal).unwrap();
    std::fs::write(folder.path().join("log"), log).unwrap();
    let mut db = open(folder.path());
    db.in_transaction(|db| {
        db.add_lines([&line(1000)]);
        Ok(())
    })
    .unwrap();
    db.commit().unwrap();
    std::fs::read(folder.path().join("log")).unwrap()
}

/// The lines without the links of a chain, which the line that is added afterwards has, too.
fn without_links(log: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(log);
    let lines = text.lines().map(|line| match line.split_once(",\"previous\":") {
        Some((line, _)) => format!("{line}}}\n"),
        None => format!("{line}\n"),
    });
    lines.collect::<String>().into_bytes()
}

fn check(moment: &Moment, cut: usize, zeros: usize) {
    let expected = without_links(&[&moment.committed[..], &text(1000..1001)].concat());
    let log = without_links(&after_cut(moment, cut, zeros));
    assert!(
        log == expected,
        "cut at {cut}, {zeros} zeros before it, of {} bytes:\n{}\nexpected:\n{}",
        moment.log.len(),
        String::from_utf8_lossy(&log),
        String::from_utf8_lossy(&expected)
    );
}

#[test]
fn the_log_has_each_line_once_wherever_a_power_cut_truncates_it() {
    let folder = tempfile::tempdir().unwrap();
    let steps = [Step::Record(2), Step::Commit, Step::Log(1), Step::Record(1), Step::Commit];
    let moments = moments(folder.path(), &steps);
    let last = moments.last().unwrap();
    assert!(last.durable_bytes < last.log.len(), "the log has unsynced lines");
    assert_eq!(last.durable_bytes, text(0..2).len(), "the earlier lines are synced");
    for cut in last.durable_bytes..=last.log.len() {
        check(last, cut, 0);
    }
}

#[test]
fn the_log_has_the_lines_about_a_run_once_wherever_a_power_cut_truncates_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(folder.path());
    let roots = || FilePaths { source: b"/old".to_vec(), dest: b"/new".to_vec() };
    let request = RunRequest {
        rescan: false,
        after_backlog: AfterBacklog::Auto,
        only_scans: false,
        rescan_after: None,
        settings: String::new(),
        retry: None,
        command: None,
        audit_chain: true,
        max_log_bytes: None,
        line: RunLine::started(roots()),
        progress: Progress::default(),
    };
    let run = db.in_transaction(|db| db.begin_run(request)).unwrap().run;
    db.commit().unwrap();
    let begun = moment(folder.path(), &db, Vec::new());
    let begun = Moment { committed: begun.log.clone(), ..begun };
    assert_eq!((begun.durable_bytes, begun.log.split(|byte| *byte == b'\n').count()), (0, 2), "an unsynced line");
    for cut in 0..=begun.log.len() {
        check(&begun, cut, 0);
    }
    let (end, line) = (RunEnd::Finished, RunLine::ended(roots()));
    let ended = EndedRun { end, stopped_by: None, error: None, pending: Some(Totals::default()), line };
    db.in_transaction(|db| db.end_run(run, ended)).unwrap();
    db.commit().unwrap();
    let ended = moment(folder.path(), &db, Vec::new());
    assert!(ended.log.starts_with(&begun.log) && ended.log.len() > begun.log.len());
    assert_eq!(ended.durable_bytes, ended.log.len(), "everything is synced");
    // A log that was rotated between two runs gets no line twice.
    let rotated = Moment { log: Vec::new(), committed: Vec::new(), durable_bytes: 0, ..ended };
    check(&rotated, 0, 0);
}

#[tokio::test]
async fn lines_reach_the_log_without_a_requested_commit() {
    let folder = tempfile::tempdir().unwrap();
    let roots = Roots { source: b"/old".to_vec(), sink: b"/new".to_vec() };
    let log = AuditLog::open(&folder.path().join("log")).unwrap();
    let (journal, thread) =
        Journal::open(folder.path().join("db"), &roots, log, Default::default(), Default::default()).unwrap();
    for number in 0..3 {
        journal.log(vec![line(number)]).await.unwrap();
    }
    let began = Instant::now();
    while std::fs::read(folder.path().join("log")).unwrap() != text(0..3) {
        assert!(began.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(journal);
    thread.join().await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn the_log_has_each_line_once_after_a_power_cut_in_any_run(
        steps in prop::collection::vec(
            prop_oneof![
                (0..4usize).prop_map(Step::Record),
                (0..3usize).prop_map(Step::Log),
                Just(Step::Commit),
                Just(Step::Idle),
            ],
            1..10,
        ),
        cuts in prop::collection::vec((0.0..=1.0f64, 0.0..=1.0f64), 4),
    ) {
        let folder = tempfile::tempdir().unwrap();
        for moment in moments(folder.path(), &steps) {
            for (cut, zeros) in &cuts {
                let volatile = moment.log.len() - moment.durable_bytes;
                let left = (volatile as f64 * cut) as usize;
                check(&moment, moment.durable_bytes + left, (left as f64 * zeros) as usize);
            }
        }
    }
}
