//! What the database records of each run.

use std::fs;

use crate::common::{Bench, noise, write};

/// A column of the last run, as text.
fn last_run(bench: &Bench, column: &str) -> String {
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    let sql = format!("SELECT CAST({column} AS TEXT) FROM run ORDER BY id DESC LIMIT 1");
    connection.query_row(&sql, [], |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or("NULL".to_owned())
}

fn check(bench: &Bench, expected: &[(&str, &str)]) {
    for (column, value) in expected {
        assert_eq!(last_run(bench, column), *value, "{column}");
    }
}

#[test]
fn a_run_that_finished_is_recorded_with_its_counts() {
    let bench = Bench::new();
    bench.write("a", "data");
    bench.write("dir/b", "more data");
    write(&bench.dest(), "extra", "x");
    write(&bench.dest(), "extra-dir/y", "y");
    bench.sync(&["--delete-extras", "--max-delete", "100%"]).with_status(0);
    check(
        &bench,
        &[
            ("outcome", "finished"),
            ("version", env!("CARGO_PKG_VERSION")),
            ("log", bench.log_file().canonicalize().unwrap().to_str().unwrap()),
            ("pid > 0", "1"),
            ("scanned", "1"),
            ("sent_files", "2"),
            ("sent_bytes", "13"),
            ("deleted_files", "2"),
            ("deleted_dirs", "1"),
            ("failed_files", "0"),
            ("pending_files", "0"),
            ("pending_bytes", "0"),
            ("stopped_by", "NULL"),
            ("error", "NULL"),
        ],
    );
}

#[test]
fn failures_are_counted_by_kind_and_side_with_an_example() {
    let bench = Bench::new();
    for name in ["a", "b"] {
        bench.write(name, "data");
        write(&bench.dest(), format!("{name}/in-the-way"), "x");
    }
    bench.write("c", "fine");
    bench.sync(&[]).with_status(3);
    check(
        &bench,
        &[
            ("outcome", "finished"),
            ("sent_files", "1"),
            ("failed_files", "2"),
            ("failed_bytes", "8"),
            ("pending_files", "2"),
            ("pending_bytes", "8"),
        ],
    );
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    let sql = "SELECT side, kind, count, path, error FROM run_error";
    let (side, kind, count, path, error): (i64, String, i64, String, String) = connection
        .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        .unwrap();
    assert_eq!((side, kind.as_str(), count), (1, "not-empty", 2), "{error}");
    assert!(path.ends_with("/a") || path.ends_with("/b"), "{path}");
    assert!(!error.is_empty());
    assert_eq!(bench.count("SELECT count(*) FROM run_error"), 1);
}

#[test]
fn a_killed_run_has_the_counts_of_its_last_commit() {
    let bench = Bench::new();
    for n in 0..40 {
        bench.write(format!("{n:02}"), noise(n, 100_000));
    }
    let mut run = bench.start_until(&["--bwlimit", "500K", "--lanes", "2"], || {
        fs::read_to_string(bench.log_file()).is_ok_and(|log| log.contains("\"synced\""))
    });
    run.kill().unwrap();
    run.wait().unwrap();
    let synced = bench.count("SELECT count(*) FROM file WHERE status = 1");
    assert!((1..40).contains(&synced), "{synced}");
    check(
        &bench,
        &[
            ("finished", "NULL"),
            ("outcome", "NULL"),
            ("pid", &run.id().to_string()),
            ("scanned", "1"),
            ("sent_files", &synced.to_string()),
            ("sent_bytes", &(synced * 100_000).to_string()),
            ("pending_files", &(40 - synced).to_string()),
            ("pending_bytes", &((40 - synced) * 100_000).to_string()),
        ],
    );
    bench.sync(&[]).with_status(0);
    check(&bench, &[("scanned", "0"), ("sent_files", &(40 - synced).to_string()), ("pending_files", "0")]);
}

#[test]
fn a_run_that_could_not_continue_is_recorded_with_the_reason() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    fs::remove_dir_all(bench.source()).unwrap();
    fs::create_dir(bench.source()).unwrap();
    bench.sync(&[]).with_status(4);
    check(&bench, &[("outcome", "failed"), ("error LIKE '%source%'", "1")]);
}

#[test]
fn each_run_records_how_fast_files_were_sent() {
    let bench = Bench::new();
    bench.write("first", noise(1, 500_000));
    bench.sync(&["--bwlimit", "200K"]).with_status(0);
    let samples = bench.count("SELECT count(*) FROM sample");
    assert!(samples >= 1);
    assert_eq!(bench.count("SELECT sum(files) FROM sample"), 1);
    let bytes = bench.count("SELECT sum(bytes) FROM sample");
    assert!((1..=500_000).contains(&bytes), "{bytes}");
    let expected = "limit_bytes_per_s = 204800 AND duration_ms BETWEEN 1000 AND 61000 AND paused_ms = 0";
    assert_eq!(bench.count(&format!("SELECT count(*) FROM sample WHERE {expected}")), samples);
    bench.write("second", "data");
    bench.sync(&[]).with_status(0);
    assert!(bench.count("SELECT count(*) FROM sample") >= samples, "those of earlier runs stay");
}
