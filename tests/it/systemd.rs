//! What a service manager learns of a run, and the units of systemd.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::common::*;

/// A service manager that waits for messages.
struct Manager {
    socket: UnixDatagram,
    /// The value of `NOTIFY_SOCKET`.
    address: String,
    /// Received, but not asked for yet.
    lines: RefCell<VecDeque<String>>,
}

impl Manager {
    /// Listens at a path of the bench.
    fn at_path(bench: &Bench) -> Self {
        let path = bench.path("notify");
        Self::with(UnixDatagram::bind(&path).unwrap(), path.to_str().unwrap().to_owned())
    }

    /// Listens at an abstract address.
    fn at_name(bench: &Bench) -> Self {
        let name = format!("towpath-test{}", bench.folder.path().display());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        Self::with(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}"))
    }

    fn with(socket: UnixDatagram, address: String) -> Self {
        Self { socket, address, lines: RefCell::default() }
    }

    fn start(&self, bench: &Bench, options: &[&str], watchdog: Option<Duration>) -> Running {
        let mut command = bench.command(options);
        command.env("NOTIFY_SOCKET", &self.address).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(watchdog) = watchdog {
            command.env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        }
        command.spawn().unwrap().into()
    }

    /// The next line, unless none comes within this time.
    fn next_within(&self, time: Duration) -> Option<String> {
        let mut lines = self.lines.borrow_mut();
        if lines.is_empty() {
            self.socket.set_read_timeout(Some(time)).unwrap();
            let mut buffer = [0; 4096];
            let length = self.socket.recv(&mut buffer).ok()?;
            let message = std::str::from_utf8(&buffer[..length]).unwrap();
            lines.extend(message.lines().map(str::to_owned));
        }
        lines.pop_front()
    }

    /// Waits for a line that begins so; returns the lines before it.
    #[track_caller]
    fn wait_for(&self, start: &str) -> Vec<String> {
        let begun = Instant::now();
        let mut before = Vec::new();
        while begun.elapsed() < Duration::from_secs(60) {
            match self.next_within(Duration::from_secs(60)) {
                Some(line) if line.starts_with(start) => return before,
                line => before.extend(line),
            }
        }
        panic!("no {start} within a minute, but {before:?}");
    }

    /// All lines that were sent and not received yet.
    fn rest(&self) -> Vec<String> {
        std::iter::from_fn(|| self.next_within(Duration::from_millis(1))).collect()
    }
}

/// `towpath ctl` for the run of the bench.
fn ctl(bench: &Bench, words: &[&str]) -> ProcessOutput {
    let mut command = Command::new(env!("CARGO_BIN_EXE_towpath"));
    command.arg("ctl").args(words).arg("--database").arg(bench.database());
    end(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
}

#[test]
fn a_manager_learns_when_a_run_is_ready_what_it_does_and_that_it_stops() {
    for manager_of in [Manager::at_path, Manager::at_name] {
        let bench = Bench::new();
        let manager = manager_of(&bench);
        bench.write("large", noise(1, 1 << 20));
        let run = manager.start(&bench, &["--bwlimit", "1K"], None);
        let before = manager.wait_for("READY=1");
        assert!(before.iter().all(|line| line.starts_with("STATUS=")), "{before:?}");
        ctl(&bench, &["limit", "2K"]).with_status(0);
        let before = manager.wait_for("STATUS=transferring: 0.0 % of 1.0 MiB in sync, ");
        assert!(!before.contains(&"STOPPING=1".to_owned()), "{before:?}");
        send_signal(&run, Signal::TERM);
        manager.wait_for("STOPPING=1");
        manager.wait_for("STATUS=stopped: sent 0 files");
        end(run).with_status(143);
        assert_eq!(manager.rest(), [""; 0]);
    }
}

#[test]
fn a_short_run_was_ready_too() {
    let bench = Bench::new();
    let manager = Manager::at_path(&bench);
    bench.write("a", "data");
    end(manager.start(&bench, &[], None)).with_status(0);
    let lines = manager.rest();
    let count = |line: &str| lines.iter().filter(|other| *other == line).count();
    assert_eq!((count("READY=1"), count("STOPPING=1")), (1, 1), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("STATUS=done: sent 1 file"), "{lines:?}");
}

#[test]
fn a_run_that_cannot_start_is_never_ready() {
    let bench = Bench::new();
    bench.write("a", "data");
    bench.sync(&[]).with_status(0);
    std::fs::rename(bench.source(), bench.path("other")).unwrap();
    std::fs::create_dir(bench.source()).unwrap();
    let manager = Manager::at_path(&bench);
    let ended = end(manager.start(&bench, &["--rescan"], None)).with_status(4);
    let lines = manager.rest();
    assert!(!lines.contains(&"READY=1".to_owned()), "{lines:?} {}", ended.stderr);
    let why = lines.last().unwrap().strip_prefix("STATUS=").unwrap();
    assert!(ended.stderr.contains(why), "{why}: {}", ended.stderr);
}

#[test]
fn a_manager_that_is_not_there_or_does_not_read_holds_up_no_run() {
    let bench = Bench::new();
    bench.write("a", "data");
    for address in ["/no/such/socket", "vsock:2:1", "@towpath-test-nobody"] {
        let mut command = bench.command(&[]);
        command.env("NOTIFY_SOCKET", address).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ended = end(command.spawn().unwrap()).with_status(0);
        let note = format!("note: cannot notify the service manager: NOTIFY_SOCKET {address}: ");
        assert!(ended.stderr.contains(&note), "{}", ended.stderr);
    }
    let manager = Manager::at_path(&bench);
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    while other.send_to(b"x", &manager.address).is_ok() {}
    end(manager.start(&bench, &["--rescan"], None)).with_status(0);
}

const WATCHDOG: Duration = Duration::from_secs(2);

#[test]
fn the_watchdog_gets_signs_of_life_in_a_pause() {
    let bench = Bench::new();
    let manager = Manager::at_path(&bench);
    bench.write("large", noise(1, 1 << 20));
    let run = manager.start(&bench, &["--bwlimit", "pause"], Some(WATCHDOG));
    manager.wait_for("STATUS=paused");
    let begun = Instant::now();
    while begun.elapsed() < 2 * WATCHDOG {
        let waited = Instant::now();
        manager.wait_for("WATCHDOG=1");
        assert!(waited.elapsed() < WATCHDOG, "{:?}", waited.elapsed());
    }
    send_signal(&run, Signal::TERM);
    end(run).with_status(143);
}

#[test]
fn the_watchdog_gets_no_sign_of_life_from_a_run_that_hangs() {
    let bench = Bench::new();
    let (real, shown) = (bench.path("real"), bench.source());
    write(&real, "large", noise(1, 64 << 20));
    let mut command = Command::new("bindfs");
    command.args(["-f", "-o", "nonempty,direct_io"]).args([&real, &shown]).stdout(Stdio::null()).stderr(Stdio::null());
    let Ok(server) = command.spawn() else { return skip("needs bindfs: a source that hangs") };
    let mut server = Running::from(server);
    let mut is_gone = false;
    wait_until("mounted", || {
        is_gone = server.try_wait().unwrap().is_some();
        is_gone || shown.join("large").exists()
    });
    if is_gone {
        return skip("needs root and bindfs: a source that hangs");
    }
    let _mount = Unmount(&shown);
    let manager = Manager::at_path(&bench);
    let run = manager.start(&bench, &["--bwlimit", "1M"], Some(WATCHDOG));
    manager.wait_for("STATUS=transferring");
    manager.wait_for("WATCHDOG=1");
    send_signal(&server, Signal::STOP);
    let stopped = Instant::now();
    let is_silent = || loop {
        match manager.next_within(2 * WATCHDOG) {
            None => return true,
            Some(line) if line == "WATCHDOG=1" && stopped.elapsed() > 8 * WATCHDOG => return false,
            Some(_) => {}
        }
    };
    assert!(is_silent(), "signs of life from a run that hangs");
    send_signal(&server, Signal::CONT);
    manager.wait_for("WATCHDOG=1");
    send_signal(&run, Signal::TERM);
    end(run).with_status(143);
}

/// Unmounts at the end of a test.
struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _best_effort = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

/// What `systemd-analyze verify` says about the units with these changes; empty: nothing. `None`: it is not installed.
fn verify(change: impl Fn(String) -> String) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/systemd");
    let mut command = Command::new("systemd-analyze");
    command.args(["verify", "--man=no", "--recursive-errors=no"]).current_dir(&folder);
    for unit in std::fs::read_dir(units).unwrap() {
        let unit = unit.unwrap();
        let text = std::fs::read_to_string(unit.path()).unwrap();
        // The program of the test stands for the installed one.
        let text = text.replace("/usr/bin/towpath", env!("CARGO_BIN_EXE_towpath"));
        std::fs::write(folder.path().join(unit.file_name()), change(text)).unwrap();
        command.arg(Path::new(".").join(unit.file_name()));
    }
    let output = match command.output() {
        Ok(output) => output,
        Err(error) => {
            skip(format_args!("needs systemd-analyze ({error}): a check of the units"));
            return None;
        }
    };
    let text = [output.stdout, output.stderr].concat();
    Some(if output.status.success() && text.is_empty() {
        String::new()
    } else {
        format!("{}: {}", output.status, String::from_utf8_lossy(&text))
    })
}

#[test]
fn the_units_are_valid() {
    let Some(problems) = verify(|text| text) else { return };
    assert_eq!(problems, "");
    let problems = verify(|text| text.replace("ProtectClock=", "ProtectClok=")).unwrap();
    assert!(problems.contains("ProtectClok"), "{problems}");
}
