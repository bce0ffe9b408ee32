//! `--audit-chain` and `towpath audit check`: what was changed in a log is found.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::*;

/// Checks logs against the database of the bench.
fn check(bench: &Bench, logs: &[&Path]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.args(["audit", "check"]).args(logs).arg("--database").arg(bench.database());
    end(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

fn lines(log: &Path) -> Vec<String> {
    fs::read_to_string(log).unwrap().lines().map(|line| format!("{line}\n")).collect()
}

#[test]
fn a_line_that_is_changed_removed_moved_or_added_is_found() {
    let bench = Bench::new();
    for name in 0..20 {
        bench.write(name.to_string(), name.to_string());
    }
    bench.sync(&["--audit-chain"]).with_status(0);
    let log = bench.log_file();
    let whole = lines(&log);
    let ended = check(&bench, &[&log]).with_status(0);
    assert!(ended.stdout.contains("22 lines are whole and in order, and the last is"), "{}", ended.stdout);
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = whole.clone();
        change(&mut lines);
        fs::write(&log, lines.concat()).unwrap();
        check(&bench, &[&log]).with_status(3).stdout
    };
    let edited = with(&|lines| lines[6] = lines[6].replace("synced", "failed"));
    assert!(edited.contains(", line 8: does not follow the line before"), "{edited}");
    assert!(with(&|lines| drop(lines.remove(6))).contains(", line 7: does not follow"));
    assert!(with(&|lines| lines.swap(6, 7)).contains(", line 7: does not follow"));
    assert!(with(&|lines| lines.insert(6, "{\"status\":\"synced\"}\n".to_owned())).contains(", line 7: is not part"));
    assert!(with(&|lines| drop(lines.remove(0))).contains(", line 1: is not the first of its log"));
    assert!(with(&|lines| drop(lines.pop())).contains("the last line that the database has recorded is missing"));
    // Whoever adds a line at the end can link it.
    let end = sha256(whole.last().unwrap().trim_end().as_bytes());
    let added = format!("{{\"status\":\"synced\",\"previous\":\"{end}\"}}\n");
    let added = with(&|lines| lines.push(added.clone()));
    assert!(added.contains(", line 23: follows the last line that the database has recorded: it was added"), "{added}");
}

#[test]
fn the_chain_goes_on_over_runs_rotation_and_a_kill() {
    let bench = Bench::new();
    bench.write("before", "1");
    bench.sync(&[]).with_status(0);
    let unlinked = lines(&bench.log_file()).len();
    bench.write("a", "1");
    bench.sync(&["--audit-chain"]).with_status(0);
    for name in 0..200 {
        bench.write(format!("many/{name}"), noise(name, 4096));
    }
    // Later runs continue it without the option.
    bench.kill_when(&["--bwlimit", "300K"], || bench.has_arrivals());
    let rotated = bench.path("migration.log.1");
    fs::rename(bench.log_file(), &rotated).unwrap();
    bench.sync(&[]).with_status(0);
    let log = bench.log_file();
    let ended = check(&bench, &[&rotated, &log]).with_status(0);
    assert_eq!(ended.stderr, format!("note: the first {unlinked} lines are not linked: the chain begins after that\n"));
    // The other log is found beside it.
    check(&bench, &[&log]).with_status(0);
    fs::rename(&rotated, bench.source().join("elsewhere")).unwrap();
    assert!(check(&bench, &[&log]).with_status(3).stdout.contains("line 1: is not the first of its log"));
}

#[test]
fn a_dry_run_leaves_the_chain_alone() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.sync(&["--audit-chain"]).with_status(0);
    bench.write("b", "1");
    bench.sync(&["--dry-run"]).with_status(0);
    check(&bench, &[&bench.log_file()]).with_status(0);
}

#[test]
fn a_log_without_a_chain_cannot_be_checked() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.sync(&[]).with_status(0);
    let problem = check(&bench, &[&bench.log_file()]).with_status(1).stderr;
    assert!(problem.contains("has recorded no chain: no run had --audit-chain"), "{problem}");
}
