//! The bandwidth limit holds in every second, for one file and for many.

use std::fs;
use std::time::{Duration, Instant};

use crate::common::*;

/// Bytes that the process has read and written so far.
fn counters(pid: u32) -> Option<(u64, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    Some((field("rchar:")?, field("wchar:")?))
}

/// When, and the bytes that the process had read and written by then.
pub type Sample = (Duration, u64, u64);

/// Samples a process until it ends, or for as long as `goes_on`.
pub fn sample(run: &mut Running, start: Instant, goes_on: impl Fn() -> bool) -> Vec<Sample> {
    let mut samples = Vec::new();
    while run.try_wait().unwrap().is_none() && goes_on() {
        if let Some((read, written)) = counters(run.id()) {
            samples.push((start.elapsed(), read, written));
        }
        // The interval of the samples.
        std::thread::sleep(Duration::from_millis(10));
    }
    samples
}

/// The most bytes read and the most bytes written in any second.
pub fn most_in_a_second(samples: &[Sample]) -> (u64, u64) {
    let mut busiest = (0, 0);
    for (i, (from, read, written)) in samples.iter().enumerate() {
        let second = samples[i..].iter().take_while(|(at, ..)| *at <= *from + Duration::from_secs(1));
        if let Some((_, until_read, until_written)) = second.last() {
            busiest = (busiest.0.max(until_read - read), busiest.1.max(until_written - written));
        }
    }
    busiest
}

/// Runs with a limit and samples the process. Returns the most bytes read and the most bytes
/// written in any second, and the duration of the run.
fn busiest_second(bench: &Bench, options: &[&str]) -> (u64, u64, Duration) {
    let mut run = bench.start(options);
    let start = Instant::now();
    let samples = sample(&mut run, start, || true);
    let took = start.elapsed();
    end(run).with_status(0);
    let (read, written) = most_in_a_second(&samples);
    (read, written, took)
}

/// Allowance for the database, the log and files of /proc.
pub const OTHER_BYTES: u64 = 192 << 10;

#[test]
fn one_large_file_stays_within_the_limit_in_every_second() {
    const LIMIT: u64 = 4 << 20;
    let bench = Bench::new();
    bench.write("file", noise(1, 12 << 20));
    let (read, written, took) = busiest_second(&bench, &["--bwlimit", "4M", "--quiet"]);
    let most = LIMIT * 102 / 100 + OTHER_BYTES;
    assert!(read <= most && written <= most, "read {read}, written {written} in a second");
    assert!(took >= Duration::from_millis(2900), "{took:?}");
    bench.assert_same_trees();
}

#[test]
fn an_adaptive_limit_stays_below_its_maximum_and_the_run_completes() {
    let bench = Bench::new();
    bench.write("file", noise(1, 3 << 20));
    let options = ["--bwlimit", "auto", "--bwlimit-max", "2M", "--quiet"];
    let (read, written, took) = busiest_second(&bench, &options);
    let most = (2 << 20) * 102 / 100 + OTHER_BYTES;
    assert!(read <= most && written <= most, "read {read}, written {written} in a second");
    // The adaptive limit starts low.
    assert!(took >= Duration::from_secs(2), "{took:?}");
    bench.assert_same_trees();
}

#[test]
fn many_files_in_many_lanes_share_one_limit() {
    let bench = Bench::new();
    for n in 0..400 {
        bench.write(format!("{n}"), noise(n, 8_000));
    }
    let (_, _, took) = busiest_second(&bench, &["--bwlimit", "1M", "--lanes", "16", "--quiet"]);
    // 3.2 MB at 1 MiB/s.
    assert!(took >= Duration::from_millis(2900), "{took:?}");
    bench.assert_same_trees();
}

#[test]
fn a_low_limit_does_not_delay_a_stop() {
    let bench = Bench::new();
    bench.write("file", noise(1, 20 << 20));
    let child = bench.start_until(&["--bwlimit", "10K"], || bench.dest().join("file").exists());
    let start = Instant::now();
    send_signal(&child, rustix::process::Signal::INT);
    end(child).with_status(130);
    // The transfer itself would take half an hour.
    assert!(start.elapsed() < Duration::from_secs(20));
}
