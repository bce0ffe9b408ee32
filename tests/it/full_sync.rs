//! A tree arrives completely, with content, times and directories; a second run sends nothing.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::common::*;

#[test]
fn a_tree_arrives_completely() {
    let bench = Bench::new();
    for n in 0..300u64 {
        let path = bench.write(format!("a{}/b{}/file{n}", n % 7, n % 3), noise(n, (n * 977 % 40_000) as usize));
        set_mtime(&path, 1_500_000_000 + n as i64, 123_456_789);
    }
    fs::create_dir_all(bench.source().join("empty/inner")).unwrap();
    let ended = bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert!(ended.stdout.contains("sent 300 files"), "{}", ended.stdout);

    let rows = bench.rows();
    assert_eq!(rows.len(), 300);
    for (name, row) in &rows {
        let data = fs::read(bench.source().join(std::str::from_utf8(name).unwrap())).unwrap();
        assert_eq!(row.hash.as_deref(), Some(sha256(&data).as_str()));
        assert_eq!((row.status.as_str(), row.size as usize), ("synced", data.len()));
    }
    assert_eq!(bench.logged("synced").len(), 300);
}

#[test]
fn a_second_run_sends_nothing() {
    let bench = Bench::new();
    for n in 0..50 {
        bench.write(format!("d/{n}"), noise(n, 1000));
    }
    bench.sync(&[]).with_status(0);
    let ctime = |n| {
        let metadata = fs::metadata(bench.dest().join(format!("d/{n}"))).unwrap();
        (metadata.ctime(), metadata.ctime_nsec(), metadata.ino())
    };
    let before: Vec<_> = (0..50).map(ctime).collect();
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("sent 0 files"), "{}", ended.stdout);
    assert!(ended.stdout.contains("nothing is pending from the last run"), "{}", ended.stdout);
    assert_eq!(before, (0..50).map(ctime).collect::<Vec<_>>());
    assert_eq!(bench.log().len(), 50, "no second line for a file that was not sent again");
}

#[test]
fn permissions_are_recorded_and_not_applied() {
    let bench = Bench::new();
    let path = bench.write("secret", "data");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    bench.sync(&[]).with_status(0);
    let mode = fs::metadata(bench.dest().join("secret")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode, 0o600, "private as in the source, but not read-only");
    assert_eq!(bench.row("secret").permissions, Some(0o400));
    // So it can be overwritten.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(&path, "longer data").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn access_times_are_kept() {
    let bench = Bench::new();
    let path = bench.write("file", "data");
    filetime::set_file_atime(&path, filetime::FileTime::from_unix_time(1_111_111_111, 5)).unwrap();
    bench.sync(&[]).with_status(0);
    let metadata = fs::metadata(bench.dest().join("file")).unwrap();
    assert_eq!((metadata.atime(), metadata.atime_nsec()), (1_111_111_111, 5));
}

#[test]
fn times_before_1970_are_kept() {
    let bench = Bench::new();
    set_mtime(&bench.write("old", "data"), -1_000_000, 250_000_000);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(bench.row("old").modified, -1_000_000 * 1_000_000_000 + 250_000_000);
}

#[test]
fn the_destination_and_its_directories_are_created() {
    let bench = Bench::new();
    bench.write("x/y/z/file", "data");
    assert!(!bench.dest().exists());
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn directories_keep_their_times_when_files_arrive_in_them() {
    let bench = Bench::new();
    for n in 0..30 {
        bench.write(format!("a/b{}/{n}", n % 3), "data");
    }
    fs::create_dir_all(bench.source().join("empty/inner")).unwrap();
    let age = |bench: &Bench| {
        for dir in ["a/b0", "a/b1", "a/b2", "a", "empty/inner", "empty"] {
            set_mtime(&bench.source().join(dir), 1_300_000_000, 7);
        }
    };
    age(&bench);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    // A new file in a directory with unchanged times.
    bench.write("a/b1/more", "data");
    age(&bench);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    // A change of the time only.
    set_mtime(&bench.source().join("a/b2"), 1_400_000_000, 0);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn symlinks_arrive_as_symlinks_with_their_times() {
    let bench = Bench::new();
    bench.write("dir/file", "data");
    let link = |target: &str, name: &str| {
        let path = bench.source().join(name);
        let _old = fs::remove_file(&path);
        std::os::unix::fs::symlink(target, &path).unwrap();
        filetime::set_symlink_file_times(
            &path,
            filetime::FileTime::from_unix_time(1_200_000_000, 0),
            filetime::FileTime::from_unix_time(1_200_000_001, 5),
        )
        .unwrap();
    };
    link("dir/file", "to-file");
    link("../../../etc/passwd", "dir/outwards");
    link("dir", "to-dir");
    link("nowhere \n", "dangling");
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("sent 0 files"), "{}", ended.stdout);

    link("dir/other", "to-file");
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("sent 1 file"), "{}", ended.stdout);
    bench.assert_same_trees();
}

#[test]
fn symlinks_can_be_skipped() {
    let bench = Bench::new();
    bench.write("file", "data");
    std::os::unix::fs::symlink("file", bench.source().join("link")).unwrap();
    bench.sync(&["--links", "skip"]).with_status(0);
    assert_eq!(tree(&bench.dest()).len(), 1);
}

#[test]
fn special_files_are_counted_and_logged_and_not_opened() {
    let bench = Bench::new();
    bench.write("file", "data");
    make_fifo(&bench.source().join("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(bench.source().join("socket")).unwrap();
    let planned = bench.sync(&["--dry-run"]).with_status(0);
    assert!(planned.stdout.contains("2 special files (FIFOs, sockets, devices) to skip"), "{}", planned.stdout);
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("2 special files (FIFOs, sockets, devices) skipped"), "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
    assert_eq!(bench.logged("skipped").len(), 2);
    assert_eq!(fs::read_dir(bench.dest()).unwrap().count(), 1);
    let each = bench.sync(&["-v"]).with_status(0);
    assert!(each.stderr.contains("skipped: ") && each.stderr.contains("/fifo: "), "{}", each.stderr);
}

#[test]
fn special_files_fail_on_request_and_a_quiet_run_reports_them() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    make_fifo(&bench.source().join("fifo"));
    for _ in 0..2 {
        let ended = bench.sync(&["--specials", "fail", "--quiet"]).with_status(3);
        assert!(ended.stderr.starts_with("skipped: ") && ended.stderr.contains("/fifo: "), "{}", ended.stderr);
    }
    bench.sync(&["--specials", "fail", "--dry-run"]).with_status(3);
    bench.sync(&["--specials", "skip"]).with_status(0);
}

#[test]
fn a_quiet_run_names_each_cause_of_exit_status_3() {
    let bench = Bench::new();
    let partial_file = format!(".towpath-{:08x}-{:016x}.part", 1, 2);
    bench.write(&partial_file, "of another migration");
    let ended = bench.sync(&["--quiet"]).with_status(3);
    assert!(ended.stderr.starts_with("skipped: ") && ended.stderr.contains(&partial_file), "{}", ended.stderr);
}

#[test]
fn a_verbose_run_prints_each_file_with_its_checksum_and_a_quiet_one_prints_nothing() {
    let bench = Bench::new();
    bench.write("a", "abc");
    let ended = bench.sync(&["-v"]).with_status(0);
    let line = format!("{} 3 {}", sha256(b"abc"), bench.dest().join("a").display());
    assert!(ended.stdout.lines().any(|shown| shown == line), "{}", ended.stdout);
    bench.write("b", "def");
    let ended = bench.sync(&["--quiet"]).with_status(0);
    assert_eq!((ended.stdout.as_str(), ended.stderr.as_str()), ("", ""));
}

#[test]
fn lanes_alternate_between_the_small_files_of_several_directories() {
    let bench = Bench::new();
    for file in ["a/1", "a/2", "a/3", "b/1", "b/2", "c/1"] {
        bench.write(file, file);
    }
    bench.sync(&["--lanes", "1"]).with_status(0);
    let sent: Vec<_> = bench.log().iter().map(|line| line["source"].as_str().unwrap().to_owned()).collect();
    let source = bench.source();
    let names: Vec<_> = sent.iter().map(|path| path.strip_prefix(source.to_str().unwrap()).unwrap()).collect();
    let mut of_each: Vec<_> = names.iter().map(|name| name.rsplit('/').next().unwrap()).collect();
    assert!(of_each.is_sorted(), "the first of each directory, then the second of each: {names:?}");
    of_each.dedup();
    assert_eq!(of_each, ["1", "2", "3"]);
}

#[test]
fn files_of_proc_arrive_with_the_content_beyond_their_stated_size() {
    use std::process::{Command, Stdio};
    let settings = Path::new("/proc/sys/net/ipv4/conf/lo");
    if !settings.exists() {
        skip("needs /proc/sys: files with a wrong stated size");
        return;
    }
    let bench = Bench::new();
    let sync = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.env("XDG_STATE_HOME", bench.path("state")).env("HOME", bench.path("home"));
        end(command
            .arg("sync")
            .arg(settings)
            .arg(bench.dest())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap())
    };
    sync();
    let mut compared = 0;
    for entry in fs::read_dir(settings).unwrap() {
        let name = entry.unwrap().file_name();
        let Ok(content) = fs::read(settings.join(&name)) else { continue };
        assert_eq!(fs::read(bench.dest().join(&name)).unwrap(), content, "{name:?}");
        compared += usize::from(!content.is_empty());
    }
    assert!(compared > 0);
    assert!(sync().with_status(0).stdout.contains("sent 0 files"));
}
