//! Deletion of extras, and everything that must prevent it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use rustix::process::Signal;

use crate::common::*;

pub const MIRROR: &[&str] = &["--delete-extras"];

/// A bench whose trees are in sync, with `files` files.
pub fn in_sync(files: usize) -> Bench {
    let bench = Bench::new();
    for n in 0..files {
        bench.write(format!("dir/{n}"), "data");
    }
    bench.sync(&[]).with_status(0);
    bench
}

pub fn extra(bench: &Bench, name: &str) {
    set_mtime(&write(&bench.dest(), name, "extra"), 1_500_000_000, 0);
}

#[test]
fn extras_are_deleted_on_request_and_logged() {
    let bench = in_sync(3);
    for name in ["file", "dir/file", "only/here/file", "only/too"] {
        extra(&bench, name);
    }
    symlink("dir/0", bench.dest().join("link")).unwrap();
    fs::create_dir_all(bench.dest().join("empty/inner")).unwrap();
    bench.sync(&[]).with_status(0);
    assert!(bench.dest().join("only/here/file").exists(), "only on request");

    let ended = bench.sync(MIRROR).with_status(0);
    bench.assert_same_trees();
    assert!(ended.stdout.contains("5 extra files deleted"), "{}", ended.stdout);
    assert!(ended.stdout.contains("4 extra directories removed"), "{}", ended.stdout);
    let names: Vec<_> = bench.logged("deleted").into_keys().collect();
    let expected =
        ["dir/file", "empty", "empty/inner", "file", "link", "only", "only/here", "only/here/file", "only/too"];
    assert_eq!(names, expected);
    let line = bench.log().into_iter().find(|line| line["dest"].as_str().unwrap().ends_with("only/too")).unwrap();
    assert_eq!((line["size"].as_u64(), line["mtime"].as_str()), (Some(5), Some("2017-07-14T02:40:00Z")));
}

#[test]
fn special_files_at_the_destination_stay() {
    let bench = in_sync(3);
    fs::create_dir(bench.dest().join("extra")).unwrap();
    make_fifo(&bench.dest().join("extra/fifo"));
    extra(&bench, "extra/file");
    bench.sync(MIRROR).with_status(0);
    assert_eq!(tree(&bench.dest())[&b"extra/fifo"[..]], Node::Other);
    assert!(!bench.dest().join("extra/file").exists());
}

#[test]
fn an_empty_source_is_never_mirrored() {
    let bench = in_sync(3);
    fs::remove_dir_all(bench.source().join("dir")).unwrap();
    let ended = bench.sync(&["--delete-extras", "--max-delete", "100%"]).with_status(4);
    assert!(ended.stderr.contains("contains no files"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(bench.dest().join("dir")).unwrap().count(), 3);
    assert!(bench.logged("deleted").is_empty());
}

#[test]
fn beyond_max_delete_nothing_is_deleted() {
    let bench = in_sync(20);
    for n in 0..101 {
        extra(&bench, &format!("extra/{n}"));
    }
    bench.write("new", "sent anyway");
    let ended = bench.sync(MIRROR).with_status(4);
    assert!(ended.stderr.contains("101 files") && ended.stderr.contains("--max-delete 101"), "{}", ended.stderr);
    assert!(ended.stdout.contains("sent 1 file"), "{}", ended.stdout);
    assert_eq!(fs::read_dir(bench.dest().join("extra")).unwrap().count(), 101);
    assert!(bench.logged("deleted").is_empty());
    assert_eq!(fs::read(bench.dest().join("new")).unwrap(), b"sent anyway");
    for (most, status) in [("100", 4), ("50%", 4), ("101", 0)] {
        bench.sync(&["--delete-extras", "--max-delete", most]).with_status(status);
    }
    bench.assert_same_trees();
}

#[test]
fn hundreds_of_empty_directories_are_guarded_too() {
    let bench = in_sync(3);
    for n in 0..101 {
        fs::create_dir_all(bench.dest().join(format!("extra/{n}"))).unwrap();
    }
    bench.sync(MIRROR).with_status(4);
    assert_eq!(fs::read_dir(bench.dest().join("extra")).unwrap().count(), 101);
}

#[test]
fn nothing_is_deleted_below_an_unreadable_directory() {
    if rustix::process::geteuid().is_root() {
        skip("needs another user than root, who reads every directory; the mocked trees cover it");
        return;
    }
    let bench = in_sync(3);
    extra(&bench, "dir/extra");
    fs::set_permissions(bench.source().join("dir"), fs::Permissions::from_mode(0o0)).unwrap();
    bench.sync(MIRROR).with_status(3);
    fs::set_permissions(bench.source().join("dir"), fs::Permissions::from_mode(0o755)).unwrap();
    assert!(bench.dest().join("dir/extra").exists());
}

#[test]
fn a_mirror_deletes_a_conflicting_directory_and_sends_the_file_in_the_same_run() {
    let bench = in_sync(3);
    bench.write("name", "a file now");
    symlink("target", bench.source().join("link")).unwrap();
    extra(&bench, "name/was/a/directory");
    extra(&bench, "link/was/too");
    bench.sync(MIRROR).with_status(0);
    bench.assert_same_trees();
    assert!(bench.logged("deleted").contains_key("name/was/a/directory"));
}

#[test]
fn discarded_files_go_to_the_trash_directory() {
    let bench = in_sync(3);
    for trash in [bench.path("trash"), bench.dest().join(".trash")] {
        for round in ["first", "second"] {
            extra(&bench, "only/here/file");
            extra(&bench, "dir/extra");
            fs::write(bench.dest().join("dir/extra"), round).unwrap();
            let trash = trash.to_str().unwrap();
            bench.sync(&["--delete-extras", "--trash", trash]).with_status(0);
            assert!(!bench.dest().join("only").exists() && !bench.dest().join("dir/extra").exists());
        }
        assert_eq!(fs::read(trash.join("only/here/file")).unwrap(), b"extra");
        assert_eq!(fs::read(trash.join("dir/extra")).unwrap(), b"first");
        assert_eq!(fs::read(trash.join("dir/extra~1")).unwrap(), b"second");
    }
}

#[test]
fn a_trash_on_another_file_system_is_an_error_before_anything_changes() {
    let bench = in_sync(3);
    extra(&bench, "extra");
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let ended = bench.sync(&["--delete-extras", "--trash", elsewhere.path().join("trash").to_str().unwrap()]);
    let ended = ended.with_status(1);
    assert!(ended.stderr.contains("file system"), "{}", ended.stderr);
    assert!(bench.dest().join("extra").exists());
}

#[test]
fn a_mirror_keeps_excluded_files_unless_delete_excluded_is_set() {
    let bench = in_sync(3);
    bench.write("a.tmp", "in the source too");
    extra(&bench, "a.tmp");
    extra(&bench, "only.tmp");
    extra(&bench, "only/deep.tmp");
    extra(&bench, "only/extra");
    let options = ["--delete-extras", "--exclude", "*.tmp"];
    bench.sync(&options).with_status(0);
    let left: Vec<_> = tree(&bench.dest()).into_keys().map(|name| String::from_utf8(name).unwrap()).collect();
    assert_eq!(left, ["a.tmp", "dir", "dir/0", "dir/1", "dir/2", "only", "only.tmp", "only/deep.tmp"]);
    bench.sync(&[&options[..], &["--delete-excluded"]].concat()).with_status(0);
    let left: Vec<_> = tree(&bench.dest()).into_keys().map(|name| String::from_utf8(name).unwrap()).collect();
    assert_eq!(left, ["dir", "dir/0", "dir/1", "dir/2"]);
}

#[test]
fn files_in_flight_to_a_directory_that_replaces_a_file_are_never_discarded() {
    let bench = Bench::new();
    for n in 0..40 {
        for file in 0..6 {
            bench.write(format!("x{n}/{file}"), "data");
        }
        write(&bench.dest(), format!("x{n}"), "old");
    }
    let trash = bench.path("trash");
    for options in [&["--delete-extras", "--trash", trash.to_str().unwrap()][..], &[]] {
        bench.sync(options).with_status(0);
        bench.assert_same_trees();
        fs::remove_dir_all(bench.dest()).unwrap();
        for n in 0..40 {
            write(&bench.dest(), format!("x{n}"), "old");
        }
        // The destination is a new tree.
        fs::remove_file(bench.database()).unwrap();
    }
}

#[test]
fn an_extra_that_appears_in_the_source_during_the_run_stays() {
    let bench = in_sync(3);
    bench.write("large", noise(1, 3 << 20));
    extra(&bench, "late");
    extra(&bench, "extra");
    let run = bench.start_until(&["--delete-extras", "--bwlimit", "1M"], || bench.dest().join("large").exists());
    bench.write("late", "created during the run");
    let ended = end(run).with_status(3);
    assert!(ended.stderr.contains("the source has it now"), "{}", ended.stderr);
    assert!(bench.dest().join("late").exists() && !bench.dest().join("extra").exists());
}

#[test]
fn an_extra_that_changes_during_the_run_stays() {
    let bench = in_sync(3);
    bench.write("large", noise(1, 3 << 20));
    extra(&bench, "busy");
    let run = bench.start_until(&["--delete-extras", "--bwlimit", "1M"], || bench.dest().join("large").exists());
    fs::write(bench.dest().join("busy"), "somebody's work").unwrap();
    let ended = end(run).with_status(3);
    assert!(ended.stderr.contains("changed since the scan"), "{}", ended.stderr);
    assert_eq!(fs::read(bench.dest().join("busy")).unwrap(), b"somebody's work");
}

#[test]
fn an_interrupted_transfer_deletes_nothing() {
    let bench = in_sync(3);
    bench.write("large", noise(1, 3 << 20));
    extra(&bench, "extra");
    let options = ["--delete-extras", "--bwlimit", "1M"];
    bench.interrupt_when(Signal::INT, &options, || bench.dest().join("large").exists()).with_status(130);
    assert!(bench.dest().join("extra").exists());
    // The resumed run checks the extras that the scan found again before it deletes them.
    let ended = bench.sync(MIRROR).with_status(0);
    assert!(ended.stdout.contains("no scan"), "{}", ended.stdout);
    bench.assert_same_trees();
}
