//! Symlinks, hard links, sparse files, and entries whose kind changed.

use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, symlink};

use crate::common::*;

#[test]
fn a_symlink_in_place_of_a_file_is_replaced_and_its_target_stays() {
    let bench = Bench::new();
    let precious = bench.path("precious");
    fs::write(&precious, "outside").unwrap();
    fs::create_dir(bench.dest()).unwrap();
    bench.write("small", "data");
    bench.write("large", noise(1, 600_000));
    bench.write("dir/file", "data");
    symlink("elsewhere", bench.source().join("link")).unwrap();
    for name in ["small", "large", "link", "dir"] {
        symlink(&precious, bench.dest().join(name)).unwrap();
    }
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(fs::read(&precious).unwrap(), b"outside");
}

#[test]
fn a_name_gets_the_kind_of_the_source_and_the_log_lists_what_was_replaced() {
    for mode in ["inplace", "atomic"] {
        let bench = Bench::new();
        bench.write("dir-to-file", "data");
        bench.write("file-to-dir/inner/file", "data");
        fs::create_dir(bench.source().join("file-to-empty-dir")).unwrap();
        symlink("target", bench.source().join("file-to-link")).unwrap();
        symlink("target", bench.source().join("dir-to-link")).unwrap();
        bench.write("link-to-file", "data");
        fs::create_dir_all(bench.dest().join("dir-to-file")).unwrap();
        fs::create_dir(bench.dest().join("dir-to-link")).unwrap();
        for name in ["file-to-dir", "file-to-empty-dir", "file-to-link"] {
            set_mtime(&write(&bench.dest(), name, "four"), 1_500_000_000, 0);
        }
        symlink("nowhere", bench.dest().join("link-to-file")).unwrap();
        bench.sync(&["--write-mode", mode]).with_status(0);
        bench.assert_same_trees();
        let deleted = bench.logged("deleted");
        for name in ["file-to-dir", "file-to-empty-dir", "file-to-link", "dir-to-file", "dir-to-link"] {
            assert_eq!(deleted.get(name), Some(&1), "{mode}: {name} in {deleted:?}");
        }
        let line = bench.log().into_iter().find(|line| line["status"] == "deleted" && line["size"] == 4).unwrap();
        assert_eq!(line["mtime"], "2017-07-14T02:40:00Z");
        let again = bench.sync(&["--write-mode", mode]).with_status(0);
        assert!(again.stdout.contains("sent 0 files"), "{}", again.stdout);
    }
}

#[test]
fn a_directory_with_content_is_never_removed_for_a_file() {
    let bench = Bench::new();
    bench.write("file", "data");
    symlink("target", bench.source().join("link")).unwrap();
    write(&bench.dest(), "file/inner", "precious");
    write(&bench.dest(), "link/inner", "precious");
    let ended = bench.sync(&[]).with_status(3);
    assert!(ended.stderr.contains("a non-empty directory has this name"), "{}", ended.stderr);
    for name in ["file/inner", "link/inner"] {
        assert_eq!(fs::read(bench.dest().join(name)).unwrap(), b"precious");
    }
}

#[test]
fn a_conflicting_special_file_is_reported_and_stays() {
    let bench = Bench::new();
    bench.write("name", "data");
    fs::create_dir(bench.dest()).unwrap();
    make_fifo(&bench.dest().join("name"));
    bench.sync(&[]).with_status(3);
    assert_eq!(tree(&bench.dest())[&b"name"[..]], Node::Other);
}

#[test]
fn hard_links_are_kept() {
    let bench = Bench::new();
    let first = bench.write("a/first", noise(1, 300_000));
    bench.write("other", "data");
    for name in ["a/second", "b", "z"] {
        fs::hard_link(&first, bench.source().join(name)).unwrap();
    }
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("sent 5 files, 293.0 KiB"), "the content is sent once: {}", ended.stdout);
    bench.assert_same_trees();
    let inode = |name: &str| fs::metadata(bench.dest().join(name)).unwrap().ino();
    for name in ["a/second", "b", "z"] {
        assert_eq!(inode(name), inode("a/first"), "{name}");
        assert_eq!(bench.row(name).hash, bench.row("a/first").hash);
    }
    assert_eq!(fs::metadata(bench.dest().join("b")).unwrap().nlink(), 4);
    assert_eq!(bench.logged("synced").len(), 5);
    assert_eq!(bench.log().iter().filter(|line| line.get("hard_link").is_some()).count(), 3);
    let again = bench.sync(&[]).with_status(0);
    assert!(again.stdout.contains("sent 0 files"), "{}", again.stdout);

    // A separated name is linked again, without sending content.
    fs::remove_file(bench.dest().join("b")).unwrap();
    fs::copy(bench.source().join("b"), bench.dest().join("b")).unwrap();
    let times = fs::metadata(bench.source().join("b")).unwrap();
    set_mtime(&bench.dest().join("b"), times.mtime(), times.mtime_nsec() as u32);
    let joined = bench.sync(&[]).with_status(0);
    assert!(joined.stdout.contains("sent 1 file, 0 B"), "{}", joined.stdout);
    assert_eq!(inode("b"), inode("z"));

    // New content under all names.
    fs::write(&first, "new").unwrap();
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(inode("b"), inode("a/second"));
}

#[test]
fn hard_links_become_separate_files_on_request() {
    let bench = Bench::new();
    let first = bench.write("first", noise(1, 300_000));
    fs::hard_link(&first, bench.source().join("second")).unwrap();
    let ended = bench.sync(&["--hard-links", "copy"]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(fs::metadata(bench.dest().join("first")).unwrap().nlink(), 1);
    assert!(ended.stderr.contains("293.0 KiB more"), "{}", ended.stderr);
    // The changed option invalidates the backlog: the names are linked, and no content is sent.
    let joined = bench.sync(&[]).with_status(0);
    assert!(joined.stdout.contains("sent 1 file, 0 B"), "{}", joined.stdout);
    assert_eq!(fs::metadata(bench.dest().join("first")).unwrap().nlink(), 2);
}

#[test]
fn names_merged_only_at_the_destination_are_separated() {
    let bench = Bench::new();
    bench.write("first", "one");
    bench.write("second", "two!");
    let there = write(&bench.dest(), "first", "old");
    fs::hard_link(&there, bench.dest().join("second")).unwrap();
    fs::hard_link(&there, bench.path("outside")).unwrap();
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(fs::read(bench.path("outside")).unwrap(), b"old");
}

/// A file of 64 MiB with two ranges of data.
fn sparse(path: &std::path::Path) {
    let file = fs::File::create(path).unwrap();
    file.write_all_at(&noise(1, 100_000), 1 << 20).unwrap();
    file.write_all_at(&noise(2, 10), 40 << 20).unwrap();
    file.set_len(64 << 20).unwrap();
}

#[test]
fn holes_stay_holes_and_are_neither_read_nor_sent() {
    for mode in ["inplace", "atomic"] {
        let bench = Bench::new();
        let path = bench.source().join("sparse");
        sparse(&path);
        for (name, length) in [("all-hole", 10 << 20), ("small-hole", 100_000)] {
            fs::File::create(bench.source().join(name)).unwrap().set_len(length).unwrap();
        }
        if fs::metadata(&path).unwrap().blocks() > 2000 {
            skip("needs a temporary folder on a file system that keeps holes");
            return;
        }
        let ended = bench.sync(&["--write-mode", mode]).with_status(0);
        bench.assert_same_trees();
        for name in ["sparse", "all-hole", "small-hole"] {
            let [here, there] = [bench.source(), bench.dest()].map(|root| fs::metadata(root.join(name)).unwrap());
            assert!(there.blocks() <= here.blocks() + 64, "{name}: {} blocks of {}", there.blocks(), here.blocks());
            let data = fs::read(bench.source().join(name)).unwrap();
            assert_eq!(bench.row(name).hash, Some(sha256(&data)), "{name}: zeros belong to the content");
        }
        let expected = ["sent 3 files, 74.1 MiB in ", " KiB were written (", " MiB are holes"];
        assert!(expected.iter().all(|text| ended.stdout.contains(text)), "{}", ended.stdout);
        assert!(!ended.stdout.contains("were written in total"), "nothing was sent twice: {}", ended.stdout);
    }
}

#[test]
fn a_shorter_file_over_a_sparse_one_and_the_reverse() {
    let bench = Bench::new();
    bench.write("grows", "short");
    sparse(&bench.source().join("shrinks"));
    bench.sync(&[]).with_status(0);
    bench.write("shrinks", "short");
    sparse(&bench.source().join("grows"));
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn symlinks_are_followed_only_inside_the_source() {
    let bench = Bench::new();
    let secret = bench.path("secret");
    fs::write(&secret, "not to be copied").unwrap();
    bench.write("real/file", "data");
    bench.write("real/deep/file", "deep");
    for (target, name) in [
        ("real/file", "to-file"),
        ("real", "to-dir"),
        ("../real/deep", "real/to-deep"),
        ("..", "real/to-above"),
        ("../secret", "outwards"),
        ("nowhere", "dangling"),
    ] {
        symlink(target, bench.source().join(name)).unwrap();
    }
    symlink(&secret, bench.source().join("absolute")).unwrap();
    let ended = bench.sync(&["--links", "follow"]).with_status(3);
    let arrived: Vec<_> = tree(&bench.dest()).into_keys().map(|name| String::from_utf8(name).unwrap()).collect();
    for name in ["to-file", "to-dir/file", "to-dir/deep/file", "to-dir/to-deep/file", "real/to-deep/file"] {
        assert!(arrived.iter().any(|there| there == name), "{name} in {arrived:?}");
    }
    for name in ["outwards", "absolute", "dangling", "real/to-above", "to-dir/to-above"] {
        assert!(!arrived.iter().any(|there| there == name), "{name} in {arrived:?}");
        assert!(bench.logged("skipped").contains_key(name), "{name}: {}", ended.stderr);
    }
    assert_eq!(fs::read(bench.dest().join("to-dir/deep/file")).unwrap(), b"deep");
    assert!(!fs::symlink_metadata(bench.dest().join("to-file")).unwrap().is_symlink());
    let again = bench.sync(&["--links", "follow"]).with_status(3);
    assert!(again.stdout.contains("sent 0 files"), "{}", again.stdout);
}

#[test]
fn an_atomically_replaced_file_is_always_complete() {
    let bench = Bench::new();
    let old = noise(1, 3 << 20);
    bench.write("file", &old);
    bench.sync(&["--write-mode", "atomic"]).with_status(0);
    let new = noise(2, 3 << 20);
    bench.write("file", &new);
    // The partial file, not a probe of the destination.
    let names = || fs::read_dir(bench.dest()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut run = bench.start_until(&["--write-mode", "atomic", "--bwlimit", "2M"], || {
        names().any(|name| name.as_bytes().ends_with(b".part"))
    });
    assert!(fs::read(bench.dest().join("file")).unwrap() == old, "the old content stays");
    run.kill().unwrap();
    run.wait().unwrap();
    // The leftover partial file is removed; it is neither an extra nor migrated.
    bench.sync(&["--write-mode", "atomic"]).with_status(0);
    bench.assert_same_trees();
    assert!(fs::read(bench.dest().join("file")).unwrap() == new);
}

#[test]
fn the_next_scan_removes_leftover_partial_files() {
    let bench = Bench::new();
    bench.write("dir/file", noise(1, 3 << 20));
    let partial_file = || fs::read_dir(bench.dest().join("dir")).ok().and_then(|mut dir| dir.next());
    bench.kill_when(&["--write-mode", "atomic", "--bwlimit", "2M"], || partial_file().is_some());
    let left = partial_file().unwrap().unwrap().file_name();
    fs::remove_file(bench.source().join("dir/file")).unwrap();
    bench.write("dir/other", "data");
    // Another migration from the destination does not send the partial file.
    let other = bench.path("other");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("sync").arg(bench.dest()).arg(&other).arg("--database").arg(bench.path("other.db"));
    command.arg("--log-file").arg(bench.path("other.log"));
    assert_eq!(command.status().unwrap().code(), Some(3), "it is reported");
    assert!(!other.join("dir").join(&left).exists());
    bench.sync(&["--rescan"]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn permissions_are_applied_on_request_even_if_no_content_is_sent() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let set = |name: &str, mode: u32| {
        fs::set_permissions(bench.source().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    bench.write("dir/file", "data");
    set("dir/file", 0o4751);
    set("dir", 0o711);
    bench.sync(&[]).with_status(0);
    assert_ne!(mode(&bench.dest().join("dir/file")), 0o4751, "only on request");
    let ended = bench.sync(&["--perms"]).with_status(0);
    assert!(ended.stdout.contains("sent 0 files"), "{}", ended.stdout);
    assert_eq!(mode(&bench.dest().join("dir/file")), 0o4751);
    assert_eq!(mode(&bench.dest().join("dir")), 0o711);
    assert_eq!(bench.logged("settled").len(), 1);
    bench.assert_same_trees();
    bench.write("dir/new", "data");
    set("dir/new", 0o600);
    bench.sync(&["--perms"]).with_status(0);
    assert_eq!(mode(&bench.dest().join("dir/new")), 0o600);
}

#[test]
fn a_file_separated_from_its_other_names_is_separated_at_the_destination_too() {
    let bench = Bench::new();
    let first = bench.write("first", "data");
    fs::hard_link(&first, bench.source().join("second")).unwrap();
    bench.sync(&[]).with_status(0);
    assert_eq!(fs::metadata(bench.dest().join("first")).unwrap().nlink(), 2);
    // The same content and time in a separate file.
    let second = bench.source().join("second");
    let times = fs::metadata(&first).unwrap();
    fs::remove_file(&second).unwrap();
    fs::write(&second, "data").unwrap();
    set_mtime(&second, times.mtime(), times.mtime_nsec() as u32);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(fs::metadata(bench.dest().join("first")).unwrap().nlink(), 1);
    let again = bench.sync(&[]).with_status(0);
    assert!(again.stdout.contains("sent 0 files"), "{}", again.stdout);
}

#[test]
fn private_files_are_private_while_they_are_written() {
    use std::os::unix::fs::PermissionsExt as _;
    for mode in ["inplace", "atomic"] {
        let bench = Bench::new();
        let file = bench.write("key", noise(1, 3 << 20));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let mut run = bench.start(&["--perms", "--bwlimit", "2M", "--write-mode", mode]);
        let arriving = || {
            fs::read_dir(bench.dest()).ok().and_then(|mut dir| {
                dir.find(|entry| {
                    let name = entry.as_ref().unwrap().file_name();
                    !name.to_string_lossy().starts_with(".towpath-probe")
                })
            })
        };
        wait_until("the file is in flight", || arriving().is_some());
        let path = arriving().unwrap().unwrap().path();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{mode}: {}", path.display());
        run.kill().unwrap();
        run.wait().unwrap();
    }
}

#[test]
fn removed_extended_attributes_are_removed_with_the_next_content() {
    let bench = Bench::new();
    let file = bench.write("file", "one");
    let set = |name: &str| rustix::fs::setxattr(&file, name, b"value", rustix::fs::XattrFlags::empty());
    if set("user.kept").is_err() {
        skip("needs a temporary folder on a file system with extended attributes of users");
        return;
    }
    set("user.gone").unwrap();
    bench.sync(&["--xattrs"]).with_status(0);
    rustix::fs::removexattr(&file, "user.gone").unwrap();
    bench.write("file", "other");
    bench.sync(&["--xattrs"]).with_status(0);
    let mut value = [0_u8; 16];
    let there = bench.dest().join("file");
    assert!(rustix::fs::getxattr(&there, "user.kept", &mut value[..]).is_ok());
    assert!(rustix::fs::getxattr(&there, "user.gone", &mut value[..]).is_err());
}
