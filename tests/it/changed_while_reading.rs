//! Files that change, grow, shrink or vanish while they are being sent.

use std::fs;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use crate::common::*;

#[test]
fn a_file_that_grows_during_the_transfer_arrives_in_its_final_state() {
    let bench = Bench::new();
    let path = bench.write("file", noise(1, 2 << 20));
    let child = bench.start_until(&["--bwlimit", "1M", "--block-size", "256K"], || bench.written_bytes("file") > 0);
    fs::File::options().append(true).open(&path).unwrap().write_all(b"and more").unwrap();
    let ended = end(child).with_status(0);
    assert!(ended.stderr.contains("will retry"), "{}", ended.stderr);
    bench.assert_same_trees();
    let row = bench.row("file");
    assert_eq!(row.hash, Some(sha256(&fs::read(&path).unwrap())));
    assert_eq!((row.size, row.status.as_str()), ((2 << 20) + 8, "synced"));
    assert_eq!(bench.logged("synced")["file"], 1);
}

#[test]
fn a_file_truncated_during_the_transfer_arrives_in_its_final_state() {
    let bench = Bench::new();
    let path = bench.write("file", noise(1, 2 << 20));
    let child = bench.start_until(&["--bwlimit", "1M", "--block-size", "256K"], || bench.written_bytes("file") > 0);
    fs::write(&path, "short now").unwrap();
    end(child).with_status(0);
    bench.assert_same_trees();
    assert_eq!(bench.row("file").size, 9);
}

#[test]
fn a_file_that_keeps_changing_is_reported_and_stays_pending() {
    let bench = Bench::new();
    let path = bench.write("restless", noise(1, 400_000));
    bench.write("calm", "data");
    let stop = Arc::new(AtomicBool::new(false));
    let (stopped, touched) = (Arc::clone(&stop), path.clone());
    let toucher = std::thread::spawn(move || {
        let mut n = 0;
        while !stopped.load(Relaxed) {
            n += 1;
            set_mtime(&touched, 1_000_000_000 + n, 0);
            // The subject of the test: far more often than once in the second that each attempt takes.
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    let ended = bench.sync(&["--bwlimit", "400K"]);
    stop.store(true, Relaxed);
    toucher.join().unwrap();
    let ended = ended.with_status(3);
    assert!(ended.stderr.contains("giving up"), "{}", ended.stderr);
    assert_eq!(bench.row("restless").status, "pending");
    assert_eq!(bench.row("calm").status, "synced");
    assert_eq!(bench.logged("failed")["restless"], 1);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_file_that_vanishes_is_reported_and_forgotten() {
    let bench = Bench::new();
    bench.write("a", noise(1, 1 << 20));
    for n in 0..30 {
        bench.write(format!("b{n}"), noise(n, 30_000));
    }
    let child = bench.start_until(&["--bwlimit", "1M", "--lanes", "1"], || bench.has_arrivals());
    let mut removed = 0;
    for n in 0..30 {
        let name = format!("b{n}");
        if !bench.dest().join(&name).exists() {
            fs::remove_file(bench.source().join(&name)).unwrap();
            removed += 1;
        }
    }
    assert!(removed > 0);
    let ended = end(child).with_status(0);
    let vanished = bench.logged("vanished");
    // One or two were already being read and arrived.
    assert!(!vanished.is_empty() && vanished.len() <= removed, "{vanished:?} of {removed}");
    assert!(ended.stderr.contains("vanished: "), "{}", ended.stderr);
    assert_eq!(bench.rows().len(), 31 - vanished.len());
    assert!(bench.rows().values().all(|row| row.status == "synced"));
}

#[test]
fn a_file_whose_kind_changed_since_the_scan_is_no_permanent_failure() {
    let bench = Bench::new();
    for name in ["to-link", "to-dir"] {
        bench.write(name, noise(1, 100_000));
    }
    std::os::unix::fs::symlink("target", bench.source().join("to-file")).unwrap();
    bench.write("first", noise(2, 2 << 20));
    // The only lane is busy with the largest file for 20 seconds: no other file is begun before the run is killed, as a
    // partial copy of a file that the source lost would be reported.
    bench.kill_when(&["--bwlimit", "100K", "--lanes", "1"], || bench.written_bytes("first") > 0);
    assert!(!bench.dest().join("to-dir").exists(), "killed too late");
    for name in ["to-link", "to-dir", "to-file"] {
        fs::remove_file(bench.source().join(name)).unwrap();
    }
    std::os::unix::fs::symlink("target", bench.source().join("to-link")).unwrap();
    bench.write("to-dir/inner", "data");
    bench.write("to-file", "a file now");
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("no scan"), "{}", ended.stdout);
    // The next scan finds the content of the directory.
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_partial_copy_of_a_file_that_became_a_directory_is_reported_and_replaced_by_the_next_scan() {
    let bench = Bench::new();
    bench.write("entry", noise(1, 2 << 20));
    bench.kill_when(&["--bwlimit", "100K"], || bench.written_bytes("entry") > 0);
    fs::remove_file(bench.source().join("entry")).unwrap();
    bench.write("entry/inner", "data");
    let ended = bench.sync(&[]).with_status(3);
    assert!(ended.stdout.contains("no scan") && ended.stderr.contains("incomplete: "), "{}", ended.stderr);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}
