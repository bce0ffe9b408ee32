//! `towpath assess`: what it says about a tree with every kind of trouble, and that its scan serves the migration.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::*;
use crate::root::{Mount, is_root_or_skip};
use crate::skip::skip;

/// The command without DEST and options of the migration.
fn bare(bench: &Bench) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.env("XDG_STATE_HOME", bench.path("state")).env("HOME", bench.path("home")).env_remove("XDG_CONFIG_HOME");
    command.env("TMPDIR", bench.path("tmp")).arg("assess").arg(bench.source());
    fs::create_dir_all(bench.path("tmp")).unwrap();
    command
}

fn run(mut command: Command, options: &[&str]) -> ProcessOutput {
    end(command.args(options).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn alone(bench: &Bench, options: &[&str]) -> ProcessOutput {
    run(bare(bench), options)
}

fn with_dest(bench: &Bench, options: &[&str]) -> ProcessOutput {
    let mut command = bare(bench);
    command.arg(bench.dest()).arg("--database").arg(bench.database()).arg("--log-file").arg(bench.log_file());
    run(command, options)
}

fn json(ended: &ProcessOutput) -> Value {
    serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout))
}

/// The severity of each finding.
fn findings(json: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = json["findings"].as_array().unwrap();
    findings.iter().map(|finding| (text(&finding["code"]), text(&finding["severity"]))).collect()
}

fn finding<'a>(json: &'a Value, code: &str) -> &'a Value {
    let is_it = |finding: &&Value| finding["code"] == code;
    json["findings"].as_array().unwrap().iter().find(is_it).unwrap_or_else(|| panic!("no {code}: {json}"))
}

/// A source with every kind of trouble that needs no other user or file system.
fn troubled() -> Bench {
    let bench = Bench::new();
    let source = bench.source();
    bench.write("dir/old", noise(1, 5000));
    set_mtime(&source.join("dir/old"), 1_000_000_000, 0);
    bench.write("future", "x");
    set_mtime(&source.join("future"), 4_000_000_000, 0);
    bench.write(b"not-utf8-\xff", "x");
    bench.write("line\nbreak", "x");
    bench.write("linked", noise(2, 700));
    fs::hard_link(source.join("linked"), source.join("dir/linked-too")).unwrap();
    bench.write("elsewhere", "x");
    fs::hard_link(source.join("elsewhere"), bench.path("outside")).unwrap();
    fs::File::create(source.join("sparse")).unwrap().set_len(1 << 20).unwrap();
    make_fifo(&source.join("fifo"));
    symlink("linked", source.join("link")).unwrap();
    bench.write("setuid", "x");
    fs::set_permissions(source.join("setuid"), fs::Permissions::from_mode(0o4755)).unwrap();
    bench.write([["long"; 70].join("/").as_bytes(), b"/file"].concat(), "x");
    bench.write("excluded.tmp", "x");
    bench.write("large", noise(3, 20_000));
    bench
}

#[test]
fn without_a_destination_a_tree_with_every_trouble_is_described_and_nothing_is_written() {
    let bench = troubled();
    let before = tree(&bench.source());
    let _open = fs::File::options().append(true).open(bench.source().join("large")).unwrap();
    let ended = alone(&bench, &["--json", "--exclude", "*.tmp", "--max-size", "1M"]).with_status(0);
    let json = json(&ended);
    assert_eq!(
        findings(&json).iter().map(|(code, severity)| format!("{code} {severity}")).collect::<Vec<_>>(),
        [
            "control-characters warning",
            "future-mtimes warning",
            "hard-links info",
            "links-elsewhere info",
            "long-paths-windows info",
            "not-utf8 warning",
            "open-files warning",
            "recent-changes info",
            "setuid warning",
            "sparse-files info",
            "special-files info",
        ]
    );
    assert_eq!(
        (&json["files"], &json["links"], &json["not_copied"]["special-file"]["files"]),
        (&11.into(), &1.into(), &1.into())
    );
    assert_eq!(json["hard_links"]["files"], 1);
    assert_eq!((&json["hard_links"]["names"], &json["hard_links"]["saved_bytes"]), (&2.into(), &700.into()));
    assert_eq!(json["sparse"]["bytes"], 1 << 20);
    assert_eq!(json["largest"][0]["bytes"], 1 << 20);
    assert_eq!(json["deepest"][0]["depth"], 70);
    assert_eq!(json["widest"][0]["entries"], 12);
    let ages: Vec<_> = json["ages"].as_array().unwrap().iter().filter(|age| age["files"] != 0).collect();
    assert_eq!(
        ages.iter().map(|age| age["range"].as_str().unwrap()).collect::<Vec<_>>(),
        ["in the future", "< 1 day", ">= 10 years"]
    );
    assert_eq!((&json["dest"], &json["database"], &json["pending"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(json["exit_status"], 0);
    assert!(finding(&json, "open-files")["examples"][0].as_str().unwrap().contains("/large (process "));
    assert_eq!(tree(&bench.source()), before);
    for folder in ["state", "tmp"] {
        let left = fs::read_dir(bench.path(folder)).map_or(0, Iterator::count);
        assert_eq!(left, 0, "{folder}");
    }
}

#[test]
fn the_text_has_each_section_and_special_files_are_a_problem_if_asked_for() {
    let bench = troubled();
    let ended = alone(&bench, &["--specials", "fail", "--bwlimit", "1M"]).with_status(3);
    for text in [
        "SIZE ",
        "AGE (mtime) ",
        "LARGEST FILES",
        "WIDEST",
        "DEEPEST",
        "ESTIMATE",
        "1.0 MiB/s",
        "10 Gbit/s",
        "\nproblem  special files: 1 [special-files]\n",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
    assert!(!ended.stdout.contains("skipped:") && !ended.stderr.contains("skipped:"), "{}", ended.stderr);
    assert!(!ended.stdout.contains(char::is_control) || !ended.stdout.contains('\x1b'));
}

#[test]
fn the_migration_begins_with_the_scan_of_the_assessment() {
    let bench = Bench::new();
    for n in 0..30 {
        bench.write(format!("{n}"), noise(n, 100));
    }
    let options = ["--exclude", "*.tmp", "--perms"];
    let ended = with_dest(&bench, &[&options[..], &["--json"]].concat()).with_status(0);
    let json = json(&ended);
    assert_eq!((&json["pending"]["files"], &json["pending"]["bytes"]), (&30.into(), &3000.into()));
    assert_eq!(fs::read_dir(bench.dest()).unwrap().count(), 0, "nothing is sent");
    assert_eq!(bench.count("SELECT count(*) FROM run WHERE outcome = 'assessed' AND scanned = 1"), 1);

    let status =
        bench.run_with_state(&["status", "--database", bench.database().to_str().unwrap()], &bench.path("state"));
    let status = status.with_status(0).stdout;
    assert!(status.starts_with("assessed ") && status.contains("pending; run `towpath sync` to send it\n"), "{status}");

    bench.write("later", "x");
    let ended = bench.sync(&options).with_status(0);
    assert!(
        ended.stdout.contains("sending what the assessment found: 30 files, 2.9 KiB pending; no scan"),
        "{}",
        ended.stdout
    );
    assert!(!bench.dest().join("later").exists());
    assert_eq!(bench.count("SELECT scanned FROM run ORDER BY id DESC LIMIT 1"), 0);
    assert_eq!(bench.count("SELECT count(*) FROM scan"), 1);
    let lines = bench.run_lines();
    let results: Vec<_> = lines.iter().filter_map(|line| line["result"].as_str()).collect();
    assert_eq!(results, ["assessed", "completed"]);
    assert_eq!((&lines[2]["mode"], &lines[2]["reason"]), (&"backlog".into(), &"assessed".into()));
    bench.sync(&options).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_migration_with_other_options_scans_again() {
    let bench = Bench::new();
    bench.write("a", "x");
    bench.write("b.tmp", "x");
    with_dest(&bench, &["--exclude", "*.tmp"]).with_status(0);
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("filters or options have changed"), "{}", ended.stdout);
    bench.assert_same_trees();
}

#[test]
fn options_come_from_the_job_and_from_the_environment() {
    let bench = Bench::new();
    bench.write("a", "x");
    bench.write("b.tmp", "x");
    bench.write("c.bak", "x");
    let config = bench.path("config.toml");
    let [source, dest, database, log] =
        [bench.source(), bench.dest(), bench.database(), bench.log_file()].map(|path| path.display().to_string());
    let text = format!(
        "[job.it]\nsource = {source:?}\ndest = {dest:?}\ndatabase = {database:?}\nlog-file = {log:?}\nexclude = [\"*.tmp\"]\nperms = true\n"
    );
    fs::write(&config, text).unwrap();
    fs::set_permissions(&config, fs::Permissions::from_mode(0o600)).unwrap();
    let run = |command: &str, last: &[&str]| {
        let mut command_line = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command_line.env("HOME", bench.path("home")).env("TOWPATH_WALKERS", "2").env("TOWPATH_DRY_RUN", "false");
        command_line.args([command, "--job", "it", "--config"]).arg(&config).args(["--exclude", "*.bak"]);
        end(command_line.args(last).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    };
    let json = json(&run("assess", &["--json", "--perms=false"]).with_status(0));
    assert_eq!((&json["files"], &json["pending"]["files"]), (&1.into(), &1.into()));
    let ended = run("sync", &["--perms=false"]).with_status(0);
    assert!(ended.stdout.contains("sending what the assessment found: 1 file,"), "{}", ended.stdout);
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let bench = Bench::new();
    let state = bench.path("state");
    for arguments in [
        &["assess"][..],
        &["assess", "a", "--no-such-option"],
        &["assess", "a", "--samples", "-1"],
        &["assess", "a", "--exclude", "[a"],
        &["assess", "a", "b", "c"],
        &["assess", "a", "--max-delete", "5"],
        &["assess", bench.source().to_str().unwrap(), bench.source().to_str().unwrap()],
    ] {
        let ended = bench.run_with_state(arguments, &state).with_status(2);
        assert_eq!(ended.stdout, "");
    }
    let missing = bench.path("missing");
    bench.run_with_state(&["assess", missing.to_str().unwrap()], &state).with_status(1);
}

#[test]
fn what_this_user_cannot_read_is_a_problem() {
    if !is_root_or_skip("files that another user cannot read") {
        return;
    }
    let bench = Bench::new();
    bench.write("open", "x");
    bench.write("secret", "x");
    bench.write("closed/inner", "x");
    fs::set_permissions(bench.source().join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(bench.source().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::set_permissions(bench.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // Root reads all of them.
    let json_of_root = json(&alone(&bench, &["--json"]).with_status(0));
    assert_eq!(json_of_root["samples"]["access"]["tried"], 1);
    let tmp = bench.path("tmp");
    fs::set_permissions(&tmp, fs::Permissions::from_mode(0o777)).unwrap();
    let program = bench.path("towpath");
    fs::copy(env!("CARGO_BIN_EXE_towpath"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).arg("assess").arg(bench.source());
    command.env("TMPDIR", &tmp).env("HOME", &tmp).env_remove("XDG_STATE_HOME");
    let json = json(&run(command, &["--json"]).with_status(3));
    let serious: Vec<_> = findings(&json).into_iter().filter(|(_, severity)| severity == "problem").collect();
    assert_eq!(serious.iter().map(|(code, _)| code.as_str()).collect::<Vec<_>>(), ["permission-denied", "unreadable"]);
    let example = |code| finding(&json, code)["examples"][0].as_str().unwrap().to_owned();
    assert!(example("permission-denied").contains("/secret: Permission denied"), "{json}");
    assert!(example("unreadable").contains("/closed: "), "{json}");
}

#[test]
fn attributes_of_a_sample_are_read() {
    let bench = Bench::new();
    bench.write("a", "x");
    bench.write("b", "x");
    let path = bench.source().join("a");
    if let Err(error) = rustix::fs::setxattr(&path, "user.origin", b"here", rustix::fs::XattrFlags::empty()) {
        skip(format_args!("needs extended attributes in the temporary folder: {error}"));
        return;
    }
    let json_without = json(&alone(&bench, &["--json"]).with_status(0));
    assert_eq!(json_without["samples"]["xattrs"]["names"]["user.origin"], 1);
    assert_eq!(finding(&json_without, "xattrs")["severity"], "warning");
    assert!(
        finding(&json_without, "xattrs")["examples"][0]
            .as_str()
            .unwrap()
            .as_bytes()
            .ends_with(path.as_os_str().as_bytes())
    );
    assert_eq!(finding(&json(&alone(&bench, &["--json", "--xattrs"]).with_status(0)), "xattrs")["severity"], "info");
    let none = json(&alone(&bench, &["--json", "--samples", "0"]).with_status(0));
    assert_eq!((&none["samples"]["xattrs"]["read"], &none["samples"]["xattrs"]["of"]), (&0.into(), &2.into()));
}

#[test]
fn names_that_the_destination_cannot_hold_are_a_problem() {
    let bench = Bench::new();
    fs::write(bench.path("image"), "").unwrap();
    fs::File::options().write(true).open(bench.path("image")).unwrap().set_len(16 << 20).unwrap();
    let image = bench.path("image").display().to_string();
    match Command::new("mkfs.vfat").arg(&image).output() {
        Ok(made) if made.status.success() => {}
        _ => return skip("needs mkfs.vfat: names that FAT cannot hold"),
    }
    let Some(_mount) = Mount::new(&bench.dest(), &["-o", "loop,utf8,shortname=mixed", &image]) else { return };
    for name in ["a:b", "Same", "same", "fine"] {
        bench.write(name, "x");
    }
    let ended = with_dest(&bench, &["--json"]).with_status(3);
    let json = json(&ended);
    assert_eq!(finding(&json, "impossible-names")["found"], "files that the destination cannot hold: 2");
    let examples = finding(&json, "impossible-names")["examples"].to_string();
    assert!(examples.contains("/a:b: ") && examples.contains("does not distinguish"), "{examples}");
    assert_eq!(json["pending"]["files"], 4);
}
