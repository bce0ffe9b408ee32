//! Runs with a timetable. `TZ` moves the local clock, so that an entry begins some seconds after the start.

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::Signal;

use crate::bandwidth_limit::{OTHER_BYTES, most_in_a_second, sample};
use crate::common::*;

/// How long the program may take to start; a run that took longer is repeated.
const BEFORE_S: [u64; 3] = [4, 10, 30];

/// A time zone in which it is 12:00 in so many seconds.
fn noon_in(seconds: u64) -> String {
    const NOON_S: i64 = 12 * 60 * 60;
    let now_s = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    // In POSIX, west of Greenwich is positive.
    let west_s = i64::try_from((now_s + seconds) % (24 * 60 * 60)).unwrap() - NOON_S;
    let (sign, west_s) = (if west_s < 0 { "-" } else { "" }, west_s.unsigned_abs());
    format!("TST{sign}{}:{:02}:{:02}", west_s / 3600, west_s / 60 % 60, west_s % 60)
}

fn begin(bench: &Bench, timetable: &str, seconds: u64) -> Running {
    let mut command: Command = bench.command(&["--bwlimit", timetable]);
    command.env("TZ", noon_in(seconds)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap().into()
}

fn steered(bench: &Bench) -> Vec<(String, String)> {
    let text = |line: &serde_json::Value, key: &str| line[key].as_str().unwrap_or_default().to_owned();
    let steered = bench.log().into_iter().filter(|line| line["by"].is_string());
    steered.map(|line| (text(&line, "status"), text(&line, "by"))).collect()
}

#[test]
fn a_run_waits_until_its_timetable_ends_the_pause() {
    for seconds in BEFORE_S {
        let bench = Bench::new();
        bench.write("file", "data");
        let ended = end(begin(&bench, "00:00,pause 12:00,off", seconds)).with_status(0);
        if ended.stdout.contains("limit: none\n") {
            continue;
        }
        assert!(ended.stdout.contains("limit: paused; from "), "{}", ended.stdout);
        assert!(ended.stdout.contains(" 12:00 TST on: none\n"), "{}", ended.stdout);
        for text in ["\npaused by timetable\n", "\nresumed by timetable\n"] {
            assert!(ended.stdout.contains(text), "{}", ended.stdout);
        }
        let expected = ["paused", "resumed"].map(|status| (status.to_owned(), "timetable".to_owned()));
        assert_eq!(steered(&bench), expected);
        bench.assert_same_trees();
        return;
    }
    panic!("the program does not start in time");
}

#[test]
fn a_lower_limit_of_the_timetable_holds_as_a_fixed_one_does() {
    const LIMIT: u64 = 1 << 20;
    for seconds in BEFORE_S {
        let bench = Bench::new();
        bench.write("file", noise(1, (usize::try_from(seconds).unwrap() + 2) * (4 << 20)));
        let start = Instant::now();
        let mut run = begin(&bench, "00:00,4M 12:00,1M", seconds);
        let end_of_samples = Duration::from_secs(seconds + 4);
        let samples = sample(&mut run, start, || start.elapsed() < end_of_samples);
        send_signal(&run, Signal::TERM);
        let ended = end(run).with_status(143);
        if !ended.stdout.contains("limit: 4 MiB/s each way; from ") {
            continue;
        }
        assert!(ended.stdout.contains("limit: 1 MiB/s each way, set by timetable\n"), "{}", ended.stdout);
        assert_eq!(steered(&bench), [("limit-set".to_owned(), "timetable".to_owned())]);
        // It is noon within the second before this time, as the clock's seconds are whole.
        let noon = Duration::from_secs(seconds);
        let before = samples.partition_point(|(at, ..)| *at < noon - Duration::from_secs(1));
        let after = samples.partition_point(|(at, ..)| *at < noon + Duration::from_millis(300));
        for (samples, limit) in [(&samples[..before], 4 * LIMIT), (&samples[after..], LIMIT)] {
            let (read, written) = most_in_a_second(samples);
            let most = limit * 102 / 100 + OTHER_BYTES;
            assert!(read <= most && written <= most, "{read} read, {written} written in a second of at most {most}");
            assert!(written >= limit / 2, "{written} written in a second of {limit}");
        }
        return;
    }
    panic!("the program does not start in time");
}

#[test]
fn a_paused_run_sends_nothing_and_can_be_stopped() {
    let bench = Bench::new();
    bench.write("dir/file", "data");
    let is_paused = || fs::read_to_string(bench.log_file()).is_ok_and(|log| log.contains("\"paused\""));
    let run = bench.start_until(&["--bwlimit", "pause"], is_paused);
    // The time in which nothing may happen.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(fs::read_dir(bench.dest()).unwrap().count(), 0);
    send_signal(&run, Signal::TERM);
    let ended = end(run).with_status(143);
    assert!(
        ended.stdout.contains("limit: paused\n") && ended.stdout.contains("paused by --bwlimit\n"),
        "{}",
        ended.stdout
    );
    assert_eq!(fs::read_dir(bench.dest()).unwrap().count(), 0);
    assert_eq!(steered(&bench), [("paused".to_owned(), "--bwlimit".to_owned())]);
    // Without the pause the same command resumes.
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_timetable_needs_a_known_time_zone_and_a_single_value_does_not() {
    let bench = Bench::new();
    let sync = |limit| {
        let mut command = bench.command(&["--bwlimit", limit]);
        command.env("TZ", "Europe/Nowhere").stdout(Stdio::piped()).stderr(Stdio::piped());
        end(command.spawn().unwrap())
    };
    let ended = sync("08:00,5M 18:00,off").with_status(2);
    assert!(ended.stderr.contains("TZ=Europe/Nowhere is not known"), "{}", ended.stderr);
    assert!(!bench.dest().exists());
    sync("auto").with_status(0);
}
