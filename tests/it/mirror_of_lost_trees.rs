//! A mirror deletes nothing because a tree was unmounted, emptied or replaced.

use std::fs;

use crate::common::*;
use crate::mirror::{MIRROR, extra, in_sync};

#[test]
fn an_unmounted_source_or_destination_is_a_guard_refusal_after_a_finished_migration() {
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
        assert_eq!(bench.rows().len(), 3, "no rows were removed");
        let untouched = fs::read_dir(bench.path(unmounted)).unwrap().count();
        assert_eq!(untouched, 0, "nothing was written into the empty folder");
    }
}

#[test]
fn a_source_unmounted_during_the_transfer_causes_no_deletion() {
    let bench = Bench::new();
    let Some(mount) = Mount::tmpfs(&bench.source()) else { return };
    bench.write("dir/large", noise(1, 3 << 20));
    fs::create_dir(bench.dest()).unwrap();
    for n in 0..30 {
        extra(&bench, &format!("dir/extra {n}"));
    }
    let run = bench.start_until(&["--delete-extras", "--bwlimit", "1M"], || bench.dest().join("dir/large").exists());
    drop(mount);
    let ended = end(run).with_status(4);
    assert!(ended.stderr.contains("no longer the tree that was scanned"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(bench.dest().join("dir")).unwrap().count(), 31);
}

#[test]
fn a_file_system_unmounted_inside_the_source_causes_no_deletion_there() {
    let bench = Bench::new();
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    bench.write("inner/file", "data");
    bench.write("large", noise(1, 3 << 20));
    fs::create_dir(bench.dest()).unwrap();
    extra(&bench, "inner/extra");
    extra(&bench, "extra");
    let run = bench
        .start_until(&["--delete-extras", "--bwlimit", "1M", "--lanes", "1"], || bench.dest().join("large").exists());
    drop(mount);
    let ended = end(run).with_status(3);
    assert!(ended.stderr.contains("is not the directory that the scan saw"), "{}", ended.stderr);
    assert!(bench.dest().join("inner/extra").exists(), "the folder below the mount point proves no absence");
    assert!(!bench.dest().join("extra").exists(), "the rest is mirrored");
}

#[test]
fn nothing_is_deleted_below_a_file_system_that_is_not_entered() {
    let bench = in_sync(3);
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(_mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    extra(&bench, "inner/extra");
    extra(&bench, "extra");
    bench.sync(&["--delete-extras", "--one-file-system"]).with_status(0);
    assert!(bench.dest().join("inner/extra").exists() && !bench.dest().join("extra").exists());
}

#[test]
fn a_file_system_not_mounted_during_the_scan_causes_no_deletion() {
    let bench = in_sync(3);
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    for n in 0..10 {
        bench.write(format!("inner/{n}"), "data");
    }
    bench.sync(&[]).with_status(0);
    drop(mount);
    // Every run reports it, until the user accepts it.
    for rescan in [&["--delete-extras"][..], &["--delete-extras", "--rescan"]] {
        let ended = bench.sync(rescan).with_status(3);
        assert!(ended.stderr.contains("inner: the file system that was mounted here"), "{}", ended.stderr);
        assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 10);
        assert_eq!(bench.rows().len(), 13, "the rows stay");
    }
    bench.sync(&["--accept-new-tree"]).with_status(0);
    assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 10, "accepting deletes nothing");
    bench.sync(MIRROR).with_status(0);
    assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 0);
}

#[test]
fn files_of_a_file_system_unmounted_during_the_run_do_not_count_as_vanished() {
    let bench = in_sync(3);
    fs::create_dir(bench.source().join("inner")).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    bench.write("dir/large", noise(1, 3 << 20));
    for n in 0..20 {
        bench.write(format!("inner/{n}"), "data");
        extra(&bench, &format!("inner/{n}"));
    }
    let run = bench.start_until(&["--delete-extras", "--bwlimit", "1M", "--lanes", "1"], || {
        bench.dest().join("dir/large").exists()
    });
    // Another file system at its path, whose root has the same inode number.
    drop(mount);
    let _other = Mount::tmpfs(&bench.source().join("inner")).unwrap();
    let ended = end(run).with_status(3);
    assert!(ended.stderr.contains("is not the directory that the scan saw"), "{}", ended.stderr);
    assert_eq!(fs::read_dir(bench.dest().join("inner")).unwrap().count(), 20);
    assert!(bench.logged("vanished").is_empty() && bench.logged("deleted").is_empty());
}

#[test]
fn a_source_emptied_after_the_scan_is_not_mirrored() {
    let bench = in_sync(3);
    bench.write("dir/large", noise(1, 3 << 20));
    for n in 0..20 {
        extra(&bench, &format!("extra {n}"));
    }
    let run = bench.start_until(&["--delete-extras", "--bwlimit", "1M"], || bench.dest().join("dir/large").exists());
    fs::remove_dir_all(bench.source().join("dir")).unwrap();
    let ended = end(run).with_status(4);
    assert!(ended.stderr.contains("is empty"), "{}", ended.stderr);
    assert!(bench.logged("deleted").is_empty());
    assert_eq!(fs::read_dir(bench.dest().join("dir")).unwrap().count(), 4);
}

#[test]
fn no_deletion_is_logged_for_a_missing_destination() {
    let bench = in_sync(50);
    fs::rename(bench.dest(), bench.path("aside")).unwrap();
    fs::create_dir(bench.dest()).unwrap();
    // A run that was interrupted right after it announced these.
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
fn a_recreated_destination_counts_as_another_tree() {
    let bench = Bench::new();
    for n in 0..40 {
        bench.write(format!("{n}"), noise(n, 100_000));
    }
    bench.kill_when(&["--bwlimit", "1M"], || fs::read_dir(bench.dest()).is_ok_and(|dir| dir.count() > 15));
    fs::remove_dir_all(bench.dest()).unwrap();
    fs::create_dir(bench.dest()).unwrap();
    bench.sync(&[]).with_status(4);
    bench.sync(&["--rescan"]).with_status(4);
    bench.sync(&["--accept-new-tree"]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn files_written_after_the_destination_was_unmounted_are_not_in_sync() {
    let bench = Bench::new();
    fs::create_dir(bench.dest()).unwrap();
    let Some(mount) = Mount::tmpfs(&bench.dest()) else { return };
    for n in 0..60 {
        bench.write(format!("{n:02}"), noise(n, 100_000));
    }
    let run = bench.start_until(&["--bwlimit", "1M"], || fs::read_dir(bench.dest()).is_ok_and(|dir| dir.count() > 15));
    drop(mount);
    let ended = end(run);
    assert_ne!(ended.status, 0, "{}", ended.stdout);
    let synced = bench.rows().into_values().filter(|row| row.status == "synced").count();
    assert!(synced < 60, "files written after the unmount are not in sync");
}
