//! The order of system calls: everything that recovery after a power cut relies on is durable in time.

use std::fs;
use std::process::Command;

use crate::common::*;

/// A system call: the lines of the trace where it begins and ends, and its text.
struct Call {
    begin: usize,
    end: usize,
    text: String,
}

impl Call {
    fn is(&self, name: &str, of: &str) -> bool {
        self.text.starts_with(&format!("{name}(")) && self.text.contains(of)
    }
}

/// The calls of a run in the order in which they ended; `None`: strace is missing.
fn trace(bench: &Bench, options: &[&str]) -> Option<Vec<Call>> {
    if Command::new("strace").arg("-V").output().is_err() {
        skip("needs strace: the order of system calls");
        return None;
    }
    let trace = bench.path("trace");
    let towpath = bench.command(options);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-o"]).arg(&trace);
    command.args(["-e", "trace=openat2,write,pwrite64,unlinkat,getdents64,fsync,fdatasync"]);
    let output = command.arg(towpath.get_program()).args(towpath.get_args()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(calls(&fs::read_to_string(trace).unwrap()))
}

fn calls(trace: &str) -> Vec<Call> {
    let mut unfinished = std::collections::HashMap::new();
    let mut calls = Vec::new();
    for (at, line) in trace.lines().enumerate() {
        let (thread, text) = line.split_once(' ').unwrap();
        let text = text.trim_start();
        if let Some(text) = text.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, (at, text));
        } else if text.starts_with("<...") {
            let (begin, text) = unfinished.remove(thread).unwrap();
            calls.push(Call { begin, end: at, text: text.to_owned() });
        } else {
            calls.push(Call { begin: at, end: at, text: text.to_owned() });
        }
    }
    calls
}

/// The number of syncs of the database's write-ahead log between two lines of the trace.
fn syncs(calls: &[Call], from: usize, to: usize) -> usize {
    calls.iter().filter(|call| call.is("fdatasync", "-wal>") && call.begin > from && call.end < to).count()
}

/// The line where the last listing of the destination ended: only the scan lists it.
fn end_of_scan(bench: &Bench, calls: &[Call]) -> usize {
    let dest = format!("<{}", bench.dest().display());
    calls.iter().filter(|call| call.is("getdents64", &dest)).map(|call| call.end).max().unwrap()
}

#[test]
fn the_in_flight_mark_is_durable_before_the_first_file_is_created() {
    let bench = Bench::new();
    for n in 0..3 {
        bench.write(format!("some-file-{n}"), noise(n, 10_000));
    }
    let Some(calls) = trace(&bench, &[]) else { return };
    let is_create = |call: &&Call| call.is("openat2", "\"some-file-") && call.text.contains("O_CREAT");
    let created = calls.iter().find(is_create).unwrap().begin;
    assert!(syncs(&calls, end_of_scan(&bench, &calls), created) >= 1, "the mark may be lost");
    bench.assert_same_trees();
}

#[test]
fn deletions_are_durably_announced_before_the_first_one() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    for n in 0..3 {
        write(&bench.dest(), format!("extra-{n}"), "data");
        fs::create_dir_all(bench.dest().join(format!("dir-{n}/within"))).unwrap();
    }
    let Some(calls) = trace(&bench, &["--delete-extras", "--max-delete", "100"]) else { return };
    let removed = |name: &str| {
        let ours = calls.iter().filter(|call| call.is("unlinkat", &format!("\"{name}")));
        ours.map(|call| call.begin).min().unwrap()
    };
    let (file, dir) = (removed("extra-"), removed("within"));
    // One of these is the mark that files are in flight.
    assert!(syncs(&calls, end_of_scan(&bench, &calls), file) >= 2, "the log may lack deletions");
    assert!(syncs(&calls, file, dir) >= 1, "the log may lack deletions");
    assert_eq!(bench.logged("deleted").len(), 9);
    bench.assert_same_trees();
}

#[test]
fn a_batch_of_lines_is_appended_after_its_rows_and_synced_before_the_next_batch() {
    let bench = Bench::new();
    for n in 0..8 {
        bench.write(format!("{n}"), noise(n, 100_000));
    }
    let Some(calls) = trace(&bench, &["--bwlimit", "250K", "--lanes", "1"]) else { return };
    let log = format!("<{}>", bench.log_file().display());
    let writes: Vec<_> = calls.iter().filter(|call| call.is("write", &log)).collect();
    assert!(writes.len() > 1, "the test needs several batches");
    for pair in writes.windows(2) {
        let (wrote, writes) = (pair[0].end, pair[1].begin);
        let synced = calls.iter().find(|call| call.is("fdatasync", &log) && call.begin > wrote && call.end < writes);
        let synced = synced.expect("lines may be lost").end;
        assert!(syncs(&calls, synced, writes) >= 1, "lines may report changes that are undone");
    }
    let last = writes.last().unwrap().end;
    assert!(calls.iter().any(|call| call.is("fdatasync", &log) && call.begin > last), "the last lines are synced");
}

#[test]
fn a_line_truncated_by_a_full_disk_is_completed_once_there_is_space() {
    let bench = Bench::new();
    let disk = bench.path("disk");
    let Some(_mount) = Mount::small_tmpfs(&disk, "4k") else { return };
    for n in 0..20 {
        bench.write(format!("{n}"), "data");
    }
    let run = || {
        let mut command = bench.bare_command();
        command.arg("--database").arg(bench.database()).arg("--log-file").arg(disk.join("log"));
        end(command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap())
    };
    let ended = run().with_status(1);
    assert!(ended.stderr.contains("No space left"), "{}", ended.stderr);
    assert!(!fs::read_to_string(disk.join("log")).unwrap().ends_with('\n'), "the test needs an incomplete line");
    let resized = Command::new("mount").args(["-o", "remount,size=1m"]).arg(&disk).output();
    assert!(resized.unwrap().status.success());
    run().with_status(0);
    let (runs, files): (Vec<_>, Vec<_>) = read_log(&disk.join("log")).into_iter().partition(is_about_run);
    let mut sources: Vec<_> = files.iter().map(|line| line["source"].as_str().unwrap()).collect();
    sources.sort_unstable();
    sources.dedup();
    assert_eq!((sources.len(), files.len()), (20, 20));
    let runs: Vec<_> =
        runs.iter().map(|line| (line["status"].as_str().unwrap(), &line["unfinished_run"]["run"])).collect();
    let [("run-started", first), ("run-started", second), ("run-ended", _)] = runs[..] else { panic!("{runs:?}") };
    assert!(first.is_null() && *second == 1, "the first run could not write its last line");
}

#[test]
fn the_in_flight_mark_survives_the_loss_of_the_write_ahead_log() {
    let bench = Bench::new();
    bench.write("file", noise(1, 3 << 20));
    bench.kill_when(&["--bwlimit", "1M"], || bench.dest().join("file").exists());
    for suffix in ["-wal", "-shm"] {
        let mut path = bench.database().into_os_string();
        path.push(suffix);
        fs::remove_file(path).unwrap();
    }
    // Like after a power cut: the size and mtime are there, the data are not.
    let dest = bench.dest().join("file");
    fs::write(&dest, vec![0; 3 << 20]).unwrap();
    let mtime = fs::metadata(bench.source().join("file")).unwrap().modified().unwrap();
    fs::File::options().write(true).open(&dest).unwrap().set_modified(mtime).unwrap();
    bench.sync(&["--rescan"]).with_status(0);
    bench.assert_same_trees();
}
