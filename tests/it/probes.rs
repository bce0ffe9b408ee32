//! What a run leaves behind that was killed while it tried out the destination, and what only looks like it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;

/// A process id of this machine that nobody has.
fn dead_process() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// What a run that was killed while it tried the destination out leaves behind.
fn probes_of(process: u32, folder: &Path) -> [PathBuf; 3] {
    let mine = format!("probe-{}-", std::process::id());
    let name = |of: &str| folder.join(towpath_backend::probe::name(of).replace(&mine, &format!("probe-{process}-")));
    let [file, link, names] = ["file", "link", "names"].map(name);
    fs::write(&file, "").unwrap();
    symlink("nowhere", &link).unwrap();
    fs::create_dir(&names).unwrap();
    fs::write(names.join("Aa\u{e9}:*?"), "").unwrap();
    [file, link, names]
}

#[test]
fn probes_of_a_killed_run_are_removed_by_the_next_scan_and_are_no_extras() {
    let bench = Bench::new();
    bench.write("dir/file", "data");
    bench.sync(&[]).with_status(0);
    let dead = dead_process();
    for folder in [bench.dest(), bench.dest().join("dir")] {
        probes_of(dead, &folder);
    }
    let planned = bench.sync(&["--delete-extras", "--dry-run"]).with_status(0);
    assert!(!planned.stdout.contains("probe") && !planned.stderr.contains("probe"), "{}", planned.stdout);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert!(bench.logged("deleted").is_empty());
}

#[test]
fn probes_of_a_run_that_lives_stay_and_are_no_extras() {
    let bench = Bench::new();
    bench.write("file", "data");
    fs::create_dir(bench.dest()).unwrap();
    let probes = probes_of(std::process::id(), &bench.dest());
    // Of another machine, whose processes cannot be checked; recent.
    let elsewhere = write(&bench.dest(), ".towpath-probe-1-1-00000000.1-file", "");
    let ended = bench.sync(&["--delete-extras"]).with_status(0);
    assert!(!ended.stdout.contains("left, to be safe"), "{}", ended.stdout);
    assert!(elsewhere.exists() && probes.iter().all(|probe| fs::symlink_metadata(probe).is_ok()));
}

#[test]
fn probes_in_the_source_are_skipped_in_silence() {
    let bench = Bench::new();
    bench.write("file", "data");
    for process in [dead_process(), std::process::id()] {
        probes_of(process, &bench.source());
    }
    let ended = bench.sync(&["-v"]).with_status(0);
    assert_eq!(ended.stderr, "");
    assert_eq!(tree(&bench.dest()).len(), 1);
    assert_eq!(bench.log().len(), 1);
}

#[test]
fn a_directory_that_only_looks_like_a_probe_keeps_its_content() {
    let bench = Bench::new();
    bench.write("file", "data");
    fs::create_dir(bench.dest()).unwrap();
    let [.., names] = probes_of(dead_process(), &bench.dest());
    fs::write(names.join("precious"), "data").unwrap();
    bench.sync(&[]).with_status(0);
    assert_eq!(fs::read(names.join("precious")).unwrap(), b"data");
}
