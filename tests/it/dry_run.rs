//! A dry run lists every step with its reason and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;

use crate::common::*;

fn planned(ended: &ProcessOutput) -> BTreeMap<(String, String), serde_json::Value> {
    let lines = ended.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .map(|line| {
            let name = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let dest = name("dest").rsplit_once("/new/").map_or(String::new(), |(_, name)| name.to_owned());
            ((name("action"), dest), line)
        })
        .collect()
}

/// Trees with an entry for each action of a dry run, after a first run.
fn with_every_step() -> Bench {
    let bench = Bench::new();
    for name in ["same", "longer", "later", "dir/kind", "blocked"] {
        bench.write(name, "data");
    }
    bench.sync(&[]).with_status(0);
    bench.write("longer", "longer data");
    set_mtime(&bench.source().join("later"), 1_600_000_000, 0);
    fs::remove_file(bench.source().join("dir/kind")).unwrap();
    symlink("target", bench.source().join("dir/kind")).unwrap();
    let missing = bench.write("missing \u{7}", "data");
    fs::hard_link(&missing, bench.source().join("name")).unwrap();
    fs::create_dir_all(bench.source().join("empty")).unwrap();
    fs::remove_file(bench.dest().join("blocked")).unwrap();
    write(&bench.dest(), "blocked/inner", "extra");
    write(&bench.dest(), "extra dir/extra", "extra");
    set_mtime(&bench.dest(), 1_500_000_000, 3);
    bench
}

#[test]
fn every_step_is_listed_with_its_reason_and_nothing_changes() {
    let bench = with_every_step();
    let before = (tree(&bench.dest()), mtime_ns(&bench.dest()), fs::read(bench.log_file()).unwrap());
    let rows = bench.rows().len();

    let ended = bench.sync(&["--dry-run", "--format", "json", "--delete-extras", "--bwlimit", "1K"]).with_status(0);
    let lines = planned(&ended);
    let reason = |action: &str, name: &str| {
        let line = lines.get(&(action.to_owned(), name.to_owned()));
        line.unwrap_or_else(|| panic!("{action} {name}: {}", ended.stdout))["reason"].as_str().unwrap().to_owned()
    };
    for (action, name, expected) in [
        ("send", "longer", "size differs"),
        ("send", "later", "mtime differs"),
        ("send", "dir/kind", "of another kind"),
        ("send", "missing \u{7}", "missing"),
        ("send", "blocked", "a directory has its name"),
        ("link", "name", "another name of a file"),
        ("mkdir", "empty", "missing"),
        ("delete", "dir/kind", "it conflicts with an entry of the source"),
        ("delete", "blocked/inner", "not in the source"),
        ("rmdir", "blocked", "not in the source"),
        ("delete", "extra dir/extra", "not in the source"),
        ("rmdir", "extra dir", "not in the source"),
    ] {
        assert_eq!(reason(action, name), expected, "{action} {name}");
    }
    let total = &lines[&("total".to_owned(), String::new())];
    assert_eq!((total["send"].as_u64(), total["delete"].as_u64(), total["link"].as_u64()), (Some(5), Some(3), Some(1)));
    assert_eq!(total["seconds_at_bwlimit"], 1);
    assert!(!lines.keys().any(|(_, name)| name == "same"));

    let after = (tree(&bench.dest()), mtime_ns(&bench.dest()), fs::read(bench.log_file()).unwrap());
    assert_eq!(before, after);
    assert_eq!(bench.rows().len(), rows, "the backlog does not change");
    let left = fs::read_dir(bench.path(""))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with("towpath-dry-run"));
    assert_eq!(left.count(), 0);

    let text = bench.sync(&["-n", "--delete-extras"]).with_status(0);
    assert!(text.stdout.contains("missing \\u{7}  (missing)"), "{}", text.stdout);
    assert!(
        text.stdout.contains("would send 5 files") && text.stdout.contains("nothing was changed"),
        "{}",
        text.stdout
    );

    // The run takes the steps that the dry run listed.
    bench.sync(&["--delete-extras"]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_missing_destination_is_not_created() {
    let bench = Bench::new();
    bench.write("dir/file", "data");
    let ended = bench.sync(&["--dry-run"]).with_status(0);
    assert!(ended.stdout.contains("would send 1 file, 4 B"), "{}", ended.stdout);
    assert!(!bench.dest().exists() && !bench.log_file().exists());
}

#[test]
fn a_guard_refusal_is_reported_with_its_figures() {
    let bench = Bench::new();
    bench.write("file", "data");
    for n in 0..101 {
        write(&bench.dest(), format!("{n}"), "extra");
    }
    let ended = bench.sync(&["--dry-run", "--delete-extras"]).with_status(4);
    assert!(ended.stderr.contains("--max-delete 101"), "{}", ended.stderr);
    assert!(ended.stdout.contains("101 extra files to delete"), "{}", ended.stdout);
}

#[test]
fn a_conflicting_directory_with_content_is_planned_as_a_failure() {
    let bench = Bench::new();
    bench.write("name", "data");
    write(&bench.dest(), "name/inner", "precious");
    let ended = bench.sync(&["--dry-run"]).with_status(3);
    assert!(ended.stdout.contains("1 file that would fail"), "{}", ended.stdout);
    bench.sync(&["--dry-run", "--delete-extras"]).with_status(0);
}

#[test]
fn a_database_inside_a_tree_does_not_change_the_tree() {
    let bench = Bench::new();
    bench.write("file", "data");
    fs::create_dir(bench.dest()).unwrap();
    set_mtime(&bench.dest(), 1_500_000_000, 3);
    let mut command = bench.bare_command();
    command.arg("--database").arg(bench.dest().join("state.db")).arg("--log-file").arg(bench.log_file());
    command.args(["--dry-run", "--delete-extras"]);
    let ended = end(command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap());
    let ended = ended.with_status(0);
    assert!(!ended.stdout.contains("remove"), "{}", ended.stdout);
    assert_eq!(mtime_ns(&bench.dest()), 1_500_000_000_000_000_003);
}

#[test]
fn conflicting_entries_are_listed_without_a_mirror_too() {
    let bench = Bench::new();
    bench.write("dir/file", "data");
    bench.write("name", "data");
    write(&bench.dest(), "dir", "a file");
    fs::create_dir(bench.dest().join("name")).unwrap();
    let lines = planned(&bench.sync(&["--dry-run", "--format", "json"]).with_status(0));
    for step in [("delete", "dir"), ("rmdir", "name"), ("send", "name"), ("mkdir", "dir")] {
        assert!(lines.contains_key(&(step.0.to_owned(), step.1.to_owned())), "{step:?}: {lines:?}");
    }
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    assert_eq!(bench.logged("deleted").into_keys().collect::<Vec<_>>(), ["dir", "name"]);
}

/// The paths below the destination, in the order of the lines.
fn listed(ended: &ProcessOutput) -> Vec<String> {
    let lines = ended.stdout.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let dests = lines.filter_map(|line| Some(line["dest"].as_str()?.rsplit_once("/new/")?.1.to_owned()));
    dests.collect()
}

#[test]
fn lines_are_sorted_by_the_bytes_of_the_path_for_every_action() {
    let bench = Bench::new();
    for name in ["z", "b/inner/deep", "b/a", "b-c", "a", "\u{e9}", "c/x"] {
        bench.write(name, "data");
    }
    fs::create_dir_all(bench.source().join("empty/dir")).unwrap();
    for extra in ["aa", "b/extra", "old/one", "old/two"] {
        write(&bench.dest(), extra, "extra");
    }
    for n in 0..1500 {
        bench.write(format!("many/{}", n * 7919 % 1500), "");
    }
    let listed = listed(&bench.sync(&["-n", "--format", "json", "--delete-extras"]).with_status(0));
    // Directories are also created for files: `many`, `c`, `b/inner`.
    assert_eq!(listed.len(), 7 + 2 + 5 + 1500 + 3);
    assert!(listed.is_sorted_by(|one, next| one.as_bytes() <= next.as_bytes()), "{listed:?}");
}

#[test]
fn a_conflicting_entry_is_listed_before_what_replaces_it() {
    let bench = Bench::new();
    bench.write("name", "data");
    fs::create_dir_all(bench.dest().join("name")).unwrap();
    let ended = bench.sync(&["-n"]).with_status(0);
    let lines: Vec<_> = ended.stdout.lines().filter(|line| line.contains("/new/name")).collect();
    assert!(lines[0].starts_with("rmdir") && lines[1].starts_with("send"), "{lines:?}");
}

#[test]
fn a_quiet_dry_run_prints_only_the_totals() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.write("other", "data");
    let ended = bench.sync(&["-n", "-q"]).with_status(0);
    assert_eq!(ended.stdout, "would send 2 files, 8 B\nnothing was changed\n");
    assert_eq!(ended.stderr, "");
    let ended = bench.sync(&["-n", "-q", "--format", "json"]).with_status(0);
    assert!(ended.stdout.starts_with("{\"action\":\"total\"") && ended.stdout.lines().count() == 1, "{}", ended.stdout);
}

#[test]
fn a_file_that_conflicts_with_a_special_file_is_planned_as_a_failure() {
    let bench = Bench::new();
    bench.write("file", "data");
    bench.write("other", "data");
    fs::create_dir(bench.dest()).unwrap();
    let fifo = bench.dest().join("file");
    make_fifo(&fifo);
    let planned = bench.sync(&["-n"]).with_status(3);
    assert!(planned.stdout.contains("special file"), "{}", planned.stdout);
    assert!(planned.stdout.contains("1 file that would fail"), "{}", planned.stdout);
    bench.sync(&[]).with_status(3);
    assert!(bench.dest().join("other").exists());
}

#[test]
fn the_copy_of_the_database_is_private_to_its_owner() {
    use std::os::unix::fs::PermissionsExt as _;
    let bench = Bench::new();
    bench.write("file", "data");
    bench.sync(&[]).with_status(0);
    // The trace shows the mode of the scratch folder, which must not depend on the umask.
    let command = bench.command(&["-n"]);
    let mut traced = std::process::Command::new("strace");
    traced.args(["-f", "-e", "trace=mkdir", "-o"]).arg(bench.path("trace")).arg(command.get_program());
    let Ok(status) = traced.args(command.get_args()).stdout(std::process::Stdio::null()).status() else {
        skip("needs strace: the mode of the dry run's folder");
        return;
    };
    assert!(status.success());
    let trace = fs::read_to_string(bench.path("trace")).unwrap();
    let created: Vec<_> = trace.lines().filter(|line| line.contains("towpath-dry-run-")).collect();
    assert!(!created.is_empty() && created.iter().all(|line| line.contains(", 0700)")), "{trace}");
    assert_eq!(fs::metadata(bench.database()).unwrap().permissions().mode() & 0o777, 0o600);
}
