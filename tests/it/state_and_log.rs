//! The content of the database and the log, who may use them, and damaged ones.

use std::fs;
use std::process::Stdio;

use crate::common::*;

#[test]
fn the_files_view_has_the_documented_columns() {
    let bench = Bench::new();
    let path = bench.write("file", "data");
    set_mtime(&path, 1_600_000_000, 123_456_789);
    bench.sync(&[]).with_status(0);
    let row = bench.row("file");
    assert!(row.is_text);
    assert_eq!(row.dest, bench.dest().join("file").as_os_str().as_encoded_bytes());
    assert_eq!(row.modified, 1_600_000_000_123_456_789);
    assert!(row.changed.is_some_and(|changed| changed > row.modified));
    if let Ok(created) = fs::metadata(&path).unwrap().created() {
        let created = created.duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
        assert_eq!(row.created.map(|ns| ns as u128), Some(created));
    }
    assert!(bench.count("PRAGMA user_version") > 0);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    let mode: String = connection.query_row("PRAGMA journal_mode", [], |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    let types =
        "SELECT count(*) FROM files WHERE typeof(created) IN ('integer', 'null') AND typeof(modified) = 'integer'";
    assert_eq!(bench.count(types), 1);
}

#[test]
fn the_log_grows_over_runs_and_has_every_field() {
    let bench = Bench::new();
    bench.write("one", "1");
    bench.sync(&[]).with_status(0);
    bench.write("two", "22");
    bench.sync(&[]).with_status(0);
    let log = bench.log();
    assert_eq!(log.len(), 2);
    let line = log[1].as_object().unwrap();
    let fields: Vec<_> = line.keys().map(String::as_str).collect();
    assert_eq!(fields, ["time", "status", "source", "dest", "size", "algorithm", "checksum", "error"]);
    assert!(line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok());
    assert_eq!(line["source"], bench.source().join("two").to_str().unwrap());
    assert_eq!(line["dest"], bench.dest().join("two").to_str().unwrap());
    assert_eq!((&line["size"], &line["checksum"]), (&2.into(), &sha256(b"22").into()));
    assert!(line["error"].is_null());
}

#[test]
fn the_default_database_and_log_are_in_the_state_folder() {
    let bench = Bench::new();
    bench.write("file", "data");
    let run = |folder: &std::path::Path| {
        let mut command = bench.bare_command();
        command.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::piped());
        end(command.spawn().unwrap()).with_status(0)
    };
    let first = run(&bench.path(""));
    let second = run(std::path::Path::new("/"));
    assert!(second.stdout.contains("sent 0 files"), "{}", second.stdout);
    let state = bench.path("state/towpath");
    let mut names: Vec<_> =
        fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert!(names.len() == 2 && names[0].ends_with(".db") && names[1].ends_with(".log"), "{names:?}");
    for name in names {
        assert!(first.stdout.contains(state.join(&name).to_str().unwrap()), "{name}: {}", first.stdout);
    }
}

#[test]
fn a_database_and_log_inside_a_tree_are_not_migrated() {
    let bench = Bench::new();
    bench.write("file", "data");
    fs::create_dir(bench.dest()).unwrap();
    for (database, log) in [(bench.source(), bench.dest()), (bench.dest(), bench.source())] {
        let (database, log) = (database.join("state.db"), log.join("state.log"));
        let mut command = bench.bare_command();
        command.arg("--database").arg(&database).arg("--log-file").arg(&log);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        end(command.spawn().unwrap()).with_status(0);
        let connection = rusqlite::Connection::open(&database).unwrap();
        let rows: i64 = connection.query_row("SELECT count(*) FROM files", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 1, "only the file");
        drop(connection);
        for root in [bench.source(), bench.dest()] {
            let names: Vec<_> = tree(&root).into_keys().collect();
            assert_eq!(names.len(), 2, "the file, and the database or the log: {names:?}");
        }
        fs::remove_file(database).unwrap();
        fs::remove_file(log).unwrap();
    }
}

#[test]
fn a_database_and_log_reached_through_symlinks_are_not_migrated() {
    let bench = Bench::new();
    bench.write("file", "data");
    for name in ["hidden.db", "hidden.log"] {
        let link = bench.path(format!("link-to-{name}"));
        std::os::unix::fs::symlink(bench.source().join(name), link).unwrap();
    }
    let mut command = bench.bare_command();
    command.arg("--database").arg(bench.path("link-to-hidden.db"));
    command.arg("--log-file").arg(bench.path("link-to-hidden.log"));
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(0);
    assert_eq!(tree(&bench.dest()).into_keys().collect::<Vec<_>>(), [b"file".to_vec()]);
}

#[test]
fn the_log_cannot_be_the_database() {
    let bench = Bench::new();
    bench.write("file", "data");
    for log in ["state", "state-wal"] {
        let mut command = bench.bare_command();
        command.arg("--database").arg(bench.path("state")).arg("--log-file").arg(bench.path(log));
        let ended = end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(1);
        assert!(ended.stderr.contains("give another --log-file"), "{}", ended.stderr);
        assert!(!bench.dest().exists() && !bench.path(log).exists(), "nothing changes");
    }
}

#[test]
fn a_rejected_run_changes_neither_tree() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    for root in [bench.source(), bench.dest()] {
        set_mtime(&root, 1_500_000_000, 7);
    }
    let mut swapped = std::process::Command::new(env!("CARGO_BIN_EXE_towpath"));
    swapped.arg("sync").arg(bench.dest()).arg(bench.source()).arg("--database").arg(bench.database());
    swapped.arg("--log-file").arg(bench.path("new.log")).stdout(Stdio::piped()).stderr(Stdio::piped());
    end(swapped.spawn().unwrap()).with_status(4);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    bench.sync(&[]).with_status(1);
    for root in [bench.source(), bench.dest()] {
        assert_eq!(mtime_ns(&root), 1_500_000_000_000_000_007);
    }
    assert!(!bench.path("new.log").exists());
}

/// A database of an earlier version for the trees of the bench.
fn database_of(bench: &Bench, schema: &str) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.execute_batch(schema).unwrap();
    let root = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    for (side, path) in [(0, root(bench.source())), (1, root(bench.dest()))] {
        let values = rusqlite::params![side, path, format!("{path}/")];
        connection.execute("INSERT INTO tree(side, root, prefix) VALUES (?1, ?2, ?3)", values).unwrap();
    }
    connection
}

#[test]
fn a_database_of_the_first_version_is_upgraded() {
    let bench = Bench::new();
    let year_2300 = filetime::FileTime::from_unix_time(10_413_792_000, 5);
    filetime::set_file_mtime(bench.write("dir/file", "data"), year_2300).unwrap();
    let connection = database_of(&bench, include_str!("schema-1.sql"));
    connection
        .execute_batch(
            "INSERT INTO run(id, started, finished, outcome) VALUES (1, 1, 2, 'finished');
             INSERT INTO scan(id, run, started, finished) VALUES (1, 1, 1, 2);
             INSERT INTO dir(id, path) VALUES (1, '');
             INSERT INTO file(dir, name, size, modified, status, scan) VALUES (1, 'gone', 4, 5, 0, 1);
             PRAGMA application_id = 0x546f7770; PRAGMA user_version = 1",
        )
        .unwrap();
    drop(connection);
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("scanning both trees"), "{}", ended.stdout);
    assert_eq!(bench.rows().into_keys().collect::<Vec<_>>(), [b"dir/file".to_vec()]);
    assert_eq!(bench.count("SELECT user_version FROM pragma_user_version"), 7);
    let modified = "SELECT modified_seconds FROM files WHERE modified = 9223372036854775807";
    assert_eq!(bench.count(modified), 10_413_792_000, "times beyond a column of integers");
    assert_eq!(bench.count("SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
    bench.assert_same_trees();
}

#[test]
fn a_database_of_version_4_is_upgraded_and_its_backlog_resumed() {
    let bench = Bench::new();
    bench.write("file", "data");
    filetime::set_file_mtime(bench.source().join("file"), filetime::FileTime::from_unix_time(5, 0)).unwrap();
    let connection = database_of(&bench, include_str!("schema-4.sql"));
    connection
        .execute_batch(
            "INSERT INTO run(id, started, finished, outcome) VALUES (1, 1, 2, 'stopped'), (2, 3, NULL, NULL);
             INSERT INTO scan(id, run, started, finished) VALUES (1, 1, 1, 2);
             PRAGMA application_id = 0x546f7770; PRAGMA user_version = 4",
        )
        .unwrap();
    drop(connection);
    bench.sync(&[]).with_status(0);
    assert_eq!(bench.count("SELECT user_version FROM pragma_user_version"), 7);
    assert_eq!(bench.count("SELECT count(*) FROM run WHERE id IN (1, 2) AND sent_files IS NULL AND pid IS NULL"), 2);
    assert_eq!(
        bench.count("SELECT sum(scanned * id) FROM run WHERE id IN (1, 2)"),
        1,
        "the scans of old runs are known"
    );
    assert_eq!(bench.count("SELECT sent_files FROM run WHERE id = 3"), 1);
    bench.assert_same_trees();
}

#[test]
fn a_source_file_never_overwrites_the_database() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.write("state.db", "a file of the user's that happens to have the name");
    fs::create_dir(bench.dest()).unwrap();
    let database = bench.dest().join("state.db");
    let mut command = bench.bare_command();
    command.arg("--database").arg(&database).arg("--log-file").arg(bench.log_file());
    let ended = end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(3);
    assert!(ended.stderr.contains("state.db"), "{}", ended.stderr);
    assert!(fs::read(&database).unwrap().starts_with(b"SQLite format 3"));
}

#[test]
fn a_second_process_cannot_use_the_same_database() {
    let bench = Bench::new();
    bench.write("file", noise(1, 2 << 20));
    let mut first = bench.start_until(&["--bwlimit", "512K"], || bench.dest().join("file").exists());
    let second = bench.sync(&[]).with_status(1);
    assert!(second.stderr.contains("in use by another towpath process"), "{}", second.stderr);
    first.kill().unwrap();
    first.wait().unwrap();
    bench.sync(&[]).with_status(0);
}

#[test]
fn a_database_deleted_during_a_run_stops_it() {
    let bench = Bench::new();
    for n in 0..40 {
        bench.write(format!("{n:02}"), noise(n, 100_000));
    }
    let run = bench.start_until(&["--bwlimit", "500K", "--lanes", "2"], || {
        fs::read_to_string(bench.log_file()).is_ok_and(|log| log.contains("\"synced\""))
    });
    fs::remove_file(bench.database()).unwrap();
    let ended = end(run).with_status(1);
    assert!(ended.stderr.contains("was deleted or moved") && ended.stderr.lines().count() == 1, "{}", ended.stderr);
    assert!(!ended.stdout.contains("done:"), "{}", ended.stdout);
    let before = bench.logged("synced").len();
    assert!(before < 40);
    // The next run scans again and finds the files that arrived.
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(bench.rows().len(), 40);
}

#[test]
fn the_database_of_other_trees_is_a_guard_refusal_that_names_all_trees() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    let other = bench.path("other");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("sync").arg(bench.source()).arg(&other).arg("--database").arg(bench.database());
    command.arg("--log-file").arg(bench.log_file()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = end(command.spawn().unwrap()).with_status(4);
    for path in [bench.source(), bench.dest(), other] {
        assert!(ended.stderr.contains(path.to_str().unwrap()), "{}", ended.stderr);
    }
    assert_eq!(bench.rows().len(), 1);
}

#[test]
fn a_database_of_a_newer_version_is_not_changed() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    connection.pragma_update(None, "journal_mode", "delete").unwrap();
    drop(connection);
    let before = fs::read(bench.database()).unwrap();
    let ended = bench.sync(&[]).with_status(1);
    assert!(ended.stderr.contains("newer version"), "{}", ended.stderr);
    assert_eq!(fs::read(bench.database()).unwrap(), before);
}

#[test]
fn damaged_databases_are_reported_and_not_changed() {
    let bench = Bench::new();
    for n in 0..2000 {
        bench.write(format!("{n}"), "data");
    }
    bench.sync(&[]).with_status(0);
    let whole = fs::read(bench.database()).unwrap();
    let garbage = noise(9, 8192);
    let mut torn = whole.clone();
    torn[20_000..60_000].copy_from_slice(&noise(10, 40_000));
    let cut = whole[..whole.len() / 2].to_vec();
    for (what, damaged) in [("garbage", garbage), ("torn", torn), ("cut", cut)] {
        fs::write(bench.database(), &damaged).unwrap();
        let ended = bench.sync(&[]).with_status(1);
        assert!(ended.stderr.contains("damaged"), "{what}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{what}: {}", ended.stderr);
        assert!(fs::read(bench.database()).unwrap() == damaged, "{what}: it was changed");
    }
}

#[test]
fn an_sqlite_file_of_another_program_is_an_error() {
    let bench = Bench::new();
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.execute_batch("CREATE TABLE bookmarks(url TEXT); PRAGMA user_version = 1").unwrap();
    drop(connection);
    let ended = bench.sync(&[]).with_status(1);
    assert!(ended.stderr.contains("not a database of towpath"), "{}", ended.stderr);
}
