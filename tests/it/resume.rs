//! Interruptions: the next run resumes a run that was killed or stopped anywhere.

use std::fs;

use rustix::process::Signal;

use crate::common::*;

#[test]
fn a_file_interrupted_by_a_kill_is_sent_completely_by_the_next_run() {
    let bench = Bench::new();
    bench.write("large", noise(1, 6 << 20));
    for n in 0..20 {
        bench.write(format!("small{n}"), noise(n, 10_000));
    }
    bench.kill_when(&["--bwlimit", "1M", "--block-size", "256K"], || bench.written_bytes("large") > 1 << 20);
    assert!(bench.written_bytes("large") < 6 << 20, "killed too late");
    assert_eq!(bench.row("large").status, "pending");

    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("resuming: ") && ended.stdout.contains("pending; no scan"), "{}", ended.stdout);
    bench.assert_same_trees();
    assert_eq!(bench.row("large").hash, Some(sha256(&noise(1, 6 << 20))));
}

#[test]
fn the_log_records_killed_runs_and_the_signals_that_stopped_runs() {
    let bench = Bench::new();
    bench.write("file", noise(1, 3 << 20));
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP] {
        let started = bench.run_lines_so_far();
        bench.interrupt_when(signal, &["--bwlimit", "500K", "--exclude", "*.tmp"], || {
            bench.has_arrivals() && bench.run_lines_so_far() > started
        });
    }
    bench.sync(&["--exclude", "*.tmp"]).with_status(0);
    let lines = bench.run_lines();
    let sequence: Vec<_> = lines
        .iter()
        .map(|line| match line["status"].as_str().unwrap() {
            "run-started" => format!("{} {}", line["mode"].as_str().unwrap(), line["unfinished_run"]["run"]),
            _ => format!("{} {}", line["result"].as_str().unwrap(), line["stopped_by"]),
        })
        .collect();
    assert_eq!(
        sequence,
        [
            "scan null",
            "backlog 1",
            "stopped \"signal SIGTERM\"",
            "backlog null",
            "stopped \"signal SIGHUP\"",
            "backlog null",
            "completed null"
        ]
    );
    assert_eq!(
        (&lines[0]["options"]["bwlimit"], &lines[0]["options"]["checksum"]),
        (&(500 << 10).into(), &"sha256".into())
    );
    assert_eq!(lines[0]["options"]["filters"].as_array().unwrap().len(), 1);
    assert_eq!(lines[0]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn the_first_signal_stops_cleanly_and_sets_the_exit_status() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let bench = Bench::new();
        for n in 0..40 {
            bench.write(format!("{n:02}"), noise(n, 100_000));
        }
        let two_are_finished =
            || fs::read_to_string(bench.log_file()).is_ok_and(|log| log.matches("\"synced\"").count() >= 2);
        let options = ["--bwlimit", "500K", "--lanes", "2"];
        let ended = bench.interrupt_when(signal, &options, two_are_finished).with_status(status);
        assert!(ended.stdout.contains("stopped: sent"), "{}", ended.stdout);
        let rows = bench.rows();
        let synced: Vec<_> = rows.iter().filter(|(_, row)| row.status == "synced").map(|(name, _)| name).collect();
        assert!(!synced.is_empty() && synced.len() < 40);
        assert_eq!(bench.logged("synced").len(), synced.len());
        for name in synced {
            let name = std::str::from_utf8(name).unwrap();
            assert_eq!(fs::read(bench.source().join(name)).unwrap(), fs::read(bench.dest().join(name)).unwrap());
        }
        let ended = bench.sync(&[]).with_status(0);
        assert!(ended.stdout.contains("no scan"), "{}", ended.stdout);
        bench.assert_same_trees();
    }
}

#[test]
fn a_resumed_run_reports_the_time_of_its_scan_and_the_next_one_scans() {
    let bench = Bench::new();
    for n in 0..6 {
        bench.write(format!("{n}"), noise(n, 100_000));
    }
    let ended = bench.interrupt_when(Signal::TERM, &["--bwlimit", "200K"], || bench.has_arrivals()).with_status(143);
    assert!(!ended.stdout.contains("as of the scan"), "this run has scanned: {}", ended.stdout);
    bench.write("new", "created after the scan");
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("6 of 6 files in sync as of the scan of 2"), "{}", ended.stdout);
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("7 of 7 files in sync\n"), "{}", ended.stdout);
    bench.assert_same_trees();
}

#[test]
fn then_scan_scans_after_the_backlog_in_the_same_run() {
    let bench = Bench::new();
    for n in 0..6 {
        bench.write(format!("{n}"), noise(n, 100_000));
    }
    bench.interrupt_when(Signal::TERM, &["--bwlimit", "200K"], || bench.has_arrivals()).with_status(143);
    bench.write("new", "created after the scan");
    let ended = bench.sync(&["--then-scan"]).with_status(0);
    let output = &ended.stdout;
    assert!(
        output.contains("pending; then a scan") && output.contains("scanning both trees, after the backlog"),
        "{output}"
    );
    assert!(output.contains("7 of 7 files in sync\n") && !output.contains("as of the scan"), "{output}");
    bench.assert_same_trees();
}

#[test]
fn no_scan_retries_only_failed_files() {
    let bench = Bench::new();
    let ended = bench.sync(&["--no-scan"]).with_status(1);
    assert!(ended.stderr.contains("no backlog: these trees have not been scanned yet"), "{}", ended.stderr);
    bench.write("blocked", "data");
    write(&bench.dest(), "blocked/inner", "conflicting");
    bench.sync(&[]).with_status(3);
    bench.write("new", "data");
    let ended = bench.sync(&["--no-scan"]).with_status(3);
    assert!(ended.stdout.contains("retrying what failed in the last run: 1 file, 4 B pending; no scan"));
    fs::remove_dir_all(bench.dest().join("blocked")).unwrap();
    let ended = bench.sync(&["--no-scan"]).with_status(0);
    assert!(ended.stdout.contains("1 of 1 files in sync as of the scan of 2"), "{}", ended.stdout);
    assert!(!bench.dest().join("new").exists());
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
    bench.sync(&["--no-scan", "--rescan"]).with_status(2);
    bench.sync(&["--no-scan", "--then-scan"]).with_status(2);
}

#[test]
fn a_file_that_fails_in_every_run_does_not_hide_new_ones() {
    let bench = Bench::new();
    bench.write("blocked", "data");
    write(&bench.dest(), "blocked/inner", "precious");
    bench.sync(&[]).with_status(3);
    for name in ["new", "newer"] {
        bench.write(name, "data");
        let ended = bench.sync(&[]).with_status(3);
        assert!(ended.stdout.contains("retrying what failed in the last run: 1 file"), "{}", ended.stdout);
        assert_eq!(ended.stderr.matches("\nfailed: ").count(), 1, "it is retried each time: {}", ended.stderr);
        assert_eq!(fs::read(bench.dest().join(name)).unwrap(), b"data");
    }
    // An interrupted run is still resumed, including the file that failed before.
    bench.write("large", noise(1, 1 << 20));
    bench.interrupt_when(Signal::TERM, &["--bwlimit", "200K"], || bench.dest().join("large").exists()).with_status(143);
    let ended = bench.sync(&[]).with_status(3);
    assert!(ended.stdout.contains("resuming: 2 files") && ended.stderr.contains("failed: "), "{}", ended.stdout);
}

#[test]
fn the_second_signal_stops_immediately_and_loses_nothing() {
    let bench = Bench::new();
    for n in 0..20 {
        bench.write(format!("{n}"), noise(n, 200_000));
    }
    let mut child = bench.start_until(&["--bwlimit", "300K"], || bench.has_arrivals());
    // Two signals sent at once may arrive as one.
    wait_until("the run ends", || {
        send_signal(&child, Signal::INT);
        child.try_wait().unwrap().is_some()
    });
    end(child).with_status(130);
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn only_a_rescan_lists_directories_when_a_backlog_exists() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        skip("needs strace: the system calls of a resumed run");
        return;
    }
    let bench = Bench::new();
    for n in 0..30 {
        bench.write(format!("d{}/{n}", n % 5), noise(n, 50_000));
    }
    bench.kill_when(&["--bwlimit", "200K"], || bench.has_arrivals());
    let listings = |options: &[&str]| {
        let trace = bench.path("trace");
        let mut command = std::process::Command::new("strace");
        command.args(["-f", "-y", "-e", "trace=getdents64", "-o"]).arg(&trace);
        let towpath = bench.command(options);
        command.arg(towpath.get_program()).args(towpath.get_args());
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let trace = fs::read_to_string(trace).unwrap();
        let source = bench.source().to_str().unwrap().to_owned();
        trace.lines().filter(|line| line.contains("getdents64") && line.contains(&source)).count()
    };
    assert_eq!(listings(&[]), 0);
    assert!(listings(&["--rescan"]) > 0, "the trace works");
    bench.assert_same_trees();
}

#[test]
fn a_rescan_sends_files_in_flight_at_a_crash_again() {
    let bench = Bench::new();
    bench.write("file", noise(1, 3 << 20));
    bench.kill_when(&["--bwlimit", "1M"], || bench.dest().join("file").exists());
    // Like after a crash of the machine: the size and mtime are there, the data are not.
    let dest = bench.dest().join("file");
    fs::write(&dest, vec![0; 3 << 20]).unwrap();
    let mtime = fs::metadata(bench.source().join("file")).unwrap().modified().unwrap();
    fs::File::options().write(true).open(&dest).unwrap().set_modified(mtime).unwrap();
    bench.sync(&["--rescan"]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn another_tree_at_the_path_of_the_source_is_a_guard_refusal() {
    let bench = Bench::new();
    bench.write("file", noise(1, 2 << 20));
    bench.kill_when(&["--bwlimit", "500K"], || bench.dest().join("file").exists());
    fs::rename(bench.source(), bench.path("elsewhere")).unwrap();
    fs::create_dir(bench.source()).unwrap();
    let ended = bench.sync(&[]).with_status(4);
    assert!(ended.stderr.contains("is not the tree that was scanned"), "{}", ended.stderr);
    assert_eq!(bench.row("file").status, "pending");
    let last = bench.run_lines().pop().unwrap();
    assert_eq!(last["result"], "refused");
    assert!(last["error"].as_str().unwrap().contains("is not the tree that was scanned"), "{last}");
    fs::remove_dir(bench.source()).unwrap();
    fs::rename(bench.path("elsewhere"), bench.source()).unwrap();
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn a_full_disk_stops_the_run_and_free_space_lets_it_resume() {
    let bench = Bench::new();
    fs::create_dir(bench.dest()).unwrap();
    let Some(_mount) = Mount::small_tmpfs(&bench.dest(), "1m") else { return };
    for n in 0..4 {
        bench.write(format!("{n}"), noise(n, 400_000));
    }
    let ended = bench.sync(&[]).with_status(1);
    let output = &ended.stderr;
    assert!(output.contains(bench.dest().to_str().unwrap()) && output.contains("free some space"), "{output}");
    assert!(bench.rows().values().any(|row| row.status == "pending"));
    let resized = std::process::Command::new("mount").args(["-o", "remount,size=4m"]).arg(bench.dest()).output();
    assert!(resized.unwrap().status.success());
    bench.sync(&[]).with_status(0);
    bench.assert_same_trees();
}

#[test]
fn an_unfinished_copy_of_a_killed_run_is_reported_once_its_source_is_gone() {
    for mark_is_lost in [false, true] {
        let bench = Bench::new();
        bench.write("large", noise(1, 8 << 20));
        bench.write("other", "data");
        for (name, seconds) in [("large", 1_500_000_000), ("untouched", 1_500_000_000)] {
            set_mtime(&write(&bench.dest(), name, "the older content"), seconds, 0);
        }
        bench.write("untouched", noise(2, 8 << 20));
        bench.kill_when(&["--bwlimit", "2M", "--lanes", "1"], || {
            bench.written_bytes("large").max(bench.written_bytes("untouched")) > 300_000
        });
        let is_begun = |name: &&str| bench.written_bytes(name) > 17;
        let begun: Vec<_> = ["large", "untouched"].into_iter().filter(is_begun).collect();
        assert_eq!(begun.len(), 1, "one lane writes one file");
        if mark_is_lost {
            // Like a power cut may do.
            let connection = rusqlite::Connection::open(bench.database()).unwrap();
            connection.execute("UPDATE file SET begun = 0", []).unwrap();
        }
        for name in ["large", "untouched"] {
            fs::remove_file(bench.source().join(name)).unwrap();
        }
        for options in [&[][..], &[], &["--rescan"]] {
            let ended = bench.sync(options).with_status(3);
            assert!(ended.stderr.contains(&format!("incomplete: {}", bench.dest().join(begun[0]).display())));
            assert_eq!(ended.stderr.matches("incomplete: ").count(), 1, "{}", ended.stderr);
        }
        fs::remove_file(bench.dest().join(begun[0])).unwrap();
        bench.sync(&[]).with_status(0);
    }
}

#[test]
fn an_unfinished_copy_of_a_killed_run_is_found_by_a_new_scan() {
    let bench = Bench::new();
    bench.write("large", noise(1, 8 << 20));
    bench.write("other", "data");
    set_mtime(&write(&bench.dest(), "large", "the older content"), 1_500_000_000, 0);
    bench.kill_when(&["--bwlimit", "2M"], || bench.written_bytes("large") > 300_000);
    let connection = rusqlite::Connection::open(bench.database()).unwrap();
    connection.execute("UPDATE file SET begun = 0", []).unwrap();
    drop(connection);
    fs::remove_file(bench.source().join("large")).unwrap();
    let ended = bench.sync(&["--rescan"]).with_status(3);
    assert!(ended.stderr.contains("incomplete: "), "{}", ended.stderr);
}

/// The identity of a tree as version 0.1 recorded it.
fn former_identity(root: &std::path::Path) -> String {
    use rustix::fs::{AtFlags, CWD, StatxFlags, statfs, statvfs, statx};
    let stat = statx(CWD, root, AtFlags::empty(), StatxFlags::BASIC_STATS | StatxFlags::BTIME).unwrap();
    let magic = statfs(root).unwrap().f_type as u64 & 0xffff_ffff;
    let btime = match stat.stx_mask & StatxFlags::BTIME.bits() {
        0 => String::new(),
        _ => format!(" born {}.{:09}", stat.stx_btime.tv_sec, stat.stx_btime.tv_nsec),
    };
    format!("{magic:x} {:x} inode {}{btime}", statvfs(root).unwrap().f_fsid, stat.stx_ino)
}

#[test]
fn a_backlog_of_an_earlier_version_is_resumed_for_the_same_trees() {
    let bench = Bench::new();
    bench.write("large", noise(1, 6 << 20));
    bench.kill_when(&["--bwlimit", "1M", "--block-size", "256K"], || bench.written_bytes("large") > 1 << 20);
    let database = rusqlite::Connection::open(bench.database()).unwrap();
    let identities = || -> Vec<String> {
        let mut rows = database.prepare("SELECT identity FROM tree ORDER BY side").unwrap();
        rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let record = |text: &str| database.execute("UPDATE tree SET identity = ?1 WHERE side = 0", [text]).unwrap();
    let now = identities();
    let former = former_identity(&bench.source());
    assert_ne!(now[0], former);

    record(&former.replace(" inode ", " inode 1"));
    let refusal = bench.sync(&[]).with_status(4);
    assert!(refusal.stderr.contains("it is another directory of the same file system"), "{}", refusal.stderr);

    record(&former);
    let ended = bench.sync(&[]).with_status(0);
    assert!(ended.stdout.contains("resuming: "), "{}", ended.stdout);
    assert_eq!(identities(), now, "the new form is recorded");
    bench.assert_same_trees();
}
