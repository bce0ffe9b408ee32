//! Deleting what the source does not have, and every way in which it must not.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::*;

const MIRROR: &[&str] = &["--delete-extras"];

/// A bench whose trees are in sync, with `files` files.
fn in_sync(files: usize) -> Bench {
    let bench = Bench::new();
    for n in 0..files {
        bench.write(format!("dir/{n}"), "data");
    }
    bench.sync(&[]).with_status(0);
    bench
}

fn extra(bench: &Bench, name: &str) {
    set_mtime(&write(&bench.dest(), name, "extra"), 1_500_000_000, 0);
}

#[test]
fn extras_go_when_asked_for_and_the_log_says_which() {
    let bench = in_sync(3);
    for name in ["file", "dir/file", "only/here/file", "only/too"] {
        extra(&bench, name);
    }
    symlink("dir/0", bench.dest().join("link")).unwrap();
    fs::create_dir_all(bench.dest().join("empty/inner")).unwrap();
    bench.sync(&[]).with_status(0);
    assert!(bench.dest().join("only/here/file").exists(), "not unless asked for");

    let ended = bench.sync(MIRROR).with_status(0);
    bench.assert_same_trees();
    assert!(ended.stdout.contains("5 deleted that the source does not have"), "{}", ended.stdout);
    assert!(ended.stdout.contains("4 emptied directories removed"), "{}", ended.stdout);
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
    assert!(ended.stderr.contains("holds no file"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(bench.dest().join("dir")).unwrap().count(), 3);
    assert!(bench.logged("deleted").is_empty());
}

#[test]
fn more_than_may_go_and_nothing_goes() {
    let bench = in_sync(20);
    for n in 0..101 {
        extra(&bench, &format!("extra/{n}"));
    }
    bench.write("new", "sent all the same");
    let ended = bench.sync(MIRROR).with_status(4);
    assert!(ended.stderr.contains("101 files") && ended.stderr.contains("--max-delete 101"), "{}", ended.stderr);
    assert!(ended.stdout.contains("sent 1 files"), "{}", ended.stdout);
    assert_eq!(fs::read_dir(bench.dest().join("extra")).unwrap().count(), 101);
    assert!(bench.logged("deleted").is_empty());
    assert_eq!(fs::read(bench.dest().join("new")).unwrap(), b"sent all the same");
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
fn below_a_directory_that_cannot_be_read_nothing_is_deleted() {
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
fn what_blocked_a_file_goes_and_the_file_arrives_in_the_same_run() {
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
fn discarded_files_are_kept_where_they_are_told_to_go() {
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
fn a_trash_on_another_file_system_is_refused_before_anything_is_touched() {
    let bench = in_sync(3);
    extra(&bench, "extra");
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let ended = bench.sync(&["--delete-extras", "--trash", elsewhere.path().join("trash").to_str().unwrap()]);
    let ended = ended.with_status(1);
    assert!(ended.stderr.contains("file system"), "{}", ended.stderr);
    assert!(bench.dest().join("extra").exists());
}

#[test]
fn an_unmounted_source_or_destination_is_refused_by_a_finished_migration_too() {
    for unmounted in ["old", "new"] {
        let bench = Bench::new();
        fs::create_dir(bench.dest()).unwrap();
        let Some(mount) = Mount::tmpfs(&bench.path(unmounted)) else { return };
        for n in 0..3 {
            bench.write(format!("dir/{n}"), "data");
        }
        bench.sync(&[]).with_status(0);
        drop(mount);
        for options in [&[][..], MIRROR] {
            let ended = bench.sync(options).with_status(4);
            assert!(ended.stderr.contains("is not the tree that was scanned"), "{}", ended.stderr);
        }
        assert_eq!(bench.rows().len(), 3, "nothing was concluded");
        let untouched = fs::read_dir(bench.path(unmounted)).unwrap().count();
        assert_eq!(untouched, 0, "nothing was written into the empty folder");
    }
}

#[test]
fn a_source_unmounted_while_files_are_sent_costs_nothing() {
    let bench = Bench::new();
    let Some(mount) = Mount::tmpfs(&bench.source()) else { return };
    bench.write("dir/large", noise(1, 3 << 20));
    fs::create_dir(bench.dest()).unwrap();
    for n in 0..30 {
        extra(&bench, &format!("dir/extra {n}"));
    }
    let run = bench.start(&["--delete-extras", "--bwlimit", "1M"]);
    wait_until("the file is under way", || bench.dest().join("dir/large").exists());
    drop(mount);
    let ended = end(run).with_status(4);
    assert!(ended.stderr.contains("no longer the tree that was scanned"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(bench.dest().join("dir")).unwrap().count(), 31);
}

#[test]
fn a_file_system_unmounted_inside_the_source_costs_nothing() {
    let bench = Bench::new();
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    bench.write("inner/file", "data");
    bench.write("large", noise(1, 3 << 20));
    fs::create_dir(bench.dest()).unwrap();
    extra(&bench, "inner/extra");
    extra(&bench, "extra");
    let run = bench.start(&["--delete-extras", "--bwlimit", "1M", "--lanes", "1"]);
    wait_until("the file is under way", || bench.dest().join("large").exists());
    drop(mount);
    let ended = end(run).with_status(3);
    assert!(ended.stderr.contains("another directory than the scan saw"), "{}", ended.stderr);
    assert!(bench.dest().join("inner/extra").exists(), "the folder beneath the mount says nothing of it");
    assert!(!bench.dest().join("extra").exists(), "the rest is mirrored");
}

#[test]
fn below_a_file_system_that_is_not_entered_nothing_is_deleted() {
    let bench = in_sync(3);
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(_mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    extra(&bench, "inner/extra");
    extra(&bench, "extra");
    bench.sync(&["--delete-extras", "--one-file-system"]).with_status(0);
    assert!(bench.dest().join("inner/extra").exists() && !bench.dest().join("extra").exists());
}

#[test]
fn what_the_filters_exclude_stays_unless_it_is_to_go() {
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
fn a_file_system_that_is_not_mounted_when_the_scan_comes_costs_nothing() {
    let bench = in_sync(3);
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    for n in 0..10 {
        bench.write(format!("inner/{n}"), "data");
    }
    bench.sync(&[]).with_status(0);
    drop(mount);
    // Again and again, until somebody says that it is as it should be.
    for rescan in [&["--delete-extras"][..], &["--delete-extras", "--rescan"]] {
        let ended = bench.sync(rescan).with_status(3);
        assert!(ended.stderr.contains("inner: the file system that was mounted here"), "{}", ended.stderr);
        assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 10);
        assert_eq!(bench.rows().len(), 13, "what is recorded stays");
    }
    bench.sync(&["--accept-new-tree"]).with_status(0);
    assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 10, "to accept deletes nothing");
    bench.sync(MIRROR).with_status(0);
    assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 0);
}

#[test]
fn files_of_a_file_system_that_went_during_the_run_have_not_vanished() {
    let bench = in_sync(3);
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    bench.write("dir/large", noise(1, 3 << 20));
    for n in 0..20 {
        bench.write(format!("inner/{n}"), "data");
        extra(&bench, &format!("inner/{n}"));
    }
    let run = bench.start(&["--delete-extras", "--bwlimit", "1M", "--lanes", "1"]);
    wait_until("the file is under way", || bench.dest().join("dir/large").exists());
    // Another one in its place, whose root has the same number.
    drop(mount);
    let _other = Mount::tmpfs(&bench.source().join("inner")).unwrap();
    let ended = end(run).with_status(3);
    assert!(ended.stderr.contains("another directory than the scan saw"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 20);
    assert!(bench.logged("vanished").is_empty() && bench.logged("deleted").is_empty());
}

#[test]
fn a_source_that_is_emptied_after_the_scan_is_not_mirrored() {
    let bench = in_sync(3);
    bench.write("dir/large", noise(1, 3 << 20));
    for n in 0..20 {
        extra(&bench, &format!("extra {n}"));
    }
    let run = bench.start(&["--delete-extras", "--bwlimit", "1M"]);
    wait_until("the file is under way", || bench.dest().join("dir/large").exists());
    fs::remove_dir_all(bench.source().join("dir")).unwrap();
    let ended = end(run).with_status(4);
    assert!(ended.stderr.contains("is empty"), "{}", ended.stderr);
    assert!(bench.logged("deleted").is_empty());
    assert_eq!(fs::read_dir(bench.dest().join("dir")).unwrap().count(), 4);
}

#[test]
fn of_a_destination_that_is_not_there_no_deletion_is_told() {
    let bench = in_sync(50);
    fs::rename(bench.dest(), bench.path("aside")).unwrap();
    fs::create_dir(bench.dest()).unwrap();
    // A run that was cut off right after it announced these.
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.execute_batch("INSERT INTO deletion VALUES ('dir/1', 4, 5), ('dir/2', 4, 5)").unwrap();
    drop(connection);
    bench.sync(MIRROR).with_status(4);
    assert!(bench.logged("deleted").is_empty());
    fs::remove_dir(bench.dest()).unwrap();
    fs::rename(bench.path("aside"), bench.dest()).unwrap();
    fs::remove_file(bench.dest().join("dir/1")).unwrap();
    bench.sync(MIRROR).with_status(0);
    assert_eq!(bench.logged("deleted").into_keys().collect::<Vec<_>>(), ["dir/1"]);
    bench.assert_same_trees();
}

#[test]
fn a_destination_removed_and_made_anew_is_another_one() {
    let bench = Bench::new();
    for n in 0..40 {
        bench.write(format!("{n}"), noise(n, 100_000));
    }
    let mut run = bench.start(&["--bwlimit", "1M"]);
    wait_until("some have arrived", || fs::read_dir(bench.dest()).is_ok_and(|dir| dir.count() > 15));
    run.kill().unwrap();
    run.wait().unwrap();
    fs::remove_dir_all(bench.dest()).unwrap();
    fs::create_dir(bench.dest()).unwrap();
    bench.sync(&[]).with_status(4);
    bench.sync(&["--rescan"]).with_status(4);
    bench.sync(&["--accept-new-tree"]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_destination_unmounted_during_the_run_has_not_got_what_was_written_after() {
    let bench = Bench::new();
    fs::create_dir(bench.dest()).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.dest()) else { return };
    for n in 0..60 {
        bench.write(format!("{n:02}"), noise(n, 100_000));
    }
    let run = bench.start(&["--bwlimit", "1M"]);
    wait_until("some have arrived", || fs::read_dir(bench.dest()).is_ok_and(|dir| dir.count() > 15));
    drop(mount);
    let ended = end(run);
    assert_ne!(ended.status, 0, "{}", ended.stdout);
    let synced = bench.rows().into_values().filter(|row| row.status == "synced").count();
    assert!(synced < 60, "what came later is not said to be there");
}

#[test]
fn files_under_way_to_a_directory_that_replaces_a_file_are_never_discarded() {
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
        // The destination is another one now.
        fs::remove_file(bench.database()).unwrap();
    }
}

#[test]
fn a_file_that_appears_in_the_source_before_its_turn_stays() {
    let bench = in_sync(3);
    bench.write("large", noise(1, 3 << 20));
    extra(&bench, "late");
    extra(&bench, "extra");
    let run = bench.start(&["--delete-extras", "--bwlimit", "1M"]);
    wait_until("the file is under way", || bench.dest().join("large").exists());
    bench.write("late", "it came during the run");
    let ended = end(run).with_status(3);
    assert!(ended.stderr.contains("the source has it now"), "{}", ended.stderr);
    assert!(bench.dest().join("late").exists() && !bench.dest().join("extra").exists());
}

#[test]
fn an_extra_that_somebody_works_on_stays() {
    let bench = in_sync(3);
    bench.write("large", noise(1, 3 << 20));
    extra(&bench, "busy");
    let run = bench.start(&["--delete-extras", "--bwlimit", "1M"]);
    wait_until("the file is under way", || bench.dest().join("large").exists());
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
    let run = bench.start(&["--delete-extras", "--bwlimit", "1M"]);
    wait_until("the file is under way", || bench.dest().join("large").exists());
    send_signal(&run, rustix::process::Signal::INT);
    end(run).with_status(130);
    assert!(bench.dest().join("extra").exists());
    // The resumed run deletes what the scan found, and looks again before it does.
    let ended = bench.sync(MIRROR).with_status(0);
    assert!(ended.stdout.contains("no scan"), "{}", ended.stdout);
    bench.assert_same_trees();
}

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
    // Of another machine, where its maker cannot be looked for; young.
    let elsewhere = write(&bench.dest(), ".towpath-probe-1-1-00000000.1-file", "");
    let ended = bench.sync(&["--delete-extras"]).with_status(0);
    assert!(!ended.stdout.contains("left, to be safe"), "{}", ended.stdout);
    assert!(elsewhere.exists() && probes.iter().all(|probe| fs::symlink_metadata(probe).is_ok()));
}

#[test]
fn probes_in_the_source_are_not_copied_and_nobody_is_told() {
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
