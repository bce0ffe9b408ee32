//! Runs of the program: to wait for what they do, to interrupt them, and to collect their output.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::{Bench, ProcessOutput};

/// What any wait of a test takes at most.
const PATIENCE: Duration = Duration::from_secs(60);

impl Bench {
    /// Starts a run and waits until `reached` returns true. A limit (`--bwlimit`) must keep the run from ending earlier.
    #[track_caller]
    pub fn start_until(&self, options: &[&str], mut reached: impl FnMut() -> bool) -> Running {
        let mut running = self.start(options);
        let start = Instant::now();
        while !reached() {
            if running.try_wait().unwrap().is_some() {
                let ended = end(running);
                panic!("the run ended too early\nstdout:\n{}\nstderr:\n{}", ended.stdout, ended.stderr);
            }
            assert!(start.elapsed() < PATIENCE, "the run did not get there within {PATIENCE:?}");
            std::thread::sleep(BETWEEN_CHECKS);
        }
        running
    }

    /// A run that gets this signal as soon as `reached` returns true.
    #[track_caller]
    pub fn interrupt_when(&self, signal: Signal, options: &[&str], reached: impl FnMut() -> bool) -> ProcessOutput {
        let running = self.start_until(options, reached);
        send_signal(&running, signal);
        end(running)
    }

    /// A run that is killed as soon as `reached` returns true.
    #[track_caller]
    pub fn kill_when(&self, options: &[&str], reached: impl FnMut() -> bool) {
        let status = 128 + Signal::KILL.as_raw();
        self.interrupt_when(Signal::KILL, options, reached).with_status(status);
    }

    /// The size of a file of the destination so far; 0 if it does not exist.
    pub fn written_bytes(&self, name: &str) -> u64 {
        std::fs::metadata(self.dest().join(name)).map_or(0, |file| file.len())
    }
}

/// A process that is killed if the test fails.
pub struct Running(Option<Child>);

impl From<Child> for Running {
    fn from(child: Child) -> Self {
        Self(Some(child))
    }
}

impl std::ops::Deref for Running {
    type Target = Child;

    fn deref(&self) -> &Child {
        self.0.as_ref().unwrap()
    }
}

impl std::ops::DerefMut for Running {
    fn deref_mut(&mut self) -> &mut Child {
        self.0.as_mut().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // It may have ended by itself.
            let _gone = (child.kill(), child.wait());
        }
    }
}

/// Waits for a process and collects its output.
pub fn end(running: impl Into<Running>) -> ProcessOutput {
    use std::os::unix::process::ExitStatusExt as _;
    let child = running.into().0.take().unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let status = output.status.code().unwrap_or_else(|| 128 + output.status.signal().unwrap());
    ProcessOutput { status, stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub fn send_signal(child: &Child, signal: Signal) {
    let pid = rustix::process::Pid::from_child(child);
    // It may have ended by itself.
    let _gone = rustix::process::kill_process(pid, signal);
}

/// The pause of a loop that waits for a condition.
const BETWEEN_CHECKS: Duration = Duration::from_millis(5);

/// Waits until `happened` returns true, for at most a minute.
#[track_caller]
pub fn wait_until(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < PATIENCE, "not within a minute: {what}");
        std::thread::sleep(BETWEEN_CHECKS);
    }
}
