//! The files that filters exclude, as a user sees it.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::Signal;

use crate::common::*;

/// All names at the destination.
fn arrived(bench: &Bench) -> Vec<String> {
    tree(&bench.dest()).into_keys().map(|name| name.escape_ascii().to_string()).collect()
}

/// Syncs a source of empty files with `options`; returns what has arrived.
#[track_caller]
fn sync(files: &[&str], options: &[&str]) -> Vec<String> {
    let bench = Bench::new();
    for file in files {
        bench.write(file, "");
    }
    bench.sync(options).with_status(0);
    arrived(&bench)
}

#[test]
fn an_excluded_directory_is_neither_created_nor_read() {
    let bench = Bench::new();
    bench.write("cache/deep/file", "1");
    bench.write("dir/cache", "a file");
    bench.write("dir/a.tmp", "2");
    bench.write("dir/b", "3");
    make_fifo(&bench.source().join("pipe"));
    let ended = bench.sync(&["--exclude", "cache/", "--exclude=*.tmp", "--exclude", "/pipe"]).with_status(0);
    assert_eq!(arrived(&bench), ["dir", "dir/b", "dir/cache"]);
    assert!(ended.stdout.contains("scanned: source 2 files, 1 directory"), "{}", ended.stdout);
    assert_eq!(bench.rows().into_keys().collect::<Vec<_>>(), [b"dir/b".to_vec(), b"dir/cache".to_vec()]);
    assert_eq!(bench.log().len(), 2, "excluded files have no line");
}

#[test]
fn an_include_overrides_an_exclude_before_it() {
    let files = ["a.tmp", "keep.tmp", "dir/keep.tmp", "c"];
    assert_eq!(sync(&files, &["--exclude=*.tmp", "--include=/keep.tmp"]), ["c", "dir", "keep.tmp"]);
    assert_eq!(sync(&files, &["--include=/keep.tmp", "--exclude=*.tmp"]), ["c", "dir"]);
    assert_eq!(sync(&files, &["--exclude=dir/", "--include=keep.tmp"]), ["a.tmp", "c", "keep.tmp"]);
}

#[test]
fn all_but_one_kind_of_file_can_be_excluded() {
    let files = ["a.jpg", "b.txt", "dir/c.jpg", "dir/d"];
    assert_eq!(sync(&files, &["--exclude=*", "--include=*/", "--include=*.jpg"]), ["a.jpg", "dir", "dir/c.jpg"]);
}

#[test]
fn a_file_of_patterns_counts_at_its_position_on_the_command_line() {
    let bench = Bench::new();
    let list = bench.path("list");
    fs::write(&list, "# temporary files\n\n*.tmp\n!keep.tmp\n\\#*\n-dash\n/top  \n").unwrap();
    for file in ["a.tmp", "keep.tmp", "#a", "-dash", "top", "dir/top", "b"] {
        bench.write(file, "");
    }
    let from = format!("--exclude-from={}", list.display());
    bench.sync(&[&from, "--include=a.tmp"]).with_status(0);
    assert_eq!(arrived(&bench), ["a.tmp", "b", "dir", "dir/top", "keep.tmp"]);
}

#[test]
fn names_and_patterns_are_bytes() {
    let bench = Bench::new();
    bench.write(b"caf\xe9", "");
    bench.write(b"caf\xe8", "");
    bench.write(b"\xff/\xfe.tmp", "");
    let list = bench.path("list");
    fs::write(&list, b"caf\xe9\n*.tmp\n").unwrap();
    bench.sync(&["--exclude-from", list.to_str().unwrap()]).with_status(0);
    assert_eq!(arrived(&bench), ["caf\\xe8", "\\xff"]);
}

#[test]
fn an_invalid_pattern_is_named_and_nothing_changes() {
    let bench = Bench::new();
    let list = bench.path("list");
    fs::write(&list, "fine\n\n[z-a]\n").unwrap();
    let list = list.to_str().unwrap();
    for (options, words) in [
        (["--exclude", "[a"], ["--exclude", "pattern `[a`"]),
        (["--include", "a//b"], ["--include", "pattern `a//b`"]),
        (["--exclude", "!a"], ["--exclude", "pattern `!a`"]),
        (["--exclude", ""], ["--exclude", "pattern `` is empty"]),
        (["--exclude-from", list], [list, "line 3: pattern `[z-a]`"]),
        (["--exclude-from", "/nowhere"], ["--exclude-from /nowhere", "No such file"]),
        (["--min-size=5", "--max-size=4"], ["min size 5", "max size 4"]),
    ] {
        let ended = bench.sync(&options).with_status(2);
        assert!(words.iter().all(|word| ended.stderr.contains(word)), "{options:?}: {}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
        assert!(!bench.dest().exists());
    }
    for option in ["--max-size=lots", "--min-size=-1", "--newer-than=soon", "--newer-than=2026"] {
        let ended = bench.sync(&[option]).with_status(2);
        let line = ended.stderr.lines().next().unwrap();
        assert!(line.contains(option.split('=').next().unwrap()), "{option}: {line}");
    }
}

#[test]
fn size_filters_exclude_files_and_not_symlinks() {
    let bench = Bench::new();
    for size in [0, 9, 10, 20, 21] {
        bench.write(format!("dir/{size}"), noise(size, size as usize));
    }
    std::os::unix::fs::symlink("a", bench.source().join("link")).unwrap();
    bench.sync(&["--min-size=10", "--max-size=20"]).with_status(0);
    assert_eq!(arrived(&bench), ["dir", "dir/10", "dir/20", "link"]);
    assert_eq!(bench.rows().len(), 3);
}

#[test]
fn newer_than_excludes_older_files() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
    let hour = 3600;
    for (option, kept) in [
        ("--newer-than=1d", vec!["recent"]),
        ("--newer-than=3d", vec!["older", "recent"]),
        ("--newer-than=2001-09-09T01:46:40Z", vec!["older", "recent"]),
        ("--newer-than=2001-09-09T01:46:39.999999999Z", vec!["billion", "older", "recent"]),
        ("--newer-than=2001-09-01", vec!["billion", "older", "recent"]),
    ] {
        let bench = Bench::new();
        for (name, seconds) in [("recent", now - hour), ("older", now - 48 * hour), ("billion", 1_000_000_000)] {
            set_mtime(&bench.write(name, name), seconds, 0);
        }
        bench.sync(&[option]).with_status(0);
        assert_eq!(arrived(&bench), kept, "{option}");
    }
}

#[test]
fn excluded_entries_stay_at_the_destination_unless_delete_excluded_is_set() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("cache/file", "2");
    write(&bench.dest(), "old.tmp", "3");
    write(&bench.dest(), "cache/file", "4");
    write(&bench.dest(), "gone/b.tmp", "5");
    write(&bench.dest(), "gone/extra", "6");
    let options = ["--exclude=*.tmp", "--exclude=cache", "--delete-extras"];
    let dry = bench.sync(&[&options[..], &["--dry-run"]].concat()).with_status(0);
    assert!(dry.stdout.contains("1 extra file to delete"), "{}", dry.stdout);
    let ended = bench.sync(&options).with_status(0);
    assert!(ended.stdout.contains("destination 1 file, 1 directory"), "{}", ended.stdout);
    assert_eq!(arrived(&bench), ["a", "cache", "cache/file", "gone", "gone/b.tmp", "old.tmp"]);

    bench.sync(&[&options[..], &["--delete-excluded"]].concat()).with_status(0);
    assert_eq!(arrived(&bench), ["a"]);
}

#[test]
fn files_excluded_by_size_stay_at_the_destination() {
    let bench = Bench::new();
    bench.write("large", noise(1, 2000));
    bench.write("small", "1");
    bench.sync(&[]).with_status(0);
    write(&bench.dest(), "extra", noise(1, 2000));
    bench.sync(&["--max-size=1K", "--delete-extras", "--delete-excluded"]).with_status(0);
    assert_eq!(arrived(&bench), ["large", "small"]);
    assert_eq!(bench.rows().into_keys().collect::<Vec<_>>(), [b"small".to_vec()]);
}

#[test]
fn a_backlog_of_other_filters_is_not_resumed() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("blocked", "2");
    write(&bench.dest(), "blocked/inner", "3");
    bench.sync(&["--newer-than=30d"]).with_status(3);
    let ended = bench.sync(&["--newer-than=30d"]).with_status(3);
    assert!(!ended.stdout.contains("other filters"), "the same age is the same filter: {}", ended.stdout);
    let ended = bench.sync(&["--exclude=blocked"]).with_status(0);
    assert!(ended.stdout.contains("scanned: source 1 file"), "{}", ended.stdout);
}

#[test]
fn a_followed_symlink_is_filtered_like_its_target() {
    let bench = Bench::new();
    bench.write("dir/file", "12");
    for (link, target) in [("to dir", "dir"), ("to file", "dir/file"), ("nowhere", "missing")] {
        std::os::unix::fs::symlink(target, bench.source().join(link)).unwrap();
    }
    let options = ["--links=follow", "--exclude=/to*/", "--exclude=nowhere"];
    bench.sync(&options).with_status(0);
    assert_eq!(arrived(&bench), ["dir", "dir/file", "to file"]);
    bench.sync(&[&options[..], &["--min-size=3"]].concat()).with_status(0);
    assert_eq!(bench.rows().len(), 0);
}

#[test]
fn a_newly_excluded_file_is_removed_from_the_database() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("dir/b", "2");
    bench.sync(&[]).with_status(0);
    bench.sync(&["--exclude=dir"]).with_status(0);
    assert_eq!(bench.rows().into_keys().collect::<Vec<_>>(), [b"a".to_vec()]);
    assert!(bench.dest().join("dir/b").exists());
}

#[test]
fn with_one_file_system_mount_points_are_created_as_empty_directories() {
    let bench = Bench::new();
    bench.write("a", "1");
    let (inner, outer) = (bench.source().join("dir/inner"), bench.dest().join("outer"));
    let (Some(_inner), Some(_outer)) = (Mount::tmpfs(&inner), Mount::tmpfs(&outer)) else { return };
    fs::write(inner.join("hidden"), "2").unwrap();
    fs::write(outer.join("hidden"), "3").unwrap();
    let ended = bench.sync(&["-x"]).with_status(0);
    assert_eq!(arrived(&bench), ["a", "dir", "dir/inner", "outer", "outer/hidden"]);
    assert!(ended.stdout.contains("destination 0 files, 1 directory"), "{}", ended.stdout);

    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("destination 2 files, 3 directories"), "{}", ended.stdout);
    assert!(bench.dest().join("dir/inner/hidden").exists());

    // An entry below a mount point that was not listed is no extra.
    fs::remove_file(inner.join("hidden")).unwrap();
    let ended = bench.sync(&["-x", "--delete-extras"]).with_status(0);
    assert!(bench.dest().join("dir/inner/hidden").exists() && outer.join("hidden").exists());
    assert_eq!(ended.stderr, "", "a requested exclusion needs no message");
}

#[test]
fn a_list_may_hold_thousands_of_patterns() {
    let bench = Bench::new();
    let list = bench.path("list");
    let patterns: String = (0..3000).map(|n| format!("/some/directory/{n}/*.tmp\nname-{n}\n")).collect();
    fs::write(&list, patterns).unwrap();
    for n in 0..200 {
        bench.write(format!("name-{}", n * 30), "");
        bench.write(format!("kept-{n}"), "");
    }
    bench.sync(&["--exclude-from", list.to_str().unwrap()]).with_status(0);
    assert_eq!(bench.rows().len(), 300);
}

#[test]
fn system_directories_in_the_root_are_neither_sent_nor_deleted() {
    let bench = Bench::new();
    for name in ["lost+found/1", ".snapshot/hourly/a", "$RECYCLE.BIN/b", "dir/lost+found/kept", "dir/file"] {
        bench.write(name, "data");
    }
    for name in ["lost+found/2", "System Volume Information/c", ".zfs/snapshot/d"] {
        write(&bench.dest(), name, "data");
    }
    let ended = bench.sync(&["--delete-extras", "--delete-excluded", "--exclude", ".snapshot"]).with_status(0);
    assert_eq!(
        arrived(&bench),
        [
            ".zfs",
            ".zfs/snapshot",
            ".zfs/snapshot/d",
            "System Volume Information",
            "System Volume Information/c",
            "dir",
            "dir/file",
            "dir/lost+found",
            "dir/lost+found/kept",
            "lost+found",
            "lost+found/2"
        ]
    );
    for (name, times) in [("lost+found", 1), ("$RECYCLE.BIN", 1), (".snapshot", 0)] {
        let reported = ended.stderr.lines().filter(|line| line.contains(&format!("old/{name} is excluded")));
        assert_eq!(reported.count(), times, "{name}: {}", ended.stderr);
    }
    bench.sync(&["--include", "/lost+found"]).with_status(0);
    assert!(bench.dest().join("lost+found/1").exists() && !bench.dest().join(".snapshot").exists());
}

#[test]
fn a_pattern_that_matched_nothing_gets_a_note_with_its_place() {
    let bench = Bench::new();
    bench.write("cache/x.tmp", "");
    bench.write("b", "");
    let list = bench.path("list");
    fs::write(&list, "cache/\n# comment\n*.tmp\n").unwrap();
    let from = format!("--exclude-from={}", list.display());
    let options = [&from[..], "--exclude=nothing", "--include=b"];
    let ended = bench.sync(&options).with_status(0);
    let notes: Vec<_> = ended.stderr.lines().filter(|line| line.contains("matched nothing")).collect();
    assert_eq!(notes.len(), 2, "{}", ended.stderr);
    let place = format!("note: --exclude-from {}: line 3: pattern `*.tmp` ", list.display());
    assert!(notes[0].starts_with(&place) && notes[0].contains("below excluded directories"), "{}", notes[0]);
    assert!(notes[1].starts_with("note: --exclude: pattern `nothing` matched nothing"), "{}", notes[1]);
    let ended = bench.sync(&[&options[..], &["--quiet"]].concat()).with_status(0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn unmatched_patterns_are_reported_only_after_a_scan() {
    let bench = Bench::new();
    bench.write("large", noise(1, 300_000));
    let options = ["--exclude=nothing", "--bwlimit", "100K"];
    let ended = bench.interrupt_when(Signal::TERM, &options, || bench.has_arrivals()).with_status(143);
    assert!(ended.stderr.contains("`nothing` matched nothing"), "{}", ended.stderr);
    let ended = bench.sync(&["--exclude=nothing"]).with_status(0);
    assert!(ended.stdout.contains("no scan") && ended.stderr.is_empty(), "{}{}", ended.stdout, ended.stderr);
}

#[test]
fn a_pattern_that_matches_only_at_the_destination_has_matched() {
    let bench = Bench::new();
    bench.write("a", "");
    write(&bench.dest(), "keep/x", "");
    let ended = bench.sync(&["--exclude=/keep/", "--delete-extras"]).with_status(0);
    assert_eq!(ended.stderr, "");
    assert_eq!(arrived(&bench), ["a", "keep", "keep/x"]);
}

#[test]
fn misleading_patterns_get_a_note_or_are_usage_errors() {
    let bench = Bench::new();
    bench.write("a.jpg", "");
    let notes = |pattern: &str| bench.sync(&["-n", "--exclude", pattern]).with_status(0).stderr;
    assert!(notes("*.{jpg,png}").contains("note: --exclude: pattern `*.{jpg,png}` has braces"));
    assert!(notes("'*.jpg'").contains("write `*.jpg`"));
    assert!(notes("exclude *.jpg").contains("filter rule of rsync"));
    let list = bench.path("list");
    let usage_error = |content: &[u8]| {
        fs::write(&list, content).unwrap();
        let ended = bench.sync(&["--exclude-from", list.to_str().unwrap()]).with_status(2);
        assert!(!bench.dest().exists(), "{}", ended.stderr);
        ended.stderr
    };
    let place = format!("towpath: --exclude-from {}: line 2: pattern ", list.display());
    let problem = usage_error(b"*.o\n- *.jpg\n");
    assert!(problem.starts_with(&place) && problem.contains("write `*.jpg`"), "{problem}");
    let inside = bench.source().join("cache");
    let problem = usage_error(format!("*.o\n{}\n", inside.display()).as_bytes());
    assert!(problem.starts_with(&place) && problem.contains("write `/cache`"), "{problem}");
    let utf_16: Vec<u8> = "*.jpg\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(usage_error(&utf_16).contains("UTF-16"));
}
