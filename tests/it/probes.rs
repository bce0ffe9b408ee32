//! Probe files that a killed run left at the destination, and entries that only resemble them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;

/// The id of a process that has ended.
fn dead_process() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// Creates the files that a run leaves if it is killed while it probes the destination.
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
fn probes_of_a_running_process_stay_and_are_no_extras() {
    let bench = Bench::new();
    bench.write("file", "data");
    fs::create_dir(bench.dest()).unwrap();
    let probes = probes_of(std::process::id(), &bench.dest());
    // A recent probe of another machine, whose processes cannot be checked.
    let elsewhere = write(&bench.dest(), ".towpath-probe-1-1-00000000.1-file", "");
    let ended = bench.sync(&["--delete-extras"]).with_status(0);
    assert!(!ended.stdout.contains("kept, to be safe"), "{}", ended.stdout);
    assert!(elsewhere.exists() && probes.iter().all(|probe| fs::symlink_metadata(probe).is_ok()));
}

#[test]
fn probes_in_the_source_are_skipped_silently() {
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
fn a_directory_that_resembles_a_probe_keeps_its_content() {
    let bench = Bench::new();
    bench.write("file", "data");
    fs::create_dir(bench.dest()).unwrap();
    let [.., names] = probes_of(dead_process(), &bench.dest());
    fs::write(names.join("precious"), "data").unwrap();
    bench.sync(&[]).with_status(0);
    assert_eq!(fs::read(names.join("precious")).unwrap(), b"data");
}
