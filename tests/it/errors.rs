//! `towpath errors`: what is not in sync, and why.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::common::*;

/// A command about the bench's database.
pub fn about(bench: &Bench, command: &str, arguments: &[&str]) -> ProcessOutput {
    let mut program = Command::new(env!("CARGO_BIN_EXE_towpath"));
    program.arg(command).arg("--database").arg(bench.database()).args(arguments).env("HOME", bench.path("home"));
    end(program.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

/// A bench where directories with content have the names of these files.
pub fn with_conflicts(names: &[&str]) -> Bench {
    let bench = Bench::new();
    for name in names {
        bench.write(name, "content");
        write(&bench.dest(), format!("{name}/by"), "mine");
    }
    bench.write("good", "content");
    bench.sync(&[]).with_status(3);
    bench
}

fn json(output: &ProcessOutput) -> Value {
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn errors_are_grouped_with_advice_until_they_are_gone() {
    let bench = with_conflicts(&["a/one", "a/two", "b/three"]);
    let shown = about(&bench, "errors", &[]).with_status(3).stdout;
    let dest = bench.dest();
    for expected in [
        "\n  3 entries are not in sync\n".to_owned(),
        "not-empty at the destination: 3 entries, 21 B, a directory with content has its name\n".to_owned(),
        format!("\n  2  {}/a\n  1  {}/b\n", dest.display(), dest.display()),
        format!("towpath retry --database {} --code not-empty", bench.database().display()),
    ] {
        assert!(shown.contains(&expected), "{expected:?} in {shown}");
    }
    let listed = about(&bench, "errors", &["--list", "--below", "a"]).with_status(3).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    assert!(
        listed.starts_with(&format!("not-empty {}/a/one: destination: replace a/one: ", dest.display())),
        "{listed}"
    );
    assert_eq!(about(&bench, "errors", &["--code", "EACCES"]).with_status(0).stdout.lines().count(), 2);

    fs::remove_dir_all(bench.dest()).unwrap();
    fs::create_dir(bench.dest()).unwrap();
    bench.sync(&[]);
    bench.sync(&["--accept-new-tree"]).with_status(0);
    let shown = about(&bench, "errors", &[]).with_status(0).stdout;
    assert!(shown.ends_with("\n  no errors\n"), "{shown}");
}

#[test]
fn json_has_totals_groups_and_entries() {
    let bench = with_conflicts(&["a/one", "a/two\n"]);
    let all = json(&about(&bench, "errors", &["--json"]).with_status(3));
    assert_eq!(
        (&all["errors"]["entries"], &all["errors"]["bytes"], &all["accepted"]["entries"]),
        (&2.into(), &14.into(), &0.into())
    );
    let group = &all["groups"][0];
    assert_eq!(
        (&group["code"], &group["side"], &group["accepted"]),
        (&"not-empty".into(), &"dest".into(), &false.into())
    );
    assert_eq!(group["directories"][0]["entries"], 2);
    let listed = about(&bench, "errors", &["--json", "--list"]).with_status(3).stdout;
    let entries: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(
        (&entries[1]["path"], &entries[1]["kind"], &entries[1]["size"]),
        (&"a/two\n".into(), &"file".into(), &7.into())
    );
    let text = about(&bench, "errors", &["--list"]).with_status(3).stdout;
    assert!(text.lines().count() == 2 && text.contains("/a/two\\n: "), "names are escaped: {text}");
}

#[test]
fn a_full_destination_has_the_code_of_the_system() {
    let bench = Bench::new();
    bench.write("large", noise(1, 1 << 20));
    let Some(_full) = Mount::small_tmpfs(&bench.dest(), "128k") else { return };
    bench.sync(&[]).with_status(1);
    let shown = about(&bench, "errors", &[]).with_status(3).stdout;
    assert!(shown.contains("\nENOSPC at the destination: 1 entry, 1.0 MiB, no space left\n"), "{shown}");
    assert!(shown.contains("\n  the last run failed: the destination "), "{shown}");
}

#[test]
fn what_another_user_cannot_read_has_the_code_of_the_system() {
    if !is_root_or_skip("a run as another user") {
        return;
    }
    let bench = Bench::new();
    bench.write("closed", "content");
    bench.write("dir/inside", "content");
    for path in ["closed", "dir"] {
        fs::set_permissions(bench.source().join(path), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    }
    for path in [bench.folder.path(), &bench.source(), &bench.source().join("closed"), &bench.source().join("dir")] {
        std::os::unix::fs::chown(path, Some(65_534), None).unwrap();
    }
    let as_nobody = |command: &str, arguments: &[&std::ffi::OsStr]| {
        let mut run = Command::new("setpriv");
        run.args(["--reuid", "65534", "--clear-groups", env!("CARGO_BIN_EXE_towpath"), command, "--database"]);
        run.arg(bench.database()).args(arguments).env("HOME", bench.folder.path()).output()
    };
    let (source, dest, log) = (bench.source(), bench.dest(), bench.log_file());
    let Ok(ended) = as_nobody("sync", &[source.as_ref(), dest.as_ref(), "--log-file".as_ref(), log.as_ref()]) else {
        return skip("needs setpriv");
    };
    let problem = String::from_utf8_lossy(&ended.stderr);
    if problem.contains("setpriv: failed to execute") {
        return skip("the program is in a folder that other users cannot read");
    }
    assert_eq!(ended.status.code(), Some(3), "{problem}");
    let ended = as_nobody("errors", &["--list".as_ref()]).unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout);
    assert!(shown.contains("EACCES ") && shown.contains("/old/closed: source: "), "{shown}");
    assert!(shown.contains("unreadable-directory (EACCES) ") && shown.contains("/old/dir/: "), "{shown}");
}

#[test]
fn errors_of_earlier_versions_have_no_codes() {
    let bench = with_conflicts(&["a/one"]);
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    // As a run of version 6 left it.
    database
        .execute_batch(
            "DROP INDEX file_error; DROP TABLE accepted; ALTER TABLE file DROP COLUMN error_code;
             ALTER TABLE file DROP COLUMN error_side; ALTER TABLE dir DROP COLUMN error_code;
             PRAGMA user_version = 6",
        )
        .unwrap();
    drop(database);
    let shown = about(&bench, "errors", &["--list"]).with_status(3).stdout;
    assert!(shown.starts_with("unknown ") && shown.contains("/new/a/one: destination: replace a/one: "), "{shown}");
}

#[test]
fn wrong_arguments_are_usage_errors() {
    let bench = with_conflicts(&["a"]);
    let wrong = about(&bench, "errors", &["--code", "EWHAT"]).with_status(2).stderr;
    assert!(wrong.contains("there is no code \"EWHAT\""), "{wrong}");
    let wrong = about(&bench, "errors", &["--below", "/elsewhere"]).with_status(2).stderr;
    assert!(wrong.contains("/elsewhere is neither in "), "{wrong}");
    fs::remove_file(bench.database()).unwrap();
    let none = about(&bench, "errors", &[]).with_status(1).stderr;
    assert!(none.contains("there is no migration with the database "), "{none}");
}

#[test]
fn an_accepted_exception_no_longer_makes_the_exit_status_three() {
    let bench = with_conflicts(&["a/one", "b"]);
    let one = bench.source().join("a/one");
    let accepted = about(&bench, "accept", &[one.to_str().unwrap(), "--reason", "known, ticket 7"]).with_status(0);
    assert_eq!(accepted.stdout, "accepted a/one: 1 entry, not-empty\n");
    bench.sync(&[]).with_status(3);
    let shown = about(&bench, "errors", &[]).with_status(3).stdout;
    assert!(shown.contains("\n  1 entry is not in sync\n"), "{shown}");
    assert!(shown.contains("\n1 accepted exception, for 1 entry that is not in sync\n"), "{shown}");
    assert!(shown.contains("/old/a/one: known, ticket 7 (not-empty, "), "{shown}");

    // By its path at the destination.
    let other = bench.dest().join("b");
    about(&bench, "accept", &[other.to_str().unwrap(), "--reason", "this too"]).with_status(0);
    let ended = bench.sync(&[]).with_status(0);
    assert!(
        ended.stdout.contains("\n  2 files failed\n")
            && ended.stdout.contains("\n  2 of these are accepted exceptions\n"),
        "{}",
        ended.stdout
    );
    about(&bench, "errors", &[]).with_status(0);
    let all = json(&about(&bench, "errors", &["--json"]).with_status(0));
    assert_eq!((&all["accepted"]["entries"], &all["errors"]["entries"]), (&2.into(), &0.into()));
    assert_eq!(all["exceptions"][0]["reason"], "known, ticket 7");
    let log = bench.log();
    let line = log.iter().find(|line| line["status"] == "accepted").unwrap();
    assert_eq!((&line["reason"], &line["error"]), (&"known, ticket 7".into(), &"not-empty".into()));
    assert!(line["user"].is_string() && line["source"].as_str().unwrap().ends_with("/old/a/one"), "{line}");

    // What is in sync loses its exception.
    fs::remove_dir_all(bench.dest().join("a/one")).unwrap();
    bench.sync(&[]).with_status(0);
    let listed = about(&bench, "accept", &["--list"]).with_status(0).stdout;
    assert!(listed.starts_with("b: this too (not-empty, ") && listed.lines().count() == 1, "{listed}");
    let ended: Vec<_> = bench.log().into_iter().filter(|line| line["status"] == "exception-ended").collect();
    assert_eq!((ended.len(), &ended[0]["error"]), (1, &"settled".into()));

    // And what is removed counts again.
    about(&bench, "accept", &["--remove", "b"]).with_status(0);
    bench.sync(&[]).with_status(3);
    about(&bench, "errors", &[]).with_status(3);
    about(&bench, "accept", &["--remove", "b"]).with_status(3);
}

#[test]
fn a_copy_that_differs_is_an_error_that_can_be_accepted() {
    let bench = Bench::new();
    let source = bench.write("file", "content");
    bench.sync(&[]).with_status(0);
    let copy = bench.dest().join("file");
    let modified = fs::metadata(&source).unwrap().modified().unwrap();
    fs::write(&copy, "c0ntent").unwrap();
    fs::File::options().write(true).open(&copy).unwrap().set_modified(modified).unwrap();
    about(&bench, "verify", &[]).with_status(3);
    let shown = about(&bench, "errors", &[]).with_status(3).stdout;
    assert!(
        shown.contains("\ndiffers at the destination: 1 entry, 7 B, the copy is not what was recorded\n"),
        "{shown}"
    );
    about(&bench, "accept", &["file", "--reason", "edited on purpose"]).with_status(0);
    about(&bench, "verify", &["--all"]).with_status(0);
    about(&bench, "verify", &["--list"]).with_status(0);
    // A run is about other things, and leaves the exception as it is.
    bench.sync(&[]).with_status(0);
    about(&bench, "errors", &[]).with_status(0);
    // Once it is sent again, there is none.
    fs::remove_file(&copy).unwrap();
    bench.sync(&["--rescan"]).with_status(0);
    assert_eq!(about(&bench, "accept", &["--list"]).with_status(0).stdout, "");
}

#[test]
fn only_errors_can_be_accepted() {
    let bench = with_conflicts(&["a/one", "a/two\n", "b"]);
    let refused = about(&bench, "accept", &["good", "--reason", "x"]).with_status(3).stderr;
    assert_eq!(refused, "towpath: good is not among the errors, so there is nothing to accept\n");
    about(&bench, "accept", &["a", "--reason", ""]).with_status(2);
    about(&bench, "accept", &["a"]).with_status(2);
    about(&bench, "accept", &["", "--reason", "x"]).with_status(2);
    about(&bench, "accept", &["/elsewhere/a", "--reason", "x"]).with_status(2);
    // A list of any names.
    let list = bench.path("list");
    fs::write(&list, b"a/two\n\0b\0").unwrap();
    let accepted = about(&bench, "accept", &["--from0", list.to_str().unwrap(), "--reason", "x"]).with_status(0).stdout;
    assert_eq!(accepted, "accepted a/two\\n: 1 entry, not-empty\naccepted b: 1 entry, not-empty\n");
    let listed = about(&bench, "errors", &["--list"]).with_status(3).stdout;
    assert!(
        listed.contains("/a/two\\n: ") && listed.lines().filter(|line| line.ends_with(" [accepted: x]")).count() == 2,
        "{listed}"
    );
    // A directory covers what is below.
    let accepted = about(&bench, "accept", &["a", "--reason", "all of it"]).with_status(0).stdout;
    assert_eq!(accepted, "accepted a: 2 entries, not-empty\n");
    about(&bench, "errors", &[]).with_status(0);
}

#[test]
fn an_exception_weakens_no_guard_of_a_mirror() {
    let bench = Bench::new();
    bench.write("kept/file", "content");
    bench.write("stays", "content");
    bench.sync(&[]).with_status(0);
    // A mount that is gone: its files at the destination are not deleted, whatever is accepted.
    let mounted = bench.source().join("kept");
    fs::remove_dir_all(&mounted).unwrap();
    fs::create_dir(&mounted).unwrap();
    let Some(mount) = Mount::tmpfs(&mounted) else { return };
    write(&bench.source(), "kept/file", "content");
    bench.sync(&["--accept-new-tree"]).with_status(0);
    drop(mount);
    bench.sync(&["--delete-extras"]).with_status(3);
    about(&bench, "accept", &["kept", "--reason", "the array is away"]).with_status(0);
    let ended = bench.sync(&["--delete-extras", "--rescan"]);
    assert!(bench.dest().join("kept/file").exists(), "{}", ended.stdout);
    assert_eq!(bench.logged("deleted").len(), 0);
}

#[test]
fn exceptions_are_recorded_beside_a_run() {
    let bench = with_conflicts(&["a"]);
    bench.write("large", noise(1, 4 << 20));
    let run = bench.start_until(&["--bwlimit", "1M"], || bench.written_bytes("large") > 0);
    about(&bench, "accept", &["a", "--reason", "known"]).with_status(0);
    assert!(about(&bench, "errors", &[]).with_status(0).stdout.contains("a run is active (process "));
    let refused = about(&bench, "retry", &[]).with_status(1).stderr;
    assert!(refused.contains("a run of this migration is active (process "), "{refused}");
    end(run).with_status(0);
    assert_eq!(bench.logged("accepted").len(), 1);
}

#[test]
fn a_retry_sends_the_selection_and_nothing_else() {
    let bench = with_conflicts(&["a/one", "a/two", "b"]);
    // What appears meanwhile is not sent, as a retry does not scan.
    bench.write("new", "content");
    for dir in ["a/one", "a/two", "b"] {
        fs::remove_dir_all(bench.dest().join(dir)).unwrap();
    }
    about(&bench, "retry", &["--below", "a/one", "--code", "EACCES"]).with_status(0);
    assert!(!bench.dest().join("a/one").exists());
    let retried = about(&bench, "retry", &["--below", "a/one", "--code", "not-empty"]).with_status(0).stdout;
    assert!(retried.ends_with("retried 1: 1 in sync now, 0 failed again\n"), "{retried}");
    assert!(bench.dest().join("a/one").is_file());
    assert!(
        !bench.dest().join("a/two").exists() && !bench.dest().join("b").exists() && !bench.dest().join("new").exists()
    );
    assert_eq!(bench.row("b").status, "pending");
    let listed = about(&bench, "errors", &["--list"]).with_status(3).stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");

    // Those that fail again stay.
    write(&bench.dest(), "b/by", "mine");
    let retried = about(&bench, "retry", &[]).with_status(3).stdout;
    assert!(retried.ends_with("retried 2: 1 in sync now, 1 failed again\n"), "{retried}");
    // The next run scans, and sends the rest.
    fs::remove_dir_all(bench.dest().join("b")).unwrap();
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_retry_has_the_options_of_the_last_run() {
    let bench = Bench::new();
    bench.write("a.txt", "content");
    bench.write("excluded.tmp", "content");
    write(&bench.dest(), "a.txt/by", "mine");
    write(&bench.dest(), "extra", "mine");
    let options = ["--exclude", "*.tmp", "--checksum", "md5", "--delete-extras", "--max-delete", "0", "--quiet"];
    bench.sync(&options).with_status(4);
    fs::remove_dir_all(bench.dest().join("a.txt")).unwrap();
    let retried = about(&bench, "retry", &["--verbose"]).with_status(0).stdout;
    assert!(retried.ends_with("retried 1: 1 in sync now, 0 failed again\n"), "{retried}");
    assert_eq!(bench.row("a.txt").hash.unwrap().len(), 32, "md5");
    assert!(bench.dest().join("extra").exists(), "a retry deletes nothing");
    // An interrupted run is not taken for one that finished.
    assert_eq!(about(&bench, "retry", &[]).with_status(0).stdout.lines().count(), 1);
}
