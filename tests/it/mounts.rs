//! File systems mounted inside the trees: a missing mount does not count as an empty directory.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use crate::common::*;

const MIRROR: &[&str] = &["--delete-extras"];

fn count(dir: impl AsRef<Path>) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

/// A bench in sync whose source has some files, and more in the mounted file system `inner`.
fn with_inner(mount: impl Fn(&Bench) -> Option<Mount>) -> Option<(Bench, Mount)> {
    let bench = Bench::new();
    for n in 0..20 {
        bench.write(format!("{n}"), "data");
    }
    let mount = mount(&bench)?;
    for n in 0..10 {
        bench.write(format!("inner/dir/{n}"), "data");
    }
    bench.sync(&[]).with_status(0);
    Some((bench, mount))
}

#[test]
fn a_lost_mount_inside_the_source_causes_no_deletion() {
    let kinds: [fn(&Bench) -> Option<Mount>; 2] = [
        |bench| Mount::tmpfs(&bench.source().join("inner")),
        |bench| {
            let elsewhere = bench.path("elsewhere");
            fs::create_dir(&elsewhere).unwrap();
            Mount::bind(&elsewhere, &bench.source().join("inner"))
        },
    ];
    for mounted in kinds {
        for left in ["the mount point", "nothing", "a file", "a link"] {
            let Some((bench, mount)) = with_inner(mounted) else { return };
            drop(mount);
            let inner = bench.source().join("inner");
            if left != "the mount point" {
                fs::remove_dir(&inner).unwrap();
            }
            match left {
                "a file" => fs::write(&inner, "automounter").unwrap(),
                "a link" => std::os::unix::fs::symlink("elsewhere", &inner).unwrap(),
                _ => {}
            }
            bench.write("another file changed too", "data");
            for options in [MIRROR, &["--delete-extras", "--rescan"]] {
                let ended = bench.sync(options).with_status(3);
                assert!(
                    ended.stderr.contains("inner: the file system that was mounted here"),
                    "{left} {}",
                    ended.stderr
                );
                assert_eq!(count(bench.dest().join("inner/dir")), 10, "{left} {}", ended.stderr);
            }
            let excluded = bench.sync(&["--delete-extras", "--exclude", "/inner"]).with_status(0);
            assert!(!excluded.stderr.contains("was mounted"), "{left} {}", excluded.stderr);
            assert_eq!(count(bench.dest().join("inner/dir")), 10, "excluded entries stay");
        }
    }
}

#[test]
fn a_mount_that_comes_back_is_in_sync_again() {
    let Some((bench, mount)) = with_inner(|bench| Mount::tmpfs(&bench.source().join("inner"))) else { return };
    drop(mount);
    bench.sync(MIRROR).with_status(3);
    let Some(_mount) = Mount::tmpfs(&bench.source().join("inner")) else { return };
    // A new file system is not the recorded one.
    let ended = bench.sync(MIRROR).with_status(3);
    assert_eq!(count(bench.dest().join("inner/dir")), 10, "{}", ended.stderr);
    bench.sync(&["--accept-new-tree"]).with_status(0);
    bench.sync(&["--delete-extras", "--max-delete", "100%"]).with_status(0);
    assert_eq!(count(bench.dest().join("inner")), 0);
}

#[test]
fn nothing_is_deleted_from_file_systems_mounted_inside_the_destination() {
    let kinds: [fn(&Bench) -> Option<Mount>; 2] = [
        |bench| Mount::tmpfs(&bench.dest().join("mnt")),
        |bench| {
            let elsewhere = bench.path("elsewhere");
            fs::create_dir(&elsewhere).unwrap();
            Mount::bind(&elsewhere, &bench.dest().join("mnt"))
        },
    ];
    for mounted in kinds {
        let bench = Bench::new();
        bench.write("file", "data");
        bench.sync(&[]).with_status(0);
        let Some(_mount) = mounted(&bench) else { return };
        for n in 0..3 {
            write(&bench.dest(), format!("mnt/precious/{n}"), "data");
        }
        write(&bench.dest(), "extra", "data");
        let ended = bench.sync(MIRROR).with_status(3);
        assert_eq!(count(bench.dest().join("mnt/precious")), 3);
        assert!(!bench.dest().join("extra").exists());
        assert!(ended.stderr.contains("3 files on other file systems"), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "reported once: {}", ended.stderr);
        let dry = bench.sync(&["--delete-extras", "-n"]);
        assert!(!dry.stdout.contains("precious"), "{}", dry.stdout);

        bench.sync(&["--delete-extras", "-x"]).with_status(0);
        assert_eq!(count(bench.dest().join("mnt/precious")), 3);
        bench.sync(&["--delete-extras", "--delete-other-file-systems"]);
        assert_eq!(count(bench.dest().join("mnt")), 0, "deleted on request");
    }
}

#[test]
fn a_lost_mount_inside_the_destination_receives_no_files() {
    let bench = Bench::new();
    bench.write("file", "data");
    let inner = bench.dest().join("inner");
    let Some(mount) = Mount::tmpfs(&inner) else { return };
    bench.write("inner/file", "data");
    bench.sync(&[]).with_status(0);
    drop(mount);
    for left in ["the mount point", "nothing"] {
        if left == "nothing" {
            fs::remove_dir(&inner).unwrap();
        }
        for options in [&[][..], &["--rescan"]] {
            let ended = bench.sync(options).with_status(4);
            assert!(ended.stderr.contains("new/inner is not mounted"), "{left} {}", ended.stderr);
            assert_eq!(count(&inner), 0);
        }
    }
    bench.sync(&["--accept-new-tree"]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn accept_new_tree_and_delete_extras_are_mutually_exclusive() {
    let bench = Bench::new();
    bench.write("file", "data");
    let ended = bench.sync(&["--accept-new-tree", "--delete-extras"]).with_status(2);
    assert!(ended.stderr.contains("--accept-new-tree") && ended.stderr.contains("--delete-extras"), "{}", ended.stderr);
}

#[test]
fn a_mount_lost_inside_the_destination_receives_no_files_from_a_resumed_run() {
    let bench = Bench::new();
    let inner = bench.dest().join("inner");
    let Some(mount) = Mount::tmpfs(&inner) else { return };
    for n in 0..40 {
        bench.write(format!("inner/{n}"), noise(n, 100_000));
    }
    bench.interrupt_when(Signal::INT, &["--bwlimit", "1M"], || count(&inner) > 5).with_status(130);
    drop(mount);
    for _ in 0..2 {
        let ended = bench.sync(&[]).with_status(4);
        assert!(ended.stdout.contains("resuming"), "{}", ended.stdout);
        assert!(ended.stderr.contains("new/inner is not mounted"), "{}", ended.stderr);
        assert_eq!(count(&inner), 0);
    }
}

#[test]
fn files_written_below_a_mount_point_lost_during_the_run_are_not_in_sync() {
    let bench = Bench::new();
    let inner = bench.dest().join("inner");
    let Some(mount) = Mount::tmpfs(&inner) else { return };
    for n in 0..40 {
        bench.write(format!("inner/{n}"), noise(n, 100_000));
    }
    let running = bench.start_until(&["--bwlimit", "1M"], || count(&inner) > 5);
    drop(mount);
    let ended = end(running).with_status(4);
    assert!(ended.stderr.contains("new/inner is not mounted"), "{}", ended.stderr);
}

#[test]
fn a_nested_mount_of_the_same_device_is_recognized() {
    let bench = Bench::new();
    for n in 0..20 {
        bench.write(format!("{n}"), "data");
    }
    let Some(_outer) = Mount::tmpfs(&bench.source().join("m")) else { return };
    for n in 0..3 {
        bench.write(format!("m/real/{n}"), "data");
    }
    let Some(inner) = Mount::bind(&bench.source().join("m/real"), &bench.source().join("m/again")) else { return };
    bench.sync(MIRROR).with_status(0);
    drop(inner);
    let ended = bench.sync(MIRROR).with_status(3);
    assert!(ended.stderr.contains("m/again: the file system that was mounted here"), "{}", ended.stderr);
    assert_eq!(count(bench.dest().join("m/again")), 3);
}

#[test]
fn a_file_system_mounted_over_files_of_the_source_causes_no_deletion() {
    let bench = Bench::new();
    for n in 0..20 {
        bench.write(format!("{n}"), "data");
        bench.write(format!("dir/sub/{n}"), "data");
        bench.write(format!("dir/{n}"), "data");
    }
    bench.sync(&[]).with_status(0);
    let Some(_mount) = Mount::tmpfs(&bench.source().join("dir")) else { return };
    let ended = bench.sync(MIRROR).with_status(3);
    assert_eq!((count(bench.dest().join("dir")), count(bench.dest().join("dir/sub"))), (21, 20), "{}", ended.stderr);
}
