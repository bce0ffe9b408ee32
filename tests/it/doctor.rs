//! `towpath doctor`: what is wrong with a planned migration is found before it starts.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::common::*;

/// The command with both trees and an empty state.
fn doctor(bench: &Bench, source: &Path, dest: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.env("XDG_STATE_HOME", bench.path("state")).env("HOME", bench.path("home")).env_remove("XDG_CONFIG_HOME");
    command.args(["doctor", "--json"]).arg(source).arg(dest);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What it found.
struct Findings(Value);

impl Findings {
    /// Runs the command, which must end with this status.
    #[track_caller]
    fn of(command: &mut Command, status: i32) -> Self {
        let ended = end(command.spawn().unwrap()).with_status(status);
        Self(serde_json::from_str(&ended.stdout).unwrap_or_else(|error| panic!("{error}: {}", ended.stdout)))
    }

    #[track_caller]
    fn of_bench(bench: &Bench, status: i32) -> Self {
        Self::of(&mut doctor(bench, &bench.source(), &bench.dest()), status)
    }

    /// The severities of a code on a side.
    fn severities(&self, code: &str, side: Option<&str>) -> Vec<&str> {
        let findings = self.0["findings"].as_array().unwrap().iter();
        let named = findings.filter(|found| found["code"] == code && found["side"].as_str() == side);
        named.map(|found| found["severity"].as_str().unwrap()).collect()
    }

    #[track_caller]
    fn has(&self, severity: &str, code: &str, side: Option<&str>) {
        assert!(self.severities(code, side).contains(&severity), "{severity} {code} {side:?}: {:#}", self.0);
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn good_trees_have_no_problem_and_are_left_as_they_were() {
    let bench = Bench::new();
    bench.write("dir/file", "data");
    fs::create_dir(bench.dest()).unwrap();
    fs::write(bench.dest().join("mine"), "data").unwrap();
    let state = |path: &Path| fs::metadata(path).map(|found| (found.mtime(), found.mtime_nsec(), found.ctime_nsec()));
    let before = [bench.source(), bench.source().join("dir/file")].map(|path| state(&path).unwrap());
    let found = Findings::of_bench(&bench, 0);
    let after = [bench.source(), bench.source().join("dir/file")].map(|path| state(&path).unwrap());
    assert_eq!(before, after, "the source is never written to");
    assert_eq!(names(&bench.dest()), ["mine"], "the probe is removed");
    assert_eq!(names(&bench.path("")), ["new", "old"], "nothing else is created");
    assert_eq!((&found.0["problems"], &found.0["source"]), (&0.into(), &bench.source().to_str().unwrap().into()));
    for side in ["source", "dest"] {
        found.has("ok", "mount", Some(side));
        found.has("ok", "round-trip", Some(side));
    }
    found.has("ok", "source-readable", Some("source"));
    found.has("ok", "write-probe", Some("dest"));
    found.has("ok", "name-length", Some("dest"));
    found.has("info", "room", Some("dest"));
    found.has("ok", "database", None);
    found.has("ok", "kernel", None);
}

#[test]
fn the_text_has_reasons_and_remedies_and_the_worst_first() {
    let bench = Bench::new();
    fs::create_dir(bench.dest()).unwrap();
    let trees = [bench.source(), bench.dest()].map(|path| path.to_str().unwrap().to_owned());
    let ended = bench.run_with_state(&["doctor", &trees[0], &trees[1]], &bench.path("state")).with_status(0);
    let first: Vec<_> = ended.stdout.lines().take(3).collect();
    let empty = first.iter().position(|line| line.starts_with("warning  source: the source is empty [source-empty]"));
    assert!(empty.is_some_and(|at| at < 1) && ended.stdout.contains("\n         do: findmnt"), "{}", ended.stdout);
    assert!(ended.stdout.trim_end().ends_with("warning") || ended.stdout.trim_end().ends_with("warnings"));
}

#[test]
fn a_missing_destination_is_not_created() {
    let bench = Bench::new();
    bench.write("file", "data");
    let found = Findings::of_bench(&bench, 0);
    found.has("info", "dest-missing", Some("dest"));
    found.has("info", "write-probe", Some("dest"));
    assert_eq!(names(&bench.path("")), ["old"]);
    let deeper = bench.dest().join("a");
    let found = Findings::of(&mut doctor(&bench, &bench.source(), &deeper), 3);
    found.has("problem", "cannot-open", Some("dest"));
    let found = Findings::of(&mut doctor(&bench, &bench.path("missing"), &bench.dest()), 3);
    found.has("problem", "cannot-open", Some("source"));
}

#[test]
fn a_destination_inside_the_source_is_a_problem() {
    let bench = Bench::new();
    bench.write("sub/file", "data");
    for dest in [bench.source(), bench.source().join("sub"), bench.source().join("missing")] {
        Findings::of(&mut doctor(&bench, &bench.source(), &dest), 3).has("problem", "trees-overlap", None);
    }
}

#[test]
fn a_full_destination_is_a_problem_and_the_probe_is_removed() {
    let bench = Bench::new();
    bench.write("file", "data");
    let Some(_mount) = Mount::small_tmpfs(&bench.dest(), "64k") else { return };
    fs::write(bench.dest().join("large"), [1; 65_536]).unwrap();
    let found = Findings::of_bench(&bench, 3);
    found.has("problem", "room", Some("dest"));
    found.has("warning", "in-memory", Some("dest"));
    assert!(!found.severities("write-probe", Some("dest")).contains(&"ok"), "{:#}", found.0);
    assert_eq!(names(&bench.dest()), ["large"]);
}

#[test]
fn room_and_inodes_are_compared_with_what_the_last_scan_left() {
    let bench = Bench::new();
    for n in 0..100 {
        bench.write(format!("{n}"), [1; 10_000]);
    }
    let Some(_mount) = Mount::new(&bench.dest(), &["-t", "tmpfs", "-o", "size=256k,nr_inodes=40", "none"]) else {
        return;
    };
    let ended = bench.sync(&["--quiet"]);
    assert_ne!(ended.status, 0);
    for entry in fs::read_dir(bench.dest()).unwrap().take(5) {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let database = bench.database();
    let mut command = doctor(&bench, &bench.source(), &bench.dest());
    let found = Findings::of(command.arg("--database").arg(&database), 3);
    found.has("problem", "room", Some("dest"));
    found.has("problem", "inodes", Some("dest"));
    found.has("ok", "database", None);
    let other = bench.path("other");
    fs::create_dir(&other).unwrap();
    let mut command = doctor(&bench, &bench.source(), &other);
    Findings::of(command.arg("--database").arg(&database), 3).has("problem", "database", None);
}

#[test]
fn what_fat_does_not_keep_is_found() {
    let bench = Bench::new();
    bench.write("file", "data");
    let image = bench.path("image");
    fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
    match Command::new("mkfs.vfat").arg(&image).output() {
        Ok(made) if made.status.success() => {}
        _ => return skip("needs mkfs.vfat (dosfstools): what a FAT file system keeps"),
    }
    let Some(_mount) = Mount::new(&bench.dest(), &["-o", "loop", image.to_str().unwrap()]) else { return };
    let found = Findings::of_bench(&bench, 0);
    for code in ["time-precision", "time-range", "case-folding", "name-characters", "hard-links", "symlinks", "holes"] {
        found.has("warning", code, Some("dest"));
    }
    assert_eq!(names(&bench.dest()), [""; 0]);
    let mut command = doctor(&bench, &bench.source(), &bench.dest());
    let found = Findings::of(command.env("TOWPATH_PERMS", "true").env("TOWPATH_XATTRS", "true"), 3);
    found.has("problem", "permissions", Some("dest"));
    found.has("problem", "xattrs", Some("dest"));
}

#[test]
fn a_read_only_destination_is_a_problem() {
    let bench = Bench::new();
    bench.write("file", "data");
    let elsewhere = bench.path("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let Some(_mount) = Mount::bind(&elsewhere, &bench.dest()) else { return };
    let remounted = Command::new("mount").args(["-o", "remount,bind,ro"]).arg(bench.dest()).status().unwrap();
    assert!(remounted.success());
    let found = Findings::of_bench(&bench, 3);
    found.has("problem", "dest-read-only", Some("dest"));
    found.has("info", "write-probe", Some("dest"));
    let read = Findings::of(&mut doctor(&bench, &bench.dest(), &bench.path("other")), 0);
    read.has("ok", "source-read-only", Some("source"));
}

#[test]
fn a_source_that_this_user_cannot_read_is_a_problem() {
    if !is_root_or_skip("a program that runs as another user") {
        return;
    }
    let bench = Bench::new();
    let secret = bench.write("dir/secret", "data");
    bench.write("dir/open", "data");
    let [dest, state] = [bench.dest(), bench.path("state")];
    for folder in [&dest, &state] {
        fs::create_dir(folder).unwrap();
        std::os::unix::fs::chown(folder, Some(65_534), Some(65_534)).unwrap();
    }
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(secret, fs::Permissions::from_mode(0o600)).unwrap();
    // Other users may not access the build folder.
    let program = bench.path("towpath");
    fs::copy(env!("CARGO_BIN_EXE_towpath"), &program).unwrap();
    let mut command = Command::new("setpriv");
    command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program).args(["doctor", "--json"]);
    command.arg(bench.source()).arg(&dest).env("XDG_STATE_HOME", &state).env("HOME", &state);
    command.env("TOWPATH_OWNER", "true").stdout(Stdio::piped()).stderr(Stdio::piped());
    let found = Findings::of(&mut command, 3);
    found.has("problem", "source-readable", Some("source"));
    found.has("problem", "owner", Some("dest"));
    found.has("info", "permissions", Some("dest"));
    assert_eq!(names(&dest), [""; 0]);
    assert!(format!("{:#}", found.0).contains("dir/secret"));
}

#[test]
fn options_of_the_environment_and_limits_of_the_process_are_compared() {
    let bench = Bench::new();
    bench.write("file", "data");
    let line = "ulimit -n 256; exec \"$0\" doctor --json \"$1\" \"$2\"";
    let mut command = Command::new("sh");
    command.args(["-c", line, env!("CARGO_BIN_EXE_towpath")]).arg(bench.source()).arg(bench.dest());
    command.env("XDG_STATE_HOME", bench.path("state")).env("HOME", bench.path("home"));
    command.env("TOWPATH_LANES", "500").stdout(Stdio::piped()).stderr(Stdio::piped());
    Findings::of(&mut command, 3).has("problem", "open-files", None);
}

#[test]
fn a_run_in_progress_is_a_problem_for_others() {
    let bench = Bench::new();
    bench.write("large", vec![1; 3 << 20]);
    let state = bench.path("state");
    let mut sync = bench.bare_command();
    sync.args(["--bwlimit", "1M", "--quiet"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let running = Running::from(sync.spawn().unwrap());
    wait_until("the file is begun", || bench.written_bytes("large") > 0);
    Findings::of_bench(&bench, 3).has("problem", "other-migration", None);
    let second = bench.path("second");
    write(&second, "file", "data");
    let found = Findings::of(&mut doctor(&bench, &second, &bench.dest()), 3);
    found.has("problem", "other-migration", None);
    end(running).with_status(0);
    let found = Findings::of(&mut doctor(&bench, &second, &bench.dest()), 0);
    found.has("info", "other-migration", None);
    assert!(state.exists());
}

/// A bindfs whose process is stopped does not answer; unlike a server, it needs no network.
#[test]
fn a_tree_that_hangs_is_reported_and_does_not_hold_up_the_other_checks() {
    let bench = Bench::new();
    bench.write("file", "data");
    let elsewhere = bench.path("elsewhere");
    for folder in [&elsewhere, &bench.dest()] {
        fs::create_dir(folder).unwrap();
    }
    let Some(probe) = Mount::by("bindfs", &bench.path("probe"), &[elsewhere.to_str().unwrap()]) else { return };
    drop(probe);
    let mut program = Command::new("bindfs");
    program.arg("-f").arg(&elsewhere).arg(bench.dest()).stdout(Stdio::null()).stderr(Stdio::null());
    let program = Running::from(program.spawn().unwrap());
    let dest = bench.dest();
    wait_until("it is mounted", || {
        fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&format!(" {} ", dest.display()))
    });
    send_signal(&program, Signal::STOP);
    let mut command = doctor(&bench, &bench.source(), &dest);
    let ended = end(command.args(["--timeout", "1s"]).spawn().unwrap());
    send_signal(&program, Signal::CONT);
    Command::new("umount").arg("-l").arg(&dest).status().unwrap();
    let found = Findings(serde_json::from_str(&ended.with_status(3).stdout).unwrap());
    found.has("problem", "no-answer", Some("dest"));
    found.has("info", "fuse", Some("dest"));
    found.has("ok", "source-readable", Some("source"));
    found.has("ok", "kernel", None);
}

#[test]
fn wrong_usage_is_named() {
    let bench = Bench::new();
    for arguments in [
        &["doctor", "/a"][..],
        &["doctor"],
        &["doctor", "/a", "/b", "--bwlimit", "fast"],
        &["doctor", "host:/a", "/b"],
        &["doctor", "/a", "sftp://me:secret@host/x"],
        &["doctor", "--job", "none"],
        &["doctor", "/a", "/b", "--timeout", "x"],
    ] {
        let ended = bench.run_with_state(arguments, &bench.path("state")).with_status(2);
        assert!(!ended.stderr.is_empty() && !ended.stderr.contains("secret"), "{}", ended.stderr);
    }
}

#[cfg(feature = "all-backends")]
#[test]
fn a_bucket_is_probed_and_what_its_server_rejects_is_a_problem() {
    use crate::faulty::{Answer, Outcome, Server};

    let bench = Bench::new();
    bench.write("file", "data");
    let run = |server: &Server, status| {
        let mut command = doctor(&bench, &bench.source(), Path::new("s3://bucket/prefix"));
        command.env("AWS_ENDPOINT_URL", server.url()).env("NO_PROXY", "*");
        command.env("AWS_ACCESS_KEY_ID", "id").env("AWS_SECRET_ACCESS_KEY", "key");
        Findings::of(&mut command, status)
    };
    let server = Server::start(|_, _| Outcome::Serve);
    let found = run(&server, 0);
    found.has("ok", "write-probe", Some("dest"));
    found.has("ok", "round-trip", Some("dest"));
    for code in ["mount", "clock-skew", "time-range", "name-length", "room"] {
        assert!(found.severities(code, Some("dest")).is_empty(), "{code} does not apply");
    }
    assert!(server.store().objects.is_empty(), "the probe is removed");
    let forbidden = || Answer::error(403, "AccessDenied").instead();
    let reads = Server::start(move |request, _| if request.method == "PUT" { forbidden() } else { Outcome::Serve });
    run(&reads, 3).has("problem", "write-probe", Some("dest"));
    let nothing = Server::start(move |_, _| forbidden());
    run(&nothing, 3).has("problem", "cannot-open", Some("dest"));
}
