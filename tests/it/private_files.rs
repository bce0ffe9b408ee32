//! Database, log and configuration file must belong to the user who runs the program.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown, lchown, symlink};
use std::path::Path;
use std::process::Stdio;

use crate::common::*;

const OTHER: Option<u32> = Some(65_533);

/// A bench with a folder like /tmp; `None`: the test may not change owners.
fn bench() -> Option<Bench> {
    if !is_root_or_skip("files of another user") {
        return None;
    }
    let bench = Bench::new();
    bench.write("file", "data");
    fs::create_dir(bench.path("tmp")).unwrap();
    fs::set_permissions(bench.path("tmp"), Permissions::from_mode(0o1777)).unwrap();
    fs::write(bench.path("precious"), "").unwrap();
    Some(bench)
}

fn run(bench: &Bench, database: &Path, log: &Path) -> ProcessOutput {
    let mut command = bench.bare_command();
    command.arg("--database").arg(database).arg("--log-file").arg(log);
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o777
}

#[test]
fn symlinks_of_another_user_are_not_followed_for_writing() {
    let Some(bench) = bench() else { return };
    let (database, log) = (bench.path("tmp/db"), bench.path("tmp/log"));
    for planted in ["db", "db-wal", "db-shm", "db-journal", "log"] {
        let link = bench.path("tmp").join(planted);
        symlink("../precious", &link).unwrap();
        lchown(&link, OTHER, OTHER).unwrap();
        let ended = run(&bench, &database, &log).with_status(1);
        assert!(ended.stderr.contains(link.to_str().unwrap()), "{planted}: {}", ended.stderr);
        assert_eq!(fs::read(bench.path("precious")).unwrap(), b"", "{planted}");
        assert!(!bench.dest().exists(), "{planted}");
        fs::remove_file(link).unwrap();
    }
    run(&bench, &database, &log).with_status(0);
    assert_eq!((mode(&database), mode(&log)), (0o600, 0o600));
}

#[test]
fn a_database_or_log_of_another_user_is_an_error() {
    let Some(bench) = bench() else { return };
    let (database, log) = (bench.path("tmp/db"), bench.path("tmp/log"));
    run(&bench, &database, &log).with_status(0);
    for file in [&database, &log] {
        chown(file, OTHER, None).unwrap();
        let ended = run(&bench, &database, &log).with_status(1);
        assert!(ended.stderr.contains("belongs to user 65533") && ended.stderr.contains("chown"), "{}", ended.stderr);
        chown(file, Some(0), None).unwrap();
    }
    run(&bench, &database, &log).with_status(0);
}

#[test]
fn a_configuration_file_of_another_user_is_not_read_by_root() {
    let Some(bench) = bench() else { return };
    let config = bench.path("config.toml");
    fs::write(&config, "[s3]\nendpoint = \"https://s3.example.org\"\n").unwrap();
    fs::set_permissions(&config, Permissions::from_mode(0o600)).unwrap();
    let options = ["--config", config.to_str().unwrap()];
    bench.sync(&options).with_status(0);
    symlink("../config.toml", bench.path("tmp/link.toml")).unwrap();
    lchown(bench.path("tmp/link.toml"), OTHER, None).unwrap();
    let link = bench.path("tmp/link.toml");
    let ended = bench.sync(&["--config", link.to_str().unwrap()]).with_status(2);
    assert!(ended.stderr.contains("symbolic link"), "{}", ended.stderr);
    chown(&config, OTHER, None).unwrap();
    for options in [&options[..], &["--config", config.to_str().unwrap(), "--dry-run"]] {
        let ended = bench.sync(options).with_status(2);
        assert!(ended.stderr.contains("belongs to user 65533"), "{}", ended.stderr);
    }
}

#[test]
fn files_that_others_can_write_to_are_tightened_with_a_warning() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    for file in [bench.database(), bench.log_file()] {
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        let ended = bench.sync(&[]).with_status(0);
        assert!(ended.stderr.contains("(mode 0666): its mode is now"), "{}", ended.stderr);
        assert_eq!(mode(&file), 0o644);
        assert_eq!(bench.sync(&[]).with_status(0).stderr, "", "once");
    }
}

#[test]
fn missing_directories_are_created_private_to_the_user() {
    let bench = Bench::new();
    bench.write("file", "data");
    run(&bench, &bench.path("a/b/db"), &bench.path("c/d/log")).with_status(0);
    for folder in ["a", "a/b", "c", "c/d"] {
        assert_eq!(mode(&bench.path(folder)), 0o700, "{folder}");
    }
}

#[test]
fn an_incomplete_last_line_is_terminated_with_a_warning() {
    let bench = Bench::new();
    bench.write("file", "data");
    fs::write(bench.log_file(), "{\"time\":\"2026-").unwrap();
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stderr.contains("its last line is incomplete"), "{}", ended.stderr);
    let log = fs::read_to_string(bench.log_file()).unwrap();
    let mut lines = log.lines();
    assert_eq!(lines.next(), Some("{\"time\":\"2026-"));
    assert!(lines.all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
}
