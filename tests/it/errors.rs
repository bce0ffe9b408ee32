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

/// A bench where directories with content are in the way of these files.
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
    assert!(none.contains("there is no database "), "{none}");
}
