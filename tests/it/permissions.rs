//! Permissions and owners of the files that arrive.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, lchown};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::common::*;

/// A user and a group that do not exist on this machine.
const STRANGER: u32 = 12_345;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

/// Changes the owner of a file and then its mode.
fn give(path: &Path, user: Option<u32>, group: Option<u32>, bits: u32) {
    lchown(path, user, group).unwrap();
    set_mode(path, bits);
}

#[test]
fn a_setuid_program_of_a_user_does_not_become_one_of_root() {
    if !is_root_or_skip("files cannot be given to another user") {
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

    // The next run has nothing left to do.
    let again = bench.sync(&["--perms"]).with_status(0);
    check("after the second run");
    assert!(!again.stderr.contains("dropped"), "{}", again.stderr);
    assert!(bench.logged("settled").is_empty(), "{:?}", bench.logged("settled"));

    // A setuid or setgid bit that somebody else set is removed.
    set_mode(&bench.dest().join("user"), 0o6755);
    set_mode(&bench.dest().join("dir"), 0o2775);
    bench.sync(&["--perms"]).with_status(0);
    check("after someone set them");

    // With --owner the modes match the source.
    bench.sync(&["--perms", "--owner"]).with_status(0);
    for name in ["dir/program", "user", "group", "own", "dir"] {
        assert_eq!(mode(&bench.dest().join(name)), mode(&bench.source().join(name)), "{name} with --owner");
    }
}

#[test]
fn new_content_does_not_inherit_setuid_of_the_old_file() {
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

/// Runs the program with this umask.
fn sync_with_umask(bench: &Bench, umask: &str, options: &[&str]) -> ProcessOutput {
    let sync = bench.command(options);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]).arg(sync.get_program()).args(sync.get_args());
    for (key, value) in sync.get_envs() {
        command.env(key, value.unwrap());
    }
    let piped = Stdio::piped;
    end(command.stdout(piped()).stderr(piped()).spawn().unwrap())
}

const MODES: [&[&str]; 2] = [&["--write-mode", "inplace"], &["--write-mode", "atomic"]];

#[test]
fn private_entries_do_not_become_public() {
    for options in MODES {
        let bench = Bench::new();
        for (name, bits) in [("home/key", 0o600), ("home/group", 0o640), ("home/all", 0o666), ("home/program", 0o755)] {
            set_mode(&bench.write(name, "x"), bits);
        }
        set_mode(&bench.write("large", noise(1, 600_000)), 0o600);
        bench.write("deep/er/file", "x");
        for (name, bits) in [("empty", 0o711), ("empty/inner", 0o700)] {
            fs::create_dir(bench.source().join(name)).unwrap();
            set_mode(&bench.source().join(name), bits);
        }
        for (name, bits) in [("deep/er", 0o500), ("deep", 0o750), ("home", 0o700), ("", 0o770)] {
            set_mode(&bench.source().join(name), bits);
        }
        sync_with_umask(&bench, "022", options).with_status(0);
        for (name, bits) in [
            ("", 0o750),
            ("home", 0o700),
            ("home/key", 0o600),
            ("home/group", 0o640),
            ("home/all", 0o644),
            ("home/program", 0o644),
            ("large", 0o600),
            ("deep", 0o750),
            ("deep/er", 0o700),
            ("empty", 0o711),
            ("empty/inner", 0o700),
        ] {
            let found = mode(&bench.dest().join(name));
            assert_eq!(found, bits, "{name} is {found:o} with {options:?}");
        }
        // A file that is overwritten in place keeps the permissions of the destination.
        for (name, there) in [("home/key", 0o644), ("home/all", 0o600)] {
            set_mode(&bench.dest().join(name), there);
            fs::write(bench.source().join(name), "new content").unwrap();
        }
        sync_with_umask(&bench, "022", options).with_status(0);
        let in_place = options.contains(&"inplace");
        assert_eq!(mode(&bench.dest().join("home/key")), if in_place { 0o644 } else { 0o600 }, "{options:?}");
        assert_eq!(mode(&bench.dest().join("home/all")), 0o600, "{options:?}");
        set_mode(&bench.source().join("deep/er"), 0o700);
    }
}

#[test]
fn a_file_separated_from_its_other_names_is_as_private_as_its_source() {
    for options in MODES {
        let bench = Bench::new();
        set_mode(&bench.write("private", "one"), 0o600);
        set_mode(&bench.write("public", "another"), 0o644);
        let there = write(&bench.dest(), "private", "old");
        set_mode(&there, 0o664);
        fs::hard_link(&there, bench.dest().join("public")).unwrap();
        sync_with_umask(&bench, "002", options).with_status(0);
        assert_eq!(mode(&bench.dest().join("private")), 0o600, "{options:?}");
        bench.assert_same_trees();
    }
}

#[test]
fn with_perms_an_old_copy_becomes_private_before_the_new_content_arrives() {
    for options in MODES {
        let bench = Bench::new();
        let data = noise(1, 4 << 20);
        set_mode(&bench.write("secret", &data), 0o600);
        let there = write(&bench.dest(), "secret", "old");
        set_mode(&there, 0o644);
        let running = bench.start(&[options, &["--perms", "--bwlimit", "4M"]].concat());
        let mut seen_partial = false;
        // Every file with new content is private, under any name.
        wait_until("all content arrived", || {
            for entry in fs::read_dir(bench.dest()).unwrap().filter_map(Result::ok) {
                let Ok(found) = entry.metadata() else { continue };
                if found.is_file() && found.len() > 3 && found.len() < 2 << 20 {
                    // It has content, so it must already be private.
                    assert_eq!(found.mode() & 0o077, 0, "{}", entry.path().display());
                    seen_partial = true;
                }
            }
            fs::metadata(&there).is_ok_and(|found| found.len() == data.len() as u64)
        });
        end(running).with_status(0);
        assert!(seen_partial, "the file was never seen while it was written");
        assert_eq!(mode(&there), 0o600);
    }
}

#[test]
fn a_world_readable_partial_file_becomes_private_before_it_is_reused() {
    use towpath_backend::{RelPath, Sink as _, WriteOptions};
    let folder = tempfile::tempdir().unwrap();
    set_mode(&write(folder.path(), "part", "leftover"), 0o644);
    let sink = towpath_local::LocalSink::open(folder.path()).unwrap();
    let mut metadata =
        towpath_backend::Metadata::new(towpath_backend::Kind::File, 0, towpath_backend::Timestamp::from_ns(0));
    metadata.permissions = Some(0o400);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _writer =
        runtime.block_on(sink.create(&RelPath::new("part").unwrap(), &metadata, &WriteOptions::default())).unwrap();
    assert_eq!(mode(&folder.path().join("part")), 0o600);
}

/// Changes the owner of a file, or of a folder and everything below it, to this user and group.
fn give_all(path: &Path, user: u32) {
    lchown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        fs::read_dir(path).unwrap().for_each(|entry| give_all(&entry.unwrap().path(), user));
    }
}

#[test]
fn an_owner_not_accepted_gives_exit_status_3_once_and_root_can_set_it() {
    const USER: u32 = 65_534;
    if !is_root_or_skip("files cannot be given to another user") {
        return;
    }
    let bench = Bench::new();
    bench.write("dir/file", "x");
    fs::create_dir(bench.dest()).unwrap();
    set_mode(bench.folder.path(), 0o755);
    give_all(bench.folder.path(), USER);
    give_all(&bench.source(), STRANGER);
    let sync = |options: &[&str]| {
        let mut command = bench.command(options);
        end(command.uid(USER).gid(USER).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };

    let first = sync(&["--owner"]).with_status(3);
    assert!(first.stderr.contains("not accepted: ") && first.stderr.contains("set owner"), "{}", first.stderr);
    assert!(first.stdout.contains("1 of 1 files in sync"), "{}", first.stdout);
    assert!(first.stdout.contains("a privileged user"), "{}", first.stdout);
    let again = sync(&["--owner"]).with_status(0);
    assert!(!again.stderr.contains("not accepted"), "{}", again.stderr);
    sync(&["--owner", "--rescan"]).with_status(3);

    // Root may set it.
    for file in [bench.database(), bench.log_file()] {
        give_all(&file, 0);
    }
    bench.sync(&["--owner"]).with_status(0);
    for name in ["dir/file", "dir"] {
        assert_eq!(fs::metadata(bench.dest().join(name)).unwrap().uid(), STRANGER, "{name}");
    }
    bench.sync(&["--owner"]).with_status(0);
    assert_eq!(bench.logged("synced").len(), 1, "content is sent once");
}
