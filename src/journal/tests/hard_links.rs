//! The cost of large sets of names, and the interruption of long statements.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio_util::sync::CancellationToken;
use towpath_backend::NameRules;

use super::open;
use crate::error::{Error, FailureCode, FileError};
use crate::event::Side;
use crate::journal::store::db::Db;
use crate::journal::{Cause, Compares, ImpossibleKey, RowRange, RowState, RowUpdate, ScanOptions, Sizes, Work};
use crate::progress::Progress;

/// Rows `name`, 1 to ?1, in a CTE `n`.
const NUMBERS: &str = "WITH n(name) AS (VALUES (1) UNION ALL SELECT name + 1 FROM n WHERE name < ?1)";

/// A scan of `count` names of one file in one directory, with these values of the columns
/// `size`, `status`, `device` and `inode` for the source, `device` and `inode` for the sink.
fn scanned(folder: &Path, count: u32, source: &str, sink: &str) -> Db {
    let mut db = open(folder);
    let options = ScanOptions {
        tolerance_ns: Some(0),
        compares: Compares { hard_links: true, ..Compares::default() },
        accepts_new_tree: false,
        names: NameRules::BYTES,
        settings: String::new(),
    };
    db.execute("INSERT INTO run(id, started) VALUES (1, 0)", []).unwrap();
    db.begin_scan(1, &options).unwrap();
    for sql in [
        format!(
            "{NUMBERS} INSERT INTO file(dir, name, size, status, device, inode, modified, scan)
             SELECT 1, printf('%06d', name), {source}, 0, 1 FROM n"
        ),
        format!(
            "{NUMBERS} INSERT INTO sink_entry(dir, name, device, inode, kind, size, modified)
             SELECT 1, printf('%06d', name), {sink}, 0, 0, 0 FROM n"
        ),
    ] {
        db.execute(&sql, [count]).unwrap();
    }
    db
}

/// Compares the names and processes the backlog: every name with content fails, and then the others fail.
fn process(db: &mut Db) {
    db.find_merged().unwrap();
    db.separate_merged(0, 9).unwrap();
    db.choose_carriers().unwrap();
    db.compare_names(0, 9).unwrap();
    db.send_orphaned_names(0).unwrap();
    loop {
        let failing = db.pending_page(Work::Content, 0, Sizes::All, &RowRange::all(), 64).unwrap();
        for pending in &failing {
            let state = RowState::Failed { side: Side::Source, code: FailureCode::Eio, metadata: None };
            db.record(&[RowUpdate { key: pending.key.clone(), state, lines: Vec::new(), sent: None }]).unwrap();
        }
        if db.send_orphans(0).unwrap() == 0 {
            break;
        }
    }
    let mut range = RowRange::all();
    while let Some(last) = db.pending_page(Work::Name, 0, Sizes::All, &range, 64).unwrap().pop() {
        range = RowRange::RestOfDir(last.key);
    }
    let cause = Cause::from(&FileError::LinkedFileNotSent);
    while !db.fail_names(64, &cause).unwrap().is_empty() {}
}

/// The cost of `process` in hundreds of SQLite virtual-machine instructions.
fn cost(count: u32, source: &str, sink: &str) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let mut db = scanned(folder.path(), count, source, sink);
    cost_of(&mut db, process)
}

fn cost_of(db: &mut Db, work: impl FnOnce(&mut Db)) -> u64 {
    let counted = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&counted);
    let count = move || {
        counter.fetch_add(1, Relaxed);
        false
    };
    db.connection.progress_handler(100, Some(count)).unwrap();
    db.in_transaction(|db| {
        work(db);
        Ok(())
    })
    .unwrap();
    counted.load(Relaxed)
}

#[test]
fn the_cost_of_the_names_of_a_file_is_linear_in_their_number() {
    for (case, source, sink) in [
        ("the sink has none, and each fails", "0, 0, 7, 7", "NULL, NULL"),
        ("the sink has all as names of one file", "0, 1, 7, 7", "8, 8"),
        ("the sink has all as separate files", "0, 1, 7, 7", "NULL, NULL"),
        ("the last one is in sync", "0, name = ?1, 7, 7", "NULL, NULL"),
        ("one file at the sink is two in the source", "0, 1, 7, name % 2", "8, 8"),
        ("different files have one inode number", "name, 0, 7, 7", "NULL, NULL"),
    ] {
        let (few, many) = (cost(200, source, sink), cost(1600, source, sink));
        assert!(many < few * 12, "{case}: {few} for 200 names, {many} for 1600");
    }
}

#[test]
fn the_cost_of_names_that_the_sink_cannot_hold_is_linear_in_their_number() {
    let cost = |count| {
        let folder = tempfile::tempdir().unwrap();
        let mut db = scanned(folder.path(), count, "0, 0, NULL, NULL", "NULL, NULL");
        db.execute("UPDATE file SET work = 3", []).unwrap();
        let mut seen = 0;
        let cost = cost_of(&mut db, |db| {
            let mut after = ImpossibleKey::first();
            while let Some((last, _)) = db.impossible(&after, 64).unwrap().pop() {
                after = last;
                seen += 1;
            }
        });
        assert_eq!(seen, count.div_ceil(64), "pages");
        cost
    };
    let (few, many) = (cost(1000), cost(8000));
    assert!(many < few * 12, "{few} for 1000 names, {many} for 8000");
}

#[test]
fn an_interrupted_long_statement_undoes_no_earlier_change() {
    let folder = tempfile::tempdir().unwrap();
    let mut db = open(folder.path());
    let (stop, progress) = (CancellationToken::new(), Progress::default());
    db.interrupt_when(stop.clone(), progress.clone()).unwrap();
    let endless = "WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n";
    db.in_transaction(|db| db.execute("INSERT INTO walk_queue(side, path) VALUES (0, 'before')", [])).unwrap();
    stop.cancel();
    let interrupted = db.in_transaction(|db| {
        db.interruptible(|db| {
            db.execute("INSERT INTO walk_queue(side, path) VALUES (0, 'undone')", [])?;
            db.row(endless, [], |_| Ok(()))
        })
    });
    assert!(matches!(interrupted, Err(Error::Interrupted)), "{interrupted:?}");
    let steps = progress.snapshot().database_steps;
    assert!(steps > 0, "a long statement shows that the database is at work");
    // A statement of a job that is not interruptible completes and can be committed.
    let long = "WITH n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n LIMIT 50000) SELECT max(i) FROM n";
    db.in_transaction(|db| db.row(long, [], |_| Ok(()))).unwrap();
    assert_eq!(progress.snapshot().database_steps, steps, "others are no sign of progress");
    db.commit().unwrap();
    let paths = db.rows("SELECT path FROM walk_queue", [], |row| row.get::<_, String>("path")).unwrap();
    assert_eq!(paths, ["before"]);
}
