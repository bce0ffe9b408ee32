//! Entries that an earlier run with `--perms` made read-only can be changed by later runs without root privileges.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown, symlink};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::*;

/// A user without privileges.
const USER: u32 = 65_534;

/// A bench whose program runs as a user without root privileges.
struct Users {
    bench: Bench,
}

impl Users {
    /// `None` where the tests cannot become that user.
    fn new() -> Option<Self> {
        if !is_root_or_skip("a program that runs as another user") {
            return None;
        }
        let bench = Bench::new();
        set_mode(bench.folder.path(), 0o755);
        fs::create_dir(bench.dest()).unwrap();
        let users = Self { bench };
        users.give_all();
        Some(users)
    }

    /// Changes the owner of everything in the bench to the user.
    fn give_all(&self) {
        give(self.bench.folder.path());
    }

    fn start(&self, options: &[&str]) -> Running {
        self.give_all();
        let mut command = self.bench.command(options);
        Running::from(as_user(&mut command).spawn().unwrap())
    }

    #[track_caller]
    fn sync(&self, options: &[&str], status: i32) -> ProcessOutput {
        end(self.start(options)).with_status(status)
    }

    fn source(&self, name: &str) -> std::path::PathBuf {
        self.bench.source().join(name)
    }

    fn dest(&self, name: &str) -> std::path::PathBuf {
        self.bench.dest().join(name)
    }

    /// Asserts that the destination has the entries and modes of the source.
    #[track_caller]
    fn assert_arrived(&self) {
        self.bench.assert_same_trees();
        assert_eq!(modes(&self.bench.dest()), modes(&self.bench.source()));
    }
}

fn as_user(command: &mut Command) -> &mut Command {
    command.uid(USER).gid(USER).stdout(Stdio::piped()).stderr(Stdio::piped())
}

fn give(path: &Path) {
    lchown(path, Some(USER), Some(USER)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().for_each(|entry| give(&entry.unwrap().path()));
    }
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// The modes of a directory and everything below it, by path.
fn modes(root: &Path) -> Vec<(String, u32)> {
    let of_root = (String::new(), mode(root));
    let names = tree(root).into_keys().map(|name| String::from_utf8(name).unwrap());
    let modes = names.map(|name| {
        let mode = mode(&root.join(&name));
        (name, mode)
    });
    [of_root].into_iter().chain(modes).collect()
}

/// Fills the source with a read-only directory that has entries of every kind, in a read-only root.
fn read_only_source(users: &Users) {
    let bench = &users.bench;
    for name in ["dir/changed", "dir/gone", "dir/kept", "dir/deep/gone", "dir/gone-dir/gone"] {
        set_mode(&bench.write(name, "old"), 0o444);
    }
    set_mode(&bench.write("dir/large", vec![1; 300_000]), 0o444);
    symlink("kept", users.source("dir/link")).unwrap();
    set_dirs(users, 0o555);
}

fn set_dirs(users: &Users, mode: u32) {
    for name in ["dir/deep", "dir/gone-dir", "dir", ""] {
        if users.source(name).exists() {
            set_mode(&users.source(name), mode);
        }
    }
}

/// Makes a change of every kind.
fn change(users: &Users) {
    set_dirs(users, 0o755);
    let replace = |name: &str, data: Vec<u8>| {
        fs::remove_file(users.source(name)).unwrap();
        set_mode(&users.bench.write(name, data), 0o444);
    };
    replace("dir/changed", b"changed".to_vec());
    replace("dir/large", vec![2; 400_000]);
    replace("dir/deep/gone", b"other".to_vec());
    fs::rename(users.source("dir/deep/gone"), users.source("dir/deep/moved")).unwrap();
    fs::remove_file(users.source("dir/gone")).unwrap();
    fs::remove_dir_all(users.source("dir/gone-dir")).unwrap();
    fs::remove_file(users.source("dir/link")).unwrap();
    symlink("changed", users.source("dir/link")).unwrap();
    fs::hard_link(users.source("dir/kept"), users.source("dir/name")).unwrap();
    users.bench.write("dir/new", "new");
    users.bench.write("dir/new-dir/new", "new");
    users.bench.write("new", "new");
    set_dirs(users, 0o555);
}

#[test]
fn everything_in_read_only_directories_changes_with_the_source() {
    for options in [&["--perms", "--delete-extras"][..], &["--perms", "--delete-extras", "--write-mode", "atomic"]] {
        let Some(users) = Users::new() else { return };
        read_only_source(&users);
        users.sync(options, 0);
        users.assert_arrived();

        change(&users);
        users.sync(options, 0);
        users.assert_arrived();
        let again = users.sync(options, 0);
        assert!(again.stdout.contains("sent 0 files"), "{}", again.stdout);
        users.assert_arrived();
    }
}

#[test]
fn deleted_files_go_to_a_trash_in_a_read_only_root() {
    let Some(users) = Users::new() else { return };
    read_only_source(&users);
    users.sync(&["--perms"], 0);
    change(&users);
    let trash = users.dest("trash");
    users.sync(&["--perms", "--delete-extras", "--trash", trash.to_str().unwrap()], 0);
    assert_eq!(fs::read(trash.join("dir/gone")).unwrap(), b"old");
    assert_eq!(fs::read(trash.join("dir/gone-dir/gone")).unwrap(), b"old");
    assert!(!users.dest("dir/gone").exists());
    assert_eq!([mode(&users.dest("dir")), mode(&users.bench.dest())], [0o555; 2]);
}

#[test]
fn user_attributes_of_read_only_files_change() {
    let Some(users) = Users::new() else { return };
    let file = users.bench.write("dir/file", "x");
    let set = |value: &str| {
        let set = rustix::fs::setxattr(&file, "user.key", value.as_bytes(), rustix::fs::XattrFlags::empty());
        set.is_ok()
    };
    if !set("one") {
        skip("needs a temporary folder on a file system with extended attributes of users");
        return;
    }
    set_mode(&file, 0o444);
    set_mode(&users.source("dir"), 0o555);
    users.sync(&["--perms", "--xattrs"], 0);
    assert!(set("two"));
    set_mtime(&file, 1_700_000_000, 0);
    let second = users.sync(&["--perms", "--xattrs"], 0);
    assert!(!second.stderr.contains("ermission"), "{}", second.stderr);
    let mut value = [0; 8];
    let length = rustix::fs::getxattr(users.dest("dir/file"), "user.key", &mut value).unwrap();
    assert_eq!((&value[..length], mode(&users.dest("dir/file"))), (&b"two"[..], 0o444));
}

#[test]
fn without_perms_the_destinations_own_modes_are_restored() {
    let Some(users) = Users::new() else { return };
    users.bench.write("dir/file", "old");
    users.sync(&[], 0);
    set_mode(&users.dest("dir/file"), 0o400);
    set_mode(&users.dest("dir"), 0o510);
    users.bench.write("dir/file", "changed");
    users.bench.write("dir/new", "new");
    users.sync(&[], 0);
    users.bench.assert_same_trees();
    assert_eq!([mode(&users.dest("dir/file")), mode(&users.dest("dir"))], [0o400, 0o510]);
}

/// Sets the modes that a run leaves if it is killed while it has lifted the permissions of directories.
fn leave_lifted(users: &Users) {
    for dir in ["dir", ""] {
        set_mode(&users.dest(dir), mode(&users.dest(dir)) | 0o700);
    }
}

#[test]
fn the_scan_after_a_kill_restores_lifted_permissions() {
    let Some(users) = Users::new() else { return };
    read_only_source(&users);
    users.sync(&["--perms"], 0);
    leave_lifted(&users);
    users.sync(&["--perms"], 0);
    users.assert_arrived();
}

#[test]
fn a_run_resumed_after_a_kill_restores_lifted_permissions() {
    let Some(users) = Users::new() else { return };
    read_only_source(&users);
    users.sync(&["--perms"], 0);
    set_dirs(&users, 0o755);
    users.bench.write("dir/new", "new");
    users.bench.write("dir/huge", noise(1, 8 << 20));
    set_dirs(&users, 0o555);
    let running = users.start(&["--perms", "--bwlimit", "1M"]);
    wait_until("the large file arrives", || users.dest("dir/huge").exists() && users.dest("dir/new").exists());
    send_signal(&running, rustix::process::Signal::KILL);
    end(running);
    leave_lifted(&users);
    let resumed = users.sync(&["--perms"], 0);
    assert!(resumed.stdout.contains("resuming: "), "{}", resumed.stdout);
    users.assert_arrived();
}

#[test]
fn entries_of_another_user_are_errors_with_a_remedy() {
    let Some(users) = Users::new() else { return };
    users.bench.write("dir/file", "old");
    users.bench.write("dir/other", "old");
    users.sync(&["--perms"], 0);
    users.bench.write("dir/new", "new");
    users.bench.write("dir/other", "changed");
    users.give_all();
    lchown(users.dest("dir/other"), Some(0), Some(0)).unwrap();
    set_mode(&users.dest("dir/other"), 0o444);
    lchown(users.dest("dir"), Some(0), Some(0)).unwrap();
    set_mode(&users.dest("dir"), 0o755);
    let ended = end(as_user(&mut users.bench.command(&["--perms"])).spawn().unwrap()).with_status(3);
    let text = &ended.stderr;
    assert!(
        text.contains("directory dir belongs to user 0 and user 65534 may not write there; run as its owner"),
        "{text}"
    );
    assert!(text.contains("the file belongs to user 0"), "{text}");
    assert_eq!([mode(&users.dest("dir/other")), mode(&users.dest("dir"))], [0o444, 0o755]);
}
