//! The command line: the location of the state, the output and the exit status.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::common::*;

/// `towpath` with only these variables of the environment that determine its state folder.
fn towpath(home: Option<&OsStr>, xdg_state_home: Option<&OsStr>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.env_remove("HOME").env_remove("XDG_STATE_HOME");
    for (name, value) in [("HOME", home), ("XDG_STATE_HOME", xdg_state_home)] {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn sync(mut command: Command, source: &Path, dest: &Path, options: &[&str]) -> ProcessOutput {
    end(command.arg("sync").arg(source).arg(dest).args(options).spawn().unwrap())
}

/// The databases in a state folder.
fn databases(folder: &Path) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension() == Some(OsStr::new("db"))).collect()
}

#[test]
fn negative_numbers_are_usage_errors_that_name_the_option() {
    let bench = Bench::new();
    for option in ["--bwlimit", "--block-size", "--queue-capacity", "--lanes", "--walkers", "--modify-window"] {
        let ended = bench.sync(&[option, "-1"]).with_status(2);
        let line = ended.stderr.lines().next().unwrap();
        assert!(line.contains("invalid value '-1'") && line.contains(option), "{line}");
        assert!(!bench.dest().exists() && !bench.database().exists());
    }
}

#[test]
fn an_invalid_size_lists_the_accepted_units() {
    let bench = Bench::new();
    for value in ["20Q", "1.2.3", "M", "99999999T"] {
        let ended = bench.sync(&["--bwlimit", value]).with_status(2);
        assert!(ended.stderr.contains("K, M, G or T (x1024) or KB, MB, GB, TB (x1000)"), "{}", ended.stderr);
    }
}

#[test]
fn an_interval_out_of_range_is_a_usage_error() {
    let bench = Bench::new();
    for value in ["0", "1000000000000000000"] {
        let ended = bench.sync(&["--progress-interval", value]).with_status(2);
        assert!(ended.stderr.contains("--progress-interval"), "{}", ended.stderr);
    }
}

#[test]
fn the_state_folder_is_private_to_the_user() {
    let bench = Bench::new();
    let (home, source, dest) = (bench.path("home"), bench.source(), bench.dest());
    fs::create_dir(&home).unwrap();
    sync(towpath(Some(home.as_os_str()), None), &source, &dest, &[]).with_status(0);
    let folder = home.join(".local/state/towpath");
    assert_eq!(databases(&folder).len(), 1);
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_relative_state_home_is_ignored() {
    let bench = Bench::new();
    let (home, folder) = (bench.path("home"), bench.path("here"));
    fs::create_dir(&home).unwrap();
    fs::create_dir(&folder).unwrap();
    let mut command = towpath(Some(home.as_os_str()), Some(OsStr::new("relative")));
    command.current_dir(&folder);
    sync(command, &bench.source(), &bench.dest(), &[]).with_status(0);
    assert!(!folder.join("relative").exists());
    assert_eq!(databases(&home.join(".local/state/towpath")).len(), 1);
}

#[test]
fn without_a_home_the_options_are_named_and_nothing_is_touched() {
    let bench = Bench::new();
    for home in [None, Some(OsStr::new("")), Some(OsStr::new("relative"))] {
        let ended = sync(towpath(home, None), &bench.source(), &bench.dest(), &[]).with_status(1);
        assert!(ended.stderr.contains("--database") && ended.stderr.contains("--log-file"), "{}", ended.stderr);
        assert_eq!(ended.stderr.lines().count(), 1);
        assert!(!bench.dest().exists());
    }
    let (database, log) = (bench.database(), bench.log_file());
    let options = ["--database", database.to_str().unwrap(), "--log-file", log.to_str().unwrap()];
    sync(towpath(None, None), &bench.source(), &bench.dest(), &options).with_status(0);
}

#[test]
fn an_unusable_state_folder_is_an_error_that_names_the_options() {
    let bench = Bench::new();
    // Not even root can create anything there.
    let unusable = [OsStr::new("/proc/self"), OsStr::new("/dev/null")];
    for (folder, options) in unusable.iter().flat_map(|folder| [(folder, &[][..]), (folder, &["--dry-run"])]) {
        let ended = sync(towpath(None, Some(folder)), &bench.source(), &bench.dest(), options).with_status(1);
        let named = ["default state folder", "--database", "--log-file"].iter().all(|text| ended.stderr.contains(text));
        assert!(named && ended.stderr.lines().count() == 1, "{}", ended.stderr);
        assert!(!bench.dest().exists());
    }
}

#[test]
fn inaccessible_state_or_configuration_of_another_user_is_named_and_not_required() {
    if !is_root_or_skip("a program that runs as another user") {
        return;
    }
    let bench = Bench::new();
    bench.write("file", "data");
    let (home, state, dest) = (bench.path("home"), bench.path("state"), bench.dest());
    for folder in [&home, &state, &dest, &state.join("towpath")] {
        fs::create_dir(folder).unwrap();
    }
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    // Other users may not access the build folder.
    let program = bench.path("towpath");
    fs::copy(env!("CARGO_BIN_EXE_towpath"), &program).unwrap();
    let as_nobody = |options: &[&str]| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.env("HOME", &home).env("XDG_STATE_HOME", &state).env_remove("XDG_CONFIG_HOME");
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        sync(command, &bench.source(), &dest, options)
    };
    for owned in [&dest, &state] {
        std::os::unix::fs::chown(owned, Some(65534), Some(65534)).unwrap();
    }
    let read_only = as_nobody(&["--quiet"]).with_status(1);
    assert!(read_only.stderr.contains("--database"), "{}", read_only.stderr);
    fs::remove_dir(state.join("towpath")).unwrap();
    let ended = as_nobody(&[]).with_status(0);
    let note = ended.stderr.lines().next().unwrap();
    assert!(note.starts_with("note: ") && note.contains("home/.config/towpath/config.toml"), "{}", ended.stderr);
    assert_eq!(as_nobody(&["--quiet"]).with_status(0).stderr, "");
    let config = home.join("explicit.toml");
    let ended = as_nobody(&["--config", config.to_str().unwrap()]).with_status(2);
    assert!(ended.stderr.contains("explicit.toml: Permission denied"), "{}", ended.stderr);
}

#[test]
fn a_second_run_of_the_same_trees_is_an_error_with_any_database() {
    let bench = Bench::new();
    bench.write("file", noise(1, 300_000));
    let running = bench.start_until(&["--bwlimit", "100K"], || bench.has_arrivals());
    let state = bench.path("state");
    let second = |options| sync(towpath(None, Some(state.as_os_str())), &bench.source(), &bench.dest(), options);
    let ended = second(&[]).with_status(1);
    assert!(ended.stderr.contains("another run migrates"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    second(&["--dry-run"]).with_status(0);
    // Other pairs of trees can run, even if they share one tree.
    let other = bench.path("other");
    write(&other, "other", "data");
    sync(towpath(None, Some(state.as_os_str())), &other, &bench.dest(), &[]).with_status(0);
    end(running).with_status(0);
    second(&[]).with_status(0);
    assert_eq!(fs::read(bench.dest().join("file")).unwrap(), noise(1, 300_000));
}

#[test]
fn the_same_trees_use_the_same_database_by_any_path() {
    let bench = Bench::new();
    bench.write("file", "data");
    let link = bench.path("link");
    symlink(bench.source(), &link).unwrap();
    let state = bench.path("state");
    let run = |folder: PathBuf, source: &Path, dest: &Path| {
        let mut command = towpath(None, Some(state.as_os_str()));
        command.current_dir(folder);
        sync(command, source, dest, &[]).with_status(0)
    };
    // The first run creates the destination: the name of the database must not depend on its existence.
    run(bench.path(""), Path::new("old"), Path::new("new"));
    let ended = run(bench.source(), &link, Path::new("../new/"));
    assert!(ended.stdout.contains("sent 0 files"), "{}", ended.stdout);
    assert_eq!(databases(&state.join("towpath")).len(), 1);
    run(bench.path(""), Path::new("old"), Path::new("other"));
    assert_eq!(databases(&state.join("towpath")).len(), 2);
}

#[test]
fn roots_that_are_not_utf_8_are_accepted_and_shown_escaped() {
    let bench = Bench::new();
    let (source, dest) = (bench.path(OsStr::from_bytes(b"o\xff")), bench.path(OsStr::from_bytes(b"n\n\xfe")));
    fs::create_dir(&source).unwrap();
    write(&source, "file", "data");
    let state = bench.path("state");
    sync(towpath(None, Some(state.as_os_str())), &source, &dest, &[]).with_status(0);
    assert_eq!(fs::read(dest.join("file")).unwrap(), b"data");
    let ended = sync(towpath(None, Some(state.as_os_str())), &bench.path("no\n\x1b[2Jwhere"), &dest, &[]);
    let ended = ended.with_status(1);
    assert_eq!(ended.stderr.lines().count(), 1);
    assert!(ended.stderr.contains("no\\n\\u{1b}[2Jwhere"), "{}", ended.stderr);
}

#[test]
fn names_and_errors_cannot_send_escape_sequences_to_the_terminal() {
    let bench = Bench::new();
    let name = "a\x1b[2J\nb";
    bench.write(name, "data");
    fs::create_dir_all(bench.dest().join(name).join("full")).unwrap();
    let ended = bench.sync(&["--quiet"]).with_status(3);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.starts_with("failed: ") && !ended.stderr.contains('\x1b'), "{:?}", ended.stderr);
}

#[test]
fn many_messages_of_one_kind_are_truncated_on_the_console_and_complete_in_the_log() {
    let bench = Bench::new();
    for n in 0..120 {
        make_fifo(&bench.source().join(format!("fifo {n}")));
    }
    let ended = bench.sync(&["--specials", "fail"]).with_status(3);
    let lines: Vec<_> = ended.stderr.lines().filter(|line| line.starts_with("skipped: ")).collect();
    assert_eq!(lines.len(), 51);
    assert_eq!(lines[50], "skipped: … more in the log");
    assert_eq!(bench.logged("skipped").len(), 120);
}

#[test]
fn without_a_terminal_progress_is_printed_at_the_interval() {
    let bench = Bench::new();
    bench.write("large", noise(1, 400_000));
    let ended = bench.sync(&["--bwlimit", "200K", "--progress-interval", "200ms"]).with_status(0);
    let lines: Vec<_> = ended.stdout.lines().filter(|line| line.contains("all done in")).collect();
    assert!(lines.len() >= 3, "{}", ended.stdout);
    assert!(lines[1].contains("now large") && lines[1].contains("this run"), "{}", lines[1]);
    let time = lines[1].split(' ').next().unwrap();
    assert!(time.len() == 8 && time.split(':').all(|part| part.parse::<u8>().is_ok()), "the time of day: {}", lines[1]);
    assert!(!ended.stdout.contains("unknown"), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\x1b') && !ended.stderr.contains('\x1b'));
}

#[test]
fn the_summary_reports_pending_files_and_how_to_continue() {
    let bench = Bench::new();
    bench.write("blocked", "data");
    bench.write("fine", "data");
    write(&bench.dest(), "blocked/inner", "");
    let ended = bench.sync(&[]).with_status(3);
    for text in ["sent 1 file, 4 B", "1 of 2 files in sync", "1 file failed", "1 file, 4 B pending: the same command"] {
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
}

#[test]
fn a_reader_that_closes_the_pipe_does_not_stop_the_migration() {
    let bench = Bench::new();
    for n in 0..200 {
        bench.write(format!("{n}"), "data");
    }
    let mut child = bench.start(&["-v", "--progress-interval", "100ms"]);
    drop((child.stdout.take(), child.stderr.take()));
    end(child).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_hangup_stops_the_run_like_other_signals_and_is_acknowledged() {
    let bench = Bench::new();
    bench.write("large", noise(1, 4_000_000));
    let is_begun = || bench.written_bytes("large") > 0;
    let ended = bench.interrupt_when(Signal::HUP, &["--bwlimit", "100K"], is_begun).with_status(129);
    assert_eq!(
        ended.stderr,
        "stopping: unfinished files start again in the next run; press Ctrl-C again to stop at once\n"
    );
    assert!(
        ended.stdout.contains("stopped: sent 0 files, 0 B in ") && ended.stdout.contains("(0 B/s)"),
        "{}",
        ended.stdout
    );
    assert!(ended.stdout.contains("for unfinished files, which start again at 0"), "{}", ended.stdout);
}

#[test]
fn the_database_of_other_trees_is_a_guard_refusal_even_when_quiet() {
    let bench = Bench::new();
    bench.sync(&[]).with_status(0);
    let (database, log) = (bench.database(), bench.log_file());
    let options = ["--quiet", "--database", database.to_str().unwrap(), "--log-file", log.to_str().unwrap()];
    let ended = sync(towpath(None, None), &bench.source(), &bench.path("third"), &options).with_status(4);
    assert!(ended.stderr.starts_with("towpath: ") && ended.stderr.contains("third"), "{}", ended.stderr);
    assert_eq!(ended.stderr.lines().count(), 1);
}

#[test]
fn a_signal_stops_a_run_whose_output_pipe_is_full() {
    let bench = Bench::new();
    for n in 0..3000 {
        bench.write(format!("{}/{n}", "a long name ".repeat(15)), "data");
    }
    let mut run = bench.start(&["-v"]);
    // The pipe holds up to 64 KiB, pages that are not full included, and nobody reads it.
    let pipe = run.stdout.take().unwrap();
    wait_until("the pipe is full", || rustix::io::ioctl_fionread(&pipe).unwrap() >= 30_000);
    send_signal(&run, Signal::TERM);
    wait_until("it ends", || run.try_wait().unwrap().is_some());
}

#[test]
fn a_signal_ends_a_run_that_has_only_to_print() {
    let bench = Bench::new();
    for n in 0..600 {
        bench.write(format!("{}/{n}", "a long name ".repeat(15)), "");
    }
    let mut run = bench.start(&["-v"]);
    let _unread = run.stdout.take().unwrap();
    wait_until("it is recorded", || bench.run_lines_so_far() == 2);
    send_signal(&run, Signal::TERM);
    wait_until("it ends", || run.try_wait().unwrap().is_some());
}

#[test]
fn each_run_reports_the_limit_in_force() {
    let bench = Bench::new();
    bench.write("file", "data");
    for (options, limit) in [
        (&[][..], "limit: none"),
        (&["--bwlimit", "0"], "limit: none"),
        (&["--bwlimit", "off", "--dry-run"], "limit: none"),
        (&["--bwlimit=20M"], "limit: 20 MiB/s each way"),
        (&["--bwlimit", "auto"], "limit: auto, adapts to other traffic"),
        (&["--bwlimit", "auto:50M"], "limit: auto, adapts to other traffic, at most 50 MiB/s each way"),
        (&["--bwlimit", "08:00,5M 18:00,pause", "--dry-run"], "limit: none, as a dry run ignores the timetable"),
        (&["--bwlimit", "pause", "--dry-run"], "limit: none"),
    ] {
        let ended = bench.sync(options).with_status(0);
        assert_eq!(ended.stdout.lines().filter(|line| line.starts_with("limit:")).collect::<Vec<_>>(), [limit]);
        assert!(!bench.sync(&[options, &["-q"]].concat()).stdout.contains("limit:"));
    }
}

#[test]
fn a_location_on_another_machine_is_a_usage_error_and_creates_no_directory() {
    let bench = Bench::new();
    let folder = bench.path("");
    for [source, dest] in [["old", "host:copy"], ["old", "me@host:/copy"], ["host:/old", "new"]] {
        let mut command = towpath(Some(folder.as_os_str()), None);
        command.current_dir(&folder).args(["sync", source, dest]);
        let ended = end(command.spawn().unwrap()).with_status(2);
        assert!(ended.stderr.contains("names another machine"), "{}", ended.stderr);
    }
    assert!(!folder.join("host:copy").exists() && !folder.join("new").exists());
    // An existing name or a path may contain a colon.
    for dest in ["./host:copy", "host:copy"] {
        let mut command = towpath(Some(folder.as_os_str()), None);
        end(command.current_dir(&folder).args(["sync", "old", dest]).spawn().unwrap()).with_status(0);
        assert!(folder.join("host:copy").is_dir());
    }
}

#[test]
fn a_deadline_in_the_past_is_reported_once_and_changes_nothing() {
    let bench = Bench::new();
    bench.write("large", noise(1, 400_000));
    let options = ["--bwlimit", "200K", "--progress-interval", "200ms", "--deadline", "2026-01-31T12:00"];
    let ended = bench.sync(&options).with_status(0);
    let notes: Vec<_> = ended.stderr.lines().filter(|line| line.contains("deadline")).collect();
    assert_eq!(notes.len(), 1, "{}", ended.stderr);
    assert!(
        notes[0].starts_with("the deadline, 2026-01-31 12:00, has passed: the end is expected about "),
        "{notes:?}"
    );
    let quiet = bench.sync(&["--quiet", "--deadline", "2026-01-31"]).with_status(0);
    assert_eq!(quiet.stderr, "");
    let wrong = bench.sync(&["--deadline", "soon"]).with_status(2);
    assert!(wrong.stderr.contains("`soon` is not a date: use 2026-12-24, 2026-12-24T08:00"), "{}", wrong.stderr);
}
