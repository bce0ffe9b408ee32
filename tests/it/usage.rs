//! Invalid input gives one clear error line, and nothing changes.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::*;

fn towpath(bench: &Bench, arguments: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.env("XDG_STATE_HOME", bench.path("state")).env("COLUMNS", "100").args(arguments);
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
fn assert_untouched(bench: &Bench) {
    assert!(!bench.dest().exists() && !bench.path("state").exists());
    assert!(tree(&bench.source()).len() <= 1);
}

#[test]
fn help_is_for_newcomers() {
    let bench = Bench::new();
    let ended = towpath(&bench, &["sync", "--help"]).with_status(0);
    insta::assert_snapshot!(ended.stdout);
    assert!(towpath(&bench, &["--version"]).with_status(0).stdout.starts_with("towpath "));
}

#[test]
fn a_timetable_is_shown_in_local_time() {
    let bench = Bench::new();
    let ended = towpath(&bench, &["timetable", "--help"]).with_status(0);
    insta::assert_snapshot!(ended.stdout);
    let shown = |zone: &str, options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.env("TZ", zone).arg("timetable").arg("08:00,5M 18:00,off 2026-12-24,pause").args(options);
        end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    let ended = shown("Europe/Berlin", &["--from", "2026-12-23T12:00", "--show", "2d"]).with_status(0);
    insta::assert_snapshot!(ended.stdout);
    // The same moment elsewhere.
    let ended = shown("America/New_York", &["--from", "2026-12-23T11:00:00Z", "--show", "2h"]).with_status(0);
    insta::assert_snapshot!(ended.stdout, @r"
    time zone: America/New_York
    Wed 2026-12-23 06:00 -05:00  no limit
    ");
    // Without --from it begins now.
    assert!(shown("UTC", &[]).with_status(0).stdout.lines().count() > 1);
    let ended = shown("Europe/Nowhere", &[]).with_status(2);
    assert!(ended.stderr.contains("TZ=Europe/Nowhere is not known"), "{}", ended.stderr);
    for options in [["--show", "7"], ["--show", "-1d"], ["--from", "soon"], ["--from", "9999-12-31"]] {
        assert!(shown("UTC", &options).with_status(2).stderr.contains(options[0]), "{options:?}");
    }
}

#[test]
fn options_of_rsync_get_a_helpful_answer() {
    let bench = Bench::new();
    let (source, dest) = (bench.source(), bench.dest());
    for (options, hint) in [
        (&["--delete"][..], "--delete-extras"),
        (&["--stats"], "summary"),
        (&["-a"], "--perms"),
        (&["-avz"], "--perms"),
        (&["-z"], "compress"),
        (&["--progress"], "--progress-interval"),
        (&["--partial"], "resumes"),
        (&["--checksum"], "sha256"),
    ] {
        // Before and after the trees: before them, --checksum takes one of them as its value.
        let (trees, sync) = ([text(&source), text(&dest)], ["sync"]);
        for order in [[&sync, &trees[..], options].concat(), [&sync, options, &trees[..]].concat()] {
            let ended = towpath(&bench, &order).with_status(2);
            assert!(ended.stderr.contains(hint), "{options:?}: {}", ended.stderr);
            // One line for each unsupported letter.
            let lines = if options == ["-avz"] { 2 } else { 1 };
            assert_eq!(ended.stderr.lines().count(), lines, "{}", ended.stderr);
        }
        assert_untouched(&bench);
    }
}

/// Needs a build with all services.
#[test]
#[cfg(feature = "all-backends")]
fn backends_lists_the_capabilities_and_options_of_every_storage() {
    let ended = towpath(&Bench::new(), &["backends"]).with_status(0);
    insta::assert_snapshot!(ended.stdout);
}

#[test]
fn invalid_values_name_their_option() {
    let bench = Bench::new();
    let (source, dest) = (bench.source(), bench.dest());
    for (option, value) in [
        ("--bwlimit", "0.5B"),
        ("--bwlimit", "20Q"),
        ("--bwlimit", "-1"),
        ("--bwlimit", "lots"),
        ("--bwlimit", "5000"),
        ("--bwlimit", "08:00,5M 18:00,fast"),
        ("--block-size", "0"),
        ("--block-size", "5X"),
        ("--block-size", "2G"),
        ("--queue-capacity", "0"),
        ("--lanes", "0"),
        ("--lanes", "x"),
        ("--checksum", "crc32"),
        ("--modify-window", "soon"),
    ] {
        let ended = towpath(&bench, &["sync", text(&source), text(&dest), &format!("{option}={value}")]).with_status(2);
        let line = ended.stderr.lines().next().unwrap();
        let name = option.trim_start_matches('-').replace('-', " ");
        assert!(line.contains(option) || line.contains(&name), "{option} {value}: {line}");
        assert_untouched(&bench);
    }
}

#[test]
fn a_missing_source_is_named() {
    let bench = Bench::new();
    let ended = towpath(&bench, &["sync", text(&bench.path("nowhere")), text(&bench.dest())]).with_status(1);
    assert!(ended.stderr.contains("nowhere does not exist"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1);
    assert_untouched(&bench);
}

#[test]
fn a_file_is_not_a_tree() {
    let bench = Bench::new();
    let file = bench.write("file", "");
    let ended = towpath(&bench, &["sync", text(&file), text(&bench.dest())]).with_status(1);
    assert!(ended.stderr.contains("is not a directory"), "{}", ended.stderr);
    let ended = towpath(&bench, &["sync", text(&bench.source()), text(&file)]).with_status(1);
    assert!(ended.stderr.contains("is not a directory"), "{}", ended.stderr);
    assert_untouched(&bench);
}

#[test]
fn a_destination_without_a_parent_directory_is_not_created() {
    let bench = Bench::new();
    let dest = bench.path("missing/too");
    let ended = towpath(&bench, &["sync", text(&bench.source()), text(&dest)]).with_status(1);
    assert!(ended.stderr.contains("does not exist"), "{}", ended.stderr);
    assert_untouched(&bench);
}

#[test]
fn nested_trees_are_usage_errors() {
    let bench = Bench::new();
    let source = bench.source();
    let inner = source.join("inner");
    fs::create_dir(&inner).unwrap();
    let link = bench.path("link");
    std::os::unix::fs::symlink(&source, &link).unwrap();
    for (source, dest, word) in [
        (&source, &source, "same"),
        (&source, &link, "same"),
        (&source, &inner, "inside the source"),
        (&source, &link.join("new"), "inside the source"),
        (&inner, &source, "inside the destination"),
    ] {
        let ended = towpath(&bench, &["sync", text(source), text(dest)]).with_status(2);
        assert!(ended.stderr.contains(word), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1);
        assert_untouched(&bench);
    }
}

#[test]
fn a_log_or_database_that_cannot_be_written_is_named() {
    let bench = Bench::new();
    let file = bench.path("a-file");
    fs::write(&file, "").unwrap();
    fs::create_dir(bench.path("a-folder")).unwrap();
    for (option, path) in [
        ("--log-file", bench.path("a-folder")),
        ("--log-file", file.join("log")),
        ("--database", bench.path("a-folder")),
        ("--database", file.join("db")),
    ] {
        let (source, dest) = (bench.source(), bench.dest());
        let ended = towpath(&bench, &["sync", text(&source), text(&dest), option, text(&path)]).with_status(1);
        assert!(ended.stderr.contains(text(&path)), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1);
        assert!(!bench.dest().exists());
    }
}
