//! `towpath verify`: what is wrong at the destination is found, each file once, in one class.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::*;

impl Bench {
    fn verify_command(&self, options: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.env("XDG_STATE_HOME", self.path("state")).env("HOME", self.path("home"));
        command.arg("verify").arg("--database").arg(self.database()).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn verify(&self, options: &[&str]) -> ProcessOutput {
        end(self.verify_command(options).spawn().unwrap())
    }

    /// The result as JSON.
    #[track_caller]
    fn verified(&self, options: &[&str], status: i32) -> Value {
        let ended = self.verify(&[&["--json"], options].concat()).with_status(status);
        serde_json::from_str(&ended.stdout).unwrap()
    }

    /// The lines of results in the log, by status: the names of their files below the destination.
    fn results(&self) -> BTreeMap<String, Vec<String>> {
        let mut results = BTreeMap::<_, Vec<_>>::new();
        let dest = self.dest();
        for line in self.log().into_iter().filter(|line| line.get("pass").is_some() && !is_about_run(line)) {
            let path = Path::new(line["dest"].as_str().unwrap()).strip_prefix(&dest).unwrap().to_owned();
            results.entry(line["status"].as_str().unwrap().to_owned()).or_default().push(path.display().to_string());
        }
        results.values_mut().for_each(|names| names.sort());
        results
    }

    #[track_caller]
    fn assert_whole_chain(&self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
        command.args(["audit", "check"]).arg(self.log_file()).arg("--database").arg(self.database());
        end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).with_status(0);
    }
}

fn files_of(result: &Value, class: &str) -> i64 {
    result["classes"][class]["files"].as_i64().unwrap()
}

/// Flips a bit, and restores the times.
fn flip(path: &Path, at: usize) {
    let before = fs::metadata(path).unwrap();
    let mut data = fs::read(path).unwrap();
    data[at] ^= 1;
    fs::write(path, data).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
}

#[test]
fn each_kind_of_difference_is_found() {
    let bench = Bench::new();
    for name in ["flipped", "gone", "short", "long", "touched", "dir", "now-a-link", "edited", "removed", "fine"] {
        bench.write(name, format!("content of {name}"));
    }
    bench.write("sub/large", noise(1, 3_000_000));
    bench.write("sub/large and fine", noise(2, 3_000_000));
    bench.write("empty", "");
    let sparse = bench.write("sparse", noise(3, 5000));
    fs::File::options().write(true).open(sparse).unwrap().set_len(3_000_000).unwrap();
    symlink("fine", bench.source().join("link")).unwrap();
    symlink("fine", bench.source().join("other link")).unwrap();
    // In sync before the first run: without a checksum.
    bench.write("before", "before");
    fs::create_dir(bench.dest()).unwrap();
    fs::copy(bench.source().join("before"), bench.dest().join("before")).unwrap();
    set_mtime(&bench.source().join("before"), 1_000_000_000, 0);
    set_mtime(&bench.dest().join("before"), 1_000_000_000, 0);
    bench.sync(&["--audit-chain"]).with_status(0);

    let result = bench.verified(&[], 0);
    assert_eq!((files_of(&result, "matches"), files_of(&result, "unproven")), (16, 1), "{result}");
    assert_eq!(result["coverage"]["matches"]["files"], 16);
    // What matches is not read again, what has no checksum is checked again.
    let again = bench.verified(&[], 0);
    assert_eq!((&again["checked"]["files"], &again["read_bytes"]), (&1.into(), &0.into()));

    let dest = |name: &str| bench.dest().join(name);
    flip(&dest("flipped"), 3);
    flip(&dest("sub/large"), 2_000_000);
    fs::remove_file(dest("gone")).unwrap();
    fs::File::options().write(true).open(dest("short")).unwrap().set_len(3).unwrap();
    fs::write(dest("long"), "content of long and more").unwrap();
    set_mtime(&dest("touched"), 1_000_000_000, 0);
    fs::remove_file(dest("dir")).unwrap();
    fs::create_dir(dest("dir")).unwrap();
    fs::remove_file(dest("now-a-link")).unwrap();
    symlink("fine", dest("now-a-link")).unwrap();
    fs::remove_file(dest("other link")).unwrap();
    symlink("elsewhere", dest("other link")).unwrap();
    bench.write("edited", "another content");
    fs::remove_file(bench.source().join("removed")).unwrap();

    let result = bench.verified(&["--all"], 3);
    let counts = ["matches", "unproven", "changed-at-source", "differs", "missing", "unreadable"];
    assert_eq!(counts.map(|class| files_of(&result, class)), [5, 1, 2, 8, 1, 0], "{result}");
    assert_eq!((&result["bad_files"], &result["checked"]["files"]), (&9.into(), &17.into()));
    assert_eq!(result["coverage"]["differs"]["files"], 8);
    let differing =
        ["dir", "flipped", "long", "now-a-link", "other link", "short", "sub/large", "touched"].map(str::to_owned);
    let results = bench.results();
    assert_eq!(results["differs"], differing);
    assert_eq!(
        (&results["missing"], &results["changed-at-source"]),
        (&vec!["gone".to_owned()], &vec!["edited".to_owned(), "removed".to_owned()])
    );
    let error = |name: &str| {
        let ending = format!("/new/{name}");
        let of = |line: &Value| line["status"] == "differs" && line["dest"].as_str().unwrap().ends_with(&ending);
        bench.log().iter().find(|line| of(line)).unwrap()["error"].as_str().unwrap().to_owned()
    };
    assert!(error("flipped").starts_with("its content differs: sha256 is "), "{}", error("flipped"));
    assert_eq!(error("short"), "it has 3 bytes, not 16");
    assert_eq!(error("dir"), "it is a directory, not a file");
    assert_eq!(error("now-a-link"), "it is a symbolic link, not a file");
    assert_eq!(error("other link"), "it is a link to elsewhere, not to fine");
    assert!(error("touched").starts_with("its content matches, but its mtime is 2001-09-09"), "{}", error("touched"));
    let overview = towpath::VerifyOverview::read(bench.database(), 2, 10).unwrap().unwrap();
    let [last, before] = &overview.passes[..] else { panic!("{overview:?}") };
    assert_eq!((last.selection.as_str(), before.selection.as_str()), ("all", "unverified"));
    assert_eq!(last.classes[&towpath::VerifyClass::Differs].files, 8);
    assert_eq!(last.coverage.values().map(|totals| totals.files).sum::<u64>(), 17);
    assert!(last.finished.is_some() && overview.has_more && overview.not_matching.len() == 10);
    // They are listed without reading.
    let listed = bench.verify(&["--list"]).with_status(3).stdout;
    assert_eq!(listed.lines().count(), 11, "{listed}");
    assert!(listed.contains("missing gone\n"), "{listed}");
    bench.assert_whole_chain();
}

#[test]
fn files_without_a_checksum_are_proven_by_reading_both_copies() {
    let bench = Bench::new();
    for name in ["same", "other", "edited"] {
        bench.write(name, "some content");
        set_mtime(&bench.source().join(name), 1_000_000_000, 0);
        write(&bench.dest(), name, if name == "other" { "SOME content" } else { "some content" });
        set_mtime(&bench.dest().join(name), 1_000_000_000, 0);
    }
    bench.sync(&[]).with_status(0);
    assert_eq!(files_of(&bench.verified(&[], 0), "unproven"), 3);
    bench.write("edited", "more than before");
    let result = bench.verified(&["--hash-both"], 3);
    assert_eq!(["matches", "differs", "changed-at-source"].map(|class| files_of(&result, class)), [1, 1, 1]);
    // The checksum is recorded.
    assert_eq!(bench.row("same").hash, Some(sha256(b"some content")));
    assert_eq!(bench.row("other").hash, None);
    // What is known to differ stays so, although size and mtime match.
    let result = bench.verified(&["--all"], 3);
    assert_eq!(["matches", "unproven", "differs"].map(|class| files_of(&result, class)), [1, 1, 1], "{result}");
}

/// Verifies that a verification that is killed at a point goes on, and each file has one result in the log.
#[cfg(feature = "failpoints")]
#[test]
fn a_verification_that_is_killed_goes_on_where_it_was() {
    for point in ["before-verify-commit", "before-commit", "between-outbox-and-log", "after-log"] {
        for time in 1.. {
            let bench = Bench::new();
            for name in 0..30 {
                bench.write(name.to_string(), name.to_string());
            }
            bench.sync(&["--audit-chain"]).with_status(0);
            flip(&bench.dest().join("7"), 0);
            let mut command = bench.verify_command(&["--lanes", "2", "--all"]);
            command.env("TOWPATH_FAILPOINT", format!("{point}:{}:{time}", Signal::KILL.as_raw()));
            let ended = end(command.spawn().unwrap());
            if ended.status == 3 {
                assert!(time > 1, "no verification reaches {point}");
                break;
            }
            assert_eq!(ended.status, 128 + Signal::KILL.as_raw(), "{point} {time}: {}", ended.stderr);
            let result = bench.verified(&["--all"], 3);
            // Killed before its begin or after its end, it begins a pass of its own.
            let has_results = result["pass"] == 1;
            assert_eq!(files_of(&result, "matches"), 29, "{point} {time}: {result}");
            assert_eq!(files_of(&result, "differs"), 1, "{point} {time}: {result}");
            let results = bench.results();
            if has_results {
                assert_eq!(results.values().map(Vec::len).sum::<usize>(), 30, "{point} {time}: {results:?}");
            }
            bench.assert_whole_chain();
        }
    }
}

#[test]
fn a_signal_saves_what_was_checked() {
    let bench = Bench::new();
    for name in 0..40 {
        bench.write(name.to_string(), noise(name, 50_000));
    }
    bench.sync(&[]).with_status(0);
    let mut command = bench.verify_command(&["--bwlimit", "400K"]);
    let running = Running::from(command.spawn().unwrap());
    wait_until("a result is recorded", || bench.count("SELECT count(*) FROM file WHERE verify_class = 0") > 0);
    send_signal(&running, Signal::INT);
    let ended = end(running).with_status(130);
    assert!(ended.stdout.contains("left: the same command goes on"), "{}", ended.stdout);
    let checked = bench.count("SELECT count(*) FROM file WHERE verify_class = 0");
    assert!(checked < 40);
    let result = bench.verified(&[], 0);
    assert_eq!((&result["pass"], files_of(&result, "matches")), (&1.into(), 40));
    assert!(result["read_bytes"].as_i64().unwrap() <= (40 - checked) * 50_000, "no file is read again: {result}");
    assert_eq!(bench.results()["verified"].len(), 40);
}

#[test]
fn a_sample_is_random_and_says_what_it_proves() {
    let bench = Bench::new();
    for name in 0..200 {
        bench.write(format!("{}/{name}", name % 7), name.to_string());
    }
    bench.sync(&[]).with_status(0);
    let checked = |pass: &Value| {
        let lines = bench.log();
        let of_pass = lines.iter().filter(|line| line["pass"] == *pass && !is_about_run(line));
        of_pass.map(|line| line["dest"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = bench.verified(&["--sample", "50"], 0);
    assert_eq!(first["checked"]["files"], 50);
    let bound = first["sample_bound"]["share_below"].as_f64().unwrap();
    assert!((bound - 0.058_155).abs() < 1e-6, "{bound}");
    let second = bench.verified(&["--sample", "50"], 0);
    assert_ne!(checked(&first["pass"]), checked(&second["pass"]), "each pass has a sample of its own");
    // Anyone can compute which files a sample has.
    let seed = first["sample_seed"].as_str().unwrap();
    let draw = |path: &str| sha256(format!("{seed}\0{path}").as_bytes());
    let mut all: Vec<_> = (0..200).map(|name| format!("{}/{name}", name % 7)).collect();
    all.sort_by_key(|path| draw(path));
    let mut expected: Vec<_> = all[..50].iter().map(|path| bench.dest().join(path).display().to_string()).collect();
    let mut drawn = checked(&first["pass"]);
    expected.sort();
    drawn.sort();
    assert_eq!(drawn, expected);
    assert_eq!(bench.verified(&["--sample", "100%"], 0)["checked"]["files"], 200);
    assert_eq!(bench.verified(&["--sample", "1000"], 0)["checked"]["files"], 200);
    let text = bench.verify(&["--sample", "50"]).with_status(0).stdout;
    let proven = "random sample: 0 files of 50 files did not match; with 95 % confidence fewer than 5.9 % of all files";
    assert!(text.contains(proven), "{text}");
}

#[test]
fn files_sent_since_a_run_are_selected_and_lose_their_result_when_sent_again() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.write("b", "1");
    bench.sync(&[]).with_status(0);
    bench.write("c", "1");
    bench.sync(&[]).with_status(0);
    assert_eq!(bench.verified(&["--since", "2"], 0)["checked"]["files"], 1);
    assert_eq!(bench.results()["verified"], ["c"]);
    assert_eq!(bench.verified(&["--since", "1"], 0)["checked"]["files"], 3);
    assert_eq!(bench.verified(&[], 0)["checked"]["files"], 0);
    bench.write("a", "22");
    let pending = bench.verified(&["--all"], 0);
    assert_eq!(files_of(&pending, "changed-at-source"), 1);
    bench.sync(&[]).with_status(0);
    let again = bench.verified(&[], 0);
    assert_eq!((&again["checked"]["files"], &again["coverage"]["matches"]["files"]), (&1.into(), &3.into()));
}

#[test]
fn another_tree_or_none_is_refused() {
    let bench = Bench::new();
    for name in 0..20 {
        bench.write(name.to_string(), "1");
    }
    bench.sync(&[]).with_status(0);
    let moved = bench.path("moved");
    fs::rename(bench.dest(), &moved).unwrap();
    bench.verify(&[]).with_status(1);
    fs::create_dir(bench.dest()).unwrap();
    let problem = bench.verify(&[]).with_status(4).stderr;
    assert!(problem.contains("is not the tree that was recorded") && problem.contains("Is it mounted?"), "{problem}");
    fs::remove_dir(bench.dest()).unwrap();
    fs::rename(&moved, bench.dest()).unwrap();
    for name in 0..20 {
        fs::rename(bench.dest().join(name.to_string()), bench.path(format!("aside-{name}"))).unwrap();
    }
    let problem = bench.verify(&[]).with_status(4).stderr;
    assert!(problem.contains("that should be at the destination"), "{problem}");
    assert_eq!(bench.count("SELECT count(*) FROM file WHERE verify_class IS NOT NULL"), 0);
    // With one of them there, the others are missing.
    fs::rename(bench.path("aside-3"), bench.dest().join("3")).unwrap();
    assert_eq!(files_of(&bench.verified(&[], 3), "missing"), 19);
}

#[test]
fn it_goes_on_beside_a_run() {
    let bench = Bench::new();
    for name in 0..30 {
        bench.write(format!("first/{name}"), noise(name, 10_000));
    }
    bench.sync(&["--audit-chain"]).with_status(0);
    for name in 0..40 {
        bench.write(format!("second/{name}"), noise(name, 50_000));
    }
    let running = bench.start_until(&["--bwlimit", "400K"], || bench.dest().join("second/1").exists());
    let result = bench.verified(&[], 0);
    assert!(files_of(&result, "matches") >= 30, "{result}");
    assert!(result["pending"]["files"].as_i64().unwrap() > 0, "the run still sends files: {result}");
    send_signal(&running, Signal::INT);
    end(running).with_status(130);
    bench.sync(&[]).with_status(0);
    let result = bench.verified(&[], 0);
    assert_eq!(result["coverage"]["matches"]["files"], 70, "{result}");
    bench.assert_whole_chain();
}

/// The state of a process, such as `T`: stopped.
#[cfg(feature = "failpoints")]
fn is_stopped(process: &Running) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.id())).unwrap();
    stat.rsplit(')').next().unwrap().trim().starts_with('T')
}

#[cfg(feature = "failpoints")]
#[test]
fn a_file_that_is_sent_while_it_is_checked_is_read_again() {
    let bench = Bench::new();
    for name in ["a", "b", "c"] {
        bench.write(name, name);
    }
    bench.sync(&["--audit-chain"]).with_status(0);
    flip(&bench.dest().join("b"), 0);
    let mut command = bench.verify_command(&["--json"]);
    command.env("TOWPATH_FAILPOINT", format!("before-verify-commit:{}:1", Signal::STOP.as_raw()));
    let verifying = Running::from(command.spawn().unwrap());
    // All are read, and `b` differs.
    wait_until("the results are there", || is_stopped(&verifying));
    bench.write("b", "another content");
    bench.sync(&[]).with_status(0);
    send_signal(&verifying, Signal::CONT);
    let ended = end(verifying).with_status(0);
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!((files_of(&result, "matches"), &result["left"]["files"]), (3, &0.into()), "{result}");
    assert_eq!(bench.results().keys().collect::<Vec<_>>(), ["verified"]);
    bench.assert_whole_chain();
}

#[test]
fn a_source_that_is_gone_does_not_prevent_a_verification() {
    let bench = Bench::new();
    bench.write("a", "1");
    bench.sync(&[]).with_status(0);
    fs::rename(bench.source(), bench.path("archived")).unwrap();
    let ended = bench.verify(&[]).with_status(0);
    assert!(ended.stderr.contains("what has changed at the source since is not found"), "{}", ended.stderr);
    // An empty folder in its place is not the source.
    fs::create_dir(bench.source()).unwrap();
    let ended = bench.verify(&["--all"]).with_status(0);
    assert!(
        ended.stderr.contains("is not checked, so that what has changed there since is not found"),
        "{}",
        ended.stderr
    );
    assert!(ended.stdout.contains("matches           1 file, 1 B"), "{}", ended.stdout);
    bench.verify(&["--all", "--hash-both"]).with_status(4);
}
