//! Signals: the first one stops the run cleanly, the second one ends the process at once.
//!
//! Signals that the caller ignores (`nohup`, `trap '' INT`) stay ignored. SIGUSR1 prints
//! the status. SIGXFSZ and SIGPIPE do not end the process: the write that caused them fails
//! with an error instead. SIGPIPE is ignored by Rust's runtime.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use rustix::process::Signal as Number;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::console::erase_at_exit;
use towpath::Stopper;

/// Exit status of a program that a signal stopped: 128 plus the signal's number.
const SIGHUP_STATUS: u8 = 129;
const SIGINT_STATUS: u8 = 130;
const SIGTERM_STATUS: u8 = 143;

fn name(status: u8) -> &'static str {
    match status {
        SIGHUP_STATUS => "SIGHUP",
        SIGTERM_STATUS => "SIGTERM",
        _ => "SIGINT",
    }
}

/// Whether a run with this exit status was stopped.
pub(crate) fn is_stop(status: u8) -> bool {
    matches!(status, SIGHUP_STATUS | SIGINT_STATUS | SIGTERM_STATUS)
}

/// The status to exit with after a signal.
#[derive(Clone, Debug, Default)]
pub(crate) struct Received(Arc<AtomicU8>);

impl Received {
    /// The exit status of the first signal, or that of SIGINT if none was received.
    pub(crate) fn status(&self) -> u8 {
        match self.0.load(Relaxed) {
            0 => SIGINT_STATUS,
            status => status,
        }
    }
}

/// Stops the migration at the first signal and ends the process at the second:
/// the database is safe at any moment.
pub(crate) fn listen(stopper: Stopper) -> std::io::Result<Received> {
    let mut signals = Signals {
        hangup: unless_ignored(Number::HUP)?,
        interrupt: unless_ignored(Number::INT)?,
        terminate: unless_ignored(Number::TERM)?,
    };
    let received = Received::default();
    let first = received.clone();
    tokio::spawn(async move {
        let status = signals.next().await;
        first.0.store(status, Relaxed);
        stopper.stop(format!("signal {}", name(status)));
        let status = signals.next().await;
        erase_at_exit();
        std::process::exit(status.into());
    });
    Ok(received)
}

/// Installs handlers for signals whose default action ends the process without a message.
/// Call it before anything is written.
pub(crate) fn survive() -> std::io::Result<()> {
    // The handlers stay installed when the streams are dropped.
    unless_ignored(Number::XFSZ)?;
    unless_ignored(Number::USR1)?;
    Ok(())
}

/// Requests to print the status.
pub(crate) struct StatusRequests(Option<Signal>);

impl StatusRequests {
    pub(crate) fn new() -> std::io::Result<Self> {
        unless_ignored(Number::USR1).map(Self)
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        next(&mut self.0).await;
    }
}

struct Signals {
    hangup: Option<Signal>,
    interrupt: Option<Signal>,
    terminate: Option<Signal>,
}

impl Signals {
    async fn next(&mut self) -> u8 {
        tokio::select! {
            () = next(&mut self.interrupt) => SIGINT_STATUS,
            () = next(&mut self.terminate) => SIGTERM_STATUS,
            () = next(&mut self.hangup) => SIGHUP_STATUS,
        }
    }
}

/// Waits for a signal; never returns if it is ignored.
async fn next(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}

/// Listens to a signal, unless the caller of this program ignores it.
fn unless_ignored(number: Number) -> std::io::Result<Option<Signal>> {
    let number = number.as_raw();
    // Without /proc it is unknown: stopping cleanly is better than being killed.
    let ignored = std::fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored(&status, number));
    if ignored { Ok(None) } else { signal(SignalKind::from_raw(number)).map(Some) }
}

/// Whether a process with this `/proc/PID/status` ignores a signal.
fn is_ignored(status: &str, number: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    let bit = u32::try_from(number - 1).ok().and_then(|bit| 1_u64.checked_shl(bit));
    mask.zip(bit).is_some_and(|(mask, bit)| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        // SIGHUP (1) and SIGPIPE (13), as under nohup.
        let status =
            "Name:\ttowpath\nSigBlk:\tffffffffffffffff\nSigIgn:\t0000000000001001\nSigCgt:\t0000000000000000\n";
        for (number, ignored) in [(1, true), (2, false), (13, true), (15, false), (64, false), (65, false), (0, false)]
        {
            assert_eq!(is_ignored(status, number), ignored, "{number}");
        }
        assert!(!is_ignored("", 1) && !is_ignored("SigIgn:\tx\n", 1));
    }
}
