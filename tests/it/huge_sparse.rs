//! Sparse files that take hours to hash: other files arrive, the console reports it, and Ctrl-C stops the run.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::*;

#[test]
fn other_files_arrive_and_ctrl_c_stops_the_run() {
    let bench = Bench::new();
    for n in 0..9 {
        // The largest size that ext4 supports.
        let length = (16 << 40) - (4 << 10);
        let huge = fs::File::create(bench.source().join(format!("huge{n}"))).unwrap();
        if huge.set_len(length).is_err() || huge.metadata().unwrap().len() != length {
            skip("needs a temporary folder on a file system with files of 16 TiB");
            return;
        }
    }
    for n in 0..20 {
        bench.write(format!("real{n}"), noise(n, 2_000_000));
    }
    let mut running = bench.start(&["--progress-interval", "100ms"]);
    let lines = BufReader::new(running.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut shown = lines.filter(|line| line.contains("hashing the holes of huge") && line.contains("20 of 29 files"));
    let progressed = shown.find(|line| !line.contains(": 0 B of 16.0 TiB")).unwrap();
    assert!(progressed.contains("8 more files with long holes wait") && progressed.contains("done in"), "{progressed}");
    assert!(progressed.contains("pending 9 files, 144.0 TiB"), "{progressed}");

    let asked = Instant::now();
    send_signal(&running, Signal::INT);
    shown.for_each(drop);
    end(running).with_status(130);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert_eq!(bench.rows().values().filter(|row| row.status == "synced").count(), 20);
    assert_eq!(bench.count("SELECT count(*) FROM files WHERE status = 'pending'"), 9);
}
