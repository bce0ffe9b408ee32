//! Signals: the first stops cleanly, the second at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status of a program that a signal stopped: 128 and its number.
const SIGHUP_STATUS: u8 = 129;
const SIGINT_STATUS: u8 = 130;
const SIGTERM_STATUS: u8 = 143;

/// The status to exit with, once a signal came.
#[derive(Clone, Debug, Default)]
pub(super) struct Received(Arc<AtomicU8>);

impl Received {
    /// Whether a signal came.
    pub(super) fn any(&self) -> bool {
        self.0.load(Relaxed) != 0
    }

    /// The exit status of the first signal, or that of SIGINT if none came.
    pub(super) fn status(&self) -> u8 {
        match self.0.load(Relaxed) {
            0 => SIGINT_STATUS,
            status => status,
        }
    }
}

/// Cancels `stop` at the first signal and ends the process at the second:
/// the database is safe at any moment.
pub(super) fn listen(stop: CancellationToken) -> std::io::Result<Received> {
    let mut signals = Signals {
        hangup: signal(SignalKind::hangup())?,
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
    };
    let received = Received::default();
    let first = received.clone();
    tokio::spawn(async move {
        let status = signals.next().await;
        first.0.store(status, Relaxed);
        stop.cancel();
        let status = signals.next().await;
        std::process::exit(status.into());
    });
    Ok(received)
}

struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    async fn next(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => SIGINT_STATUS,
            _ = self.terminate.recv() => SIGTERM_STATUS,
            _ = self.hangup.recv() => SIGHUP_STATUS,
        }
    }
}
