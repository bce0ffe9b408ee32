//! `--log-rotate`: the log is closed at a size, gets a number, and another begins.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[cfg(feature = "failpoints")]
use rustix::process::Signal;
use serde_json::Value;

use crate::common::*;

const ROTATE: &[&str] = &["--audit-chain", "--log-rotate", "64K"];
const MAX_BYTES: u64 = 64 << 10;

/// The closed logs of a log, in the order of their numbers, and the log.
fn logs(log: &Path) -> Vec<PathBuf> {
    let number = |path: &PathBuf| {
        let name = path.file_name()?.to_str()?;
        name.strip_prefix(log.file_name()?.to_str()?)?.strip_prefix('.')?.parse::<u64>().ok()
    };
    let entries = fs::read_dir(log.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
    let mut closed: Vec<_> = entries.filter_map(|path| Some((number(&path)?, path))).collect();
    closed.sort_unstable();
    closed.into_iter().map(|(_, path)| path).chain([log.to_owned()]).collect()
}

fn check(bench: &Bench, logs: &[PathBuf]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["audit", "check"]).args(logs).arg("--database").arg(bench.database());
    end(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// Checks that the logs have each file once, are one chain, and name each other.
#[track_caller]
fn assert_whole(bench: &Bench, logs: &[PathBuf], files: usize) {
    check(bench, logs).with_status(0);
    let lines: Vec<Value> = logs.iter().flat_map(|log| read_log(log)).collect();
    let mut synced: Vec<_> =
        lines.iter().filter(|line| line["status"] == "synced").map(|line| &line["source"]).collect();
    synced.sort_unstable_by_key(|path| path.as_str());
    synced.dedup();
    let count = lines.iter().filter(|line| line["status"] == "synced").count();
    assert_eq!((synced.len(), count), (files, files));
    let name = |log: &Path| log.file_name().unwrap().to_str().unwrap().to_owned();
    for pair in logs.windows(2) {
        let (before, after) = (read_log(&pair[0]), read_log(&pair[1]));
        let (last, first) = (before.last().unwrap(), &after[0]);
        assert_eq!((&last["status"], &last["log"]), (&"log-closed".into(), &name(&pair[0]).into()), "{last}");
        assert_eq!(
            (&first["status"], &first["previous_log"]),
            (&"log-begun".into(), &name(&pair[0]).into()),
            "{first}"
        );
    }
}

fn write_files(bench: &Bench, files: usize) {
    for n in 0..files {
        bench.write(format!("dir {}/a file with a rather long name {n}", n % 20), n.to_string());
    }
}

#[test]
fn logs_of_five_thousand_files_stay_below_the_size_and_are_one_chain() {
    let bench = Bench::new();
    write_files(&bench, 5000);
    bench.sync(ROTATE).with_status(0);
    let first = logs(&bench.log_file());
    assert!(first.len() > 20, "{first:?}");
    for log in &first {
        let found = fs::metadata(log).unwrap();
        assert!(found.len() <= MAX_BYTES && found.mode() & 0o777 == 0o600, "{log:?}: {} bytes", found.len());
    }
    assert_whole(&bench, &first, 5000);
    let closed: Vec<_> = first[..first.len() - 1].iter().map(|log| (log, fs::read(log).unwrap())).collect();
    bench.write("one more", "");
    bench.sync(ROTATE).with_status(0);
    closed.iter().for_each(|(log, content)| assert!(fs::read(log).unwrap() == *content, "{log:?} has changed"));
    assert_whole(&bench, &logs(&bench.log_file()), 5001);
}

#[test]
fn a_change_in_any_of_the_logs_is_found() {
    let bench = Bench::new();
    write_files(&bench, 700);
    bench.sync(ROTATE).with_status(0);
    let logs = logs(&bench.log_file());
    assert!(logs.len() > 3, "{logs:?}");
    check(&bench, &logs).with_status(0);
    let text = |log: &Path| fs::read_to_string(log).unwrap();
    let last = text(&logs[0]).lines().count();
    let with = |change: &dyn Fn(&mut Vec<String>), logs: &[PathBuf]| {
        let log = &logs[1];
        let whole = text(log);
        let mut lines: Vec<String> = whole.lines().map(|line| format!("{line}\n")).collect();
        change(&mut lines);
        fs::write(log, lines.concat()).unwrap();
        let found = check(&bench, logs).with_status(3).stdout;
        fs::write(log, whole).unwrap();
        found
    };
    let found = with(&|lines| lines[6] = lines[6].replace("\"size\":", "\"size\":1"), &logs);
    assert!(found.contains("audit.jsonl.2, line 8: does not follow"), "{found}");
    let found = with(&|lines| drop(lines.remove(0)), &logs);
    assert!(found.contains("audit.jsonl.2, line 1: does not follow"), "{found}");
    let found = with(&|lines| drop(lines.pop()), &logs);
    assert!(found.contains("audit.jsonl.3, line 1: does not follow"), "{found}");
    let found = with(&|lines| lines.swap(3, 4), &logs);
    assert!(found.contains("audit.jsonl.2, line 4: does not follow"), "{found}");
    // A line that moved from one log to another.
    let moved = text(&logs[0]).lines().nth(last - 2).unwrap().to_owned();
    let found = with(&|lines| lines.insert(1, format!("{moved}\n")), &logs);
    assert!(found.contains("audit.jsonl.2, line 2: does not follow"), "{found}");
}

/// Changes the logs, checks one of them, and puts the logs back as they were.
fn found_after(bench: &Bench, change: impl Fn(), checked: &Path) -> ProcessOutput {
    let logs: Vec<_> = logs(&bench.log_file()).into_iter().map(|log| (fs::read(&log).unwrap(), log)).collect();
    change();
    let found = check(bench, &[checked.to_owned()]);
    for (content, log) in logs {
        fs::write(log, content).unwrap();
    }
    found
}

#[test]
fn the_other_logs_are_found_from_any_of_them() {
    let bench = Bench::new();
    write_files(&bench, 900);
    bench.sync(ROTATE).with_status(0);
    let all = logs(&bench.log_file());
    assert!(all.len() > 4, "{all:?}");
    let whole = format!(
        " in {} logs, {} to {}, are whole and in order, and the last is the one that",
        all.len(),
        all[0].display(),
        bench.log_file().display()
    );
    for log in &all {
        let found = check(&bench, std::slice::from_ref(log)).with_status(0).stdout;
        assert!(found.contains(&whole), "{found}");
    }
    let (second, third, fourth) = (&all[1], &all[2], &all[3]);
    let found = |change: &dyn Fn(), checked: &Path| {
        let found = found_after(&bench, change, checked).with_status(3);
        assert_eq!(found.stderr, "");
        found.stdout.replace(&format!("{}/", bench.path("").display().to_string().trim_end_matches('/')), "")
    };
    let is_missing = "audit.jsonl.3, line 1: the log before it is missing: audit.jsonl.2\n";
    for checked in [&bench.log_file(), &all[0]] {
        assert_eq!(found(&|| fs::remove_file(second).unwrap(), checked), is_missing);
    }
    let compressed = bench.path("audit.jsonl.2.gz");
    let compress = || {
        fs::write(&compressed, b"\x1f\x8b\x08").unwrap();
        fs::remove_file(second).unwrap();
    };
    let hint = is_missing.replace("2\n", "2; decompress audit.jsonl.2.gz first\n");
    assert_eq!(found(&compress, fourth), hint);
    fs::remove_file(&compressed).unwrap();
    let renamed = bench.path("of 2026");
    assert_eq!(
        found(&|| fs::rename(second, &renamed).unwrap(), fourth),
        "of 2026: was closed as audit.jsonl.2: it was renamed, or exchanged with another log\n"
    );
    let exchange = || {
        let content = fs::read(second).unwrap();
        fs::rename(third, second).unwrap();
        fs::write(third, content).unwrap();
    };
    let exchanged = found(&exchange, &bench.log_file());
    assert_eq!(exchanged.lines().count(), 2, "{exchanged}");
    assert!(exchanged.contains("audit.jsonl.2: was closed as audit.jsonl.3: it was renamed"), "{exchanged}");
    // The first log, and the last one.
    let first_is_missing = found(&|| fs::remove_file(&all[0]).unwrap(), fourth);
    assert_eq!(first_is_missing, "audit.jsonl.2, line 1: the log before it is missing: audit.jsonl.1\n");
    let last_is_missing = found(&|| fs::remove_file(bench.log_file()).unwrap(), second);
    let names: Vec<_> = all.iter().map(|log| log.file_name().unwrap().to_str().unwrap()).collect();
    let next = format!("{}: the log after it is missing: audit.jsonl.{}\n", names[names.len() - 2], names.len());
    assert!(last_is_missing.starts_with(&next), "{last_is_missing}");
    // Its names and its hashes are gone; a copy of it elsewhere changes nothing.
    let copy = bench.path("copy");
    fs::copy(second, &copy).unwrap();
    for remove_first in [true, false] {
        let cut = || {
            let text = fs::read_to_string(second).unwrap();
            let mut lines: Vec<_> = text.split_inclusive('\n').collect();
            lines.remove(if remove_first { 0 } else { lines.len() - 1 });
            fs::write(second, lines.concat()).unwrap();
        };
        let place = if remove_first { "audit.jsonl.2" } else { "audit.jsonl.3" };
        assert!(found(&cut, fourth).starts_with(&format!("{place}, line 1: does not follow the line before")));
    }
}

#[test]
fn a_hash_that_was_kept_elsewhere_must_be_in_the_chain() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.sync(&["--audit-chain"]).with_status(0);
    let printed = check(&bench, &[bench.log_file()]).with_status(0).stdout;
    let (_, hash) = printed.trim_end().split_once("hash of the last line: ").unwrap();
    bench.write("b", "1");
    bench.sync(&[]).with_status(0);
    let with = |hash: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.args(["audit", "check"]).arg(bench.log_file()).args(["--hash", hash]);
        end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    with(hash).with_status(0);
    with(&hash.to_uppercase()).with_status(0);
    let other = with(&"0".repeat(64)).with_status(3).stdout;
    assert!(other.contains("no line has the hash given with --hash"), "{other}");
    with("12").with_status(2);
}

#[test]
fn files_that_are_no_logs_are_named() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.sync(&["--audit-chain"]).with_status(0);
    let compressed = bench.path("audit.jsonl.1.gz");
    fs::write(&compressed, b"\x1f\x8b\x08").unwrap();
    let error = check(&bench, &[compressed]).with_status(1).stderr;
    assert!(error.contains("it is compressed: decompress it first"), "{error}");
    let error = check(&bench, &[bench.database()]).with_status(1).stderr;
    assert!(error.contains("it is a database: give the log, and this with --database"), "{error}");
    // A transfer as text, and a line that is just being written.
    let text = fs::read_to_string(bench.log_file()).unwrap();
    fs::write(bench.log_file(), text.replace('\n', "\r\n")).unwrap();
    let found = check(&bench, &[bench.log_file()]).with_status(3);
    assert!(found.stderr.contains("3 lines end with a carriage return"), "{}", found.stderr);
    fs::write(bench.log_file(), text + "{\"time").unwrap();
    let found = check(&bench, &[bench.log_file()]).with_status(0);
    assert!(found.stderr.contains("line 4: is incomplete: a run is writing it"), "{}", found.stderr);
}

#[cfg(feature = "failpoints")]
#[test]
fn a_kill_at_any_step_loses_and_doubles_no_line() {
    const FILES: usize = 400;
    let points = [("log-renamed", 1), ("log-closed", 1), ("log-begun", 1), ("log-renamed", 2), ("after-log", 4)];
    for (point, time) in points {
        let bench = Bench::new();
        write_files(&bench, FILES);
        bench.sync_with_signal_at(point, Signal::KILL, time, ROTATE).with_status(128 + Signal::KILL.as_raw());
        // The next run completes the rotation, with or without the option.
        bench.sync(if time == 1 { &[] } else { ROTATE }).with_status(0);
        assert_whole(&bench, &logs(&bench.log_file()), FILES);
    }
}

#[test]
fn numbers_ascend_above_those_of_other_files() {
    let bench = Bench::new();
    let beside = |suffix: &str| bench.path(format!("audit.jsonl.{suffix}"));
    for suffix in ["1", "3.gz", "20261128"] {
        fs::write(beside(suffix), "of others").unwrap();
    }
    write_files(&bench, 400);
    bench.sync(ROTATE).with_status(0);
    assert!(beside("4").exists() && !beside("2").exists() && !beside("3").exists());
    for suffix in ["1", "3.gz", "20261128"] {
        assert_eq!(fs::read(beside(suffix)).unwrap(), b"of others");
    }
    // Numbers of logs that were moved away are not used again.
    let closed = bench.count("SELECT max(number) FROM closed_log") as usize;
    (4..=closed)
        .for_each(|number| fs::rename(beside(&number.to_string()), bench.path(format!("kept {number}"))).unwrap());
    write_files(&bench, 800);
    bench.sync(ROTATE).with_status(0);
    assert!(!beside("4").exists() && beside(&(closed + 1).to_string()).exists());
    let mut logs: Vec<_> = (4..=closed).map(|number| bench.path(format!("kept {number}"))).collect();
    let later = bench.count("SELECT max(number) FROM closed_log") as usize;
    logs.extend((closed + 1..=later).map(|number| beside(&number.to_string())));
    logs.push(bench.log_file());
    check(&bench, &logs).with_status(0);
}

#[test]
fn a_log_that_was_moved_by_others_and_a_link_are_rotated_too() {
    let bench = Bench::new();
    let other = bench.path("other disk");
    fs::create_dir(&other).unwrap();
    symlink("other disk/real.log", bench.log_file()).unwrap();
    write_files(&bench, 300);
    bench.sync(ROTATE).with_status(0);
    // As logrotate does it.
    fs::rename(other.join("real.log"), other.join("real.log-20261128")).unwrap();
    write_files(&bench, 600);
    bench.sync(ROTATE).with_status(0);
    assert!(bench.log_file().is_symlink());
    let all = logs(&other.join("real.log"));
    let moved = all.iter().position(|log| !read_log(log)[0]["previous_log"].is_string() && log != &all[0]).unwrap();
    let order = [&all[..moved], &[other.join("real.log-20261128")], &all[moved..]].concat();
    check(&bench, &order).with_status(0);
}

#[test]
fn logs_inside_a_tree_are_not_part_of_it() {
    let mirror = &["--delete-extras", "--max-delete", "100%"];
    // A file of the user is migrated, even if its name is like that of a log.
    for (inside, user_file, options) in [("old", "log.2", &[][..]), ("new", "log.02", mirror)] {
        let bench = Bench::new();
        write_files(&bench, 400);
        write(&bench.source(), user_file, "of the user");
        fs::create_dir_all(bench.path(inside)).unwrap();
        let log = bench.path(inside).join("log");
        let run = || {
            let mut command = bench.bare_command();
            command.arg("--database").arg(bench.database()).arg("--log-file").arg(&log).args(ROTATE).args(options);
            end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
        };
        run().with_status(0);
        write_files(&bench, 800);
        run().with_status(0);
        run().with_status(0);
        let kept = logs(&log).into_iter().filter(|log| fs::read(log).unwrap() != b"of the user").collect::<Vec<_>>();
        assert!(kept.len() > 4, "{inside}: {kept:?}");
        check(&bench, &kept).with_status(0);
        assert_eq!(bench.count("SELECT count(*) FROM files"), 801, "{inside}");
        assert_eq!(fs::read(bench.dest().join(user_file)).unwrap(), b"of the user");
    }
}

#[test]
fn a_disk_that_is_full_during_a_rotation_loses_no_line() {
    let bench = Bench::new();
    let disk = bench.path("disk");
    // Room for one log, and not for the next.
    let Some(_mount) = Mount::small_tmpfs(&disk, "68k") else { return };
    write_files(&bench, 600);
    let log = disk.join("log");
    let run = || {
        let mut command = bench.bare_command();
        command.arg("--database").arg(bench.database()).arg("--log-file").arg(&log).args(ROTATE);
        end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    let ended = run().with_status(1);
    assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);
    assert!(disk.join("log.1").exists(), "the test needs a rotation");
    let resized = Command::new("mount").args(["-o", "remount,size=1m"]).arg(&disk).output();
    assert!(resized.unwrap().status.success());
    run().with_status(0);
    assert_whole(&bench, &logs(&log), 600);
}

#[test]
fn a_log_that_cannot_be_renamed_is_an_error_before_anything_is_sent() {
    let bench = Bench::new();
    bench.write("a", "1");
    let error = bench.sync(&["--log-rotate", "10K"]).with_status(2).stderr;
    assert_eq!(error, "towpath: an audit log is rotated at 65536 bytes or more, not 10240\n");
    fs::write(bench.log_file(), "").unwrap();
    let set = |flag: &str| Command::new("chattr").arg(flag).arg(bench.log_file()).output();
    if !set("+a").is_ok_and(|output| output.status.success()) {
        skip("needs root, chattr and a file system with append-only files");
        return;
    }
    let ended = bench.sync(ROTATE);
    // Appending alone is possible.
    let appended = bench.sync(&["--audit-chain"]);
    set("-a").unwrap();
    let error = ended.with_status(1).stderr;
    assert!(error.contains("cannot be rotated: it is append-only or immutable"), "{error}");
    appended.with_status(0);
}
