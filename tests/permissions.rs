//! Who may read, change or run what arrives.

#![allow(clippy::unwrap_used, clippy::print_stderr, missing_docs)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::path::Path;

use common::*;

/// A user and a group that are nobody here.
const STRANGER: u32 = 12_345;

fn is_root(what: &str) -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("SKIPPED: {what} (needs root)");
    }
    is_root
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Gives a file of the source to others, and then this mode.
fn give(path: &Path, user: Option<u32>, group: Option<u32>, bits: u32) {
    lchown(path, user, group).unwrap();
    set_mode(path, bits);
}

#[test]
fn a_users_setuid_program_does_not_become_roots() {
    if !is_root("files cannot be given to another user") {
        return;
    }
    let bench = Bench::new();
    give(&bench.write("dir/program", "x"), Some(STRANGER), Some(STRANGER), 0o6755);
    give(&bench.write("user", "x"), Some(STRANGER), Some(0), 0o6755);
    give(&bench.write("group", "x"), Some(0), Some(STRANGER), 0o6755);
    give(&bench.write("own", "x"), Some(0), Some(0), 0o6755);
    give(&bench.source().join("dir"), Some(0), Some(STRANGER), 0o2775);
    let expected = [("dir/program", 0o755), ("user", 0o2755), ("group", 0o4755), ("own", 0o6755), ("dir", 0o775)];
    let check = |when: &str| {
        for (name, bits) in expected {
            assert_eq!(mode(&bench.dest().join(name)), bits, "{name} {when}");
        }
    };
    let first = bench.sync(&["--perms"]).with_status(0);
    check("after the first run");
    assert_eq!(first.stderr.matches("setuid or setgid is dropped").count(), 4, "{}", first.stderr);
    assert_eq!(bench.log().iter().filter(|line| line["status"] == "refused").count(), 4);

    // That is how they stay: there is nothing left to do.
    let again = bench.sync(&["--perms"]).with_status(0);
    check("after the second run");
    assert!(!again.stderr.contains("dropped"), "{}", again.stderr);
    assert!(bench.logged("settled").is_empty(), "{:?}", bench.logged("settled"));

    // A bit that came there in another way goes.
    set_mode(&bench.dest().join("user"), 0o6755);
    set_mode(&bench.dest().join("dir"), 0o2775);
    bench.sync(&["--perms"]).with_status(0);
    check("after someone set them");

    // With the owner they are as in the source.
    bench.sync(&["--perms", "--owner"]).with_status(0);
    for name in ["dir/program", "user", "group", "own", "dir"] {
        assert_eq!(mode(&bench.dest().join(name)), mode(&bench.source().join(name)), "{name} with --owner");
    }
}

#[test]
fn new_content_does_not_run_with_the_old_files_setuid() {
    for options in [&[][..], &["--perms"], &["--write-mode", "atomic"]] {
        let bench = Bench::new();
        bench.write("program", "new content");
        bench.write("large", noise(1, 600_000));
        for name in ["program", "large"] {
            set_mode(&write(&bench.dest(), name, "old"), 0o4755);
            set_mode(&bench.source().join(name), 0o755);
        }
        bench.sync(options).with_status(0);
        for name in ["program", "large"] {
            assert_eq!(mode(&bench.dest().join(name)) & 0o7000, 0, "{name} with {options:?}");
        }
    }
}
