//! Unattended runs: ignored signals, a file-size limit, a closed output.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::common::*;

/// The command, started by a shell that runs `preparation` first.
fn after(preparation: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{preparation}; exec \"$0\" \"$@\""));
    shell.arg(command.get_program()).args(command.get_args());
    shell.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.stdout(Stdio::piped()).stderr(Stdio::piped());
    shell
}

#[test]
fn signals_that_the_caller_ignores_stay_ignored() {
    let bench = Bench::new();
    bench.write("file", noise(1, 300_000));
    let command = after("trap '' HUP INT TERM QUIT", &bench.command(&["--bwlimit", "200K"]));
    let running = Running::from({ command }.spawn().unwrap());
    wait_until("something arrives", || bench.has_arrivals());
    for signal in [Signal::HUP, Signal::INT, Signal::TERM, Signal::QUIT] {
        send_signal(&running, signal);
    }
    end(running).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn signals_that_the_caller_does_not_ignore_stop_the_run() {
    let bench = Bench::new();
    bench.write("file", noise(1, 300_000));
    let command = after("trap '' HUP", &bench.command(&["--bwlimit", "50K"]));
    let running = Running::from({ command }.spawn().unwrap());
    wait_until("something arrives", || bench.has_arrivals());
    send_signal(&running, Signal::HUP);
    send_signal(&running, Signal::TERM);
    end(running).with_status(143);
}

#[test]
fn sigusr1_prints_the_status_even_when_quiet() {
    let bench = Bench::new();
    bench.write("file", noise(1, 300_000));
    let mut running = bench.start_until(&["--bwlimit", "100K", "--quiet"], || bench.has_arrivals());
    send_signal(&running, Signal::USR1);
    let mut stderr = BufReader::new(running.stderr.take().unwrap());
    let mut text = String::new();
    while !text.contains("\n  log ") {
        assert!(stderr.read_line(&mut text).unwrap() > 0, "{text}");
    }
    let first: Vec<_> = text.split(' ').take(2).collect();
    assert!(first[0].len() == 8 && first[0].matches(':').count() == 2, "it begins with the time of day: {text}");
    assert_eq!(first[1], "transferring", "{text}");
    for part in ["pending   293.0 KiB in 1 file", "limit     100.0 KiB/s", "now       file: "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    while !text.contains("\n  the limit: nothing is slow") {
        assert!(stderr.read_line(&mut text).unwrap() > 0, "{text}");
    }
    assert!(text.contains("slowed by the limit "), "{text}");
    end(running).with_status(0);
}

/// A limit of 512 KiB; the shell counts in blocks of 512 bytes.
const LIMIT: &str = "ulimit -f 1024";

#[test]
fn a_file_beyond_the_file_size_limit_fails_and_the_others_arrive() {
    let bench = Bench::new();
    bench.write("large", noise(1, 600_000));
    bench.write("small", "data");
    let ended = end(after(LIMIT, &bench.command(&[])).spawn().unwrap()).with_status(3);
    assert!(ended.stderr.contains("large") && ended.stderr.contains("File too large"), "{}", ended.stderr);
    assert_eq!(fs::read(bench.dest().join("small")).unwrap(), b"data");
    assert_eq!(bench.logged("failed").len(), 1);
}

#[test]
fn a_log_beyond_the_file_size_limit_is_reported() {
    let bench = Bench::new();
    bench.write("small", "data");
    fs::write(bench.log_file(), "{}\n".repeat(200_000)).unwrap();
    let ended = end(after(LIMIT, &bench.command(&["--quiet"])).spawn().unwrap()).with_status(1);
    assert!(ended.stderr.contains("audit.jsonl") && ended.stderr.contains("File too large"), "{}", ended.stderr);
}

#[test]
fn a_closed_output_does_not_stop_a_migration() {
    for outputs in [">&- 2>&-", ">/dev/full 2>/dev/full"] {
        let bench = Bench::new();
        bench.write("file", "data");
        let command = after(&format!("exec {outputs}"), &bench.command(&["-vv", "--progress-interval", "100ms"]));
        end({ command }.spawn().unwrap()).with_status(0);
        bench.assert_same_trees();
    }
}

#[test]
fn an_output_that_nobody_reads_holds_up_nothing() {
    const FILES: usize = 2_500;
    let bench = Bench::new();
    for n in 0..FILES {
        bench.write(format!("{:02}/file-{n}", n % 50), "");
    }
    // More lines than the pipe and the queue of events hold.
    let running = bench.start(&["-v"]);
    let log = || fs::read_to_string(bench.log_file()).unwrap_or_default();
    wait_until("all files are in the log", || log().matches("\"synced\"").count() == FILES);
    let ended = end(running).with_status(0);
    assert_eq!(ended.stdout.lines().filter(|line| line.contains("/file-")).count(), FILES);
}

#[test]
fn closed_output_pipes_do_not_stop_a_migration() {
    let bench = Bench::new();
    for n in 0..50 {
        bench.write(format!("file-{n}"), "data");
    }
    let mut running = bench.start(&["-vv"]);
    drop((running.stdout.take(), running.stderr.take()));
    assert_eq!(running.wait().unwrap().code(), Some(0));
    bench.assert_same_trees();
}
